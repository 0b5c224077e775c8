//! Secrets in several regions: a primary that is changed, and replicas that follow it (Secrets Manager User Guide, "Replicate AWS
//! Secrets Manager secrets across Regions").
//!
//! A replica is a row of its own region with the same name and suffix, its values encrypted under a key of that region, in the name
//! of whoever changed the primary.
//!
//! Invariant: nobody changes a replica but its primary; what could not be copied is told in the primary's status, and is copied by
//! the next change.

use api::secretsmanager as model;
use api::secretsmanager::fault::{invalid_parameter_exception, resource_not_found_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use wire::fault::{Code, Common};
use wire::{Fault, Timestamp};

use super::cross_account;
use super::deletion;
use super::naming::{resolve, resolve_here};
use super::policy::{DELETE, POLICY_NAME};
use super::secret::{SECRETS, Secret, SecretTarget, Version, to_change};
use super::value::{self, Plain};

/// The key of replicas that name none, as answers show it.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";
const SUCCEEDED: &str = "Replication succeeded";

/// A copy, as its primary knows it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Replica {
    /// The key as it was named; `None` is `alias/aws/secretsmanager`.
    pub kms_key: Option<String>,
    /// Why the copy is not what the primary is.
    pub failed: Option<String>,
}

/// Sets the condition keys of the regions that a request names.
pub(crate) fn conditions(
    regions: Option<&[model::ReplicaRegionType]>,
    force: Option<bool>,
    context: &mut Context,
) {
    let named: Vec<String> = regions
        .unwrap_or_default()
        .iter()
        .filter_map(|region| region.region.clone())
        .collect();
    if !named.is_empty() {
        context.insert_many("secretsmanager:AddReplicaRegions", named);
    }
    if let Some(force) = force {
        context.insert("secretsmanager:ForceOverwriteReplicaSecret", force.to_string());
    }
}

/// A secret that has replicas does not go.
pub(crate) fn expect_none(secret: &Secret) -> Result<()> {
    if secret.replicas.is_empty() {
        return Ok(());
    }
    let regions: Vec<&str> = secret.replicas.keys().map(String::as_str).collect();
    Err(invalid_parameter_exception(format!(
        "You can't delete secret {} that still has replica regions [{}]",
        secret.name,
        regions.join(", ")
    )))
}

/// The status of a secret's replicas; absent if it has none.
pub(crate) fn shown(
    look: &mut Look<'_>,
    secret: &Secret,
) -> Result<Option<Vec<model::ReplicationStatusType>>> {
    let mut shown = Vec::new();
    for (region, replica) in &secret.replicas {
        let row = (secret.account.as_str(), region.as_str(), secret.name.as_str());
        let there = look.get(&SECRETS, &row)?;
        let accessed = there
            .filter(|there| there.primary.as_ref() == Some(&secret.region))
            .and_then(|there| there.accessed);
        shown.push(model::ReplicationStatusType {
            kms_key_id: Some(replica.kms_key.clone().unwrap_or_else(|| DEFAULT_KEY.to_owned())),
            last_accessed_date: accessed.map(Timestamp),
            region: Some(region.clone()),
            status: Some(match replica.failed {
                None => model::StatusType::InSync,
                Some(_) => model::StatusType::Failed,
            }),
            status_message: Some(replica.failed.clone().unwrap_or_else(|| SUCCEEDED.to_owned())),
        });
    }
    Ok(Some(shown).filter(|shown| !shown.is_empty()))
}

/// Gives a secret replicas in further regions. What stands there under the name is overwritten only with `force`.
pub(crate) fn add(
    call: &mut Call<'_>,
    secret: &mut Secret,
    regions: Vec<model::ReplicaRegionType>,
    force: bool,
) -> Result<()> {
    let mut added = Vec::new();
    for region in regions {
        let name = region
            .region
            .ok_or_else(|| invalid_parameter_exception("You must provide the region of a replica."))?;
        if name == secret.region || added.contains(&name) {
            return Err(invalid_parameter_exception("Invalid replica region."));
        }
        let there = secret.replicas.get(&name);
        if there.is_some_and(|replica| replica.failed.is_none()) {
            return Err(invalid_parameter_exception(format!(
                "The secret is already replicated to {name}."
            )));
        }
        let replica = Replica {
            kms_key: region
                .kms_key_id
                .filter(|key| !key.is_empty() && key != DEFAULT_KEY),
            failed: None,
        };
        secret.replicas.insert(name.clone(), replica);
        added.push(name);
    }
    for region in added {
        tell(call, secret, "ReplicationStarted", None);
        copy_and_note(call, secret, &region, Copying { first: true, force })?;
    }
    Ok(())
}

