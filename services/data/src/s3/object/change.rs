//! Where changes of objects pass through: a version that is made, marked, amended or removed is written here, its copies in other buckets
//! are planned, and whom the bucket tells of it is told, in the same transaction.
//!
//! Invariant: of a bucket that is neither replicated nor tells anybody, no row is read or written beside the version's own.

use pipeline::{Call, Result};
use serde_json::{Value, json};
use wire::Timestamp;

use super::history::Slot;
use super::{Restoration, Version};
use crate::s3::bucket::Configured;
use crate::s3::notification::{self, Event, tell, time};
use crate::s3::replication;

/// On whose account something goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Request,
    Lifecycle,
}

/// How a version came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Put,
    /// By a browser's form.
    Post,
    Copy,
    CompleteMultipartUpload,
}

/// What was changed of a version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amended {
    TagsPut,
    TagsDeleted,
    Acl,
    Retention,
    Hold,
    /// A readable copy of an archived version was asked for, is there, or went.
    RestorePosted,
    RestoreCompleted,
    RestoreDeleted,
    /// A lifecycle rule moved it to another class.
    Transitioned,
}

/// Makes a version the newest of its key.
pub(crate) fn make(call: &mut Call<'_>, slot: Slot<'_>, made: Made, mut version: Version) -> Result<()> {
    replication::begin(call, slot, &mut version, true)?;
    let event = match made {
        Made::Put => Event::made("ObjectCreated:Put", &version),
        Made::Post => Event::made("ObjectCreated:Post", &version),
        Made::Copy => Event::made("ObjectCreated:Copy", &version),
        Made::CompleteMultipartUpload => Event::made("ObjectCreated:CompleteMultipartUpload", &version),
    };
    tell(call, slot, &event)?;
    slot.append(call, version)
}

/// Lays a delete marker over a key.
pub(crate) fn mark(call: &mut Call<'_>, slot: Slot<'_>, by: By, mut marker: Version) -> Result<()> {
    replication::begin(call, slot, &mut marker, by == By::Request)?;
    let name = match by {
        By::Request => "ObjectRemoved:DeleteMarkerCreated",
        By::Lifecycle => "LifecycleExpiration:DeleteMarkerCreated",
    };
    tell(call, slot, &Event::marked(name, &marker))?;
    slot.append(call, marker)
}

/// Removes a version for good. Its copies stay.
pub(crate) fn remove(call: &mut Call<'_>, slot: Slot<'_>, by: By, version: &Version) -> Result<()> {
    let name = match by {
        By::Request => "ObjectRemoved:Delete",
        By::Lifecycle => "LifecycleExpiration:Delete",
    };
    tell(call, slot, &Event::removed(name, version))?;
    slot.remove(call, version)
}

/// Writes what has changed of a version.
pub(crate) fn amend(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    amended: Amended,
    mut version: Version,
) -> Result<()> {
    let copied = matches!(
        amended,
        Amended::TagsPut | Amended::TagsDeleted | Amended::Acl | Amended::Retention | Amended::Hold
    );
    if copied {
        replication::change(call, slot, &mut version)?;
    }
    if slot.bucket.configured.contains(&Configured::Notification)
        && let Some(name) = event(call, slot, amended, &version)?
    {
        let event = Event::of(name, &version).with(details(amended, &version));
        notification::tell(call, slot, &event)?;
    }
    slot.amend(call, version)
}

/// The event of a change; none of one that changes nothing.
fn event(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    amended: Amended,
    version: &Version,
) -> Result<Option<&'static str>> {
    Ok(Some(match amended {
        Amended::TagsPut => "ObjectTagging:Put",
        Amended::TagsDeleted => "ObjectTagging:Delete",
        Amended::Acl => {
            let before = slot.version(call, &version.shown_id())?;
            if before.is_some_and(|before| before.acl == version.acl) {
                return Ok(None);
            }
            "ObjectAcl:Put"
        }
        Amended::Retention => "ObjectRetention:Put",
        Amended::Hold => return Ok(None),
        Amended::RestorePosted => "ObjectRestore:Post",
        Amended::RestoreCompleted => "ObjectRestore:Completed",
        Amended::RestoreDeleted => "ObjectRestore:Delete",
        Amended::Transitioned => "LifecycleTransition",
    }))
}

/// What only some events have.
fn details(amended: Amended, version: &Version) -> Option<(&'static str, Value)> {
    match amended {
        Amended::RestoreCompleted => {
            let Restoration { until, .. } = version.restoration.as_ref()?;
            let data = json!({
                "lifecycleRestorationExpiryTime": time(Timestamp(*until)),
                "lifecycleRestoreStorageClass": version.class,
            });
            Some(("glacierEventData", json!({"restoreEventData": data})))
        }
        Amended::Transitioned => {
            let data = json!({"transitionEventData": {"destinationStorageClass": version.class}});
            Some(("lifecycleEventData", data))
        }
        Amended::Retention => {
            let retention = version.lock.retention?;
            let data = json!({"mode": retention.mode().as_str(), "retainUntilDate": time(Timestamp(retention.until))});
            Some(("objectRetentionEventData", data))
        }
        _ => None,
    }
}
