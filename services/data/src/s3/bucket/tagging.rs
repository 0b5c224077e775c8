//! Tags of buckets.
//!
//! Invariant: a bucket has at most fifty tags, none of which AWS keeps for itself.

use std::collections::BTreeMap;

use api::s3 as model;
use pipeline::{Access, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{on_bucket::on_bucket, to_change};
use crate::s3::fault::text;

const PUT: Access = Access::tagging("s3:PutBucketTagging");

/// Checks tags that are about to be a resource's: at most `most` of them.
pub fn collect(tags: &[model::Tag], most: usize) -> Result<BTreeMap<String, String>> {
    let invalid =
        |message: &str, key: &str| Err(Fault::plain("InvalidTag", 400, message).with("TagKey", text(key)));
    if tags.len() > most {
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
        if key.to_ascii_lowercase().starts_with("aws:") {
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
        let tags = collect(&input.tagging.tag_set, 50)?;
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
        let mut bucket = to_change(&bucket);
        bucket.tags.clear();
        bucket.keep(call)?;
        Ok(Empty)
    }
}
