//! One finding.

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{What, analyzer_of, find, restriction};
use crate::accessanalyzer::analyzer::Analyzer;
use crate::accessanalyzer::fault::{invalid, missing};
use crate::accessanalyzer::page;

/// Shows a finding of external access.
pub struct GetFinding;

impl Operation for GetFinding {
    type Input = model::GetFindingRequest;
    type Output = model::GetFindingResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:GetFinding");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer_of(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let found = find(call, &analyzer, &input.id)?;
        let finding = found.ok_or_else(|| missing("Finding", &input.id))?;
        let What::External {
            principal,
            action,
            condition,
            public,
            controlled,
        } = &finding.what
        else {
            return Err(invalid(
                "GetFinding is supported only for external access analyzers. Use GetFindingV2.",
            ));
        };
        Ok(model::GetFindingResponse {
            finding: Some(model::Finding {
                action: Some(action.clone()),
                analyzed_at: Timestamp(finding.analyzed),
                condition: condition.clone(),
                created_at: Timestamp(finding.created),
                error: None,
                id: finding.id.clone(),
                is_public: Some(*public),
                principal: Some(principal.clone()),
                resource: Some(finding.resource.clone()),
                resource_control_policy_restriction: Some(restriction(*controlled)),
                resource_owner_account: finding.owner.clone(),
                resource_type: finding.resource_type(),
                sources: None,
                status: finding.status.shown(),
                updated_at: Timestamp(finding.updated),
            }),
        })
    }
}

/// Shows a finding of any kind with its details.
pub struct GetFindingV2;

impl Operation for GetFindingV2 {
    type Input = model::GetFindingV2Request;
    type Output = model::GetFindingV2Response;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:GetFinding");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer_of(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let found = find(call, &analyzer, &input.id)?;
        let finding = found.ok_or_else(|| missing("Finding", &input.id))?;
        let list = format!("GetFindingV2/{}/{}", finding.id, finding.updated);
        let details = finding.what.details();
        let (finding_details, next_token) = page::cut(
            call,
            &list,
            details,
            input.next_token.as_deref(),
            input.max_results,
        )?;
        Ok(model::GetFindingV2Response {
            analyzed_at: Timestamp(finding.analyzed),
            created_at: Timestamp(finding.created),
            error: None,
            finding_details,
            finding_type: Some(finding.what.kind()),
            id: finding.id.clone(),
            next_token,
            resource: Some(finding.resource.clone()),
            resource_owner_account: finding.owner.clone(),
            resource_type: finding.resource_type(),
            status: finding.status.shown(),
            updated_at: Timestamp(finding.updated),
        })
    }
}
