//! The settings that count for an account, merged from the root down.

use api::organizations as model;
use api::organizations::fault::effective_policy_not_found_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::{Fault, Timestamp};

use super::{attachments, find, inheritance, kind};
use crate::organizations::membership::path;
use crate::organizations::reach::{self, Reached, Subject, Who};
use crate::organizations::refusal;

/// Shows the effective policy of a type for the caller's own account, or for one that the management account names.
pub struct DescribeEffectivePolicy;

impl Operation for DescribeEffectivePolicy {
    type Input = model::DescribeEffectivePolicyRequest;
    type Output = model::DescribeEffectivePolicyResponse;
    type Target = Reached;
    const ACCESS: Access = Access::read("organizations:DescribeEffectivePolicy");
    const CONDITIONS: &'static [&'static str] = &["organizations:PolicyType"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        let own = look.account().to_owned();
        let id = input.target_id.clone().unwrap_or_else(|| own.clone());
        let who = if id == own {
            Who::Members
        } else {
            Who::Administrators
        };
        reach::target(look, who, &id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("organizations:PolicyType", input.policy_type.as_str());
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let Subject::Account(member) = &reached.subject else {
            return Err(refusal::invalid(
                "TARGET_NOT_SUPPORTED",
                "You can't perform the specified operation on that target entity.",
            ));
        };
        let kind = kind::of_effective(input.policy_type)
            .ok_or_else(|| Fault::internal("a type without an effective policy"))?;
        let organization = reached.organization();
        if !organization.enables(kind) {
            return Err(missing());
        }
        let mut targets = path(call, member)?;
        targets.push(member.account.clone());
        let mut levels = Vec::new();
        let mut updated = member.joined_at;
        for target in &targets {
            let row = attachments(call, &organization.management, target)?;
            updated = updated.max(row.changed.get(kind.as_str()).copied().unwrap_or_default());
            let mut level = Vec::new();
            for id in row.ids(kind) {
                let policy = find(call, &organization.management, id)?
                    .ok_or_else(|| Fault::internal("an attached policy is missing"))?;
                updated = updated.max(policy.updated);
                level.push(serde_json::from_str(policy.content.text()).map_err(Fault::internal)?);
            }
            levels.push(level);
        }
        let merged = inheritance::effective(&levels).ok_or_else(missing)?;
        Ok(model::DescribeEffectivePolicyResponse {
            effective_policy: Some(model::EffectivePolicy {
                last_updated_timestamp: Some(Timestamp(updated)),
                policy_content: Some(merged.to_string()),
                policy_type: Some(input.policy_type),
                target_id: Some(member.account.clone()),
            }),
        })
    }
}

fn missing() -> Fault {
    effective_policy_not_found_exception(
        "The policy type is not enabled, or the account doesn't have an effective policy of this type.",
    )
}
