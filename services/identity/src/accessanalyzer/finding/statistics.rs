//! How many findings an analyzer has, of which kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{Finding, Status, What, analyzer_of, of_analyzer};
use crate::accessanalyzer::analyzer::Analyzer;

/// Counts the findings of an analyzer.
pub struct GetFindingsStatistics;

impl Operation for GetFindingsStatistics {
    type Input = model::GetFindingsStatisticsRequest;
    type Output = model::GetFindingsStatisticsResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:GetFindingsStatistics");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer_of(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let findings = of_analyzer(call, &analyzer)?;
        let statistics = if analyzer.is_unused() {
            model::FindingsStatistics {
                unused_access_findings_statistics: Some(unused(&findings)),
                ..model::FindingsStatistics::default()
            }
        } else {
            model::FindingsStatistics {
                external_access_findings_statistics: Some(external(&findings)),
                ..model::FindingsStatistics::default()
            }
        };
        let last = analyzer.last.as_ref().map(|(_, at)| Timestamp(*at));
        Ok(model::GetFindingsStatisticsResponse {
            findings_statistics: Some(vec![statistics]),
            last_updated_at: last,
        })
    }
}

fn count(findings: &[Arc<Finding>], status: Status) -> Option<i32> {
    let all = findings.iter().filter(|finding| finding.status == status).count();
    Some(i32::try_from(all).unwrap_or(i32::MAX))
}

fn external(findings: &[Arc<Finding>]) -> model::ExternalAccessFindingsStatistics {
    let mut types: BTreeMap<String, model::ResourceTypeDetails> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.status == Status::Active) {
        let details = types
            .entry(finding.kind.clone())
            .or_insert_with(|| model::ResourceTypeDetails {
                total_active_cross_account: Some(0),
                total_active_errors: Some(0),
                total_active_public: Some(0),
            });
        let counted = if matches!(finding.what, What::External { public: true, .. }) {
            &mut details.total_active_public
        } else {
            &mut details.total_active_cross_account
        };
        *counted = counted.map(|number| number.saturating_add(1));
    }
    model::ExternalAccessFindingsStatistics {
        resource_type_statistics: Some(types),
        total_active_findings: count(findings, Status::Active),
        total_archived_findings: count(findings, Status::Archived),
        total_resolved_findings: count(findings, Status::Resolved),
    }
}

/// Accounts that are shown, those with the most findings first.
const TOP_ACCOUNTS: usize = 10;

fn unused(findings: &[Arc<Finding>]) -> model::UnusedAccessFindingsStatistics {
    let mut types: BTreeMap<String, i32> = BTreeMap::new();
    let mut accounts: BTreeMap<String, BTreeMap<String, i32>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.status == Status::Active) {
        let kind = finding.what.kind().as_str().to_owned();
        let of_account = accounts.entry(finding.owner.clone()).or_default();
        for number in [
            of_account.entry(kind.clone()).or_default(),
            types.entry(kind).or_default(),
        ] {
            *number = number.saturating_add(1);
        }
    }
    let mut top: Vec<_> = accounts
        .into_iter()
        .map(|(account, details)| model::FindingAggregationAccountDetails {
            account: Some(account),
            number_of_active_findings: Some(details.values().sum()),
            details: Some(details),
        })
        .collect();
    top.sort_by_key(|details| std::cmp::Reverse(details.number_of_active_findings));
    top.truncate(TOP_ACCOUNTS);
    let active = count(findings, Status::Active);
    let statistics = types
        .iter()
        .map(|(kind, total)| model::UnusedAccessTypeStatistics {
            total: Some(*total),
            unused_access_type: Some(kind.clone()),
        });
    model::UnusedAccessFindingsStatistics {
        unused_access_type_statistics: Some(statistics.collect()),
        top_accounts: Some(top),
        total_active_findings: active,
        total_archived_findings: count(findings, Status::Archived),
        total_resolved_findings: count(findings, Status::Resolved),
    }
}
