//! The policies of an organization: guardrails that take part in every decision (SCPs and RCPs), and settings that merge down the
//! tree. `control` is what decisions read; the rest are operations.
//!
//! Invariant: a target without a row of attachments has AWS's own service control policy attached and nothing else, so that new
//! units and accounts need none; a target's list of service control policies is never empty.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use api::organizations as model;
use api::organizations::PolicyType;
use api::organizations::fault::policy_not_found_exception;
use pipeline::{Found, Look, Resource, ResourcePolicies, Result};
use policy::{Attached, Context, PolicyKind};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;

use super::organization::Organization;
use super::reach::{self, Reached, Subject, Who};
use crate::iam::document::StoredPolicy;
use crate::iam::index::Present;
use crate::iam::tag::Tags;

mod attach;
pub(crate) mod control;
mod create;
mod document;
mod effective;
mod inheritance;
mod kind;
mod list;
mod types;

pub use attach::{AttachPolicy, DetachPolicy};
pub(crate) use attach::{forget_organization, forget_target};
pub use create::{CreatePolicy, DeletePolicy, DescribePolicy, UpdatePolicy};
pub use document::Content;
pub use effective::DescribeEffectivePolicy;
pub use list::{ListPolicies, ListPoliciesForTarget, ListTargetsForPolicy};
pub use types::{DisablePolicyType, EnablePolicyType};

/// A policy of an organization, or one of AWS's that every organization has. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct OrganizationPolicy {
    /// `p-` and 8 lower-case letters and digits, or `p-FullAWSAccess` and its like.
    pub id: String,
    pub arn: String,
    pub name: String,
    pub description: String,
    /// `SERVICE_CONTROL_POLICY` and its like.
    pub kind: String,
    pub content: Content,
    pub aws_managed: bool,
    pub updated: i64,
    pub tags: Tags,
}

store::record!(OrganizationPolicy, 1);

/// By management account and policy id; those that customers made.
pub static POLICIES: Table<(String, String), OrganizationPolicy> =
    Table::new(0x0138, "organizations.policies");

/// What is attached to a root, unit or account by itself, by type, in the order of attachment.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Attachments {
    pub by_type: BTreeMap<String, Vec<String>>,
    /// When something was last attached or detached, by type.
    pub changed: BTreeMap<String, i64>,
}

store::record!(Attachments, 1);

/// By management account and target id.
pub static ATTACHMENTS: Table<(String, String), Attachments> =
    Table::new(0x0139, "organizations.policy_attachments");

/// Where a customer's policy is attached: management account, policy id, target id.
pub(crate) static TARGETS: Table<(String, String, String), Present> =
    Table::new(0x013a, "organizations.policy_targets");

/// The id of a policy by its name.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct NamedPolicy {
    pub(crate) id: String,
}

store::record!(NamedPolicy, 1);

/// Management account, type, name.
pub(crate) static NAMES: Table<(String, String, String), NamedPolicy> =
    Table::new(0x013b, "organizations.policy_names");

/// The service control policy that allows everything.
const FULL_ACCESS: &str = "p-FullAWSAccess";
/// The resource control policy that allows everything.
const RESOURCE_FULL_ACCESS: &str = "p-RCPFullAWSAccess";

const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const ALLOW_ALL_TO_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

static FULL: OnceLock<Arc<OrganizationPolicy>> = OnceLock::new();
static RESOURCE_FULL: OnceLock<Arc<OrganizationPolicy>> = OnceLock::new();

/// AWS's own policy of a type, if it has one.
fn managed_of(kind: PolicyType) -> Result<Option<Arc<OrganizationPolicy>>> {
    let (once, id, description, text, language) = match kind {
        PolicyType::ServiceControlPolicy => (
            &FULL,
            FULL_ACCESS,
            "Allows access to every operation",
            ALLOW_ALL,
            PolicyKind::ServiceControl,
        ),
        PolicyType::ResourceControlPolicy => (
            &RESOURCE_FULL,
            RESOURCE_FULL_ACCESS,
            "Allows access to every resource",
            ALLOW_ALL_TO_ALL,
            PolicyKind::ResourceControl,
        ),
        _ => return Ok(None),
    };
    if let Some(policy) = once.get() {
        return Ok(Some(Arc::clone(policy)));
    }
    let content = StoredPolicy::parse(text, language).map_err(Fault::internal)?;
    let made = OrganizationPolicy {
        id: id.to_owned(),
        arn: format!("arn:aws:organizations::aws:policy/{}/{id}", kind::path(kind)),
        name: id.trim_start_matches("p-").to_owned(),
        description: description.to_owned(),
        kind: kind.as_str().to_owned(),
        content: Content::Control(content),
        aws_managed: true,
        updated: 0,
        tags: Tags::new(),
    };
    Ok(Some(Arc::clone(once.get_or_init(|| Arc::new(made)))))
}

