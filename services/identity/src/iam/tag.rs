//! Tags of identities: at most fifty, their keys unique without regard to case.
//!
//! Source: IAM User Guide, "Tags for AWS Identity and Access Management resources".

use api::iam::Tag;
use api::iam::fault::{invalid_input_exception, limit_exceeded_exception};
use pipeline::Result;
use policy::Context;

/// Tags that one identity may have.
pub(crate) const TAGS_MAX: usize = 50;

/// Tags in the order in which they were set.
pub(crate) type Tags = Vec<(String, String)>;

/// Checks the tags of a request against each other.
pub(crate) fn read(tags: Option<Vec<Tag>>) -> Result<Tags> {
    let mut read = Tags::new();
    for Tag { key, value } in tags.into_iter().flatten() {
        if read.iter().any(|(known, _)| known.eq_ignore_ascii_case(&key)) {
            return Err(invalid_input_exception(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        let reserved = key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
        if reserved {
            return Err(invalid_input_exception(
                "Tag keys that begin with aws: are reserved for system use. Choose another key.",
            ));
        }
        read.push((key, value));
    }
    Ok(read)
}

/// Lays `new` over `held`. `what` names the quota, as in `TagsPerUser`.
pub(crate) fn merge(held: &mut Tags, new: Tags, what: &str) -> Result<()> {
    overlay(held, new);
    if held.len() > TAGS_MAX {
        return Err(limit_exceeded_exception(format!(
            "Cannot exceed quota for {what}: {TAGS_MAX}"
        )));
    }
    Ok(())
}

/// Lays `new` over `held` without regard to the case of keys; the new spelling stays.
pub(crate) fn overlay(held: &mut Tags, new: impl IntoIterator<Item = (String, String)>) {
    for (key, value) in new {
        match held
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(&key))
        {
            Some(tag) => *tag = (key, value),
            None => held.push((key, value)),
        }
    }
}

/// Takes keys away; absent ones are no error.
pub(crate) fn remove(held: &mut Tags, keys: &[String]) {
    held.retain(|(known, _)| !keys.iter().any(|key| key.eq_ignore_ascii_case(known)));
}

/// As the API shows them; nothing rather than an empty list.
pub(crate) fn shown(tags: &[(String, String)]) -> Option<Vec<Tag>> {
    (!tags.is_empty()).then(|| list(tags))
}

/// As the API lists them.
pub(crate) fn list(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

/// Sets `aws:RequestTag/…` and `aws:TagKeys` of a request that sets tags.
pub(crate) fn request_conditions<'a>(
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    context: &mut Context,
) {
    let mut keys = Vec::new();
    for (key, value) in tags {
        context.insert(format!("aws:RequestTag/{key}"), value.to_owned());
        keys.push(key.to_owned());
    }
    context.insert_many("aws:TagKeys", keys);
}

/// The same, of the API's tags.
pub(crate) fn tag_conditions(tags: Option<&Vec<Tag>>, context: &mut Context) {
    let pairs = tags
        .into_iter()
        .flatten()
        .map(|tag| (tag.key.as_str(), tag.value.as_str()));
    request_conditions(pairs, context);
}

/// Sets the keys under which conditions see the tags of an IAM resource.
pub(crate) fn resource_conditions(tags: &[(String, String)], context: &mut Context) {
    for (key, value) in tags {
        context.insert(format!("aws:ResourceTag/{key}"), value.clone());
        context.insert(format!("iam:ResourceTag/{key}"), value.clone());
    }
}
