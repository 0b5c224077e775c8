//! Customer managed policies (S1.18): documents with a name of their own, kept in up to five versions, of which one counts.
//!
//! AWS's managed policies are read through the same operations and changed by none (S1.17).
//! Invariant: a policy has its default version always, and is never deleted while anything holds it.

mod create;
mod entities;
mod list;
mod tags;
mod version;

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{invalid_input_exception, no_such_entity_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::{Attached, Context};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::binding::{self, Usage};
use crate::iam::document::StoredPolicy;
use crate::iam::managed::catalogue::{self, Entry};
use crate::iam::tag::{self, Tags};

pub use create::{CreatePolicy, DeletePolicy};
pub use entities::ListEntitiesForPolicy;
pub use list::ListPolicies;
pub use tags::{ListPolicyTags, TagPolicy, UntagPolicy};
pub use version::{
    CreatePolicyVersion, DeletePolicyVersion, GetPolicyVersion, ListPolicyVersions, SetDefaultPolicyVersion,
};

/// Characters of a managed policy, whitespace not counted (IAM User Guide, "IAM and AWS STS quotas").
pub(crate) const DOCUMENT_MAX: usize = 6144;
/// Versions that a policy keeps.
const VERSIONS_MAX: usize = 5;

/// A customer managed policy.
#[derive(Clone, Serialize, Deserialize)]
pub struct ManagedPolicy {
    pub account: String,
    pub name: String,
    /// `/` or `/…/`
    pub path: String,
    /// `arn:aws:iam::ACCOUNT:policy/PATH/NAME`, which is how decisions name it.
    pub arn: Arc<str>,
    /// `ANPA…`
    pub id: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// When the default version changed or came, in milliseconds since the epoch.
    pub updated: i64,
    pub description: Option<String>,
    pub default_version: u32,
    /// Numbers are not given twice, even after a version was deleted.
    pub next_version: u32,
    /// In the order of their numbers.
    pub versions: Vec<PolicyVersion>,
    pub tags: Tags,
}

store::record!(ManagedPolicy, 1);

/// One version of a policy's document.
#[derive(Clone, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub number: u32,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub document: StoredPolicy,
}

/// By account and lower-case name.
pub static POLICIES: Table<(String, String), ManagedPolicy> = Table::new(0x0105, "iam.policies");

impl ManagedPolicy {
    /// The key of its row.
    pub(crate) fn key(&self) -> (String, String) {
        (self.account.clone(), self.name.to_lowercase())
    }

    /// The default version's document, named by the ARN.
    pub(crate) fn attached(&self) -> Option<Attached> {
        let version = self
            .versions
            .iter()
            .find(|version| version.number == self.default_version)?;
        Some(version.document.attached(|| Arc::clone(&self.arn)))
    }

    /// As lists show it; only `GetPolicy` and `CreatePolicy` show description and tags.
    pub(crate) fn shown(&self, usage: Usage) -> model::Policy {
        model::Policy {
            arn: Some(self.arn.to_string()),
            attachment_count: Some(count(usage.attached)),
            create_date: Some(Timestamp(self.created)),
            default_version_id: Some(format!("v{}", self.default_version)),
            description: None,
            is_attachable: Some(true),
            path: Some(self.path.clone()),
            permissions_boundary_usage_count: Some(count(usage.boundaries)),
            policy_id: Some(self.id.clone()),
            policy_name: Some(self.name.clone()),
            tags: None,
            update_date: Some(Timestamp(self.updated)),
        }
    }
}

