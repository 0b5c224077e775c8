//! Tags of buckets.
//!
//! Invariant: a bucket has at most fifty tags of its owner's. Those that AWS keeps for itself (`aws:cloudformation:stack-name`) are set and
//! taken away by services alone.

use std::collections::BTreeMap;

use api::s3 as model;
use pipeline::{Access, Call, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{on_bucket::on_bucket, to_change};
use crate::s3::fault::text;

const PUT: Access = Access::tagging("s3:PutBucketTagging");

fn invalid<T>(message: &str, key: &str) -> Result<T> {
    Err(Fault::plain("InvalidTag", 400, message).with("TagKey", text(key)))
}

/// Whether AWS keeps a key for itself.
fn is_system(key: &str) -> bool {
    key.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// Checks tags that are about to be a resource's: at most `most` of them.
pub fn collect(tags: &[model::Tag], most: usize) -> Result<BTreeMap<String, String>> {
    collect_beside(tags, most, |_| false)
}

/// Refuses to take a system's tag away, but to services.
pub(crate) fn expect_kept<'t>(
    call: &Call<'_>,
    held: &BTreeMap<String, String>,
    mut gone: impl Iterator<Item = &'t str>,
) -> Result<()> {
    let system = |key: &&str| is_system(key) && held.contains_key(*key);
    match gone.find(system) {
        Some(key) if call.made_by().is_none() => invalid("System tags cannot be removed by requester", key),
        _ => Ok(()),
    }
}

/// The same, where those system's tags may be among them that are `known`.
fn collect_beside(
    tags: &[model::Tag],
    most: usize,
    known: impl Fn(&model::Tag) -> bool,
) -> Result<BTreeMap<String, String>> {
    if tags.iter().filter(|tag| !is_system(&tag.key)).count() > most {
        return Err(Fault::plain(
            "BadRequest",
            400,
            format!("Object tags cannot be greater than {most}"),
        ));
    }
    let fits = |value: &str| {
        value
            .chars()
            .all(|character| character.is_alphanumeric() || " +-=._:/@".contains(character))
    };
    let mut collected = BTreeMap::new();
    for tag in tags {
        let (key, value) = (tag.key.as_str(), tag.value.as_str());
        let long = key.chars().count() > 128;
        if key.is_empty() || long || !fits(key) {
            return invalid("The TagKey you have provided is invalid", key);
        }
        if value.chars().count() > 256 || !fits(value) {
            return invalid("The TagValue you have provided is invalid", key);
        }
        if is_system(key) && !known(tag) {
            return invalid("System tags cannot be added/updated by requester", key);
        }
        if collected.insert(key.to_owned(), value.to_owned()).is_some() {
            return invalid("Cannot provide multiple Tags with the same key", key);
        }
    }
    Ok(collected)
}

/// Tags as answers show them.
pub fn shown(tags: &BTreeMap<String, String>) -> Vec<model::Tag> {
    let tags = tags.iter().map(|(key, value)| model::Tag {
        key: key.clone(),
        value: value.clone(),
    });
    tags.collect()
}

on_bucket! {
    /// Shows a bucket's tags.
    GetBucketTagging(model::GetBucketTaggingRequest) -> model::GetBucketTaggingOutput,
    Access::read("s3:GetBucketTagging");
    |_call, bucket, _input| {
        if bucket.tags.is_empty() {
            return Err(Fault::plain("NoSuchTagSet", 404, "The TagSet does not exist")
                .with("BucketName", text(&bucket.name)));
        }
        Ok(model::GetBucketTaggingOutput {
            tag_set: shown(&bucket.tags),
        })
    }
}

on_bucket! {
    /// Gives a bucket tags in place of those that it has.
    PutBucketTagging(model::PutBucketTaggingRequest) -> Empty, PUT;
    |call, bucket, input| {
        let by_service = call.made_by().is_some();
        // Whoever reads a bucket's tags and puts them again with another puts the system's again too.
        let known = |tag: &model::Tag| by_service || bucket.tags.get(&tag.key) == Some(&tag.value);
        let tags = collect_beside(&input.tagging.tag_set, 50, known)?;
        let gone = bucket.tags.keys().filter(|key| !tags.contains_key(*key));
        expect_kept(call, &bucket.tags, gone.map(String::as_str))?;
        let mut bucket = to_change(&bucket);
        bucket.tags = tags;
        bucket.keep(call)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Takes a bucket's tags away.
    DeleteBucketTagging(model::DeleteBucketTaggingRequest) -> Empty, PUT;
    |call, bucket, _input| {
        expect_kept(call, &bucket.tags, bucket.tags.keys().map(String::as_str))?;
        let mut bucket = to_change(&bucket);
        bucket.tags.clear();
        bucket.keep(call)?;
        Ok(Empty)
    }
}
