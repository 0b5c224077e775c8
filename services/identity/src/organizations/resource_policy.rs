//! The organization's resource policy: which members may manage policies in the management account's stead.
//!
//! Source: Organizations User Guide, "Create a resource-based delegation policy with AWS Organizations".
//! Invariant: it names actions that can be delegated and accounts of the organization, and nothing else.

use api::organizations as model;
use api::organizations::fault::resource_policy_not_found_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::{Attached, Context, PolicyKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Table;
use wire::Fault;
use wire::typed::Empty;

use super::membership::membership;
use super::organization::{FeatureSet, Organization};
use super::reach::{self, Reached, Subject, Who};
use super::tag::{self, TAG_RESOURCE};
use super::{id, refusal};
use crate::iam::document::StoredPolicy;
use crate::iam::tag::Tags;

/// The resource policy of an organization.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Delegating {
    /// `rp-…`
    id: String,
    content: StoredPolicy,
    tags: Tags,
}

store::record!(Delegating, 1);

/// By management account.
pub(super) static RESOURCE_POLICY: Table<String, Delegating> =
    Table::new(0x013c, "organizations.resource_policies");

/// Actions that can be delegated.
const DELEGABLE: &[&str] = &[
    "AttachPolicy",
    "CreatePolicy",
    "DeletePolicy",
    "DescribeAccount",
    "DescribeCreateAccountStatus",
    "DescribeEffectivePolicy",
    "DescribeHandshake",
    "DescribeOrganization",
    "DescribeOrganizationalUnit",
    "DescribePolicy",
    "DescribeResourcePolicy",
    "DetachPolicy",
    "DisablePolicyType",
    "EnablePolicyType",
    "ListAccounts",
    "ListAccountsForParent",
    "ListAWSServiceAccessForOrganization",
    "ListChildren",
    "ListCreateAccountStatus",
    "ListDelegatedAdministrators",
    "ListDelegatedServicesForAccount",
    "ListHandshakesForAccount",
    "ListHandshakesForOrganization",
    "ListOrganizationalUnitsForParent",
    "ListParents",
    "ListPolicies",
    "ListPoliciesForTarget",
    "ListRoots",
    "ListTagsForResource",
    "ListTargetsForPolicy",
    "TagResource",
    "UntagResource",
    "UpdatePolicy",
];

/// The policy of an id as a subject, if the organization has it.
pub(super) fn subject(look: &mut Look<'_>, organization: &Organization, id: &str) -> Result<Option<Subject>> {
    let row = look.get(&RESOURCE_POLICY, &organization.management)?;
    let row = row.filter(|row| row.id == id);
    Ok(row.map(|row| Subject::ResourcePolicy(arn(organization, id), row.tags.clone())))
}

/// Writes other tags.
pub(super) fn retag(call: &mut Call<'_>, organization: &Organization, tags: Tags) -> Result<()> {
    let row = call
        .get(&RESOURCE_POLICY, &organization.management)?
        .ok_or_else(missing)?;
    let row = Delegating {
        tags,
        ..(*row).clone()
    };
    call.put(&RESOURCE_POLICY, &organization.management, row)
}

/// The policy as decisions take it.
pub(super) fn attached(look: &mut Look<'_>, organization: &Organization) -> Result<Option<Attached>> {
    let row = look.get(&RESOURCE_POLICY, &organization.management)?;
    Ok(row.map(|row| {
        row.content
            .attached(|| format!("organization resource policy {}", row.id))
    }))
}

fn arn(organization: &Organization, id: &str) -> String {
    organization.arn_of("resourcepolicy", Some(id))
}

impl Delegating {
    fn shown(&self, organization: &Organization) -> model::ResourcePolicy {
        model::ResourcePolicy {
            content: Some(self.content.text().to_owned()),
            resource_policy_summary: Some(model::ResourcePolicySummary {
                arn: Some(arn(organization, &self.id)),
                id: Some(self.id.clone()),
            }),
        }
    }
}

fn missing() -> Fault {
    resource_policy_not_found_exception("We can't find a resource policy in your organization.")
}

/// The policy as the target of an operation, if there is one.
fn existing(look: &mut Look<'_>, who: Who) -> Result<Found<Reached>> {
    let seat = match reach::seat(look, who)? {
        Ok(seat) => seat,
        Err(fault) => return Ok(reach::nowhere(fault)),
    };
    let row = look.get(&RESOURCE_POLICY, &seat.organization.management)?;
    let denoted = arn(&seat.organization, "*");
    let reached = row.map(|row| {
        let subject = Subject::ResourcePolicy(arn(&seat.organization, &row.id), row.tags.clone());
        Reached { seat, subject }
    });
    Ok(Found::or_absent(reached, || (denoted, missing())))
}