/// How a copy is made.
#[derive(Clone, Copy)]
struct Copying {
    /// It is the first to this region, whose end is told in any case.
    first: bool,
    /// An ordinary secret of the name makes way.
    force: bool,
}

/// Removes the secret that makes way for a replica from the region that the call is in.
fn remove_other(call: &mut Call<'_>, other: &Secret) -> Result<()> {
    if let Some(planned) = &other.deletion {
        call.unschedule(&planned.job)?;
    }
    deletion::remove(call, other)
}

/// Makes all replicas what their primary is now.
pub(crate) fn follow(call: &mut Call<'_>, secret: &mut Secret) -> Result<()> {
    let regions: Vec<String> = secret.replicas.keys().cloned().collect();
    for region in regions {
        let again = Copying {
            first: false,
            force: false,
        };
        copy_and_note(call, secret, &region, again)?;
    }
    Ok(())
}

fn copy_and_note(call: &mut Call<'_>, secret: &mut Secret, region: &str, how: Copying) -> Result<()> {
    let before = secret
        .replicas
        .get(region)
        .and_then(|replica| replica.failed.clone());
    let failed = match copy(call, secret, region, how.force) {
        Ok(()) => None,
        Err(fault) => Some(reason(fault)?),
    };
    if how.first || before != failed {
        match &failed {
            None => tell(call, secret, "ReplicationSucceeded", None),
            Some(why) => tell(call, secret, "ReplicationFailed", Some(why.clone())),
        }
    }
    if let Some(replica) = secret.replicas.get_mut(region) {
        replica.failed = failed;
    }
    Ok(())
}

/// Why a copy could not be made; what failed inside fails the call.
pub(crate) fn reason(fault: Fault) -> Result<String> {
    match &fault.code {
        Code::Common(Common::AccessDenied | Common::Validation) | Code::Modeled { status: 400, .. } => {
            Ok(format!("Replication failed: {}", fault.message))
        }
        _ => Err(fault),
    }
}

fn tell(call: &mut Call<'_>, secret: &Secret, event: &'static str, error: Option<String>) {
    let details = Map::from_iter([("SecretId".to_owned(), Json::String(secret.arn()))]);
    call.service_event(event, details, error);
}

/// Copies a secret to a region: what the replica does not have yet of the values, and all else. What stands there under the name is
/// removed only with `force`, and only once all that can be refused of the copy was granted.
fn copy(call: &mut Call<'_>, secret: &Secret, region: &str, force: bool) -> Result<()> {
    let row = (secret.account.as_str(), region, secret.name.as_str());
    let there = call.get(&SECRETS, &row)?;
    let ours =
        |there: &Secret| there.primary.as_ref() == Some(&secret.region) && there.suffix == secret.suffix;
    let ordinary = |there: &Secret| {
        let tied = there.followed.is_some() || there.follower.is_some();
        there.primary.is_none() && there.replicas.is_empty() && !tied
    };
    let (there, other) = match there {
        Some(there) if ours(&there) => (Some(there), None),
        other => (None, other),
    };
    if other.as_ref().is_some_and(|other| !force || !ordinary(other)) {
        return Err(invalid_parameter_exception(format!(
            "Secret name {} already exists in region {region}.",
            secret.name
        )));
    }
    let has = |id: &str| {
        let version = there.as_ref().and_then(|there| there.versions.get(id));
        version.is_some_and(|version| !version.empty)
    };
    let lacking = secret
        .versions
        .iter()
        .filter(|(id, version)| !version.empty && !has(id));
    let lacking: Vec<String> = lacking.map(|(id, _)| id.clone()).collect();
    let mut plains: Vec<(String, Plain)> = Vec::new();
    for id in lacking {
        let plain = value::read(call, secret, &id)?;
        plains.push((id, plain));
    }
    let kms_key = secret
        .replicas
        .get(region)
        .and_then(|replica| replica.kms_key.clone());
    let versions = secret.versions.iter().map(|(id, version)| {
        let copied = there.as_ref().and_then(|there| there.versions.get(id));
        let copied = copied.filter(|copied| !copied.empty);
        let version = Version {
            accessed: copied.and_then(|copied| copied.accessed),
            kms_key: copied.map_or_else(|| kms_key.clone(), |copied| copied.kms_key.clone()),
            ..version.clone()
        };
        (id.clone(), version)
    });
    let replica = Secret {
        region: region.to_owned(),
        created: there.as_ref().map_or(call.now.0, |there| there.created),
        accessed: there.as_ref().and_then(|there| there.accessed),
        kms_key: kms_key.clone(),
        versions: versions.collect(),
        rotation: secret
            .rotation
            .as_ref()
            .map(super::rotation::Rotation::shown_only),
        replicas: std::collections::BTreeMap::new(),
        primary: Some(secret.region.clone()),
        follower: None,
        deletion: None,
        ..secret.clone()
    };
    call.within_region(region, |call| {
        let mut values = Vec::with_capacity(plains.len());
        for (id, plain) in &plains {
            values.push((id, value::sealed(call, &replica, id, plain)?));
        }
        if let Some(other) = &other {
            remove_other(call, other)?;
        }
        for (id, value) in values {
            value::keep(call, &replica, id, value)?;
        }
        let gone = there.iter().flat_map(|there| there.versions.keys());
        for id in gone.filter(|id| !replica.versions.contains_key(*id)) {
            value::forget(call, &replica, id)?;
        }
        replica.keep_here(call)
    })
}

