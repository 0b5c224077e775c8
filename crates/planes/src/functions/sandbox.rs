//! One sandbox: a process that runs a function, one event at a time, from its start to its end.
//!
//! A task owns the process, its log and its side of the Runtime API, takes work from a channel, and ends with the process.
//!
//! Invariant: every piece of work that a sandbox takes is answered, whatever becomes of its process; when the task has ended, so have
//! all processes of the sandbox, and its folder is gone.
//!
//! Source: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".

use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pipeline::functions::{Ended, Invocation, LogForm};
use rustix::process::Pid;
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::sync::{OnceCell, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wire::Timestamp;

use super::ending::{End, Facts};
use super::log::Stream;
use super::pool::{Runner, Slots};
use super::process::{Places, Started};
use super::runtime_api::{Event, Said};
use super::system_log;
use crate::jail;
use crate::jail::family;

/// How long a sandbox that has nothing to do is kept.
const IDLE: Duration = Duration::from_secs(600);
/// Time for the start of a process, whatever the function's timeout is.
const INIT: Duration = Duration::from_secs(10);
/// How often the memory of a busy sandbox is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long an answer is held back for the sandbox to ask for its next event.
const SETTLE: Duration = Duration::from_millis(50);

/// A run, as a sandbox gets it.
pub(super) struct Work {
    pub(super) event: Event,
    pub(super) version: String,
    pub(super) timeout: Duration,
    pub(super) log_tail: bool,
    /// The cloud's time.
    pub(super) now: Timestamp,
    /// Dropped without an answer if the run did not begin.
    pub(super) answer: oneshot::Sender<Ended>,
    /// The way to the sandbox itself, which it hands back to the runner when it can be used again.
    pub(super) home: Handle,
    /// Given back when the sandbox is done with the run.
    pub(super) slots: Slots,
}

impl Work {
    pub(super) fn of(
        invocation: &Invocation,
        home: Handle,
        slots: Slots,
    ) -> (Self, oneshot::Receiver<Ended>) {
        let (answer, answered) = oneshot::channel();
        let version = invocation.function_arn.rsplit(':').next().unwrap_or_default();
        let work = Self {
            event: Event {
                request_id: invocation.request_id.clone(),
                deadline_ms: 0,
                invoked_arn: invocation.invoked_arn.clone(),
                trace_id: invocation.trace_id.clone(),
                client_context: invocation.client_context.clone(),
                payload: invocation.payload.clone(),
            },
            version: version.to_owned(),
            timeout: invocation.timeout,
            log_tail: invocation.log_tail,
            now: invocation.now,
            answer,
            home,
            slots,
        };
        (work, answered)
    }
}

/// A way to give a sandbox work. A sandbox whose last one is dropped ends.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) work: mpsc::Sender<Work>,
    pub(super) traits: Arc<Traits>,
}

/// What a sandbox was started with.
pub(super) struct Traits {
    /// With its version.
    pub(super) function: String,
    pub(super) configuration: String,
    /// When its credentials end, by the cloud's clock.
    pub(super) expires: Option<Timestamp>,
    pub(super) memory_mb: u32,
    pub(super) log_form: LogForm,
    /// `python:Python 3.11.7`.
    pub(super) runtime: String,
    /// Keeps the unpacked code.
    pub(super) _codes: Vec<Arc<OnceCell<()>>>,
}

/// What the task of a sandbox owns.
pub(super) struct Sandbox {
    pub(super) runner: Weak<Runner>,
    pub(super) traits: Arc<Traits>,
    pub(super) places: Places,
    pub(super) process: Process,
    pub(super) log: Stream,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) said: mpsc::UnboundedReceiver<Said>,
    pub(super) api: tokio::task::JoinHandle<()>,
    pub(super) began: Instant,
    /// It asked for its first event.
    pub(super) ready: bool,
}

/// The process, until it has ended.
pub(super) struct Process {
    child: Child,
    pid: Pid,
    /// Its own, if it has one.
    user: Option<u32>,
    log: pipe::Receiver,
}

impl Process {
    pub(super) fn new(started: Started, user: Option<u32>, known: &OnceLock<Pid>) -> Self {
        let Started { child, pid, log } = started;
        let _ = known.set(pid);
        Self {
            child,
            pid,
            user,
            log,
        }
    }
}

