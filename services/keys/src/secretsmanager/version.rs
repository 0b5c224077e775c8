//! Versions and their staging labels (Secrets Manager User Guide, "Secret versions").
//!
//! Invariant: moving `AWSCURRENT` leaves `AWSPREVIOUS` on the version that had it, and takes `AWSPENDING` from the one that gets it.

use api::secretsmanager as model;
use api::secretsmanager::fault::{
    invalid_parameter_exception, limit_exceeded_exception, resource_not_found_exception,
};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Timestamp;

use super::cross_account;
use super::naming::resolve;
use super::page::{self, Order};
use super::secret::{CURRENT, DAY, PENDING, PREVIOUS, Secret, SecretTarget, to_change};
use super::value;

/// Labels of one version, and versions of one secret (Secrets Manager User Guide, "AWS Secrets Manager quotas").
const STAGES_MAX: usize = 20;
const VERSIONS_MAX: usize = 100;

/// Puts a label on a version and takes it from whichever had it.
pub(crate) fn label(secret: &mut Secret, stage: &str, id: &str) -> Result<()> {
    let before = secret.labelled(stage).map(str::to_owned);
    if before.as_deref() == Some(id) {
        return Ok(());
    }
    if let Some(before) = &before {
        unlabel(secret, stage, before);
    }
    let version = secret.versions.get_mut(id).ok_or_else(|| missing(id))?;
    version.stages.insert(stage.to_owned());
    if stage == CURRENT {
        // What is current is pending no longer (Secrets Manager User Guide, "finishSecret").
        version.stages.remove(PENDING);
    }
    if version.stages.len() > STAGES_MAX {
        return Err(limit_exceeded_exception(format!(
            "A version can have no more than {STAGES_MAX} staging labels."
        )));
    }
    match before {
        Some(before) if stage == CURRENT => label(secret, PREVIOUS, &before),
        _ => Ok(()),
    }
}

pub(crate) fn unlabel(secret: &mut Secret, stage: &str, id: &str) {
    if let Some(version) = secret.versions.get_mut(id) {
        version.stages.remove(stage);
    }
}

fn missing(id: &str) -> wire::Fault {
    resource_not_found_exception(format!(
        "Secrets Manager can't find the specified secret value for VersionId: {id}"
    ))
}

/// Drops the oldest versions without labels above the limit, but none of the last day.
pub(crate) fn make_room(call: &mut Call<'_>, secret: &mut Secret) -> Result<()> {
    while secret.versions.len() > VERSIONS_MAX {
        let before = call.now.0 - DAY;
        let outdated = secret
            .versions
            .iter()
            .filter(|(_, version)| version.stages.is_empty() && version.created <= before);
        let oldest = outdated
            .min_by_key(|(_, version)| version.created)
            .map(|(id, _)| id.clone());
        let oldest = oldest.ok_or_else(|| {
            limit_exceeded_exception(format!(
                "The secret has {VERSIONS_MAX} versions already, and none of them can be removed yet."
            ))
        })?;
        value::forget(call, secret, &oldest)?;
        secret.versions.remove(&oldest);
    }
    Ok(())
}

/// Lists the versions of a secret, the newest first.
pub struct ListSecretVersionIds;

impl Operation for ListSecretVersionIds {
    type Input = model::ListSecretVersionIdsRequest;
    type Output = model::ListSecretVersionIdsResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::read("secretsmanager:ListSecretVersionIds");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        let deprecated = input.include_deprecated == Some(true);
        let versions = secret
            .versions
            .iter()
            // What a rotation announced and has not given a value to is no version of this list (API Reference, `ListSecretVersionIds`).
            .filter(|(_, version)| !version.empty && (deprecated || !version.stages.is_empty()));
        let placed = versions.map(|(id, version)| {
            let key = version.kms_key.clone();
            let entry = model::SecretVersionsListEntry {
                created_date: Some(Timestamp(version.created)),
                kms_key_ids: Some(vec![key.unwrap_or_else(|| "DefaultEncryptionKey".to_owned())]),
                last_accessed_date: version.accessed.map(Timestamp),
                version_id: Some(id.clone()),
                version_stages: Some(version.stages.iter().cloned().collect())
                    .filter(|stages: &Vec<_>| !stages.is_empty()),
            };
            (format!("{:020} {id}", version.created), entry)
        });
        let list = format!("ListSecretVersionIds {} {deprecated}", secret.arn());
        let asked = (input.next_token.as_deref(), page::size(input.max_results, 100));
        let (versions, next_token) = page::take(call, &list, asked, Order::Descending, placed.collect())?;
        Ok(model::ListSecretVersionIdsResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            next_token,
            versions: Some(versions),
        })
    }
}

/// Moves a label from one version to another, puts it on one, or takes it away.
pub struct UpdateSecretVersionStage;

impl Operation for UpdateSecretVersionStage {
    type Input = model::UpdateSecretVersionStageRequest;
    type Output = model::UpdateSecretVersionStageResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:UpdateSecretVersionStage");
    const CONDITIONS: &'static [&'static str] = &["secretsmanager:VersionStage"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("secretsmanager:VersionStage", input.version_stage.clone());
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
        relabel(&mut secret, &input)?;
        let answer = model::UpdateSecretVersionStageResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
        };
        secret.changed = call.now.0;
        secret.keep(call)?;
        Ok(answer)
    }
}

fn relabel(secret: &mut Secret, input: &model::UpdateSecretVersionStageRequest) -> Result<()> {
    let stage = input.version_stage.as_str();
    let (from, to) = (
        input.remove_from_version_id.as_deref(),
        input.move_to_version_id.as_deref(),
    );
    for id in [from, to].into_iter().flatten() {
        if !secret.versions.contains_key(id) {
            return Err(missing(id));
        }
    }
    let holder = secret.labelled(stage).map(str::to_owned);
    if let Some(from) = from.filter(|from| holder.as_deref() != Some(*from)) {
        return Err(invalid_parameter_exception(format!(
            "The staging label {stage} isn't attached to the version {from}."
        )));
    }
    let Some(to) = to else {
        let from = from.ok_or_else(|| {
            invalid_parameter_exception("You must provide MoveToVersionId, RemoveFromVersionId or both.")
        })?;
        if stage == CURRENT {
            return Err(invalid_parameter_exception(format!(
                "You can't remove the staging label {CURRENT} without moving it to another version."
            )));
        }
        unlabel(secret, stage, from);
        return Ok(());
    };
    match holder {
        Some(holder) if from.is_none() && holder != to => Err(invalid_parameter_exception(format!(
            "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {holder}, so \
             you must explicitly reference that version in RemoveFromVersionId."
        ))),
        _ => label(secret, stage, to),
    }
}
