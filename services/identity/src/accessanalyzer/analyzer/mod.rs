//! Analyzers: what is watched (an account, for access from outside or for access that nobody uses), in one region.
//!
//! Invariant: an account has one analyzer of a type in a region (IAM User Guide, "IAM Access Analyzer quotas").

mod change;
mod configuration;
mod create;
mod list;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Found, Look, Resource, Result};
use policy::{Arn, Context};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;

use super::fault::missing;

pub use change::{DeleteAnalyzer, UpdateAnalyzer};
pub use configuration::{Exclusion, UnusedAccess};
pub use create::CreateAnalyzer;
pub use list::{GetAnalyzer, ListAnalyzers};

/// Access Analyzer, as its role in an account trusts it, and as an organization lets it in.
pub(crate) const SERVICE: &str = "access-analyzer.amazonaws.com";

/// An analyzer.
#[derive(Clone, Serialize, Deserialize)]
pub struct Analyzer {
    pub account: String,
    pub region: String,
    pub name: String,
    /// A UUID of its own, so that jobs of one that is gone do not run for another of its name.
    pub id: String,
    /// As the API spells it: `ACCOUNT`, `ACCOUNT_UNUSED_ACCESS`.
    pub kind: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub tags: BTreeMap<String, String>,
    /// What an analyzer of unused access goes by.
    pub unused: Option<UnusedAccess>,
    /// The resource that was analyzed last, and when.
    pub last: Option<(String, i64)>,
    pub token: Option<String>,
}

store::record!(Analyzer, 1);

/// By account, region and name.
pub static ANALYZERS: Table<(String, String, String), Analyzer> =
    Table::new(0x0150, "accessanalyzer.analyzers");

impl Analyzer {
    /// The key of its row, and the beginning of the keys of all that belongs to it.
    pub fn key(&self) -> (String, String, String) {
        (self.account.clone(), self.region.clone(), self.name.clone())
    }

    /// Whether it looks for access that nobody uses.
    pub const fn is_unused(&self) -> bool {
        self.unused.is_some()
    }

    fn shown(&self) -> model::AnalyzerSummary {
        model::AnalyzerSummary {
            arn: self.arn(),
            configuration: self.unused.as_ref().map(UnusedAccess::shown),
            created_at: Timestamp(self.created),
            last_resource_analyzed: self.last.as_ref().map(|(arn, _)| arn.clone()),
            last_resource_analyzed_at: self.last.as_ref().map(|(_, at)| Timestamp(*at)),
            managed_by: None,
            name: self.name.clone(),
            status: model::AnalyzerStatus::Active,
            status_reason: None,
            tags: Some(self.tags.clone()),
            r#type: model::Type::parse(&self.kind).unwrap_or_default(),
        }
    }
}

impl Resource for Analyzer {
    const TYPE: &'static str = "AWS::AccessAnalyzer::Analyzer";

    fn arn(&self) -> String {
        arn(&self.region, &self.account, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        for (key, value) in &self.tags {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
        }
    }
}

/// `arn:aws:access-analyzer:REGION:ACCOUNT:analyzer/NAME`
pub(super) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:access-analyzer:{region}:{account}:analyzer/{name}")
}

/// The analyzer of a name in the caller's account and region, if there is one.
pub(super) fn find(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<Analyzer>>> {
    let key = (
        look.account().to_owned(),
        look.region().to_owned(),
        name.to_owned(),
    );
    look.get(&ANALYZERS, &key)
}

/// The analyzer that a request names.
pub(super) fn named(look: &mut Look<'_>, name: &str) -> Result<Found<Analyzer>> {
    let found = find(look, name)?.map(|analyzer| (*analyzer).clone());
    let arn = arn(look.region(), look.account(), name);
    Ok(Found::or_absent(found, || (arn, missing("Analyzer", name))))
}

/// The analyzer of an ARN, which is of the caller's account and region.
pub(super) fn by_arn(look: &mut Look<'_>, text: &str) -> Result<Found<Analyzer>> {
    let (account, region) = (look.account().to_owned(), look.region().to_owned());
    let name = Arn::parse(text)
        .filter(|arn| {
            arn.service() == "access-analyzer" && arn.account() == account && arn.region() == region
        })
        .and_then(|arn| arn.resource().strip_prefix("analyzer/").map(str::to_owned));
    let found = match name {
        Some(name) => find(look, &name)?.map(|analyzer| (*analyzer).clone()),
        None => None,
    };
    Ok(Found::or_absent(found, || {
        (text.to_owned(), missing("Analyzer", text))
    }))
}

/// All analyzers of an account, in all regions.
pub(crate) fn of_account(look: &mut Look<'_>, account: &str) -> Result<Vec<Arc<Analyzer>>> {
    /// Few types, each once in a region.
    const ANALYZERS_MAX: usize = 1000;
    let rows = look.range(&ANALYZERS, &(account,), None, ANALYZERS_MAX)?;
    Ok(rows.into_iter().map(|(_, analyzer)| analyzer).collect())
}
