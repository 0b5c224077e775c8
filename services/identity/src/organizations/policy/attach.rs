//! What is attached where.
//!
//! Invariant: a target's row and the rows by which a policy finds its targets change together.

use api::organizations as model;
use api::organizations::PolicyType;
use api::organizations::fault::{duplicate_policy_attachment_exception, policy_not_attached_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{
    ATTACHMENTS, Attachments, FULL_ACCESS, NAMES, POLICIES, RESOURCE_FULL_ACCESS, ReachedPolicy, TARGETS,
    attachments, kind, named, types,
};
use crate::iam::index::Present;
use crate::organizations::organization::Organization;
use crate::organizations::reach::{self, Reached, Who};
use crate::organizations::refusal;

/// Asks for the action on the target too, beside the policy.
fn target(
    call: &mut Call<'_>,
    access: Access,
    reached: &ReachedPolicy,
    id: &str,
) -> Result<Authorized<Reached>> {
    let found = reach::target(call, Who::Delegates, id)?;
    let mut context = Context::new();
    context.insert("organizations:PolicyType", reached.policy.kind.clone());
    call.authorize(access, found, context)
}

fn write(
    call: &mut Call<'_>,
    organization: &Organization,
    target: &str,
    kind: PolicyType,
    ids: Vec<String>,
) -> Result<()> {
    let mut row = Attachments::clone(&*attachments(call, &organization.management, target)?);
    row.changed.insert(kind.as_str().to_owned(), call.now.0);
    row.by_type.insert(kind.as_str().to_owned(), ids);
    let key = (organization.management.clone(), target.to_owned());
    call.put(&ATTACHMENTS, &key, row)
}

/// The ids to store: AWS's own resource control policy is implied everywhere.
fn stored(row: &Attachments, kind: PolicyType) -> Vec<String> {
    row.ids(kind)
        .filter(|id| *id != RESOURCE_FULL_ACCESS)
        .map(str::to_owned)
        .collect()
}

/// Attaches a policy to the root, a unit or an account.
pub struct AttachPolicy;

impl Operation for AttachPolicy {
    type Input = model::AttachPolicyRequest;
    type Output = Empty;
    type Target = ReachedPolicy;
    const ACCESS: Access = Access::permissions("organizations:AttachPolicy");
    const ALSO: &'static [Access] = &[Self::ACCESS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ReachedPolicy>> {
        named(look, Who::Delegates, &input.policy_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<ReachedPolicy>, input: Self::Input) -> Result<Empty> {
        target(call, Self::ACCESS, &reached, &input.target_id)?;
        let (organization, policy) = (reached.organization(), &reached.policy);
        let kind = policy.policy_type()?;
        if !organization.enables(kind) {
            return Err(types::not_enabled());
        }
        let row = attachments(call, &organization.management, &input.target_id)?;
        if row.ids(kind).any(|id| id == policy.id) {
            return Err(duplicate_policy_attachment_exception(
                "The selected policy is already attached to the specified target.",
            ));
        }
        if row.ids(kind).count() >= kind::rules(kind).attached_max {
            return Err(refusal::constraint(
                "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                "You have attached the maximum number of policies to the specified target.",
            ));
        }
        let mut ids = stored(&row, kind);
        ids.push(policy.id.clone());
        if policy.id != FULL_ACCESS {
            let key = (
                organization.management.clone(),
                policy.id.clone(),
                input.target_id.clone(),
            );
            call.put(&TARGETS, &key, Present)?;
        }
        write(call, organization, &input.target_id, kind, ids)?;
        Ok(Empty)
    }
}

/// Detaches a policy.
pub struct DetachPolicy;

impl Operation for DetachPolicy {
    type Input = model::DetachPolicyRequest;
    type Output = Empty;
    type Target = ReachedPolicy;
    const ACCESS: Access = Access::permissions("organizations:DetachPolicy");
    const ALSO: &'static [Access] = &[Self::ACCESS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ReachedPolicy>> {
        named(look, Who::Delegates, &input.policy_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<ReachedPolicy>, input: Self::Input) -> Result<Empty> {
        target(call, Self::ACCESS, &reached, &input.target_id)?;
        let (organization, policy) = (reached.organization(), &reached.policy);
        let kind = policy.policy_type()?;
        let row = attachments(call, &organization.management, &input.target_id)?;
        if !organization.enables(kind) || !row.ids(kind).any(|id| id == policy.id) {
            return Err(policy_not_attached_exception(
                "The policy isn't attached to the specified target in the specified root.",
            ));
        }
        if policy.id == RESOURCE_FULL_ACCESS {
            return Err(refusal::invalid(
                "NON_DETACHABLE_POLICY",
                "You can't detach this AWS managed policy.",
            ));
        }
        let mut ids = stored(&row, kind);
        ids.retain(|id| *id != policy.id);
        if kind == PolicyType::ServiceControlPolicy && ids.is_empty() {
            return Err(refusal::constraint(
                "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                "You cannot remove the last policy attached to the specified target. You must have at least one \
                 attached at all times.",
            ));
        }
        let key = (
            organization.management.clone(),
            policy.id.clone(),
            input.target_id.clone(),
        );
        call.delete(&TARGETS, &key)?;
        write(call, organization, &input.target_id, kind, ids)?;
        Ok(Empty)
    }
}

fn unlink(call: &mut Call<'_>, management: &str, target: &str, ids: &[String]) -> Result<()> {
    for id in ids {
        call.delete(&TARGETS, &(management.to_owned(), id.clone(), target.to_owned()))?;
    }
    Ok(())
}

/// Detaches every policy of a type from everything in an organization.
pub(super) fn forget_type(call: &mut Call<'_>, management: &str, kind: PolicyType) -> Result<()> {
    for (key, row) in call.every(&ATTACHMENTS, &(management,))? {
        let Some(ids) = row.by_type.get(kind.as_str()) else {
            continue;
        };
        unlink(call, management, &key.1, ids)?;
        let mut row = Attachments::clone(&row);
        row.by_type.remove(kind.as_str());
        row.changed.remove(kind.as_str());
        call.put(&ATTACHMENTS, &key, row)?;
    }
    Ok(())
}

/// Detaches everything from a unit that is deleted or an account that leaves.
///
/// # Errors
/// The store's.
pub(crate) fn forget_target(call: &mut Call<'_>, management: &str, target: &str) -> Result<()> {
    let key = (management.to_owned(), target.to_owned());
    if let Some(row) = call.get(&ATTACHMENTS, &key)? {
        for ids in row.by_type.values() {
            unlink(call, management, target, ids)?;
        }
        call.delete(&ATTACHMENTS, &key)?;
    }
    Ok(())
}

/// Removes every policy of an organization that is deleted.
///
/// # Errors
/// The store's.
pub(crate) fn forget_organization(call: &mut Call<'_>, management: &str) -> Result<()> {
    for (key, _) in call.every(&ATTACHMENTS, &(management,))? {
        forget_target(call, management, &key.1)?;
    }
    for (key, _) in call.every(&NAMES, &(management,))? {
        call.delete(&NAMES, &key)?;
    }
    for (key, _) in call.every(&POLICIES, &(management,))? {
        call.delete(&POLICIES, &key)?;
    }
    Ok(())
}