/// An entry of the catalogue as lists show it.
pub(crate) fn shown_entry(entry: &Entry, usage: Usage) -> model::Policy {
    model::Policy {
        arn: Some(entry.arn()),
        attachment_count: Some(count(usage.attached)),
        create_date: Some(Timestamp::from_seconds(entry.created)),
        default_version_id: Some(entry.version.to_owned()),
        description: None,
        is_attachable: Some(true),
        path: Some(entry.path.to_owned()),
        permissions_boundary_usage_count: Some(count(usage.boundaries)),
        policy_id: Some(entry.id()),
        policy_name: Some(entry.name.to_owned()),
        tags: None,
        update_date: Some(Timestamp::from_seconds(entry.updated)),
    }
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A managed policy that a request names, whoever manages it.
pub enum AnyPolicy {
    Customer(Arc<ManagedPolicy>),
    /// AWS's; to decisions it belongs to whoever asks, since every account may read it.
    Aws {
        entry: Entry,
        account: Arc<str>,
    },
}

impl Resource for AnyPolicy {
    const TYPE: &'static str = "AWS::IAM::ManagedPolicy";

    fn arn(&self) -> String {
        match self {
            Self::Customer(policy) => policy.arn.to_string(),
            Self::Aws { entry, .. } => entry.arn(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::Customer(policy) => &policy.account,
            Self::Aws { account, .. } => account,
        }
    }

    fn conditions(&self, context: &mut Context) {
        if let Self::Customer(policy) = self {
            tag::resource_conditions(&policy.tags, context);
        }
    }
}

impl AnyPolicy {
    /// The policy to change: a customer's. AWS refuses its own to everyone, the root user too.
    fn changeable(self, call: &Call<'_>, access: Access) -> Result<ManagedPolicy> {
        match self {
            Self::Customer(policy) => Ok(Arc::unwrap_or_clone(policy)),
            Self::Aws { entry, .. } => Err(Fault::access_denied(format!(
                "User: {} is not authorized to perform: {} on resource: policy {}",
                call.identity.arn,
                access.action,
                entry.arn()
            ))),
        }
    }

    fn shown(&self, usage: Usage) -> model::Policy {
        match self {
            Self::Customer(policy) => policy.shown(usage),
            Self::Aws { entry, .. } => shown_entry(entry, usage),
        }
    }
}

/// `arn:aws:iam::ACCOUNT:policy/PATH/NAME`
fn arn(account: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:policy{path}{name}")
}

fn missing(arn: &str) -> Fault {
    no_such_entity_exception(format!("Policy {arn} was not found."))
}

/// The customer managed policy that bears an ARN, in whatever account.
pub(crate) fn by_arn(look: &mut Look<'_>, arn: &str) -> Result<Option<Arc<ManagedPolicy>>> {
    let parts = arn
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(":policy/"));
    let Some((account, path_and_name)) = parts else {
        return Ok(None);
    };
    let name = path_and_name
        .rsplit_once('/')
        .map_or(path_and_name, |(_, name)| name);
    let found = look.get(&POLICIES, &(account.to_owned(), name.to_lowercase()))?;
    Ok(found.filter(|policy| *policy.arn == *arn))
}

/// The policy that a request names: one of the caller's account, or one of AWS's.
pub(crate) fn named(look: &mut Look<'_>, arn: &str) -> Result<Found<AnyPolicy>> {
    if !arn.starts_with("arn:aws:iam::") {
        return Err(invalid_input_exception(format!("ARN {arn} is not valid.")));
    }
    let found = match catalogue::by_arn(arn) {
        Some(entry) => Some(AnyPolicy::Aws {
            entry,
            account: look.account_shared(),
        }),
        None => {
            let found = by_arn(look, arn)?;
            // What another account's policy says is that account's to know.
            found
                .filter(|policy| policy.account == look.account())
                .map(AnyPolicy::Customer)
        }
    };
    Ok(Found::or_absent(found, || (arn.to_owned(), missing(arn))))
}

/// Shows a managed policy and how often it is used; its document stands in its versions.
pub struct GetPolicy;

impl Operation for GetPolicy {
    type Input = model::GetPolicyRequest;
    type Output = model::GetPolicyResponse;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::read("iam:GetPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        policy: Authorized<AnyPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let usage = binding::usage(call, &input.policy_arn)?;
        let mut shown = policy.shown(usage);
        if let AnyPolicy::Customer(policy) = &*policy {
            shown.description.clone_from(&policy.description);
            // The list is there even when it is empty, unlike that of a user.
            shown.tags = Some(tag::list(&policy.tags));
        }
        Ok(model::GetPolicyResponse { policy: Some(shown) })
    }
}
