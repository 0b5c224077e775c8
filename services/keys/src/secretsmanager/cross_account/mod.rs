//! Secrets of two accounts: a primary, and the replica that another account made to follow it (Secrets Manager User Guide, "Replicate
//! AWS Secrets Manager secrets across accounts").
//!
//! The replica is a secret of its own: its name, key, tags, description and policies are its account's. Values and their labels are the
//! primary's, and nobody else changes them.
//!
//! Invariant: each side keeps the other's ARN and its own word on the state; a primary writes to no secret that does not name it.

use api::secretsmanager as model;
use api::secretsmanager::fault::{invalid_parameter_exception, invalid_request_exception};
use pipeline::{Call, Look, Result};
use policy::Arn;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use wire::Fault;

use super::envelope;
use super::naming::by_arn;
use super::secret::Secret;

mod actor;
mod associate;
mod copy;

pub use associate::{AssociateCrossAccountReplica, DisassociateCrossAccountReplica};
pub(crate) use copy::follow;

/// The policy that a replica has for as long as it is one: it lets the primary's account associate it.
pub(crate) const POLICY: &str = "cross-account-replication";
/// What the caller who associates a replica must be allowed on it.
const ACCEPT: &str = "secretsmanager:AcceptCrossAccountReplication";

/// How far a replica has followed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The primary's account has not associated it yet.
    Pending,
    InSync,
    /// Why the replica is not what the primary is.
    Failed(String),
    /// The other side has stopped.
    Detached,
}

impl State {
    /// As answers show it, with the message of a failure.
    fn shown(&self) -> (model::StatusType, Option<String>) {
        match self {
            Self::Pending => (model::StatusType::Pending, None),
            Self::InSync => (model::StatusType::InSync, None),
            Self::Failed(why) => (model::StatusType::Failed, Some(why.clone())),
            Self::Detached => (model::StatusType::Detached, None),
        }
    }
}

/// What a replica knows of its primary.
#[derive(Clone, Serialize, Deserialize)]
pub struct Followed {
    pub arn: String,
    pub state: State,
}

/// What a primary knows of its replica.
#[derive(Clone, Serialize, Deserialize)]
pub struct Follower {
    pub arn: String,
    /// The role by which values are copied; `None` is whoever changes the primary.
    pub role: Option<String>,
    pub state: State,
}

/// The primary of a replica, as `DescribeSecret` shows it.
pub(crate) fn shown_primary(secret: &Secret) -> Option<model::CrossAccountPrimaryType> {
    let followed = secret.followed.as_ref()?;
    let (status, message) = followed.state.shown();
    Some(model::CrossAccountPrimaryType {
        primary_secret_arn: Some(followed.arn.clone()),
        replication_status: Some(status),
        status_message: message,
    })
}

/// The replicas of a primary, as `DescribeSecret` shows them.
pub(crate) fn shown_replicas(secret: &Secret) -> Option<Vec<model::CrossAccountReplicaEntry>> {
    let follower = secret.follower.as_ref()?;
    let (status, message) = follower.state.shown();
    Some(vec![model::CrossAccountReplicaEntry {
        replica_secret_arn: Some(follower.arn.clone()),
        replication_role_arn: follower.role.clone(),
        replication_status: Some(status),
        status_message: message,
    }])
}

/// Values of a replica are changed by its primary alone, also of one that was detached.
pub(crate) fn expect_no_replica(secret: &Secret) -> Result<()> {
    match &secret.followed {
        None => Ok(()),
        Some(followed) => Err(invalid_parameter_exception(format!(
            "Operation not permitted on a replica secret. Call must be made on the primary secret {}.",
            followed.arn
        ))),
    }
}

/// What `UpdateSecret` may not do to a replica: give it a value, or AWS's own key.
pub(crate) fn expect_update(secret: &Secret, input: &model::UpdateSecretRequest) -> Result<()> {
    if input.secret_string.is_some() || input.secret_binary.is_some() {
        expect_no_replica(secret)?;
    }
    match &input.kms_key_id {
        Some(key) if secret.followed.is_some() => expect_customer_key(Some(key)),
        _ => Ok(()),
    }
}

/// Neither side goes before it has stopped the replication itself.
pub(crate) fn expect_none(secret: &Secret) -> Result<()> {
    if let Some(followed) = &secret.followed {
        return Err(invalid_request_exception(format!(
            "You can't delete secret {} that is a replica of {}. Stop the replication to it first.",
            secret.name, followed.arn
        )));
    }
    match &secret.follower {
        None => Ok(()),
        Some(follower) => Err(invalid_request_exception(format!(
            "You can't delete secret {} that is associated with the cross-account replica {}. Disassociate it first.",
            secret.name, follower.arn
        ))),
    }
}

