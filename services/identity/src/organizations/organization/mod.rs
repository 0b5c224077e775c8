//! The organization: one management account, one root, and what is switched on in it.
//!
//! Invariant: an organization is found by its management account, and by nothing else; every member's row names it.

mod create;
mod delete;
mod features;

use std::collections::BTreeSet;
use std::sync::Arc;

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;

use super::membership::{CHILDREN, ChildKind, Membership, membership};
use super::reach::{self, Reached, Who};
use crate::iam::account::ACCOUNTS;
use crate::iam::tag::Tags;

pub use create::CreateOrganization;
pub use delete::DeleteOrganization;
pub use features::EnableAllFeatures;
pub(super) use features::{answered, finish};

/// An organization. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Organization {
    /// `o-` and 10 to 32 lower-case letters and digits.
    pub id: String,
    /// Twelve digits.
    pub management: String,
    pub feature_set: FeatureSet,
    /// `r-` and 4 to 32 lower-case letters and digits.
    pub root_id: String,
    pub root_name: String,
    pub root_tags: Tags,
    /// `SERVICE_CONTROL_POLICY` and its like, as enabled in the root.
    pub enabled_policy_types: BTreeSet<String>,
    pub created: i64,
    /// Accounts that belong to it or are being made, the management account included.
    pub accounts: u32,
    /// Organizational units in it.
    pub units: u32,
}

store::record!(Organization, 1);

/// What an organization may do to its members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FeatureSet {
    All,
    ConsolidatedBilling,
}

impl FeatureSet {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::ConsolidatedBilling => "CONSOLIDATED_BILLING",
        }
    }
}

/// By management account.
pub static ORGANIZATIONS: Table<String, Organization> = Table::new(0x0130, "organizations.organizations");

impl Organization {
    /// `arn:aws:organizations::MANAGEMENT:organization/o-…`
    pub fn arn(&self) -> String {
        self.arn_of("organization", None)
    }

    /// `arn:aws:organizations::MANAGEMENT:root/o-…/r-…`
    pub fn root_arn(&self) -> String {
        self.arn_of("root", Some(&self.root_id))
    }

    /// The ARN of something in the organization: `account`, `ou`, `policy/…`, `handshake`, `resourcepolicy`.
    pub fn arn_of(&self, kind: &str, id: Option<&str>) -> String {
        let (management, organization) = (&self.management, &self.id);
        match id {
            None => format!("arn:aws:organizations::{management}:{kind}/{organization}"),
            Some(id) => format!("arn:aws:organizations::{management}:{kind}/{organization}/{id}"),
        }
    }
}

/// The organization that an account manages.
///
/// # Errors
/// The store's.
pub fn organization(look: &mut Look<'_>, management: &str) -> Result<Option<Arc<Organization>>> {
    look.get(&ORGANIZATIONS, management)
}

/// Every account of an organization, by id.
///
/// # Errors
/// The store's.
pub(crate) fn members(look: &mut Look<'_>, organization: &Organization) -> Result<Vec<Arc<Membership>>> {
    let kind = ChildKind::Account.name();
    let prefix = (organization.management.as_str(), organization.id.as_str(), kind);
    let rows = look.range(&CHILDREN, &prefix, None, usize::MAX)?;
    let mut found = Vec::with_capacity(rows.len());
    for ((_, _, _, id), _) in rows {
        found.extend(membership(look, &id)?);
    }
    Ok(found)
}

impl Organization {
    /// As the API shows it. `AvailablePolicyTypes` is not the truth on AWS either: it tells of service control policies alone.
    fn shown(&self, look: &mut Look<'_>) -> Result<model::Organization> {
        let account = look.get(&ACCOUNTS, &self.management)?;
        let types = match self.feature_set {
            FeatureSet::All => vec![model::PolicyTypeSummary {
                status: Some(model::PolicyTypeStatus::Enabled),
                r#type: Some(model::PolicyType::ServiceControlPolicy),
            }],
            FeatureSet::ConsolidatedBilling => Vec::new(),
        };
        Ok(model::Organization {
            arn: Some(self.arn()),
            available_policy_types: Some(types),
            feature_set: model::OrganizationFeatureSet::parse(self.feature_set.name()),
            id: Some(self.id.clone()),
            master_account_arn: Some(self.arn_of("account", Some(&self.management))),
            master_account_email: account.map(|account| account.email.clone()),
            master_account_id: Some(self.management.clone()),
        })
    }
}

/// Shows the organization that the caller's account belongs to.
pub struct DescribeOrganization;

impl Operation for DescribeOrganization {
    type Input = model::DescribeOrganizationInput;
    type Output = model::DescribeOrganizationResponse;
    type Target = Reached;
    const ACCESS: Access = Access::read("organizations:DescribeOrganization");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Members)
    }

    fn handle(
        call: &mut Call<'_>,
        reached: Authorized<Reached>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::DescribeOrganizationResponse {
            organization: Some(reached.organization().shown(call)?),
        })
    }
}