/// Checks a document that is about to become the policy.
fn check(look: &mut Look<'_>, organization: &Organization, text: &str) -> Result<StoredPolicy> {
    let malformed = |why: String| refusal::invalid("INVALID_RESOURCE_POLICY_JSON", why);
    let stored =
        StoredPolicy::parse(text, PolicyKind::Resource).map_err(|error| malformed(error.to_string()))?;
    let document: Value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    for statement in some(document.get("Statement")) {
        if statement.get("NotAction").is_some() || statement.get("NotResource").is_some() {
            return Err(malformed(
                "The provided policy document contains an unsupported element: NotAction or NotResource."
                    .to_owned(),
            ));
        }
        for action in some(statement.get("Action"))
            .iter()
            .filter_map(|action| action.as_str())
        {
            expect_delegable(action)?;
        }
    }
    for (class, name) in stored
        .policy()
        .statements()
        .flat_map(|statement| statement.principals())
    {
        expect_member(look, organization, class, &name)?;
    }
    Ok(stored)
}

/// An element that may be one value or a list.
fn some(element: Option<&Value>) -> Vec<&Value> {
    match element {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

fn expect_delegable(action: &str) -> Result<()> {
    let known = action
        .split_once(':')
        .filter(|(service, _)| service.eq_ignore_ascii_case("organizations"))
        .is_some_and(|(_, name)| match name.split_once(['*', '?']) {
            None => DELEGABLE.iter().any(|known| known.eq_ignore_ascii_case(name)),
            Some((start, _)) => DELEGABLE.iter().any(|known| {
                known
                    .get(..start.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(start))
            }),
        });
    if known {
        return Ok(());
    }
    Err(refusal::invalid(
        "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY",
        format!("The provided policy document contains an unsupported action: {action}."),
    ))
}

fn expect_member(look: &mut Look<'_>, organization: &Organization, class: &str, name: &str) -> Result<()> {
    let invalid = || {
        refusal::invalid(
            "INVALID_PRINCIPAL",
            format!("The provided policy document contains an invalid principal: {name}."),
        )
    };
    if class != "AWS" {
        return Err(invalid());
    }
    if name == "*" {
        return Ok(());
    }
    let account = name
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split(':').next())
        .unwrap_or(name);
    let member = membership(look, account)?.filter(|member| member.management == organization.management);
    member.map(|_| ()).ok_or_else(invalid)
}

/// Gives the organization its resource policy, in place of the one that it had.
pub struct PutResourcePolicy;

impl Operation for PutResourcePolicy {
    type Input = model::PutResourcePolicyRequest;
    type Output = model::PutResourcePolicyResponse;
    type Target = Reached;
    const ACCESS: Access = Access::permissions("organizations:PutResourcePolicy");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_RESOURCE];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        match existing(look, Who::Management)? {
            Found::Here(reached) => Ok(Found::Here(reached)),
            Found::Absent { .. } => reach::everything(look, Who::Management),
        }
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        tag::ask(call, input.tags.as_ref(), &reached.arn(), reached.account())?;
        let organization = reached.organization();
        if organization.feature_set != FeatureSet::All {
            return Err(refusal::not_all_features());
        }
        let content = check(call, organization, &input.content)?;
        let new = tag::read(input.tags)?;
        let held = call.get(&RESOURCE_POLICY, &organization.management)?;
        let (id, mut tags) = match held {
            Some(held) if !new.is_empty() => {
                let message = format!(
                    "The resource policy {} exists; its tags are set by TagResource.",
                    held.id
                );
                return Err(refusal::invalid("INVALID_SYSTEM_TAGS_PARAMETER", message));
            }
            Some(held) => (held.id.clone(), held.tags.clone()),
            None => (id::draw(call, "rp-", 8)?, Tags::new()),
        };
        tag::merge(&mut tags, new)?;
        let row = Delegating { id, content, tags };
        let shown = row.shown(organization);
        call.put(&RESOURCE_POLICY, &organization.management, row)?;
        Ok(model::PutResourcePolicyResponse {
            resource_policy: Some(shown),
        })
    }
}

/// Shows the resource policy.
pub struct DescribeResourcePolicy;

impl Operation for DescribeResourcePolicy {
    type Input = model::DescribeResourcePolicyInput;
    type Output = model::DescribeResourcePolicyResponse;
    type Target = Reached;
    const ACCESS: Access = Access::read("organizations:DescribeResourcePolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        existing(look, Who::Administrators)
    }

    fn handle(
        call: &mut Call<'_>,
        reached: Authorized<Reached>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = reached.organization();
        let row = call
            .get(&RESOURCE_POLICY, &organization.management)?
            .ok_or_else(missing)?;
        Ok(model::DescribeResourcePolicyResponse {
            resource_policy: Some(row.shown(organization)),
        })
    }
}

/// Takes the resource policy away.
pub struct DeleteResourcePolicy;

impl Operation for DeleteResourcePolicy {
    type Input = model::DeleteResourcePolicyInput;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::permissions("organizations:DeleteResourcePolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        existing(look, Who::Management)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, _input: Self::Input) -> Result<Empty> {
        call.delete(&RESOURCE_POLICY, &reached.organization().management)?;
        Ok(Empty)
    }
}
