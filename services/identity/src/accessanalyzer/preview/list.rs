//! Previews and what they found.

use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{PREVIEWS, Preview, Previewed, named};
use crate::accessanalyzer::analyzer::{self, Analyzer};
use crate::accessanalyzer::filter::Filter;
use crate::accessanalyzer::finding::What;
use crate::accessanalyzer::page;

/// All previews of an analyzer, the newest first.
pub(super) fn all(look: &mut Look<'_>, analyzer: &Analyzer) -> Result<Vec<Arc<Preview>>> {
    let rows = look.every(&PREVIEWS, &analyzer.key())?;
    let mut found: Vec<_> = rows.into_iter().map(|(_, preview)| preview).collect();
    found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    Ok(found)
}

/// Shows a preview.
pub struct GetAccessPreview;

impl Operation for GetAccessPreview {
    type Input = model::GetAccessPreviewRequest;
    type Output = model::GetAccessPreviewResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:GetAccessPreview");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let preview = named(call, &analyzer, &input.access_preview_id)?;
        Ok(model::GetAccessPreviewResponse {
            access_preview: preview.shown(),
        })
    }
}

/// Lists the previews of an analyzer.
pub struct ListAccessPreviews;

impl Operation for ListAccessPreviews {
    type Input = model::ListAccessPreviewsRequest;
    type Output = model::ListAccessPreviewsResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::list("access-analyzer:ListAccessPreviews");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let previews = all(call, &analyzer)?;
        let list = format!("previews/{}", analyzer.id);
        let (page, next_token) = page::cut(
            call,
            &list,
            previews,
            input.next_token.as_deref(),
            input.max_results,
        )?;
        Ok(model::ListAccessPreviewsResponse {
            access_previews: page.iter().map(|preview| preview.summary()).collect(),
            next_token,
        })
    }
}

/// Lists what a preview found.
pub struct ListAccessPreviewFindings;

impl Operation for ListAccessPreviewFindings {
    type Input = model::ListAccessPreviewFindingsRequest;
    type Output = model::ListAccessPreviewFindingsResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:ListAccessPreviewFindings");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let preview = named(call, &analyzer, &input.access_preview_id)?;
        let filter = Filter::of_preview(input.filter)?;
        let list = format!("preview/{}/{}", preview.id, filter.text());
        let mut findings = preview.findings;
        findings.retain(|previewed| filter.fits(|key| previewed.values(key)));
        let (page, next_token) = page::cut(
            call,
            &list,
            findings,
            input.next_token.as_deref(),
            input.max_results,
        )?;
        Ok(model::ListAccessPreviewFindingsResponse {
            findings: page.iter().map(Previewed::shown).collect(),
            next_token,
        })
    }
}

impl Previewed {
    fn shown(&self) -> model::AccessPreviewFinding {
        let finding = &self.finding;
        let mut shown = model::AccessPreviewFinding {
            change_type: model::FindingChangeType::parse(&self.change).unwrap_or_default(),
            created_at: Timestamp(finding.created),
            existing_finding_id: self.existing.as_ref().map(|(id, _)| id.clone()),
            existing_finding_status: self.existing.as_ref().map(|(_, status)| status.shown()),
            id: finding.id.clone(),
            resource: Some(finding.resource.clone()),
            resource_owner_account: finding.owner.clone(),
            resource_type: finding.resource_type(),
            status: finding.status.shown(),
            ..model::AccessPreviewFinding::default()
        };
        if let What::External {
            principal,
            action,
            condition,
            public,
            ..
        } = &finding.what
        {
            shown.principal = Some(principal.clone());
            shown.action = Some(action.clone());
            shown.condition = Some(condition.clone());
            shown.is_public = Some(*public);
        }
        shown
    }
}