impl Sandbox {
    /// Works until there is nothing to do for long, or the process ends. Dropped early, it kills what runs and leaves its folder.
    pub(super) async fn live(mut self, mut works: mpsc::Receiver<Work>, mut stopping: watch::Receiver<bool>) {
        let guard = Guard(self.process.pid, self.process.user, self.places.clone());
        tokio::select! {
            () = self.work(&mut works) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        // A run that came as the process ended on its own has not begun.
        drop(works);
        self.api.abort();
        drop(guard);
        let _ = self.process.child.wait().await;
        let folder = self.places.folder.clone();
        let _ = tokio::task::spawn_blocking(move || jail::remove(&folder)).await;
        drop(stopping);
    }

    async fn work(&mut self, works: &mut mpsc::Receiver<Work>) {
        loop {
            let work = tokio::select! {
                work = works.recv() => work,
                () = self.watch(None) => None,
                () = sleep(IDLE) => None,
            };
            let Some(work) = work else { return };
            if !self.run(work).await {
                return;
            }
        }
    }

    /// Takes what the function writes until its process ends or uses more memory than `most` bytes.
    async fn watch(&mut self, most: Option<&mut Memory>) {
        let (mut none, mut buffer) = (Memory::default(), [0; 8192]);
        let memory = most.unwrap_or(&mut none);
        let mut look = Instant::now() + LOOK;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(look), if memory.most > 0 => {
                    memory.used = memory.used.max(family::resident(self.process.pid));
                    if memory.used > memory.most {
                        memory.exceeded = true;
                        return;
                    }
                    look = Instant::now() + LOOK;
                }
                readable = self.process.log.readable() => {
                    match readable.and_then(|()| self.process.log.try_read(&mut buffer)) {
                        Ok(0) => { let _ = self.process.child.wait().await; return; }
                        Ok(count) => {
                            let bytes = buffer.get(..count).unwrap_or_default();
                            self.log.wrote(bytes, memory.now());
                        }
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(_) => return,
                    }
                }
                _ = self.process.child.wait() => return,
            }
        }
    }

    /// Takes what is left in the log's pipe.
    fn drain(&mut self, at: Timestamp) {
        let mut buffer = [0; 8192];
        // A function that goes on writing is not waited for.
        for _ in 0..64 {
            match self.process.log.try_read(&mut buffer) {
                Ok(count) if count > 0 => self.log.wrote(buffer.get(..count).unwrap_or_default(), at),
                _ => return,
            }
        }
    }

    /// Does one piece of work; `false` if the process is of no use any more.
    async fn run(&mut self, work: Work) -> bool {
        let Work {
            mut event,
            version,
            timeout: limit,
            log_tail,
            now,
            answer,
            home,
            slots,
        } = work;
        let arrived = Instant::now();
        let mut memory = Memory {
            most: u64::from(self.traits.memory_mb) << 20,
            began: Some((now, arrived)),
            ..Memory::default()
        };
        self.log.begin();
        let request_id = event.request_id.clone();
        let mut init = None;
        let mut end = None;
        if !self.ready {
            let at = memory.now();
            if let Some(line) = system_log::init_start(&self.traits, at) {
                self.log.note(&line, at);
            }
            let deadline = self.began + INIT.max(limit);
            end = self.until_said(deadline, &mut memory).await;
            init = Some(self.began.elapsed());
            self.ready = end.is_none();
            self.drain(memory.now());
        }
        let at = memory.now();
        if let Some(line) = system_log::start(&self.traits.log_form, &request_id, &version, at) {
            self.log.note(&line, at);
        }
        let started = Instant::now();
        let end = match end {
            Some(end) => end,
            None => {
                event.deadline_ms = wall_millis() + limit.as_millis();
                if self.events.send(event).await.is_err() {
                    End::Exit(None)
                } else {
                    let said = self.until_said(started + limit, &mut memory).await;
                    said.unwrap_or(End::Exit(None))
                }
            }
        };
        let duration = started.elapsed().min(limit);
        let end = self.exit_status(end).await;
        memory.used = memory.used.max(family::resident(self.process.pid));
        self.drain(memory.now());
        let seconds = limit.as_secs_f64();
        let facts = Facts {
            request_id,
            seconds,
            duration,
            init,
            memory_mb: self.traits.memory_mb,
            used_mb: u32::try_from(memory.used.div_ceil(1 << 20)).unwrap_or(u32::MAX),
        };
        self.conclude(&end, &facts, memory.now());
        let survives = end.survives();
        let mut ran = facts.ran(end);
        ran.log_tail = log_tail.then(|| Bytes::from(self.log.tail()));
        self.settle(survives, (answer, Ok(ran)), (home, slots), started + limit)
            .await
    }

    /// Waits until the sandbox says something: `None` if it asks for the next event.
    async fn until_said(&mut self, deadline: Instant, memory: &mut Memory) -> Option<End> {
        loop {
            let (_, nothing) = mpsc::unbounded_channel();
            let mut said = std::mem::replace(&mut self.said, nothing);
            let came = tokio::select! {
                biased;
                came = said.recv() => Ok(came),
                () = self.watch(Some(memory)) => Err(false),
                () = sleep_until(deadline) => Err(true),
            };
            self.said = said;
            return match came {
                Ok(Some(Said::Ready)) if self.ready => continue,
                Ok(Some(Said::Ready)) => None,
                Ok(Some(Said::InitError(body))) => Some(End::InitError(body)),
                Ok(Some(Said::Answer(body))) => Some(End::Answer(body)),
                Ok(Some(Said::Error(body, kind))) => Some(End::Error(body, kind)),
                Ok(Some(Said::TooLong)) => Some(End::TooLong),
                Err(true) => Some(End::TimedOut),
                Err(false) if memory.exceeded => Some(End::OutOfMemory),
                // What it said last may have come just before its end.
                Err(false) => match self.said.try_recv() {
                    Ok(Said::InitError(body)) => Some(End::InitError(body)),
                    Ok(Said::Answer(body)) => Some(End::Answer(body)),
                    Ok(Said::Error(body, kind)) => Some(End::Error(body, kind)),
                    _ => Some(End::Exit(None)),
                },
                Ok(None) => Some(End::Exit(None)),
            };
        }
    }

    /// Completes the end of a process that ended on its own.
    async fn exit_status(&mut self, end: End) -> End {
        match end {
            End::Exit(_) => {
                let status = timeout(LOOK, self.process.child.wait()).await;
                End::Exit(status.ok().and_then(Result::ok))
            }
            other => other,
        }
    }

    /// Writes the lines that close a run.
    fn conclude(&mut self, end: &End, facts: &Facts, at: Timestamp) {
        for line in system_log::closing(&self.traits.log_form, end, facts, at) {
            self.log.note(&line, at);
        }
    }

    /// Gives the answer out, once the sandbox can be used again or is known not to be.
    async fn settle(
        &mut self,
        survives: bool,
        (answer, ran): (oneshot::Sender<Ended>, Ended),
        (home, slots): (Handle, Slots),
        deadline: Instant,
    ) -> bool {
        if !survives {
            family::kill(self.process.pid, self.process.user, &self.places.folder);
            let _ = self.process.child.wait().await;
            drop(slots);
            let _ = answer.send(ran);
            return false;
        }
        let mut memory = Memory::default();
        // The sandbox asks anew: until then it counts as not ready.
        self.ready = false;
        let soon = Instant::now() + SETTLE;
        let mut end = self.until_said(soon, &mut memory).await;
        let mut held = Some((answer, ran));
        if matches!(end, Some(End::TimedOut))
            && let Some((answer, ran)) = held.take()
        {
            let _ = answer.send(ran);
            end = self.until_said(deadline.max(soon), &mut memory).await;
        }
        self.ready = end.is_none();
        if !self.ready {
            family::kill(self.process.pid, self.process.user, &self.places.folder);
        }
        drop(slots);
        let kept = self.ready && self.runner.upgrade().is_some_and(|runner| runner.rest(home));
        if let Some((answer, ran)) = held {
            let _ = answer.send(ran);
        }
        kept
    }
}

/// Kills what runs, however the task ends.
struct Guard(Pid, Option<u32>, Places);

impl Drop for Guard {
    fn drop(&mut self) {
        family::kill(self.0, self.1, &self.2.folder);
    }
}

/// The memory of a busy sandbox, and the time that passes.
#[derive(Default)]
struct Memory {
    /// Bytes that may be used; 0 if nobody looks.
    most: u64,
    used: u64,
    exceeded: bool,
    began: Option<(Timestamp, Instant)>,
}

impl Memory {
    /// The cloud's time, as far as it passes like this machine's.
    fn now(&self) -> Timestamp {
        let Some((at, began)) = self.began else {
            return Timestamp(i64::try_from(wall_millis()).unwrap_or(i64::MAX));
        };
        let passed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(at.0.saturating_add(passed))
    }
}

fn wall_millis() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
}
