//! The policy simulator: what policies would decide, without a call (IAM API Reference, "SimulatePrincipalPolicy").
//!
//! Invariant: every verdict comes from `policy::decide` over the layers of the simulation, so it is the one that the same call
//! would meet; only condition keys that nobody gave are missing from it.

use api::iam as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use policy::PolicyKind;

mod exclusion;
mod input;
mod judge;
mod source;

use input::{Given, Simulation, parsed};
use source::Source;

/// Adds keys that are not there yet, compared without case.
fn merge(keys: &mut Vec<String>, more: Vec<String>) {
    for key in more {
        if !keys.iter().any(|held| held.eq_ignore_ascii_case(&key)) {
            keys.push(key);
        }
    }
}

/// The condition keys that documents mention.
fn keys_of(texts: &[String]) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let policy = parsed("PolicyInputList", index, text, PolicyKind::Identity)?;
        merge(&mut keys, policy.context_keys());
    }
    Ok(keys)
}

/// Lists the condition keys that given documents mention.
pub struct GetContextKeysForCustomPolicy;

impl Operation for GetContextKeysForCustomPolicy {
    type Input = model::GetContextKeysForCustomPolicyRequest;
    type Output = model::GetContextKeysForPolicyResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetContextKeysForCustomPolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        _call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::GetContextKeysForPolicyResponse {
            context_key_names: Some(keys_of(&input.policy_input_list)?),
        })
    }
}

/// Lists the condition keys that the policies of a user, group or role mention, and given documents.
pub struct GetContextKeysForPrincipalPolicy;

impl Operation for GetContextKeysForPrincipalPolicy {
    type Input = model::GetContextKeysForPrincipalPolicyRequest;
    type Output = model::GetContextKeysForPolicyResponse;
    type Target = Source;
    const ACCESS: Access = Access::read("iam:GetContextKeysForPrincipalPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Source>> {
        Source::named(look, &input.policy_source_arn)
    }

    fn handle(call: &mut Call<'_>, source: Authorized<Source>, input: Self::Input) -> Result<Self::Output> {
        let mut keys = Vec::new();
        for sourced in source.policies(call)? {
            merge(&mut keys, sourced.attached.policy.context_keys());
        }
        if let Some(boundary) = source.boundary(call)? {
            merge(&mut keys, boundary.policy.context_keys());
        }
        merge(
            &mut keys,
            keys_of(input.policy_input_list.as_deref().unwrap_or_default())?,
        );
        Ok(model::GetContextKeysForPolicyResponse {
            context_key_names: Some(keys),
        })
    }
}

/// Judges actions by given documents alone.
pub struct SimulateCustomPolicy;

impl Operation for SimulateCustomPolicy {
    type Input = model::SimulateCustomPolicyRequest;
    type Output = model::SimulatePolicyResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:SimulateCustomPolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let caller = input.caller_arn.as_deref();
        let caller = caller.map(|arn| source::caller(call, arn)).transpose()?;
        let mut simulation = Simulation::new(call, caller);
        simulation.add_policies(&input.policy_input_list)?;
        let boundaries = input.permissions_boundary_policy_input_list;
        simulation.set_boundary(boundaries.as_deref().unwrap_or_default())?;
        let levels = input.ordered_organization_policy_input_list.unwrap_or_default();
        simulation.set_organization(levels)?;
        let given = Given {
            actions: input.action_names,
            resources: input.resource_arns,
            resource_policy: input.resource_policy,
            resource_owner: input.resource_owner,
            entries: input.context_entries.unwrap_or_default(),
            handling: input.resource_handling_option,
        };
        simulation.ask(given)?;
        judge::answer(
            call,
            &simulation,
            "custom",
            input.marker.as_deref(),
            input.max_items,
        )
    }
}

/// Judges actions by the policies of a user, group or role, and given documents.
pub struct SimulatePrincipalPolicy;

impl Operation for SimulatePrincipalPolicy {
    type Input = model::SimulatePrincipalPolicyRequest;
    type Output = model::SimulatePolicyResponse;
    type Target = Source;
    const ACCESS: Access = Access::read("iam:SimulatePrincipalPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Source>> {
        Source::named(look, &input.policy_source_arn)
    }

    fn handle(call: &mut Call<'_>, source: Authorized<Source>, input: Self::Input) -> Result<Self::Output> {
        let caller = match input.caller_arn.as_deref() {
            Some(arn) => source::caller(call, arn)?,
            None => source.caller(),
        };
        let mut simulation = Simulation::new(call, Some(caller));
        simulation.identity = source.policies(call)?;
        simulation.boundary = source.boundary(call)?;
        simulation.set_service_control(source.service_control(call)?);
        for identifier in input.policy_exclusion_list.unwrap_or_default() {
            exclusion::exclude(&mut simulation, identifier)?;
        }
        simulation.add_policies(input.policy_input_list.as_deref().unwrap_or_default())?;
        let boundaries = input.permissions_boundary_policy_input_list;
        simulation.set_boundary(boundaries.as_deref().unwrap_or_default())?;
        let given = Given {
            actions: input.action_names,
            resources: input.resource_arns,
            resource_policy: input.resource_policy,
            resource_owner: input.resource_owner,
            entries: input.context_entries.unwrap_or_default(),
            handling: input.resource_handling_option,
        };
        simulation.ask(given)?;
        let list = input.policy_source_arn;
        judge::answer(call, &simulation, &list, input.marker.as_deref(), input.max_items)
    }
}
