//! Replication: versions, delete markers and changes of metadata that go from a bucket to others of this installation.
//!
//! `state` is what a version's record says of its copies, `rule` chooses where it goes, `role` assumes the role that a configuration
//! names, and `run` makes one copy, with `copy` for bytes and `staged` for objects of many parts.
//!
//! A copy is made by a job that is due at once. It acts as the role: the source's and the destination's policies and the keys'
//! judge that role's session, and the trail tells of every call of it, allowed or refused.
//!
//! Invariant: whatever is to be copied has a job planned in the transaction that made it; a replica is never replicated again.
//!
//! Source: S3 User Guide, "Replicating objects within and across Regions".

use api::s3 as model;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use wire::Fault;

use super::bucket::{Bucket, Configured};
use super::configuration;
use super::object::Version;
use super::object::history::Slot;

mod copy;
mod role;
pub(crate) mod rule;
mod run;
mod staged;
pub(crate) mod state;

pub use run::JOB;
use state::{Replication, State};

const NAME: &str = "s3.Replicate";
/// The service that acts.
const BY: &str = "s3.amazonaws.com";

/// What a job is to bring to the other bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum What {
    Object,
    Marker,
    /// Tags, access control list and lock of a version that is there.
    Metadata,
}

/// One copy that is to be made.
#[derive(Clone, Serialize, Deserialize)]
struct Due {
    bucket: String,
    key: String,
    /// The version's number and id.
    sequence: u64,
    id: String,
    /// The destination's name.
    to: String,
    /// The id of the rule that began it.
    rule: Option<String>,
    what: What,
    /// When it was begun, in milliseconds since the epoch.
    since: i64,
}

/// The configuration of a bucket, if there is one.
fn configured(look: &mut Look<'_>, bucket: &Bucket) -> Result<Option<model::ReplicationConfiguration>> {
    configuration::read(look, bucket, Configured::Replication, "")
}

/// Plans the copies of a version that is about to be written, and notes them in its record. `by_request` says that somebody asked
/// for it: delete markers of lifecycle rules stay where they are.
pub(crate) fn begin(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    version: &mut Version,
    by_request: bool,
) -> Result<()> {
    if !slot.bucket.configured.contains(&Configured::Replication) || version.id.is_none() {
        return Ok(());
    }
    let marker = version.is_marker();
    if marker && !by_request {
        return Ok(());
    }
    let Some(configuration) = configured(call, slot.bucket)? else {
        return Ok(());
    };
    let (rules, what) = if marker {
        (rule::for_marker(&configuration.rules, slot.key), What::Marker)
    } else {
        (
            rule::for_object(&configuration.rules, slot.key, version),
            What::Object,
        )
    };
    if rules.is_empty() {
        return Ok(());
    }
    let mut replication = Replication::default();
    for rule in rules {
        replication.set(rule::destination(rule), State::Pending);
        plan(call, slot, version, rule, what)?;
    }
    version.replication = Some(Box::new(replication));
    Ok(())
}

/// Plans to bring a change of a version's tags, list or lock to its copies; of a replica to where its bucket's rules bring them back.
pub(crate) fn change(call: &mut Call<'_>, slot: Slot<'_>, version: &mut Version) -> Result<()> {
    if !slot.bucket.configured.contains(&Configured::Replication) {
        return Ok(());
    }
    let Some(mut replication) = version.replication.take() else {
        return Ok(());
    };
    if let Some(configuration) = configured(call, slot.bucket)? {
        let rules = &configuration.rules;
        let meant: Vec<_> = if replication.replica {
            rule::for_replica(rules, slot.key)
        } else {
            let done = replication
                .copies
                .iter()
                .filter(|copy| copy.state == State::Completed);
            done.filter_map(|copy| rule::to(rules, slot.key, &copy.bucket, None))
                .collect()
        };
        for rule in meant {
            let to = rule::destination(rule);
            // A copy that is still to be made takes the metadata as it then is.
            if !replication.awaits(to) {
                replication.set(to, State::Pending);
                plan(call, slot, version, rule, What::Metadata)?;
            }
        }
    }
    version.replication = Some(replication);
    Ok(())
}

fn plan(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    version: &Version,
    rule: &model::ReplicationRule,
    what: What,
) -> Result<()> {
    let due = Due {
        bucket: slot.bucket.name.clone(),
        key: slot.key.to_owned(),
        sequence: version.sequence,
        id: version.shown_id(),
        to: rule::destination(rule).to_owned(),
        rule: rule.id.clone(),
        what,
        since: call.now.0,
    };
    again(call, slot.bucket, &due)
}

/// Plans a job that is due at once.
fn again(call: &mut Call<'_>, bucket: &Bucket, due: &Due) -> Result<()> {
    let payload = serde_json::to_value(due).map_err(Fault::internal)?;
    let now = call.now;
    call.within(&bucket.account, |call| {
        call.schedule_in(&bucket.region, NAME, now, payload)
    })?;
    Ok(())
}
