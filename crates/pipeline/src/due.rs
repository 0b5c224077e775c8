//! Running what is due: in the order in which it falls due, and without waiting for errands.
//!
//! A job that wants something from outside goes underway: the gateway has it done beside the other jobs, then runs the job again,
//! which finds the outcome and ends in one transaction that removes its row with its effect. `SLOTS` go underway at a time; more
//! wait in the plan. When the clock is moved ahead, a job of the future waits for every earlier one that is underway, so that the
//! history is the same as by waiting. A job that fails is set back (`setback`) and holds up none; where the store fails, all wait.
//!
//! Invariant: a job underway is not started again, and it ends in one commit with its effect. A server that stops before that commit
//! does the job's errands again at its next start.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use wire::{Fault, Timestamp};

use crate::blobs::Moves;
use crate::call::{Call, Look, RequestFacts};
use crate::gateway::{Gateway, caught};
use crate::identity::Identity;
use crate::jobs::{JOBS, Job, JobId, kind};
use crate::operation::Result;
use crate::outside::{Brought, Wanted};
use crate::recorder::{self, Moment};
use crate::setback;
use crate::telemetry::Measurement;

/// Jobs that are underway at a time.
const SLOTS: usize = 16;
/// Rows of the plan that are read at a time.
const PAGE: usize = 64;
/// How often a job is run again after it lost a race for its rows.
const ATTEMPTS_MAX: usize = 64;

/// The jobs that are not done in the pass that reached them.
#[derive(Default)]
pub(crate) struct Underway {
    /// One pass over the plan at a time.
    pass: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// A job that was underway is no longer.
    ended: Notify,
}

#[derive(Default)]
struct State {
    going: BTreeSet<JobId>,
    /// Known to want something from outside, while all slots are taken.
    parked: BTreeSet<JobId>,
    /// Ended since the last pass.
    done: usize,
    failed: Option<Fault>,
}

impl State {
    /// Whether a pass leaves a job alone: it is underway, or would have to be and cannot.
    fn holds(&self, id: &JobId) -> bool {
        self.going.contains(id) || self.going.len() >= SLOTS && self.parked.contains(id)
    }

    /// Whether a job that is due at `now` is underway.
    fn busy(&self, now: i64) -> bool {
        self.going.first().is_some_and(|(due, _)| *due <= now)
    }
}

/// What a pass through the plan came to.
#[derive(Default)]
struct Passed {
    /// Jobs that are done since the last pass.
    done: usize,
    /// When the first job was due that is underway or waits for that.
    held: Option<i64>,
    /// A job was moved to a place that this pass has not come to.
    moved: bool,
}

/// What one run of a job came to.
enum Run {
    /// It is done; with the earliest time at which something that it planned is due.
    Done(Option<i64>),
    /// Somebody else ended it, or took it out of the plan.
    Gone,
    /// It ended in an error of its own.
    Failed(Fault),
    Wants(Wanted),
}

/// What became of a job that a pass reached.
enum Begun {
    Underway,
    /// With the earliest time at which something that it planned is due.
    Done(Option<i64>),
    Gone,
    /// It failed, and is tried again at this time.
    SetBack(i64),
}

/// A job's place among those underway, given back however its task ends.
struct Slot {
    gateway: Arc<Gateway>,
    id: JobId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let underway = &self.gateway.underway;
        underway.state.lock().going.remove(&self.id);
        underway.ended.notify_waiters();
        self.gateway.replanned.notify_one();
    }
}

/// One job, for all its runs.
struct Started {
    id: JobId,
    /// What the job takes for the present.
    due: Timestamp,
    facts: RequestFacts,
    brought: Brought,
}

impl Gateway {
    /// Runs every job that is due at `now` (cloud time), in order, with what they plan, and tells how many ran. Returns when none of
    /// them is underway.
    ///
    /// # Errors
    /// The store's, as a fault: the job that met it stays planned, and the ones behind it wait.
    pub async fn run_due(self: &Arc<Self>, now: Timestamp) -> Result<usize> {
        let mut ran = 0;
        self.flush_due(now).await;
        loop {
            let mut ended = std::pin::pin!(self.underway.ended.notified());
            ended.as_mut().enable();
            let passed = self.pass(now).await?;
            ran += passed.done;
            if passed.done == 0 && !passed.moved {
                if passed.held.is_none() && !self.underway.state.lock().busy(now.0) {
                    // What the jobs measured.
                    self.flush_due(now).await;
                    return Ok(ran);
                }
                ended.await;
            }
        }
    }

