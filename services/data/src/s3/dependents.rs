//! What objects are encrypted under, by their records: the KMS key of each version.
//!
//! Invariant: nothing is opened, and delete markers and what is not under a KMS key name no key.

use pipeline::{Dependent, Dependents, Look, Result};

use crate::s3::encryption::Applied;
use crate::s3::object::{OBJECTS, VERSIONS, Version};

/// The objects of all buckets, version by version.
pub static DEPENDENTS: Dependents = Dependents {
    kind: "AWS::S3::Object",
    page,
};

/// Places begin with the name of their list.
const NEWEST: &str = "newest";
const OLDER: &str = "older";

fn page(look: &mut Look<'_>, after: Option<&[String]>, limit: usize) -> Result<Vec<Dependent>> {
    let mut page = Vec::new();
    let older = match after {
        Some([list, bucket, key, sequence]) if list == OLDER => {
            let sequence = sequence.parse().unwrap_or(u64::MAX);
            Some((bucket.clone(), key.clone().into_bytes(), sequence))
        }
        _ => {
            let after = match after {
                Some([_, bucket, key]) => Some((bucket.clone(), key.clone().into_bytes())),
                _ => None,
            };
            for ((bucket, key), version) in look.range(&OBJECTS, &(), after.as_ref(), limit)? {
                let key = String::from_utf8_lossy(&key).into_owned();
                let arn = format!("arn:aws:s3:::{bucket}/{key}");
                page.push(dependent(vec![NEWEST.to_owned(), bucket, key], arn, &version));
            }
            None
        }
    };
    let left = limit.saturating_sub(page.len());
    if left > 0 {
        for ((bucket, key, sequence), version) in look.range(&VERSIONS, &(), older.as_ref(), left)? {
            let key = String::from_utf8_lossy(&key).into_owned();
            let arn = format!("arn:aws:s3:::{bucket}/{key}?versionId={}", version.shown_id());
            let place = vec![OLDER.to_owned(), bucket, key, sequence.to_string()];
            page.push(dependent(place, arn, &version));
        }
    }
    Ok(page)
}

fn dependent(place: Vec<String>, arn: String, version: &Version) -> Dependent {
    let keys = match &version.encryption {
        Applied::Kms(under) | Applied::Dsse(under) if !version.is_marker() => vec![under.key.clone()],
        _ => Vec::new(),
    };
    Dependent { place, arn, keys }
}
