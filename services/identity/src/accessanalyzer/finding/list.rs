//! Lists of findings, filtered and sorted.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{Finding, What, analyzer_of, of_analyzer, restriction};
use crate::accessanalyzer::analyzer::Analyzer;
use crate::accessanalyzer::fault::invalid;
use crate::accessanalyzer::filter::Filter;
use crate::accessanalyzer::page;

/// What both lists are asked with.
struct Asked {
    filter: Option<BTreeMap<String, model::Criterion>>,
    sort: Option<model::SortCriteria>,
    next_token: Option<String>,
    max_results: Option<i32>,
}

fn select(
    look: &mut Look<'_>,
    analyzer: &Analyzer,
    asked: Asked,
) -> Result<(Vec<Arc<Finding>>, Option<String>)> {
    let filter = Filter::of_list(asked.filter)?;
    let mut findings = of_analyzer(look, analyzer)?;
    findings.retain(|finding| filter.fits(|key| finding.values(key)));
    let sort = asked.sort.unwrap_or_default();
    let attribute = sort.attribute_name.unwrap_or_else(|| "updatedAt".to_owned());
    if !TIMES.contains(&&*attribute) && !VALUES.contains(&&*attribute) {
        return Err(invalid(format!("Invalid sort attribute: {attribute}")));
    }
    // The newest come first unless an order is told.
    let descending = sort.order_by.unwrap_or(model::OrderBy::Desc) == model::OrderBy::Desc;
    findings.sort_by_cached_key(|finding| (place(finding, &attribute), finding.id.clone()));
    if descending {
        findings.reverse();
    }
    let list = format!(
        "findings/{}/{}/{attribute}/{descending}",
        analyzer.id,
        filter.text()
    );
    page::cut(
        look,
        &list,
        findings,
        asked.next_token.as_deref(),
        asked.max_results,
    )
}

/// What findings can be sorted by.
const TIMES: [&str; 3] = ["createdAt", "updatedAt", "analyzedAt"];
const VALUES: [&str; 9] = [
    "resource",
    "resourceType",
    "resourceOwnerAccount",
    "findingType",
    "status",
    "id",
    "isPublic",
    "principal.AWS",
    "principal.Federated",
];

/// What a finding is sorted by.
fn place(finding: &Finding, attribute: &str) -> (i64, Vec<String>) {
    match attribute {
        "createdAt" => (finding.created, Vec::new()),
        "updatedAt" => (finding.updated, Vec::new()),
        "analyzedAt" => (finding.analyzed, Vec::new()),
        _ => (0, finding.values(attribute)),
    }
}

/// Lists findings of external access.
pub struct ListFindings;

impl Operation for ListFindings {
    type Input = model::ListFindingsRequest;
    type Output = model::ListFindingsResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:ListFindings");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer_of(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        if analyzer.is_unused() {
            return Err(invalid(
                "ListFindings is supported only for external access analyzers. Use ListFindingsV2.",
            ));
        }
        let asked = Asked {
            filter: input.filter,
            sort: input.sort,
            next_token: input.next_token,
            max_results: input.max_results,
        };
        let (findings, next_token) = select(call, &analyzer, asked)?;
        Ok(model::ListFindingsResponse {
            findings: findings.iter().filter_map(|finding| finding.external()).collect(),
            next_token,
        })
    }
}

/// Lists findings of all kinds.
pub struct ListFindingsV2;

impl Operation for ListFindingsV2 {
    type Input = model::ListFindingsV2Request;
    type Output = model::ListFindingsV2Response;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:ListFindings");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer_of(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let asked = Asked {
            filter: input.filter,
            sort: input.sort,
            next_token: input.next_token,
            max_results: input.max_results,
        };
        let (findings, next_token) = select(call, &analyzer, asked)?;
        let summary = |finding: &Arc<Finding>| model::FindingSummaryV2 {
            analyzed_at: Timestamp(finding.analyzed),
            created_at: Timestamp(finding.created),
            error: None,
            finding_type: Some(finding.what.kind()),
            id: finding.id.clone(),
            resource: Some(finding.resource.clone()),
            resource_owner_account: finding.owner.clone(),
            resource_type: finding.resource_type(),
            status: finding.status.shown(),
            updated_at: Timestamp(finding.updated),
        };
        Ok(model::ListFindingsV2Response {
            findings: findings.iter().map(summary).collect(),
            next_token,
        })
    }
}

impl Finding {
    /// The summary of a finding of external access.
    fn external(&self) -> Option<model::FindingSummary> {
        let What::External {
            principal,
            action,
            condition,
            public,
            controlled,
        } = &self.what
        else {
            return None;
        };
        Some(model::FindingSummary {
            action: Some(action.clone()),
            analyzed_at: Timestamp(self.analyzed),
            condition: condition.clone(),
            created_at: Timestamp(self.created),
            error: None,
            id: self.id.clone(),
            is_public: Some(*public),
            principal: Some(principal.clone()),
            resource: Some(self.resource.clone()),
            resource_control_policy_restriction: Some(restriction(*controlled)),
            resource_owner_account: self.owner.clone(),
            resource_type: self.resource_type(),
            sources: None,
            status: self.status.shown(),
            updated_at: Timestamp(self.updated),
        })
    }
}
