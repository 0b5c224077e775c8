//! The making of secrets.

use api::secretsmanager as model;
use api::secretsmanager::fault::{invalid_request_exception, resource_exists_exception};
use crypto::random;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;
use wire::fault::Common;

use super::cross_account;
use super::naming::{self, SUFFIX};
use super::policy::PUT;
use super::replica;
use super::secret::{CURRENT, SECRETS, Secret, SecretTarget};
use super::tag::{self, TAG};
use super::value;

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Sets the condition keys of the key that a request names.
pub(crate) fn key_conditions(key: Option<&String>, context: &mut Context) {
    let Some(key) = key else { return };
    context.insert("secretsmanager:KmsKeyId", key.clone());
    if key.contains(":key/") {
        context.insert("secretsmanager:KmsKeyArn", key.clone());
    }
}

/// Refuses what this version does not do, rather than passing it over.
pub(crate) fn expect_none(member: &str, given: bool) -> Result<()> {
    if given {
        return Err(Fault::common(
            Common::NotImplemented,
            format!("{member} is not implemented by this version of Ringwork."),
        ));
    }
    Ok(())
}

/// Makes a secret, with a value or without.
pub struct CreateSecret;

impl Operation for CreateSecret {
    type Input = model::CreateSecretRequest;
    type Output = model::CreateSecretResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("secretsmanager:CreateSecret");
    const ALSO: &'static [Access] = &[TAG, PUT];
    const CONDITIONS: &'static [&'static str] = &[
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
        "secretsmanager:AddReplicaRegions",
        "secretsmanager:Description",
        "secretsmanager:ForceOverwriteReplicaSecret",
        "secretsmanager:KmsKeyArn",
        "secretsmanager:KmsKeyId",
        "secretsmanager:Name",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        tag::expect_few(input.tags.as_deref())?;
        let denoted = Secret::new(look, &input.name, String::new());
        Ok(Denoted::new(look, denoted.arn()))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("secretsmanager:Name", input.name.clone());
        if let Some(description) = &input.description {
            context.insert("secretsmanager:Description", description.clone());
        }
        key_conditions(input.kms_key_id.as_ref(), context);
        replica::conditions(
            input.add_replica_regions.as_deref(),
            input.force_overwrite_replica_secret,
            context,
        );
        tag::requested(input.tags.as_deref(), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        naming::expect_name(&input.name)?;
        let followed = cross_account::asked(call, &input)?;
        expect_none("Type", input.r#type.is_some())?;
        if followed.is_some() {
            // The replica gets a policy with its making.
            let owner = target.account().to_owned();
            call.also(PUT, &target.arn(), &owner, Context::default())?;
        }
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::default();
            tag::requested(input.tags.as_deref(), &mut context);
            let owner = target.account().to_owned();
            call.also(TAG, &target.arn(), &owner, context)?;
        }
        let plain = value::given(input.secret_string, input.secret_binary)?;
        let tags = tag::read(call, input.tags.unwrap_or_default())?;
        let row = (
            call.account().to_owned(),
            call.region().to_owned(),
            input.name.clone(),
        );
        let there = call.get(&SECRETS, &row)?;
        if let Some(there) = there {
            return again(call, &there, input.client_request_token, plain.as_ref());
        }
        let suffix = random::text(call.random(), LETTERS, SUFFIX).map_err(Fault::internal)?;
        let suffix = suffix.expose_text().map_err(Fault::internal)?.to_owned();
        let mut secret = Secret::new(call, &input.name, suffix);
        secret.description = input.description;
        secret.kms_key = input.kms_key_id.filter(|key| !key.is_empty());
        secret.followed = followed;
        if !tags.is_empty() {
            let before = secret.clone();
            secret.tags = tags;
            tag::expect_kept(call, TAG, &before, &secret)?;
        }
        let version_id = match plain {
            Some(plain) => {
                let id = value::expect_token(input.client_request_token)?;
                value::add(call, &mut secret, &id, &plain, &[CURRENT.to_owned()])?;
                Some(id)
            }
            None => None,
        };
        call.mention(secret.arn(), &secret.account, SecretTarget::TYPE);
        secret.owner = call.via().and_then(owner);
        if let Some(regions) = input.add_replica_regions.filter(|regions| !regions.is_empty()) {
            let force = input.force_overwrite_replica_secret == Some(true);
            replica::add(call, &mut secret, regions, force)?;
        }
        let replication_status = replica::shown(call, &secret)?;
        let answer = model::CreateSecretResponse {
            replication_status,
            ..answer(&secret, version_id)
        };
        secret.keep_here(call)?;
        Ok(answer)
    }
}

/// The name of the service that makes a secret for its own caller: `rds` of `rds.amazonaws.com`.
fn owner(via: &str) -> Option<String> {
    via.split('.').next().map(str::to_owned)
}

fn answer(secret: &Secret, version_id: Option<String>) -> model::CreateSecretResponse {
    model::CreateSecretResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        replication_status: None,
        version_id,
    }
}

/// A name that is taken: the same request again is answered as before, any other is refused.
fn again(
    call: &mut Call<'_>,
    there: &Secret,
    token: Option<String>,
    plain: Option<&value::Plain>,
) -> Result<model::CreateSecretResponse> {
    if there.deletion.is_some() {
        return Err(invalid_request_exception(
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    if let (Some(id), Some(plain)) = (token, plain)
        && there.versions.get(&id).is_some_and(|version| !version.empty)
    {
        let held = value::read(call, there, &id)?;
        if held.text == plain.text && held.bytes.matches(plain.bytes.expose()) {
            let replication_status = replica::shown(call, there)?;
            return Ok(model::CreateSecretResponse {
                replication_status,
                ..answer(there, Some(id))
            });
        }
    }
    Err(resource_exists_exception(format!(
        "The operation failed because the secret {} already exists.",
        there.name
    )))
}
