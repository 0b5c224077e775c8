//! A day's walk through a bucket: its current versions, then the others, then the uploads that never ended.
//!
//! Invariant: what a lock protects stays; a step reads and changes one page, and goes on behind it.

use std::sync::Arc;

use api::s3 as model;
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};

use super::rule;
use crate::s3::bucket::{Bucket, Versioning};
use crate::s3::log::{self, Done};
use crate::s3::multipart::{self, UPLOADS};
use crate::s3::object::change::{self, Amended, By};
use crate::s3::object::history::Slot;
use crate::s3::object::lock::Guard;
use crate::s3::object::{OBJECTS, VERSIONS, Version, mark};

/// What a version's removal is called in the access log.
const EXPIRED: &str = "S3.EXPIRE.OBJECT";
/// Rows of a page.
const PAGE: usize = 100;
/// Uploads of a page: each has up to 10,000 parts.
const UPLOADS_PAGE: usize = 2;

/// What is walked through.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Current,
    Noncurrent,
    Uploads,
}

/// Where a walk goes on.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Place {
    stage: Stage,
    /// The last key that was seen; empty at the beginning.
    key: Vec<u8>,
    /// The last row of that key.
    row: u64,
    /// Versions of that key seen that are not current, and when the last version seen was written.
    newer: u32,
    since: i64,
}

impl Place {
    fn of(stage: Stage) -> Self {
        Self {
            stage,
            ..Self::default()
        }
    }
}