    /// Runs what is due at `now` and does not wait for what goes underway; `replanned` resolves when that ends.
    ///
    /// # Errors
    /// As `run_due`.
    pub async fn start_due(self: &Arc<Self>, now: Timestamp) -> Result<usize> {
        let mut ran = 0;
        self.flush_due(now).await;
        loop {
            let passed = self.pass(now).await?;
            ran += passed.done;
            if passed.done == 0 && !passed.moved {
                return Ok(ran);
            }
        }
    }

    /// When the next job is due that is not underway, or what was measured is to be handed over, in cloud milliseconds.
    ///
    /// # Errors
    /// The store's, as a fault.
    pub fn next_due(&self) -> Result<Option<i64>> {
        let over = self.environment.telemetry.over();
        let job = self.next_job()?;
        Ok(job.into_iter().chain(over).min())
    }

    fn next_job(&self) -> Result<Option<i64>> {
        let mut after = None;
        loop {
            let page = self.page(after.as_ref())?;
            let Some((last, _)) = page.last() else {
                return Ok(None);
            };
            let state = self.underway.state.lock();
            let idle = |id: &&JobId| !state.going.contains(*id) && !state.parked.contains(*id);
            if let Some((due, _)) = page.iter().map(|(id, _)| id).find(idle) {
                return Ok(Some(*due));
            }
            after = Some(last.clone());
        }
    }

    fn page(&self, after: Option<&JobId>) -> Result<Vec<(JobId, Arc<Job>)>> {
        let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
        tx.range(&JOBS, &(), after, PAGE).map_err(Fault::internal)
    }

    /// Goes through the plan once.
    async fn pass(self: &Arc<Self>, now: Timestamp) -> Result<Passed> {
        let _pass = self.underway.pass.lock().await;
        let mut passed = Passed::default();
        {
            let mut state = self.underway.state.lock();
            if let Some(fault) = state.failed.take() {
                return Err(fault);
            }
            passed.done = std::mem::take(&mut state.done);
        }
        let mut after: Option<JobId> = None;
        loop {
            let page = self.page(after.as_ref())?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = Some(last.clone());
            for (id, _) in page {
                if id.0 > now.0 {
                    return Ok(passed);
                }
                if self.underway.state.lock().holds(&id) {
                    passed.held = passed.held.or(Some(id.0));
                    continue;
                }
                let ahead = id.0 > self.environment.clock.now().0;
                if ahead && passed.held.is_some_and(|due| due < id.0) {
                    return Ok(passed);
                }
                match self.begin(&id).await? {
                    Begun::Underway => passed.held = passed.held.or(Some(id.0)),
                    Begun::Gone => {}
                    Begun::SetBack(next) => {
                        if next <= now.0 {
                            passed.moved = true;
                            return Ok(passed);
                        }
                    }
                    Begun::Done(planned) => {
                        passed.done += 1;
                        // What it planned may come before the rest of the page.
                        if planned.is_some_and(|due| due <= now.0) {
                            return Ok(passed);
                        }
                    }
                }
            }
        }
        if passed.held.is_none() {
            // Nothing waits: what is noted here was taken out of the plan meanwhile.
            self.underway.state.lock().parked.clear();
        }
        Ok(passed)
    }

    /// Runs a job, or brings it underway.
    async fn begin(self: &Arc<Self>, id: &JobId) -> Result<Begun> {
        let mut started = Started {
            id: id.clone(),
            due: Timestamp(id.0),
            facts: RequestFacts::default(),
            brought: Brought::default(),
        };
        let run = self.run_until_committed(&mut started).await;
        if !matches!(run, Ok(Run::Wants(_))) {
            self.underway.state.lock().parked.remove(id);
        }
        let wanted = match run? {
            Run::Done(planned) => return Ok(Begun::Done(planned)),
            Run::Gone => return Ok(Begun::Gone),
            Run::Failed(fault) => {
                let next = self.set_back(id, &fault).await?;
                return Ok(next.map_or(Begun::Gone, Begun::SetBack));
            }
            Run::Wants(wanted) => wanted,
        };
        {
            let mut state = self.underway.state.lock();
            if state.going.len() >= SLOTS {
                state.parked.insert(id.clone());
                return Ok(Begun::Underway);
            }
            state.parked.remove(id);
            state.going.insert(id.clone());
        }
        let slot = Slot {
            gateway: Arc::clone(self),
            id: id.clone(),
        };
        tokio::spawn(async move {
            let ended = slot.gateway.go_through(started, wanted).await;
            let mut state = slot.gateway.underway.state.lock();
            match ended {
                Ok(done) => state.done += usize::from(done),
                Err(fault) => state.failed = Some(fault),
            }
            drop(state);
            drop(slot);
        });
        Ok(Begun::Underway)
    }

