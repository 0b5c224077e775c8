//! People archive findings that are meant to be so, and bring them back.

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::{Status, analyzer_of, find, keep, of_analyzer};
use crate::accessanalyzer::analyzer::Analyzer;
use crate::accessanalyzer::fault::{invalid, missing};

/// Archives findings or makes them active, by their ids or all of a resource. Resolved ones stay as they are.
pub struct UpdateFindings;

impl Operation for UpdateFindings {
    type Input = model::UpdateFindingsRequest;
    type Output = Empty;
    type Target = Analyzer;
    const ACCESS: Access = Access::write("access-analyzer:UpdateFindings");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer_of(look, &input.analyzer_arn)
    }

    fn handle(call: &mut Call<'_>, analyzer: Authorized<Analyzer>, input: Self::Input) -> Result<Empty> {
        let status = match input.status {
            model::FindingStatusUpdate::Active => Status::Active,
            model::FindingStatusUpdate::Archived => Status::Archived,
        };
        let findings = match (input.ids, input.resource_arn) {
            (Some(ids), None) if !ids.is_empty() => {
                let mut findings = Vec::new();
                for id in ids {
                    let found = find(call, &analyzer, &id)?;
                    findings.push(found.ok_or_else(|| missing("Finding", &id))?);
                }
                findings
            }
            (None, Some(arn)) => {
                let mut findings = of_analyzer(call, &analyzer)?;
                findings.retain(|finding| finding.resource == arn);
                if findings.is_empty() {
                    return Err(missing("Resource", &arn));
                }
                findings
            }
            _ => {
                return Err(invalid(
                    "Either ids or resourceArn must be specified, but not both.",
                ));
            }
        };
        for finding in findings {
            if finding.status != status && finding.status != Status::Resolved {
                let mut finding = (*finding).clone();
                finding.status = status;
                finding.updated = call.now.0;
                keep(call, &analyzer, finding)?;
            }
        }
        Ok(Empty)
    }
}