/// One step; tells where the next begins, or that the day's walk is over.
pub(super) fn step(
    call: &mut Call<'_>,
    bucket: &Bucket,
    rules: &[model::LifecycleRule],
    place: Place,
) -> Result<Option<Place>> {
    match place.stage {
        Stage::Current => {
            let next = current(call, bucket, rules, place)?;
            Ok(Some(next.unwrap_or_else(|| Place::of(Stage::Noncurrent))))
        }
        Stage::Noncurrent => {
            let next = noncurrent(call, bucket, rules, place)?;
            Ok(Some(next.unwrap_or_else(|| Place::of(Stage::Uploads))))
        }
        Stage::Uploads => uploads(call, bucket, rules, place),
    }
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

fn current(
    call: &mut Call<'_>,
    bucket: &Bucket,
    rules: &[model::LifecycleRule],
    place: Place,
) -> Result<Option<Place>> {
    let after = (bucket.name.clone(), place.key.clone());
    let after = (!place.key.is_empty()).then_some(&after);
    let rows = call.range(&OBJECTS, &(bucket.name.as_str(),), after, PAGE)?;
    let now = call.now.0;
    for ((_, key), version) in &rows {
        if version.suspends_lifecycle() {
            continue;
        }
        let name = text(key);
        let slot = Slot::new(bucket, &name);
        let meant = || rules.iter().filter(|rule| rule::matches(rule, key, version));
        if meant().any(|rule| rule::expires(rule, version).is_some_and(|at| at <= now)) {
            let gone = mark(call, slot, By::Lifecycle)?;
            if gone.marker {
                tell(
                    call,
                    slot,
                    "S3.CREATE.DELETEMARKER",
                    (gone.version.as_deref(), None),
                )?;
            } else {
                tell(call, slot, EXPIRED, (None, Some(version.size)))?;
            }
            continue;
        }
        let class = meant()
            .filter_map(|rule| rule::class(rule, version, bucket.least_moved, now))
            .max_by_key(|class| rule::rank(class.as_str()));
        transition(call, slot, version, class)?;
    }
    let last = rows.last().filter(|_| rows.len() == PAGE);
    Ok(last.map(|((_, key), _)| Place {
        key: key.clone(),
        ..Place::of(Stage::Current)
    }))
}

fn transition(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    version: &Version,
    class: Option<model::TransitionStorageClass>,
) -> Result<()> {
    let Some(class) = class else { return Ok(()) };
    let mut version = version.clone();
    class.as_str().clone_into(&mut version.class);
    version.restoration = None;
    let operation = match class {
        model::TransitionStorageClass::DeepArchive => "S3.TRANSITION_GDA.OBJECT",
        model::TransitionStorageClass::GlacierIr => "S3.TRANSITION_GIR.OBJECT",
        model::TransitionStorageClass::IntelligentTiering => "S3.TRANSITION_INT.OBJECT",
        model::TransitionStorageClass::OnezoneIa => "S3.TRANSITION_ZIA.OBJECT",
        model::TransitionStorageClass::StandardIa => "S3.TRANSITION_SIA.OBJECT",
        _ => "S3.TRANSITION.OBJECT",
    };
    tell(call, slot, operation, (version.id.as_deref(), Some(version.size)))?;
    change::amend(call, slot, Amended::Transitioned, version)
}

fn noncurrent(
    call: &mut Call<'_>,
    bucket: &Bucket,
    rules: &[model::LifecycleRule],
    mut place: Place,
) -> Result<Option<Place>> {
    if bucket.versioning == Versioning::Never {
        return Ok(None);
    }
    let after = (bucket.name.clone(), place.key.clone(), place.row);
    let after = (!place.key.is_empty()).then_some(&after);
    let rows = call.range(&VERSIONS, &(bucket.name.as_str(),), after, PAGE)?;
    let full = rows.len() == PAGE;
    for ((_, key, row), version) in rows {
        let name = text(&key);
        let slot = Slot::new(bucket, &name);
        let first = place.key != key;
        let above = if first {
            call.get(&OBJECTS, &(bucket.name.as_str(), key.as_slice()))?
        } else {
            None
        };
        let newest = first && above.is_none();
        if first {
            place.newer = 0;
            place.since = above.map_or(0, |above| above.modified);
        }
        let (since, newer) = (place.since, place.newer);
        place = Place {
            stage: Stage::Noncurrent,
            row,
            newer: if newest { 0 } else { newer.saturating_add(1) },
            since: version.modified,
            key,
        };
        if newest {
            drop_marker(call, slot, rules, &place.key, &version)?;
        } else {
            old(call, slot, rules, &place.key, &version, (since, newer))?;
        }
    }
    Ok(full.then_some(place))
}

/// Removes the newest version if it is a delete marker that hides nothing any more.
fn drop_marker(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    rules: &[model::LifecycleRule],
    key: &[u8],
    marker: &Arc<Version>,
) -> Result<()> {
    let now = call.now.0;
    let meant = rules
        .iter()
        .any(|rule| rule::matches(rule, key, marker) && rule::drops_marker(rule, marker, now));
    if !meant || !marker.is_marker() {
        return Ok(());
    }
    let of_key = call.range(&VERSIONS, &(slot.bucket.name.as_str(), key), None, 2)?;
    if of_key.len() == 1 {
        change::remove(call, slot, By::Lifecycle, marker)?;
        tell(call, slot, EXPIRED, (marker.id.as_deref(), None))?;
    }
    Ok(())
}

/// Tells the bucket's access log what was done to an object.
fn tell(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    operation: &'static str,
    (version, size): (Option<&str>, Option<u64>),
) -> Result<()> {
    let done = Done {
        operation,
        key: slot.key,
        version,
        size,
    };
    log::done(call, slot.bucket, &done)
}

/// What becomes of a version that is not current.
fn old(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    rules: &[model::LifecycleRule],
    key: &[u8],
    version: &Arc<Version>,
    (since, newer): (i64, u32),
) -> Result<()> {
    if version.suspends_lifecycle() {
        return Ok(());
    }
    let now = call.now.0;
    let meant = || rules.iter().filter(|rule| rule::matches(rule, key, version));
    if meant().any(|rule| rule::expires_noncurrent(rule, since, newer, now)) {
        if version.lock.guard(call.now) == Guard::None {
            change::remove(call, slot, By::Lifecycle, version)?;
            let size = (!version.is_marker()).then_some(version.size);
            tell(call, slot, EXPIRED, (version.id.as_deref(), size))?;
        }
        return Ok(());
    }
    if version.is_marker() {
        return Ok(());
    }
    let class = meant()
        .filter_map(|rule| {
            rule::class_noncurrent(rule, version, slot.bucket.least_moved, (since, newer, now))
        })
        .max_by_key(|class| rule::rank(class.as_str()));
    transition(call, slot, version, class)
}

fn uploads(
    call: &mut Call<'_>,
    bucket: &Bucket,
    rules: &[model::LifecycleRule],
    place: Place,
) -> Result<Option<Place>> {
    let aborts: Vec<_> = rules
        .iter()
        .filter_map(|rule| {
            let abort = rule.abort_incomplete_multipart_upload.as_ref()?;
            Some((rule::prefix(rule).as_bytes(), abort.days_after_initiation?))
        })
        .collect();
    if aborts.is_empty() {
        return Ok(None);
    }
    let after = (bucket.name.clone(), place.key.clone(), place.row);
    let after = (!place.key.is_empty()).then_some(&after);
    let rows = call.range(&UPLOADS, &(bucket.name.as_str(),), after, PAGE)?;
    let (mut ended, mut last) = (0, None);
    let full = rows.len() == PAGE;
    for (row, upload) in rows {
        let due = aborts.iter().any(|(prefix, days)| {
            row.1.starts_with(prefix) && rule::later(upload.initiated, *days) <= call.now.0
        });
        if due {
            multipart::discard(call, &row, &upload.id)?;
            let name = text(&row.1);
            tell(call, Slot::new(bucket, &name), "S3.DELETE.UPLOAD", (None, None))?;
            ended += 1;
        }
        last = Some(Place {
            row: row.2,
            key: row.1,
            ..Place::of(Stage::Uploads)
        });
        if ended == UPLOADS_PAGE {
            return Ok(last);
        }
    }
    Ok(last.filter(|_| full))
}