/// Copies a secret to further regions.
pub struct ReplicateSecretToRegions;

impl Operation for ReplicateSecretToRegions {
    type Input = model::ReplicateSecretToRegionsRequest;
    type Output = model::ReplicateSecretToRegionsResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:ReplicateSecretToRegions");
    const CONDITIONS: &'static [&'static str] = &[
        "secretsmanager:AddReplicaRegions",
        "secretsmanager:ForceOverwriteReplicaSecret",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        conditions(
            Some(&input.add_replica_regions),
            input.force_overwrite_replica_secret,
            context,
        );
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        cross_account::expect_no_replica(&secret)?;
        let mut secret = to_change(&secret);
        let force = input.force_overwrite_replica_secret == Some(true);
        add(call, &mut secret, input.add_replica_regions, force)?;
        let answer = model::ReplicateSecretToRegionsResponse {
            arn: Some(secret.arn()),
            replication_status: shown(call, &secret)?,
        };
        secret.keep_here(call)?;
        Ok(answer)
    }
}

/// Deletes a secret's replicas in the regions named.
pub struct RemoveRegionsFromReplication;

impl Operation for RemoveRegionsFromReplication {
    type Input = model::RemoveRegionsFromReplicationRequest;
    type Output = model::RemoveRegionsFromReplicationResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:RemoveRegionsFromReplication");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        let mut secret = to_change(&secret);
        for region in &input.remove_replica_regions {
            if secret.replicas.remove(region).is_none() {
                continue;
            }
            let row = (secret.account.as_str(), region.as_str(), secret.name.as_str());
            let there = call.get(&SECRETS, &row)?;
            if let Some(there) = there.filter(|there| there.primary.as_ref() == Some(&secret.region)) {
                call.within_region(region, |call| deletion::remove(call, &there))?;
            }
        }
        let answer = model::RemoveRegionsFromReplicationResponse {
            arn: Some(secret.arn()),
            replication_status: Some(shown(call, &secret)?.unwrap_or_default()),
        };
        secret.keep_here(call)?;
        Ok(answer)
    }
}

/// Makes a replica a secret of its own.
pub struct StopReplicationToReplica;

impl Operation for StopReplicationToReplica {
    type Input = model::StopReplicationToReplicaRequest;
    type Output = model::StopReplicationToReplicaResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:StopReplicationToReplica");
    const ALSO: &'static [Access] = &[DELETE];
    const CONDITIONS: &'static [&'static str] = &[POLICY_NAME];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve_here(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        granted: Authorized<SecretTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&granted.account);
        granted.expect_staying()?;
        let mut secret = to_change(&granted);
        if secret.followed.is_some() {
            // The policy that the replica got with its making goes with the tie.
            let mut context = Context::default();
            context.insert(POLICY_NAME, cross_account::POLICY);
            call.authorize(DELETE, Found::Here((*granted).clone()), context)?;
            cross_account::stop(call, &mut secret)?;
            secret.changed = call.now.0;
            let arn = secret.arn();
            secret.keep_here(call)?;
            return Ok(model::StopReplicationToReplicaResponse { arn: Some(arn) });
        }
        let Some(primary) = secret.primary.take() else {
            return Err(resource_not_found_exception(format!(
                "The secret {} is not a replica secret.",
                secret.name
            )));
        };
        let row = (secret.account.as_str(), primary.as_str(), secret.name.as_str());
        let from = call
            .get(&SECRETS, &row)?
            .filter(|from| from.suffix == secret.suffix);
        if let Some(from) = from {
            let mut from = (*from).clone();
            from.replicas.remove(&secret.region);
            call.within_region(&primary, |call| from.keep_here(call))?;
        }
        secret.rotation = None;
        secret.changed = call.now.0;
        let arn = secret.arn();
        secret.keep_here(call)?;
        Ok(model::StopReplicationToReplicaResponse { arn: Some(arn) })
    }
}
