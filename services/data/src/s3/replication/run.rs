//! One copy: a job that reads the source and writes the destination as the role, and notes what came of it.
//!
//! Invariant: nothing is written to the destination before everything that can be refused was; so a copy that fails leaves nothing there,
//! and the refusal is in the trail.

use std::sync::Arc;

use pipeline::jobs::JobKind;
use pipeline::{Call, Result};
use serde::Deserialize as _;
use serde_json::{Value, json};
use wire::{Fault, Timestamp};

use super::state::State;
use super::{Due, NAME, again, configured, copy, role, rule, staged};
use crate::s3::bucket::{self, BUCKETS, Bucket};
use crate::s3::fault::invalid_request;
use crate::s3::notification::{self, Event};
use crate::s3::object::Version;
use crate::s3::object::history::Slot;

/// What makes copies.
pub const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    // The calls that it makes are in the trail.
    event: "",
    run,
};

/// How far a job went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Whole,
    /// More parts are to be brought over.
    Part,
}

/// Where a job is, for the reason of its failure.
pub(super) struct Step {
    /// AWS's word for what fails if the step does (S3 User Guide, "Amazon S3 replication failure reasons").
    pub(super) reason: &'static str,
    /// Rows of the destination are being written: what fails now is no refusal.
    pub(super) writes: bool,
}

/// What is to be copied, and where to.
pub(super) struct Task<'a> {
    pub(super) due: &'a Due,
    pub(super) rule: &'a api::s3::ReplicationRule,
    pub(super) source: &'a Arc<Bucket>,
    pub(super) version: &'a Arc<Version>,
}

fn run(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let due = Due::deserialize(payload).map_err(Fault::internal)?;
    let Some(source) = call.get(&BUCKETS, &due.bucket)? else {
        return staged::discard(call, &due);
    };
    let slot = Slot::new(&source, &due.key);
    let version = slot.version(call, &due.id)?.filter(|version| {
        let replication = version.replication.as_ref();
        version.sequence == due.sequence && replication.is_some_and(|state| state.awaits(&due.to))
    });
    // It was deleted for good, or another job was quicker.
    let Some(version) = version else {
        return staged::discard(call, &due);
    };
    let mut step = Step {
        reason: "",
        writes: false,
    };
    match attempt(call, (&source, &version), &due, &mut step) {
        Ok(Came::Whole) => settle(call, slot, &due, State::Completed),
        Ok(Came::Part) => again(call, &source, &due),
        Err(fault) if step.writes => Err(fault),
        Err(_refused) => {
            staged::discard(call, &due)?;
            settle(call, slot, &due, State::Failed)?;
            tell(call, slot, &version, &due, step.reason)
        }
    }
}

fn attempt(
    call: &mut Call<'_>,
    (source, version): (&Arc<Bucket>, &Arc<Version>),
    due: &Due,
    step: &mut Step,
) -> Result<Came> {
    step.reason = "SrcBucketReplicationConfigMissing";
    let absent =
        || invalid_request("No rule of the bucket's replication configuration means the object any more.");
    let configuration = configured(call, source)?.ok_or_else(absent)?;
    let rule = rule::to(&configuration.rules, &due.key, &due.to, due.rule.as_deref()).ok_or_else(absent)?;
    step.reason = "AssumeRoleNotPermitted";
    let session = role::assume(call, source, &configuration.role)?;
    let task = Task {
        due,
        rule,
        source,
        version,
    };
    let staged = staged::read(call, due)?;
    let read = copy::read(call, &session, &task, staged.0.len(), step)?;
    copy::write(call, &session, &task, (staged, read), step)
}

/// Notes what came of a copy in the source's record.
fn settle(call: &mut Call<'_>, slot: Slot<'_>, due: &Due, state: State) -> Result<()> {
    // The copy may have changed what is there.
    let Some(version) = slot.version(call, &due.id)? else {
        return Ok(());
    };
    let mut version = (*version).clone();
    if let Some(replication) = &mut version.replication {
        replication.set(&due.to, state);
    }
    slot.amend(call, version)
}

/// Tells of a failure whom the bucket's notifications name, where the rule has metrics.
fn tell(call: &mut Call<'_>, slot: Slot<'_>, version: &Version, due: &Due, reason: &str) -> Result<()> {
    let configuration = configured(call, slot.bucket)?;
    let rules = configuration
        .map(|configuration| configuration.rules)
        .unwrap_or_default();
    let rule = rule::to(&rules, &due.key, &due.to, due.rule.as_deref());
    if !rule.is_some_and(rule::tells_failures) {
        return Ok(());
    }
    let details = json!({
        "replicationRuleId": due.rule,
        "destinationBucket": bucket::arn(&due.to),
        "s3Operation": "OBJECT_PUT",
        "requestTime": notification::time(Timestamp(due.since)),
        "failureReason": reason,
    });
    let event = Event::of("Replication:OperationFailedReplication", version);
    let event = event.with(Some(("replicationEventData", details)));
    notification::tell(call, slot, &event)
}
