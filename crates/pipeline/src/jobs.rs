//! What AWS does later: durable, keyed by due time, at least once, each run in one transaction with its effect. `due` runs it.
//!
//! A job that fails is tried again (`setback`).
//!
//! Invariant: a job's row goes in the same commit as what the job did, so a crash between the two cannot happen.

use serde::{Deserialize, Serialize};
use store::{Table, json};
use wire::{Fault, Timestamp};

use crate::call::Call;
use crate::operation::Result;

/// A row of a service's `JOBS`: what runs when a job of this kind is due.
pub struct JobKind {
    /// `kms.DeleteKey`: service and name, unique.
    pub name: &'static str,
    /// botocore's name of the service that runs it.
    pub service: &'static str,
    /// The name of the event that the trail shows (`DeleteKey`); empty where the job itself tells what it did, by
    /// `Call::service_event`.
    pub event: &'static str,
    /// Runs as the service itself, in the account and region that scheduled it. May run again after a conflict. What it wants from
    /// outside (`Call::errand`) is done beside other jobs, at least once.
    pub run: fn(&mut Call<'_>, &serde_json::Value) -> Result<()>,
}

/// Due time (cloud milliseconds) and a unique id.
pub type JobId = (i64, String);

/// A planned job.
#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    pub kind: String,
    pub account: String,
    pub region: String,
    pub payload: serde_json::Value,
    /// When it fell due in truth, if it failed then and its id says when it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_due: Option<i64>,
}

impl Job {
    /// When it fell due, in cloud milliseconds.
    pub(crate) fn due(&self, id: &JobId) -> i64 {
        self.first_due.unwrap_or(id.0)
    }
}

/// A change of the plan that the job loop must hear of once it is committed.
pub(crate) struct Pending {
    pub(crate) due: i64,
}

impl store::Record for Job {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        json::encode(self, "pipeline.jobs", out)
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        json::decode("pipeline.jobs", bytes)
    }
}

/// All planned jobs, in the order in which they fall due.
pub(crate) static JOBS: Table<JobId, Job> = Table::new(TABLE, "pipeline.jobs");

/// The id of the table of jobs, for a reset of one account: its keys begin with the due time.
pub const TABLE: u16 = 0x0f01;

pub(crate) fn schedule(
    call: &mut Call<'_>,
    kind: &'static str,
    region: &str,
    due: Timestamp,
    payload: serde_json::Value,
) -> Result<JobId> {
    let id = (due.0, call.uuid()?);
    let job = Job {
        kind: kind.to_owned(),
        account: call.account().to_owned(),
        region: region.to_owned(),
        payload,
        first_due: None,
    };
    call.put(&JOBS, &id, job)?;
    call.pending.push(Pending { due: due.0 });
    Ok(id)
}

/// The job kind of a name.
pub(crate) fn kind<'a>(kinds: &[&'a JobKind], name: &str) -> Result<&'a JobKind> {
    kinds
        .iter()
        .find(|kind| kind.name == name)
        .copied()
        .ok_or_else(|| Fault::internal(format!("no service runs jobs of kind {name}")))
}

impl crate::Gateway {
    /// Resolves when the plan may have changed: a job was planned, one that was underway ended, or the clock was set.
    pub async fn replanned(&self) {
        self.replanned.notified().await;
    }
}
