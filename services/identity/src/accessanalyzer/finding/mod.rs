//! Findings: access from outside, or access that nobody uses, with what became of it.
//!
//! Invariant: a finding is of one resource and one instance of access; other permissions or conditions make another finding, and the
//! first is resolved (IAM User Guide, "Understand how IAM Access Analyzer findings work").

mod details;
mod list;
mod read;
mod statistics;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Call, Found, Look, Result};
use policy::Arn;
use serde::{Deserialize, Serialize};
use store::Table;

use super::analyzer::Analyzer;

pub use list::{ListFindings, ListFindingsV2};
pub use read::{GetFinding, GetFindingV2};
pub use statistics::GetFindingsStatistics;
pub use update::UpdateFindings;

/// What became of a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Status {
    Active,
    Archived,
    Resolved,
}

/// What was found. Times are milliseconds since the epoch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    External {
        principal: BTreeMap<String, String>,
        action: Vec<String>,
        condition: BTreeMap<String, String>,
        public: bool,
        /// Whether resource control policies lie over the account.
        controlled: bool,
    },
    UnusedRole {
        last: Option<i64>,
    },
    UnusedKey {
        id: String,
        last: Option<i64>,
    },
    UnusedPassword {
        last: Option<i64>,
    },
    UnusedPermission {
        services: Vec<UnusedService>,
    },
}

/// A service of which a role has permissions that it does not use.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedService {
    /// `kms`
    pub namespace: String,
    pub last: Option<i64>,
    /// The unused ones of a service that is used; empty if all of it is unused.
    pub actions: Vec<(String, Option<i64>)>,
}

/// A finding. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Finding {
    pub id: String,
    /// An ARN.
    pub resource: String,
    /// `AWS::IAM::Role`
    pub kind: String,
    pub owner: String,
    pub status: Status,
    pub created: i64,
    pub analyzed: i64,
    pub updated: i64,
    pub what: What,
}

store::record!(Finding, 1);

/// By account, region, analyzer and id.
pub static FINDINGS: Table<(String, String, String, String), Finding> =
    Table::new(0x0152, "accessanalyzer.findings");

/// All findings of an analyzer.
pub(super) fn of_analyzer(look: &mut Look<'_>, analyzer: &Analyzer) -> Result<Vec<Arc<Finding>>> {
    let rows = look.every(&FINDINGS, &analyzer.key())?;
    Ok(rows.into_iter().map(|(_, finding)| finding).collect())
}

/// The finding of an id.
pub(super) fn find(look: &mut Look<'_>, analyzer: &Analyzer, id: &str) -> Result<Option<Arc<Finding>>> {
    look.get(&FINDINGS, &row(analyzer, id))
}

/// Writes a finding.
pub(super) fn keep(call: &mut Call<'_>, analyzer: &Analyzer, finding: Finding) -> Result<()> {
    call.put(&FINDINGS, &row(analyzer, &finding.id), finding)
}

/// Forgets a finding.
pub(super) fn forget(call: &mut Call<'_>, analyzer: &Analyzer, id: &str) -> Result<()> {
    call.delete(&FINDINGS, &row(analyzer, id))
}

fn row(analyzer: &Analyzer, id: &str) -> (String, String, String, String) {
    let (account, region, name) = analyzer.key();
    (account, region, name, id.to_owned())
}

/// The analyzer that a request about findings names.
fn analyzer_of(look: &mut Look<'_>, arn: &str) -> Result<Found<Analyzer>> {
    super::analyzer::by_arn(look, arn)
}

impl Status {
    pub(super) const fn shown(self) -> model::FindingStatus {
        match self {
            Self::Active => model::FindingStatus::Active,
            Self::Archived => model::FindingStatus::Archived,
            Self::Resolved => model::FindingStatus::Resolved,
        }
    }

    /// As filters and answers spell it.
    pub(super) const fn as_str(self) -> &'static str {
        self.shown().as_str()
    }
}

impl What {
    /// As filters and answers spell it.
    const fn kind(&self) -> model::FindingType {
        match self {
            Self::External { .. } => model::FindingType::ExternalAccess,
            Self::UnusedRole { .. } => model::FindingType::UnusedIamRole,
            Self::UnusedKey { .. } => model::FindingType::UnusedIamUserAccessKey,
            Self::UnusedPassword { .. } => model::FindingType::UnusedIamUserPassword,
            Self::UnusedPermission { .. } => model::FindingType::UnusedPermission,
        }
    }

    /// Whether another sight of it is the same finding: times of last use move, what is unused is the finding.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::UnusedKey { id, .. }, Self::UnusedKey { id: other, .. }) => id == other,
            (Self::External { .. }, Self::External { .. }) => self == other,
            _ => self.kind() == other.kind(),
        }
    }
}

/// As answers spell whether resource control policies bear on the access.
const fn restriction(controlled: bool) -> model::ResourceControlPolicyRestriction {
    if controlled {
        model::ResourceControlPolicyRestriction::Applicable
    } else {
        model::ResourceControlPolicyRestriction::NotApplicable
    }
}

impl Finding {
    pub(super) fn resource_type(&self) -> model::ResourceType {
        model::ResourceType::parse(&self.kind).unwrap_or_default()
    }

    /// The values that a filter's key finds in it.
    pub(super) fn values(&self, key: &str) -> Vec<String> {
        let one = |value: &str| vec![value.to_owned()];
        match key {
            "resource" => return one(&self.resource),
            "resourceType" => return one(&self.kind),
            "resourceOwnerAccount" => return one(&self.owner),
            "findingType" => return one(self.what.kind().as_str()),
            "status" => return one(self.status.as_str()),
            "id" => return one(&self.id),
            _ => {}
        }
        let What::External {
            principal,
            condition,
            public,
            controlled,
            ..
        } = &self.what
        else {
            return Vec::new();
        };
        match key.split_once('.') {
            Some(("principal", class)) => {
                let mut values: Vec<String> = principal.get(class).cloned().into_iter().collect();
                // An account finds its users and roles too.
                let account = values.first().and_then(|name| Arn::parse(name));
                values.extend(
                    account
                        .map(|arn| arn.account().to_owned())
                        .filter(|_| class == "AWS"),
                );
                values
            }
            Some(("condition", name)) => {
                let held = condition.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                held.map(|(_, values)| values.split(", ").map(str::to_owned).collect())
                    .unwrap_or_default()
            }
            _ if key == "isPublic" => one(if *public { "true" } else { "false" }),
            _ if key == "resourceControlPolicyRestriction" => one(restriction(*controlled).as_str()),
            _ => Vec::new(),
        }
    }
}
