//! The restoration of archived objects: there after the hours that the tier takes, and gone again when its days are over.
//!
//! Source: S3 User Guide, "Restoring an archived object".

use std::sync::Arc;

use api::s3 as model;
use pipeline::jobs::JobKind;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use wire::{Fault, Timestamp};

use super::change::{self, Amended};
use super::history::Slot;
use super::lock::DAY;
use super::target::{self, ObjectTarget};
use super::{OBJECTS, Restoration, VERSIONS, Version, class, refusal};
use crate::s3::bucket::{BUCKETS, Configured};
use crate::s3::fault::malformed_xml;
use crate::s3::payer;

const NAME: &str = "s3.RestoreObject";

/// The statuses of an answer: a copy is to come, or is there already and stays for longer.
const ACCEPTED: i32 = 202;
const RESTORED_BEFORE: i32 = 200;

/// What makes a restored copy readable.
pub const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    event: "RestoreObjectCompleted",
    run: restored,
};

const EXPIRED_NAME: &str = "s3.ExpireRestoredObject";

/// What tells that a restored copy is gone.
pub const EXPIRED: JobKind = JobKind {
    name: EXPIRED_NAME,
    service: "s3",
    event: "",
    run: expired,
};

/// Which version was restored.
#[derive(Serialize, Deserialize)]
struct Due {
    bucket: String,
    key: String,
    sequence: u64,
}

/// Asks for a readable copy of an archived object.
pub struct RestoreObject;

impl Operation for RestoreObject {
    type Input = model::RestoreObjectRequest;
    type Output = model::RestoreObjectOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = Access::write("s3:RestoreObject");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        let found = target::found(look, (&input.bucket, &input.key), version, owner)?;
        Ok(target::of_bucket(found))
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let version = object.object(call, "POST")?;
        let asked = input.restore_request.ok_or_else(malformed_xml)?;
        if asked.r#type.is_some() || asked.select_parameters.is_some() || asked.output_location.is_some() {
            return Err(refusal::not_implemented("SelectParameters"));
        }
        let days = asked.days.filter(|days| *days >= 1).ok_or_else(malformed_xml)?;
        let tier = asked.glacier_job_parameters.map(|parameters| parameters.tier);
        let tier = tier.or(asked.tier).unwrap_or(model::Tier::Standard);
        let stored = version.class();
        if !class::is_archived(stored) {
            return Err(api::s3::fault::invalid_object_state(
                "Restore is not allowed for the object's current storage class",
            ));
        }
        let minutes = class::restoration_minutes(stored, tier).ok_or_else(|| {
            refusal::invalid_argument(
                "Retrieval option is not supported by this storage class",
                "Tier",
                tier.as_str(),
            )
        })?;
        let mut status = ACCEPTED;
        let (now, sequence) = (call.now, version.sequence);
        let mut version = (*version).clone();
        match &mut version.restoration {
            Some(copy) if copy.ongoing => {
                return Err(Fault::plain(
                    "RestoreAlreadyInProgress",
                    409,
                    "Object restore is already in progress",
                ));
            }
            // A copy that is there stays for as many days from now on.
            Some(copy) if copy.until > now.0 => {
                copy.days = days;
                copy.until = ends(now.0, days);
                status = RESTORED_BEFORE;
            }
            _ => {
                version.restoration = Some(Restoration {
                    ongoing: true,
                    days,
                    until: 0,
                });
                let due = Due {
                    bucket: object.bucket().name.clone(),
                    key: input.key,
                    sequence,
                };
                let due = serde_json::to_value(due).map_err(Fault::internal)?;
                call.schedule(NAME, Timestamp(now.0 + minutes * 60_000), due)?;
            }
        }
        change::amend(call, object.slot(), Amended::RestorePosted, version)?;
        Ok(model::RestoreObjectOutput {
            request_charged: charged,
            status_code: Some(status),
            ..Default::default()
        })
    }
}

/// A copy goes at the midnight after its last day.
fn ends(from: i64, days: i32) -> i64 {
    let last = from + i64::from(days) * DAY;
    last - last.rem_euclid(DAY) + DAY
}

/// Makes a restored copy readable, if the version is still there.
fn restored(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let due = Due::deserialize(payload).map_err(Fault::internal)?;
    let Some(bucket) = call.get(&BUCKETS, &due.bucket)? else {
        return Ok(());
    };
    let slot = Slot::new(&bucket, &due.key);
    let Some(version) = of_number(call, slot, due.sequence)? else {
        return Ok(());
    };
    let mut version = (*version).clone();
    let now = call.now.0;
    if let Some(copy) = &mut version.restoration {
        copy.ongoing = false;
        copy.until = ends(now, copy.days);
        let gone = Timestamp(copy.until);
        change::amend(call, slot, Amended::RestoreCompleted, version)?;
        // Only who is told of it asks when the copy goes.
        if bucket.configured.contains(&Configured::Notification) {
            let due = serde_json::to_value(due).map_err(Fault::internal)?;
            call.schedule(EXPIRED_NAME, gone, due)?;
        }
    }
    Ok(())
}

/// Tells that a readable copy is gone, unless its days were counted anew.
fn expired(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let due = Due::deserialize(payload).map_err(Fault::internal)?;
    let Some(bucket) = call.get(&BUCKETS, &due.bucket)? else {
        return Ok(());
    };
    let slot = Slot::new(&bucket, &due.key);
    let Some(version) = of_number(call, slot, due.sequence)? else {
        return Ok(());
    };
    let Some(until) = version.restoration.as_ref().map(|copy| copy.until) else {
        return Ok(());
    };
    if until > call.now.0 {
        let due = serde_json::to_value(due).map_err(Fault::internal)?;
        call.schedule(EXPIRED_NAME, Timestamp(until), due)?;
        return Ok(());
    }
    let mut version = (*version).clone();
    version.restoration = None;
    change::amend(call, slot, Amended::RestoreDeleted, version)
}

/// The version of a number, if it is still there.
fn of_number(look: &mut Look<'_>, slot: Slot<'_>, sequence: u64) -> Result<Option<Arc<Version>>> {
    let row = (slot.bucket.name.as_str(), slot.key.as_bytes());
    let current = look.get(&OBJECTS, &row)?;
    match current.filter(|current| current.sequence == sequence) {
        Some(version) => Ok(Some(version)),
        None => look.get(&VERSIONS, &slot.version_row(sequence)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS rounds the time of a copy's end up to the next midnight.
    #[test]
    fn a_copy_goes_at_midnight() {
        let noon = 1_795_305_600_000 + DAY / 2;
        assert_eq!(Timestamp(ends(noon, 1)).iso8601(), "2026-11-24T00:00:00Z");
    }
}
