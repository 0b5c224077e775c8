//! A list's walk through its bucket: the current versions, then, where all are asked for, the others.
//!
//! Invariant: a page reads a bounded number of rows, and the next begins behind its last.

use std::sync::Arc;

use api::s3 as model;
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};

use super::line::{Standing, Writer};
use crate::s3::bucket::{Bucket, Versioning};
use crate::s3::listing::Under;
use crate::s3::object::{OBJECTS, VERSIONS, Version};

/// Rows of a page, and lines of a file at the most.
const PAGE: usize = 1000;

/// What is walked through.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Current,
    Others,
}

/// Where a walk goes on.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Place {
    stage: Stage,
    /// The last key that was seen; empty at the beginning.
    key: Vec<u8>,
    /// The last row of that key.
    row: u64,
}

/// A page of lines.
pub(super) struct Page {
    /// Empty where nothing was found.
    pub(super) lines: String,
    pub(super) next: Option<Place>,
}

/// Reads the page at `place`.
pub(super) fn page(
    call: &mut Call<'_>,
    bucket: &Bucket,
    configuration: &model::InventoryConfiguration,
    writer: &Writer,
    place: Place,
) -> Result<Page> {
    let prefix = configuration
        .filter
        .as_ref()
        .map_or("", |filter| filter.prefix.as_str());
    let under = Under {
        bucket: &bucket.name,
        prefix,
    };
    match place.stage {
        Stage::Current => {
            let mut page = current(call, bucket, under, writer, place)?;
            if page.next.is_none() && writer.lists_all() && bucket.versioning != Versioning::Never {
                page.next = Some(Place {
                    stage: Stage::Others,
                    ..Place::default()
                });
            }
            Ok(page)
        }
        Stage::Others => others(call, bucket, under, writer, place),
    }
}

fn current(
    call: &mut Call<'_>,
    bucket: &Bucket,
    under: Under<'_>,
    writer: &Writer,
    place: Place,
) -> Result<Page> {
    let after = (bucket.name.clone(), place.key);
    let after = (!after.1.is_empty()).then_some(&after);
    let rows = call.range(&OBJECTS, &under, after, PAGE)?;
    let mut lines = String::new();
    for ((_, key), version) in &rows {
        writer.write(&mut lines, bucket, key, version, Standing::Current);
    }
    let last = rows.last().filter(|_| rows.len() == PAGE);
    Ok(Page {
        lines,
        next: last.map(|((_, key), _)| Place {
            key: key.clone(),
            ..Place::default()
        }),
    })
}

fn others(
    call: &mut Call<'_>,
    bucket: &Bucket,
    under: Under<'_>,
    writer: &Writer,
    place: Place,
) -> Result<Page> {
    let after = (bucket.name.clone(), place.key.clone(), place.row);
    let after = (!place.key.is_empty()).then_some(&after);
    let rows = call.range(&VERSIONS, &under, after, PAGE)?;
    let full = rows.len() == PAGE;
    let (mut lines, mut seen, mut row) = (String::new(), place.key, 0);
    for ((_, key, at), version) in rows {
        let latest = seen != key && is_latest(call, bucket, &key, &version)?;
        let standing = if latest { Standing::Current } else { Standing::Old };
        writer.write(&mut lines, bucket, &key, &version, standing);
        (seen, row) = (key, at);
    }
    Ok(Page {
        lines,
        next: full.then_some(Place {
            stage: Stage::Others,
            key: seen,
            row,
        }),
    })
}

/// Whether the first of a key's other versions is its newest: a delete marker that hides the rest.
fn is_latest(call: &mut Call<'_>, bucket: &Bucket, key: &[u8], version: &Arc<Version>) -> Result<bool> {
    if !version.is_marker() {
        return Ok(false);
    }
    Ok(call.get(&OBJECTS, &(bucket.name.as_str(), key))?.is_none())
}
