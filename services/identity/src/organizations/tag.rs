//! Tags of the root, organizational units, accounts and policies: at most fifty, their keys told apart by case.
//!
//! Source: Organizations User Guide, "Tagging AWS Organizations resources".

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Empty;

use super::membership::{MEMBERSHIPS, Membership};
use super::organization::{ORGANIZATIONS, Organization};
use super::policy::{OrganizationPolicy, POLICIES};
use super::reach::{self, Reached, Subject, Who};
use super::unit::{UNITS, Unit};
use super::{refusal, resource_policy};
use crate::iam::tag::{Tags, request_conditions};

/// What whoever makes something with tags must be allowed beside.
pub(crate) const TAG_RESOURCE: Access = Access::tagging("organizations:TagResource");
/// Tags that one resource may have.
const TAGS_MAX: usize = 50;

/// Sets `aws:RequestTag/…` and `aws:TagKeys`.
pub(crate) fn conditions(tags: Option<&Vec<model::Tag>>, context: &mut Context) {
    let pairs = tags.into_iter().flatten();
    request_conditions(pairs.map(|tag| (tag.key.as_str(), tag.value.as_str())), context);
}

/// Asks for the right to set the tags of a request, if it has any.
pub(crate) fn ask(call: &mut Call<'_>, tags: Option<&Vec<model::Tag>>, arn: &str, owner: &str) -> Result<()> {
    if tags.is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let mut context = Context::new();
    conditions(tags, &mut context);
    call.also(TAG_RESOURCE, arn, owner, context)
}

/// Checks the tags of a request against each other.
pub(crate) fn read(tags: Option<Vec<model::Tag>>) -> Result<Tags> {
    let mut read = Tags::new();
    for model::Tag { key, value } in tags.into_iter().flatten() {
        if read.iter().any(|(known, _)| *known == key) {
            return Err(refusal::invalid(
                "DUPLICATE_TAG_KEY",
                "You have provided duplicate tag keys.",
            ));
        }
        expect_own(&key)?;
        read.push((key, value));
    }
    if read.len() > TAGS_MAX {
        return Err(too_many());
    }
    Ok(read)
}

fn expect_own(key: &str) -> Result<()> {
    let system = key
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    if !system {
        return Ok(());
    }
    Err(refusal::invalid(
        "INVALID_SYSTEM_TAGS_PARAMETER",
        "System tags can't be added, edited or deleted: keys that begin with aws: are AWS's own.",
    ))
}

fn too_many() -> Fault {
    refusal::constraint(
        "MAX_TAG_LIMIT_EXCEEDED",
        format!("A resource can have at most {TAGS_MAX} tags."),
    )
}

/// Lays `new` over `held`.
pub(crate) fn merge(held: &mut Tags, new: Tags) -> Result<()> {
    for (key, value) in new {
        match held.iter_mut().find(|(known, _)| *known == key) {
            Some(tag) => tag.1 = value,
            None => held.push((key, value)),
        }
    }
    if held.len() > TAGS_MAX {
        return Err(too_many());
    }
    Ok(())
}

/// As the API lists them.
pub(crate) fn shown(tags: &[(String, String)]) -> Vec<model::Tag> {
    let pairs = tags.iter().cloned();
    pairs.map(|(key, value)| model::Tag { key, value }).collect()
}

/// Writes what was tagged with the tags that `change` leaves.
fn retag(call: &mut Call<'_>, reached: &Reached, change: impl FnOnce(&mut Tags) -> Result<()>) -> Result<()> {
    match &reached.subject {
        Subject::Root => {
            let mut row = Organization::clone(reached.organization());
            change(&mut row.root_tags)?;
            let key = row.management.clone();
            call.put(&ORGANIZATIONS, &key, row)
        }
        Subject::Unit(unit) => {
            let mut row = Unit::clone(unit);
            change(&mut row.tags)?;
            call.put(&UNITS, &(row.management.clone(), row.id.clone()), row)
        }
        Subject::Account(member) => {
            let mut row = Membership::clone(member);
            change(&mut row.tags)?;
            let key = row.account.clone();
            call.put(&MEMBERSHIPS, &key, row)
        }
        Subject::Policy(policy) if policy.aws_managed => Err(refusal::invalid(
            "IMMUTABLE_POLICY",
            "You specified a policy that is managed by AWS and can't be modified.",
        )),
        Subject::Policy(policy) => {
            let mut row = OrganizationPolicy::clone(policy);
            change(&mut row.tags)?;
            let management = reached.organization().management.clone();
            call.put(&POLICIES, &(management, row.id.clone()), row)
        }
        Subject::ResourcePolicy(_, tags) => {
            let mut tags = tags.clone();
            change(&mut tags)?;
            resource_policy::retag(call, reached.organization(), tags)
        }
        Subject::Everything | Subject::Other(..) => Err(refusal::no_target()),
    }
}

/// Sets tags.
pub struct TagResource;

impl Operation for TagResource {
    type Input = model::TagResourceRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = TAG_RESOURCE;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::tagged(look, Who::Delegates, &input.resource_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        conditions(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Empty> {
        let new = read(Some(input.tags))?;
        retag(call, &reached, |tags| merge(tags, new))?;
        Ok(Empty)
    }
}

/// Takes tags away; absent ones are no error.
pub struct UntagResource;

impl Operation for UntagResource {
    type Input = model::UntagResourceRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::tagging("organizations:UntagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::tagged(look, Who::Delegates, &input.resource_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Empty> {
        for key in &input.tag_keys {
            expect_own(key)?;
        }
        retag(call, &reached, |tags| {
            tags.retain(|(known, _)| !input.tag_keys.contains(known));
            Ok(())
        })?;
        Ok(Empty)
    }
}

/// Lists tags.
pub struct ListTagsForResource;

impl Operation for ListTagsForResource {
    type Input = model::ListTagsForResourceRequest;
    type Output = model::ListTagsForResourceResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListTagsForResource");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::tagged(look, Who::Administrators, &input.resource_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let tags = match &reached.subject {
            Subject::Root => &reached.organization().root_tags,
            Subject::Unit(unit) => &unit.tags,
            Subject::Account(member) => &member.tags,
            Subject::Policy(policy) => &policy.tags,
            Subject::ResourcePolicy(_, tags) | Subject::Other(_, tags) => tags,
            Subject::Everything => return Err(refusal::no_target()),
        };
        // Fifty fit on one page, so no token was ever given out.
        super::page::Page::read(call, "tags", input.next_token.as_deref(), None)?;
        Ok(model::ListTagsForResourceResponse {
            tags: Some(shown(tags)),
            next_token: None,
        })
    }
}
