//! A secret's tags, which policies can ask for (`aws:ResourceTag/…`).

use std::collections::BTreeMap;
use std::sync::Arc;

use api::secretsmanager as model;
use api::secretsmanager::fault::{invalid_parameter_exception, limit_exceeded_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource as _, Result};
use policy::Context;
use wire::typed::Empty;

use super::naming::resolve;
use super::secret::{Secret, SecretTarget, to_change};
use super::value::GET;

/// What it takes to tag a secret, at its making or later.
pub(crate) const TAG: Access = Access::tagging("secretsmanager:TagResource");
const UNTAG: Access = Access::tagging("secretsmanager:UntagResource");
/// What shows that a caller has permissions for a secret.
const SIGNS: [Access; 6] = [
    GET,
    Access::read("secretsmanager:DescribeSecret"),
    Access::write("secretsmanager:PutSecretValue"),
    Access::write("secretsmanager:DeleteSecret"),
    TAG,
    UNTAG,
];
/// Tags of one secret (Secrets Manager User Guide, "AWS Secrets Manager quotas").
const TAGS_MAX: usize = 50;

/// Reads the tags of a request.
pub(crate) fn read(call: &Call<'_>, tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>> {
    let mut read = BTreeMap::new();
    for tag in tags {
        let key = tag
            .key
            .ok_or_else(|| invalid_parameter_exception("You must provide a tag key."))?;
        expect_own(call, &key)?;
        if read.insert(key, tag.value.unwrap_or_default()).is_some() {
            return Err(invalid_parameter_exception("Duplicate tag keys are not allowed."));
        }
    }
    Ok(read)
}

/// Refuses more tags than a secret can have before they become condition keys, which cost the more the more there are.
pub(crate) fn expect_few(tags: Option<&[model::Tag]>) -> Result<()> {
    if tags.is_some_and(|tags| tags.len() > TAGS_MAX) {
        return Err(too_many());
    }
    Ok(())
}

fn too_many() -> wire::Fault {
    limit_exceeded_exception(format!("A secret can have no more than {TAGS_MAX} tags."))
}

/// AWS keeps names that begin with `aws:` for itself, and for services such as CloudFormation.
fn expect_own(call: &Call<'_>, name: &str) -> Result<()> {
    if name
        .get(..4)
        .filter(|_| call.made_by().is_none())
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
    {
        return Err(invalid_parameter_exception(
            "Tag keys that begin with aws: are reserved for AWS use.",
        ));
    }
    Ok(())
}

/// Refuses tags by which a caller who has permissions for a secret would lose them all (API Reference, `TagResource`).
pub(crate) fn expect_kept(
    call: &mut Call<'_>,
    access: Access,
    before: &Secret,
    after: &Secret,
) -> Result<()> {
    let (before, after) = (target(before), target(after));
    let mut had = false;
    for sign in SIGNS {
        if call.would_admit(sign, &before)? {
            if call.would_admit(sign, &after)? {
                return Ok(());
            }
            had = true;
        }
    }
    if !had {
        return Ok(());
    }
    Err(wire::Fault::access_denied(format!(
        "User: {} is not authorized to perform: {} on resource: {} because the change of tags would take away the caller's permissions \
         for the secret",
        call.identity.arn,
        access.action,
        before.arn()
    )))
}

fn target(secret: &Secret) -> SecretTarget {
    SecretTarget::new(Arc::new(secret.clone()))
}

/// Sets the condition keys of the tags in a request.
pub(crate) fn requested(tags: Option<&[model::Tag]>, context: &mut Context) {
    let named = tags
        .unwrap_or_default()
        .iter()
        .filter_map(|tag| Some((tag.key.as_ref()?, tag)));
    let mut keys = Vec::new();
    for (key, tag) in named {
        let value = tag.value.clone().unwrap_or_default();
        context.insert(format!("aws:RequestTag/{key}"), value);
        keys.push(key.clone());
    }
    if !keys.is_empty() {
        context.insert_many("aws:TagKeys", keys);
    }
}

/// Adds tags, or gives those that are there another value.
pub struct TagResource;

impl Operation for TagResource {
    type Input = model::TagResourceRequest;
    type Output = Empty;
    type Target = SecretTarget;
    const ACCESS: Access = TAG;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        expect_few(Some(&input.tags))?;
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        requested(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, secret: Authorized<SecretTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        let before = to_change(&secret);
        let mut secret = before.clone();
        secret.tags.extend(read(call, input.tags)?);
        if secret.tags.len() > TAGS_MAX {
            return Err(too_many());
        }
        expect_kept(call, TAG, &before, &secret)?;
        secret.changed = call.now.0;
        secret.keep(call)?;
        Ok(Empty)
    }
}

/// Removes tags; names that no tag bears are passed over.
pub struct UntagResource;

impl Operation for UntagResource {
    type Input = model::UntagResourceRequest;
    type Output = Empty;
    type Target = SecretTarget;
    const ACCESS: Access = UNTAG;
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.iter().cloned());
    }

    fn handle(call: &mut Call<'_>, secret: Authorized<SecretTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        let before = to_change(&secret);
        let mut secret = before.clone();
        for name in &input.tag_keys {
            expect_own(call, name)?;
            secret.tags.remove(name);
        }
        expect_kept(call, UNTAG, &before, &secret)?;
        secret.changed = call.now.0;
        secret.keep(call)?;
        Ok(Empty)
    }
}