    /// Brings what a job wants until it is done; `false` if it was taken out of the plan meanwhile, or failed.
    async fn go_through(&self, mut started: Started, mut wanted: Wanted) -> Result<bool> {
        loop {
            let outdoors = &self.environment.outdoors;
            let due = started.due;
            started.brought.bring(outdoors, wanted, due).await;
            match self.run_until_committed(&mut started).await? {
                Run::Done(_) => return Ok(true),
                Run::Gone => return Ok(false),
                Run::Failed(fault) => {
                    self.set_back(&started.id, &fault).await?;
                    return Ok(false);
                }
                Run::Wants(more) => wanted = more,
            }
        }
    }

    /// Runs a job until its transaction commits, or until it wants something from outside.
    async fn run_until_committed(&self, started: &mut Started) -> Result<Run> {
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let Some(job) = tx.get(&JOBS, &started.id).map_err(Fault::internal)? else {
                return Ok(Run::Gone);
            };
            started.brought.begin_run();
            started.due = Timestamp(job.due(&started.id));
            let (appends, planned, (moves, measured)) = match self.run_job(&mut tx, &job, started) {
                Ok(Ran::Ended(appends, planned, done)) => (appends, planned, done),
                Ok(Ran::Again) => continue,
                Ok(Ran::Wants(wanted)) => return Ok(Run::Wants(wanted)),
                Err(fault) => return Ok(Run::Failed(fault)),
            };
            match self.store.commit(tx, appends).await {
                Ok(committed) => {
                    let released = moves.committed();
                    self.environment.yard.release(released, committed.version).await;
                    self.measured(measured);
                    if self.environment.telemetry.is_crowded() {
                        self.flush_or_tell().await;
                    }
                    return Ok(Run::Done(planned));
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => {
                    moves.uncertain();
                    return Err(Fault::internal(error));
                }
            }
        }
        let fault = Fault::internal("a job lost every race for its rows");
        Ok(Run::Failed(fault))
    }

    /// Runs one job in `tx` as its service. A job sees the time at which it was due, so that moving the clock far ahead gives the
    /// same history as waiting.
    fn run_job(&self, tx: &mut store::Tx, job: &Job, started: &mut Started) -> Result<Ran> {
        let Started {
            id,
            due,
            facts,
            brought,
        } = started;
        let due = *due;
        let kind = kind(&self.jobs, &job.kind)?;
        let identity = Identity::service(&format!("{}.amazonaws.com", kind.service), &job.account);
        let wall = self.environment.clock.wall();
        if facts.id.is_empty() {
            *facts = RequestFacts {
                id: self.environment.draw_id(wall.0),
                source_ip: format!("{}.amazonaws.com", kind.service),
                user_agent: Some(format!("{}.amazonaws.com", kind.service)),
                secure: true,
                ..RequestFacts::default()
            };
        }
        let account = job.account.as_str().into();
        let look = Look::new(tx, &self.environment, due, &job.region, account).with_brought(brought);
        let mut call = Call::new(look, &identity, facts, kind.service);
        let done = caught(|| {
            (kind.run)(&mut call, &job.payload)?;
            if job.first_due.is_some() {
                setback::overcome(&mut call, id)?;
            }
            call.delete(&JOBS, id)
        });
        if call.look.conflict {
            return Ok(Ran::Again);
        }
        if let Some(wanted) = call.look.wanted.take() {
            return Ok(Ran::Wants(wanted));
        }
        done?;
        let event = self.environment.draw_id(wall.0);
        let moment = Moment {
            now: due,
            wall,
            event,
        };
        let Call {
            resources,
            additional,
            invoked,
            unkept,
            pending,
            moves,
            measured,
            ..
        } = call;
        unkept.write(tx).map_err(Fault::internal)?;
        let own = (!kind.event.is_empty()).then(|| {
            let rules = self.environment.services.trail(kind.service);
            recorder::service_event(rules, kind, job, facts, resources, additional, moment)
        });
        let invoked = invoked.into_iter();
        let mut appends: Vec<_> = invoked
            .flat_map(|invoked| self.appends(invoked.record, &invoked.shared_with))
            .collect();
        appends.extend(own.as_ref().map(recorder::append));
        let planned = pending.iter().map(|pending| pending.due).min();
        Ok(Ran::Ended(appends, planned, (moves, measured)))
    }
}

/// What a run of a job in its transaction came to.
enum Ran {
    /// With its records, the earliest time at which something that it planned is due, what it did to contents and what it measured.
    Ended(Vec<store::Append>, Option<i64>, (Moves, Vec<Measurement>)),
    Again,
    Wants(Wanted),
}
