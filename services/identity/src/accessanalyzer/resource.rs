//! The resources that an analyzer looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;
use wire::typed::Empty;

use super::analyzer::{self, Analyzer};
use super::fault::{invalid, missing};
use super::finding::{self, Status, What};
use super::page;
use super::scan::{self, Sight};
use super::zone;

/// A resource that was looked at. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Analyzed {
    pub arn: String,
    pub kind: String,
    pub owner: String,
    pub created: i64,
    pub analyzed: i64,
    pub updated: i64,
    /// Ids of the findings of it that are not resolved.
    pub findings: Vec<String>,
    /// The scan that met it last.
    pub round: u64,
}

store::record!(Analyzed, 1);

/// By account, region, analyzer and ARN.
pub(super) static RESOURCES: Table<(String, String, String, String), Analyzed> =
    Table::new(0x0153, "accessanalyzer.resources");

impl Analyzed {
    pub(super) fn new(sight: &Sight<'_>, now: i64) -> Self {
        Self {
            arn: sight.arn.to_owned(),
            kind: sight.kind.to_owned(),
            owner: sight.owner.to_owned(),
            created: now,
            analyzed: now,
            updated: now,
            findings: Vec::new(),
            round: 0,
        }
    }

    fn resource_type(&self) -> model::ResourceType {
        model::ResourceType::parse(&self.kind).unwrap_or_default()
    }
}

/// The key of a resource's row.
pub(super) fn row(analyzer: &Analyzer, arn: &str) -> (String, String, String, String) {
    let (account, region, name) = analyzer.key();
    (account, region, name, arn.to_owned())
}

/// All resources that an analyzer looked at.
pub(super) fn of_analyzer(look: &mut Look<'_>, analyzer: &Analyzer) -> Result<Vec<Arc<Analyzed>>> {
    let rows = look.every(&RESOURCES, &analyzer.key())?;
    Ok(rows.into_iter().map(|(_, analyzed)| analyzed).collect())
}

/// Lists the resources that an analyzer of external access looked at.
pub struct ListAnalyzedResources;

impl Operation for ListAnalyzedResources {
    type Input = model::ListAnalyzedResourcesRequest;
    type Output = model::ListAnalyzedResourcesResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:ListAnalyzedResources");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut resources = of_analyzer(call, &analyzer)?;
        resources.retain(|analyzed| {
            input
                .resource_type
                .is_none_or(|kind| kind.as_str() == analyzed.kind)
        });
        let list = format!("resources/{}/{:?}", analyzer.id, input.resource_type);
        let (page, next_token) = page::cut(
            call,
            &list,
            resources,
            input.next_token.as_deref(),
            input.max_results,
        )?;
        let summary = |analyzed: &Arc<Analyzed>| model::AnalyzedResourceSummary {
            resource_arn: analyzed.arn.clone(),
            resource_owner_account: analyzed.owner.clone(),
            resource_type: analyzed.resource_type(),
        };
        Ok(model::ListAnalyzedResourcesResponse {
            analyzed_resources: page.iter().map(summary).collect(),
            next_token,
        })
    }
}

/// Shows a resource that was looked at, with what its findings come to.
pub struct GetAnalyzedResource;

impl Operation for GetAnalyzedResource {
    type Input = model::GetAnalyzedResourceRequest;
    type Output = model::GetAnalyzedResourceResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:GetAnalyzedResource");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let held = call.get(&RESOURCES, &row(&analyzer, &input.resource_arn))?;
        let held = held.ok_or_else(|| missing("Resource", &input.resource_arn))?;
        let (mut actions, mut is_public, mut status) = (BTreeSet::new(), false, None);
        for id in &held.findings {
            let Some(found) = finding::find(call, &analyzer, id)? else {
                continue;
            };
            if let What::External { action, public, .. } = &found.what {
                actions.extend(action.iter().cloned());
                is_public |= *public;
            }
            if found.status == Status::Active || status.is_none() {
                status = model::FindingStatus::parse(found.status.as_str());
            }
        }
        Ok(model::GetAnalyzedResourceResponse {
            resource: Some(model::AnalyzedResource {
                actions: Some(actions.into_iter().collect()),
                analyzed_at: Timestamp(held.analyzed),
                created_at: Timestamp(held.created),
                error: None,
                is_public,
                resource_arn: held.arn.clone(),
                resource_owner_account: held.owner.clone(),
                resource_type: held.resource_type(),
                shared_via: None,
                status,
                updated_at: Timestamp(held.updated),
            }),
        })
    }
}

/// Has a resource looked at now.
pub struct StartResourceScan;

impl Operation for StartResourceScan {
    type Input = model::StartResourceScanRequest;
    type Output = Empty;
    type Target = Analyzer;
    const ACCESS: Access = Access::write("access-analyzer:StartResourceScan");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(call: &mut Call<'_>, analyzer: Authorized<Analyzer>, input: Self::Input) -> Result<Empty> {
        if analyzer.is_unused() {
            return Err(invalid(
                "This action is not supported for unused access analyzers.",
            ));
        }
        let arn = &input.resource_arn;
        let inside = zone::of(call, &analyzer)?;
        let owned = input
            .resource_owner_account
            .is_none_or(|account| inside.accounts.contains(&account));
        let known = call.get(&RESOURCES, &row(&analyzer, arn))?.is_some();
        if !owned || !(known || scan::find(call, &analyzer, arn)?.is_some()) {
            return Err(missing("Resource", arn));
        }
        scan::look_at(call, &analyzer, arn)?;
        Ok(Empty)
    }
}