/// The policy of an id: one of AWS's, or of the organization that an account manages.
///
/// # Errors
/// The store's.
pub(crate) fn find(
    look: &mut Look<'_>,
    management: &str,
    id: &str,
) -> Result<Option<Arc<OrganizationPolicy>>> {
    match id {
        FULL_ACCESS => managed_of(PolicyType::ServiceControlPolicy),
        RESOURCE_FULL_ACCESS => managed_of(PolicyType::ResourceControlPolicy),
        _ => look.get(&POLICIES, &(management, id)),
    }
}

impl OrganizationPolicy {
    /// Its type; every row's is one of the model's.
    fn policy_type(&self) -> Result<PolicyType> {
        PolicyType::parse(&self.kind).ok_or_else(|| Fault::internal("a policy of an unknown type"))
    }

    /// The document as the evaluator takes it, named by its ARN.
    fn attached(&self) -> Option<Attached> {
        match &self.content {
            Content::Control(stored) => Some(stored.attached(|| self.arn.clone())),
            Content::Settings(_) => None,
        }
    }

    fn summary(&self) -> model::PolicySummary {
        model::PolicySummary {
            arn: Some(self.arn.clone()),
            aws_managed: Some(self.aws_managed),
            description: Some(self.description.clone()),
            id: Some(self.id.clone()),
            name: Some(self.name.clone()),
            r#type: PolicyType::parse(&self.kind),
        }
    }

    fn shown(&self) -> model::Policy {
        model::Policy {
            content: Some(self.content.text().to_owned()),
            policy_summary: Some(self.summary()),
        }
    }
}

impl Attachments {
    /// The ids that are attached of a type, AWS's own included where it is implied. Good while the type is enabled.
    fn ids(&self, kind: PolicyType) -> impl Iterator<Item = &str> {
        let listed = self.by_type.get(kind.as_str());
        let implied = match kind {
            PolicyType::ServiceControlPolicy if listed.is_none() => Some(FULL_ACCESS),
            PolicyType::ResourceControlPolicy => Some(RESOURCE_FULL_ACCESS),
            _ => None,
        };
        let listed = listed.into_iter().flatten().map(String::as_str);
        implied.into_iter().chain(listed)
    }
}

/// What is attached to a target.
fn attachments(look: &mut Look<'_>, management: &str, target: &str) -> Result<Arc<Attachments>> {
    let row = look.get(&ATTACHMENTS, &(management, target))?;
    Ok(row.unwrap_or_default())
}

impl Organization {
    /// Whether a type is enabled in the root.
    fn enables(&self, kind: PolicyType) -> bool {
        self.enabled_policy_types.contains(kind.as_str())
    }
}

/// A policy that the caller may ask for.
pub struct ReachedPolicy {
    reached: Reached,
    policy: Arc<OrganizationPolicy>,
}

impl ReachedPolicy {
    const fn organization(&self) -> &Arc<Organization> {
        self.reached.organization()
    }
}

impl Resource for ReachedPolicy {
    const TYPE: &'static str = "AWS::Organizations::Policy";

    fn arn(&self) -> String {
        self.reached.arn()
    }

    fn account(&self) -> &str {
        self.reached.account()
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        self.reached.policies(look)
    }

    fn conditions(&self, context: &mut Context) {
        self.reached.conditions(context);
        context.insert("organizations:PolicyType", self.policy.kind.clone());
    }
}

/// The policy of an id in the caller's organization.
fn named(look: &mut Look<'_>, who: Who, id: &str) -> Result<Found<ReachedPolicy>> {
    let seat = match reach::seat(look, who)? {
        Ok(seat) => seat,
        Err(fault) => return Ok(reach::nowhere(fault)),
    };
    let found = find(look, &seat.organization.management, id)?;
    let arn = seat.organization.arn_of("policy", Some(id));
    let found = found.map(|policy| ReachedPolicy {
        reached: Reached {
            seat,
            subject: Subject::Other(policy.arn.clone(), policy.tags.clone()),
        },
        policy,
    });
    Ok(Found::or_absent(found, || (arn, no_policy())))
}

fn no_policy() -> Fault {
    policy_not_found_exception("You specified a policy that doesn't exist.")
}

/// Sets the condition key of a request that names a type.
fn type_condition(kind: PolicyType, context: &mut Context) {
    context.insert("organizations:PolicyType", kind.as_str());
}
