//! What AWS does later: durable, keyed by due time, at least once, each run in one transaction with its effect.
//!
//! Invariant: a job's row goes in the same commit as what the job did, so a crash between the two cannot happen.

use serde::{Deserialize, Serialize};
use store::{Table, json};
use wire::{Fault, Timestamp};

use crate::call::{Call, Look, RequestFacts};
use crate::identity::Identity;
use crate::operation::Result;
use crate::recorder::{self, Moment};

/// A row of a service's `JOBS`: what runs when a job of this kind is due.
pub struct JobKind {
    /// `kms.DeleteKey`: service and name, unique.
    pub name: &'static str,
    /// botocore's name of the service that runs it.
    pub service: &'static str,
    /// The name of the event that the trail shows (`DeleteKey`); empty where the job itself tells what it did, by
    /// `Call::service_event`.
    pub event: &'static str,
    /// Runs as the service itself, in the account and region that scheduled it. May run again after a conflict.
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
    };
    call.put(&JOBS, &id, job)?;
    call.pending.push(Pending { due: due.0 });
    Ok(id)
}

pub(crate) fn unschedule(call: &mut Call<'_>, job: &JobId) -> Result<()> {
    call.delete(&JOBS, job)
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
    /// Runs every job that is due at `now` (cloud time), in order, and tells how many ran.
    ///
    /// # Errors
    /// The fault of the first job that fails; it stays planned, and the ones behind it wait.
    pub async fn run_due(&self, now: Timestamp) -> Result<usize> {
        let mut ran = 0;
        while self.run_next(now).await? {
            ran += 1;
        }
        Ok(ran)
    }

    /// When the next job is due, in cloud milliseconds.
    ///
    /// # Errors
    /// The store's, as a fault.
    pub fn next_due(&self) -> Result<Option<i64>> {
        let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
        let next = tx.range(&JOBS, &(), None, 1).map_err(Fault::internal)?;
        Ok(next.first().map(|((due, _), _)| *due))
    }

    /// Resolves when the plan may have changed: a job was planned, or the clock was set.
    pub async fn replanned(&self) {
        self.replanned.notified().await;
    }

    /// Runs the first job that is due; `false` if none is.
    async fn run_next(&self, now: Timestamp) -> Result<bool> {
        const ATTEMPTS_MAX: usize = 64;
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let next = tx.range(&JOBS, &(), None, 1).map_err(Fault::internal)?;
            let Some((id, job)) = next.into_iter().next().filter(|((due, _), _)| *due <= now.0) else {
                return Ok(false);
            };
            let appends = match self.run_job(&mut tx, &id, &job)? {
                Some(appends) => appends,
                None => continue,
            };
            match self.store.commit(tx, appends).await {
                Ok(_) => return Ok(true),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::internal("a job lost every race for its rows"))
    }

    /// Runs one job in `tx` as its service; `None` asks for another run. A job sees the time at which it was due, so that
    /// moving the clock far ahead gives the same history as waiting.
    fn run_job(&self, tx: &mut store::Tx, id: &JobId, job: &Job) -> Result<Option<Vec<store::Append>>> {
        let kind = kind(&self.jobs, &job.kind)?;
        let identity = Identity::service(&format!("{}.amazonaws.com", kind.service), &job.account);
        let wall = self.environment.clock.wall();
        let facts = RequestFacts {
            id: self.environment.draw_id(wall.0),
            source_ip: format!("{}.amazonaws.com", kind.service),
            user_agent: Some(format!("{}.amazonaws.com", kind.service)),
            secure: true,
            ..RequestFacts::default()
        };
        let due = Timestamp(id.0);
        let look = Look::new(
            tx,
            &self.environment,
            due,
            &job.region,
            job.account.as_str().into(),
        );
        let mut call = Call::new(look, &identity, &facts, kind.service);
        let done = (kind.run)(&mut call, &job.payload).and_then(|()| call.delete(&JOBS, id));
        if call.look.conflict {
            return Ok(None);
        }
        done?;
        let event = self.environment.draw_id(wall.0);
        let moment = Moment {
            now: due,
            wall,
            event,
        };
        let (resources, details) = (
            std::mem::take(&mut call.resources),
            std::mem::take(&mut call.additional),
        );
        let (invoked, unkept) = (
            std::mem::take(&mut call.invoked),
            std::mem::take(&mut call.unkept),
        );
        unkept.write(tx).map_err(Fault::internal)?;
        let own = (!kind.event.is_empty())
            .then(|| recorder::service_event(kind, job, &facts, resources, details, moment));
        let invoked = invoked.into_iter();
        let mut appends: Vec<_> = invoked
            .flat_map(|invoked| self.appends(invoked.record, &invoked.shared_with))
            .collect();
        appends.extend(own.as_ref().map(recorder::append));
        Ok(Some(appends))
    }
}
