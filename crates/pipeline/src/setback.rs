//! Jobs that failed: tried again by themselves, after waits that grow, while those behind them go on.
//!
//! A job that works keeps its turn; one that ends in an error loses it, or its bug would hold up the whole cloud. Its row moves to
//! where it is tried next, and what happened is kept beside it until it works or is taken out of the plan.
//!
//! Invariant: no job leaves the plan but by having worked or by being taken back; one that was moved is found under the id that its
//! planner knows.

use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::call::Call;
use crate::gateway::Gateway;
use crate::jobs::{JOBS, Job, JobId};
use crate::operation::Result;

/// The first wait, in milliseconds of the cloud's clock; each is twice the one before.
const WAIT_FIRST: i64 = 1000;
/// The longest: four tries a day, so that a year that passes at once does not spend itself on them.
const WAIT_MAX: i64 = 6 * 60 * 60 * 1000;
/// Bytes of a reason that are kept.
const REASON_MAX: usize = 500;
/// Setbacks that are told of at a time.
pub const TOLD_MAX: usize = 1000;
/// How often a move is run again after it lost a race for its rows.
const ATTEMPTS_MAX: usize = 64;

/// A job that failed and is to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// The job's kind: `kms.DeleteKey`.
    pub kind: String,
    pub account: String,
    pub region: String,
    /// When it fell due, in cloud milliseconds.
    pub due: i64,
    /// How often it failed.
    pub failures: u32,
    /// When it is tried next, in cloud milliseconds.
    pub next: i64,
    /// Why it failed last; told to the operator alone.
    pub reason: String,
}

store::record!(Setback, 1);

/// Setbacks, by the unique part of their jobs' ids.
static SETBACKS: Table<String, Setback> = Table::new(TABLE, "pipeline.setbacks");

/// The id of the table of setbacks, for a reset of one account: its keys are of jobs.
pub const TABLE: u16 = 0x0f03;

/// Takes a job back that may have been moved.
pub(crate) fn unschedule(call: &mut Call<'_>, job: &JobId) -> Result<()> {
    call.delete(&JOBS, job)?;
    if let Some(setback) = call.get(&SETBACKS, &job.1)? {
        call.delete(&JOBS, &(setback.next, job.1.clone()))?;
        call.delete(&SETBACKS, &job.1)?;
    }
    Ok(())
}

/// Notes that a job worked which had failed before.
pub(crate) fn overcome(call: &mut Call<'_>, id: &JobId) -> Result<()> {
    call.delete(&SETBACKS, &id.1)
}

/// Milliseconds until a job is tried again that has failed so often.
fn wait(failures: u32) -> i64 {
    let doublings = failures.saturating_sub(1).min(32);
    WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_MAX)
}

/// What is told of a failure. Sources are errors of libraries and of this program, whose texts hold no secret.
fn reason(fault: &Fault) -> String {
    let mut text = fault.message.clone();
    let source = fault.source.as_deref();
    let mut source = source.map(|source| source as &dyn std::error::Error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text.truncate(text.floor_char_boundary(REASON_MAX));
    text
}

impl Gateway {
    /// Jobs that failed and are to be tried again, in no order, at most [`TOLD_MAX`] of them.
    ///
    /// # Errors
    /// The store's, as a fault.
    pub fn setbacks(&self) -> Result<Vec<Setback>> {
        let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
        let rows = tx.range(&SETBACKS, &(), None, TOLD_MAX);
        let rows = rows.map_err(Fault::internal)?;
        Ok(rows.into_iter().map(|(_, setback)| (*setback).clone()).collect())
    }

    /// Moves a job that failed to where it is tried again, and tells when that is; `None` if it is not in the plan any more.
    ///
    /// # Errors
    /// The store's, as a fault: the job stays where it was.
    pub(crate) async fn set_back(&self, id: &JobId, fault: &Fault) -> Result<Option<i64>> {
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let Some(job) = tx.get(&JOBS, id).map_err(Fault::internal)? else {
                return Ok(None);
            };
            let before = tx.get(&SETBACKS, &id.1).map_err(Fault::internal)?;
            let failures = before.map_or(0, |before| before.failures).saturating_add(1);
            let tried = id.0.max(self.environment.clock.now().0);
            let setback = Setback {
                kind: job.kind.clone(),
                account: job.account.clone(),
                region: job.region.clone(),
                due: job.due(id),
                failures,
                next: tried.saturating_add(wait(failures)),
                reason: reason(fault),
            };
            let moved = Job {
                first_due: Some(setback.due),
                ..(*job).clone()
            };
            tx.delete(&JOBS, id).map_err(Fault::internal)?;
            let next = (setback.next, id.1.clone());
            tx.put(&JOBS, &next, moved).map_err(Fault::internal)?;
            let told = setback.clone();
            tx.put(&SETBACKS, &id.1, setback).map_err(Fault::internal)?;
            match self.store.commit(tx, Vec::new()).await {
                Ok(_) => {
                    tell(&told);
                    return Ok(Some(told.next));
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::internal("a job that failed could not be moved"))
    }
}

fn tell(setback: &Setback) {
    let Setback {
        kind,
        account,
        region,
        failures,
        reason,
        ..
    } = setback;
    let next = Timestamp(setback.next).iso8601();
    eprintln!(
        "ringwork: the job {kind} of account {account} in {region} failed ({failures} times by now) and is tried again at {next}: {reason}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_a_day() {
        assert_eq!((wait(1), wait(2), wait(3)), (1000, 2000, 4000));
        assert_eq!(wait(15), 16_384_000);
        assert_eq!((wait(16), wait(u32::MAX)), (WAIT_MAX, WAIT_MAX));
    }

    #[test]
    fn a_reason_is_told_with_its_sources_and_cut_between_characters() {
        let fault = Fault::internal("the disk said no");
        assert!(
            reason(&fault).ends_with(": the disk said no"),
            "{}",
            reason(&fault)
        );
        assert_eq!(reason(&Fault::internal("é".repeat(600))).len(), REASON_MAX);
    }
}
