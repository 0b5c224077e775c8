//! Access previews: who would reach a role or a key from outside if its policy were another.
//!
//! Invariant: a preview is analyzed as a scan would analyze the resource, and changes nothing of it.

mod configuration;
mod create;
mod list;

use std::collections::BTreeMap;

use api::accessanalyzer as model;
use pipeline::{Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;

use super::analyzer::Analyzer;
use super::fault::missing;
use super::finding::{Finding, Status};
use configuration::Configuration;

pub use create::CreateAccessPreview;
pub use list::{GetAccessPreview, ListAccessPreviewFindings, ListAccessPreviews};

/// A preview. A preview that failed has no findings.
#[derive(Clone, Serialize, Deserialize)]
pub struct Preview {
    id: String,
    analyzer: String,
    /// The ARN of the resource.
    resource: String,
    configuration: Configuration,
    /// Milliseconds since the epoch.
    created: i64,
    /// The configuration could not be read.
    failed: bool,
    findings: Vec<Previewed>,
    /// By which a request is known that comes again.
    #[serde(default)]
    token: Option<String>,
}

store::record!(Preview, 1);

/// What would be found.
#[derive(Clone, Serialize, Deserialize)]
struct Previewed {
    finding: Finding,
    /// `NEW`, `CHANGED` or `UNCHANGED`.
    change: String,
    /// The finding that there is already, and its status.
    existing: Option<(String, Status)>,
}

/// By account, region, analyzer and id.
pub(super) static PREVIEWS: Table<(String, String, String, String), Preview> =
    Table::new(0x0158, "accessanalyzer.previews");

fn row(analyzer: &Analyzer, id: &str) -> (String, String, String, String) {
    let (account, region, name) = analyzer.key();
    (account, region, name, id.to_owned())
}

fn named(look: &mut Look<'_>, analyzer: &Analyzer, id: &str) -> Result<Preview> {
    let found = look.get(&PREVIEWS, &row(analyzer, id))?;
    let found = found.ok_or_else(|| missing("AccessPreview", id))?;
    Ok((*found).clone())
}

impl Preview {
    const fn status(&self) -> model::AccessPreviewStatus {
        if self.failed {
            model::AccessPreviewStatus::Failed
        } else {
            model::AccessPreviewStatus::Completed
        }
    }

    fn reason(&self) -> Option<model::AccessPreviewStatusReason> {
        self.failed.then_some(model::AccessPreviewStatusReason {
            code: model::AccessPreviewStatusReasonCode::InvalidConfiguration,
        })
    }

    fn shown(&self) -> model::AccessPreview {
        model::AccessPreview {
            analyzer_arn: self.analyzer.clone(),
            configurations: BTreeMap::from([(self.resource.clone(), self.configuration.shown())]),
            created_at: Timestamp(self.created),
            id: self.id.clone(),
            status: self.status(),
            status_reason: self.reason(),
        }
    }

    fn summary(&self) -> model::AccessPreviewSummary {
        model::AccessPreviewSummary {
            analyzer_arn: self.analyzer.clone(),
            created_at: Timestamp(self.created),
            id: self.id.clone(),
            status: self.status(),
            status_reason: self.reason(),
        }
    }
}

impl Previewed {
    /// The values that a filter's key finds in it.
    fn values(&self, key: &str) -> Vec<String> {
        match key {
            "changeType" => vec![self.change.clone()],
            "existingFindingId" => self.existing.iter().map(|(id, _)| id.clone()).collect(),
            "existingFindingStatus" => {
                let status = self.existing.iter().map(|(_, status)| status.as_str().to_owned());
                status.collect()
            }
            _ => self.finding.values(key),
        }
    }
}