fn expect_customer_key(key: Option<&String>) -> Result<()> {
    match key {
        Some(key) if !key.is_empty() && !envelope::is_aws_owned(key) => Ok(()),
        _ => Err(invalid_parameter_exception(
            "A cross-account replica must be encrypted with a customer managed KMS key.",
        )),
    }
}

/// What a request for a new secret says of a primary elsewhere: `None` if it asks for an ordinary one.
pub(crate) fn asked(look: &Look<'_>, input: &model::CreateSecretRequest) -> Result<Option<Followed>> {
    let Some(arn) = &input.cross_account_primary_arn else {
        return Ok(None);
    };
    let barred = [
        ("AddReplicaRegions", input.add_replica_regions.is_some()),
        ("Description", input.description.is_some()),
        ("SecretBinary", input.secret_binary.is_some()),
        ("SecretString", input.secret_string.is_some()),
        ("Type", input.r#type.is_some()),
    ];
    if let Some((member, _)) = barred.iter().find(|(_, given)| *given) {
        return Err(invalid_parameter_exception(format!(
            "You can't specify {member} together with CrossAccountPrimaryARN."
        )));
    }
    expect_elsewhere(look, "CrossAccountPrimaryARN", arn)?;
    expect_customer_key(input.kms_key_id.as_ref())?;
    Ok(Some(Followed {
        arn: arn.clone(),
        state: State::Pending,
    }))
}

/// Checks the ARN of the other side: a secret of this region, and of an account that is not the caller's.
fn expect_elsewhere(look: &Look<'_>, member: &str, text: &str) -> Result<()> {
    let arn = Arn::parse(text)
        .filter(|arn| arn.service() == "secretsmanager" && arn.resource().starts_with("secret:"));
    let arn =
        arn.ok_or_else(|| invalid_parameter_exception(format!("The {member} is not the ARN of a secret.")))?;
    if arn.partition() != "aws" || arn.region() != look.region() {
        return Err(invalid_parameter_exception(
            "The primary secret and the cross-account replica must be in the same Region and partition.",
        ));
    }
    if arn.account() == look.account() {
        return Err(invalid_parameter_exception(
            "The primary secret and the cross-account replica must be in different AWS accounts.",
        ));
    }
    Ok(())
}

/// The text of a replica's policy `cross-account-replication`.
pub(crate) fn policy_text(secret: &Secret) -> Result<Option<String>> {
    let Some(followed) = &secret.followed else {
        return Ok(None);
    };
    let statement = statement(followed)?;
    Ok(Some(
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string(),
    ))
}

fn statement(followed: &Followed) -> Result<Json> {
    let primary = Arn::parse(&followed.arn).ok_or_else(|| Fault::internal("a primary that is no secret"))?;
    Ok(json!({
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{}:root", primary.account()) },
        "Action": ACCEPT,
        "Resource": "*",
    }))
}

/// All that a secret's policies say together, as one: what its owner gave it, and what it has as a replica.
pub(crate) fn whole_policy(secret: &Secret) -> Result<Option<String>> {
    let (Some(own), Some(followed)) = (&secret.policy, &secret.followed) else {
        return Ok(policy_text(secret)?.or_else(|| secret.policy.clone()));
    };
    let mut own: Json = serde_json::from_str(own).map_err(Fault::internal)?;
    let statements = own
        .get_mut("Statement")
        .ok_or_else(|| Fault::internal("a policy without statements"))?;
    let mut all = match statements.take() {
        Json::Array(all) => all,
        one => vec![one],
    };
    all.push(statement(followed)?);
    *statements = Json::Array(all);
    Ok(Some(own.to_string()))
}

/// Makes a replica a secret of its own, and tells its primary, which learns that it is followed no more.
pub(crate) fn stop(call: &mut Call<'_>, secret: &mut Secret) -> Result<()> {
    let Some(followed) = secret.followed.take() else {
        return Ok(());
    };
    let Some(primary) = by_arn(call, &followed.arn)? else {
        return Ok(());
    };
    let arn = secret.arn();
    let mut primary = (*primary).clone();
    match &mut primary.follower {
        Some(follower) if follower.arn == arn => follower.state = State::Detached,
        _ => return Ok(()),
    }
    primary.keep_here(call)
}
