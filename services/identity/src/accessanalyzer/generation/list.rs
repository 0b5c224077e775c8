//! Requests for policies and what came of them.

use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::policy::{Detail, documents};
use super::{GENERATIONS, Generation, State, all, named, row};
use crate::accessanalyzer::fault::invalid;
use crate::accessanalyzer::page;

/// Shows a generated policy.
pub struct GetGeneratedPolicy;

impl Operation for GetGeneratedPolicy {
    type Input = model::GetGeneratedPolicyRequest;
    type Output = model::GetGeneratedPolicyResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("access-analyzer:GetGeneratedPolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let generation = named(call, &input.job_id)?;
        // The ledger knows every action of every service, so a template of services has nothing to add.
        let detail = if input.include_resource_placeholders.unwrap_or(false) {
            Detail::Placeholders
        } else {
            Detail::Any
        };
        let policies = (generation.state == State::Succeeded).then(|| {
            let texts = documents(&generation.activity, detail);
            let shown = texts.into_iter().map(|policy| model::GeneratedPolicy { policy });
            shown.collect()
        });
        Ok(model::GetGeneratedPolicyResponse {
            generated_policy_result: model::GeneratedPolicyResult {
                generated_policies: policies,
                properties: generation.properties(),
            },
            job_details: generation.job(),
        })
    }
}

/// Lists the requests of the account in the region.
pub struct ListPolicyGenerations;

impl Operation for ListPolicyGenerations {
    type Input = model::ListPolicyGenerationsRequest;
    type Output = model::ListPolicyGenerationsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("access-analyzer:ListPolicyGenerations");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut held = all(call)?;
        held.retain(|generation| {
            input
                .principal_arn
                .as_ref()
                .is_none_or(|arn| *arn == generation.principal)
        });
        let list = format!("generations/{:?}", input.principal_arn);
        let (page, next_token) =
            page::cut(call, &list, held, input.next_token.as_deref(), input.max_results)?;
        let shown = |generation: &Arc<Generation>| model::PolicyGeneration {
            completed_on: generation.completed.map(Timestamp),
            job_id: generation.id.clone(),
            principal_arn: generation.principal.clone(),
            started_on: Timestamp(generation.started),
            status: generation.state.shown(),
        };
        Ok(model::ListPolicyGenerationsResponse {
            next_token,
            policy_generations: page.iter().map(shown).collect(),
        })
    }
}

/// Calls a request off that is in progress.
pub struct CancelPolicyGeneration;

impl Operation for CancelPolicyGeneration {
    type Input = model::CancelPolicyGenerationRequest;
    type Output = model::CancelPolicyGenerationResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("access-analyzer:CancelPolicyGeneration");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut generation = named(call, &input.job_id)?;
        if generation.state != State::InProgress {
            return Err(invalid(format!(
                "The policy generation {} is not in progress.",
                generation.id
            )));
        }
        generation.state = State::Canceled;
        generation.completed = Some(call.now.0);
        let key = row(call, &input.job_id);
        call.put(&GENERATIONS, &key, generation)?;
        Ok(model::CancelPolicyGenerationResponse {})
    }
}
