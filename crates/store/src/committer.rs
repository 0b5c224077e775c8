//! The one thread that commits. It takes all that waits, validates each transaction against newer commits and against those
//! before it in the same group, makes the whole group durable with one engine commit, publishes it, and only then answers.
//! Invariant: what an unfinished or failed group would have written is never cached, published or acknowledged.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::cache::{UNCACHED, Value, weight};
use crate::conflict::Reads;
use crate::engine::{Direction, END, STREAMS};
use crate::key::end_of;
use crate::slot::{Committed, Ticket};
use crate::store::{Shared, next_era};
use crate::stream::{self, StreamBatch};
use crate::tx::Write;
use crate::{Append, Batch, Chain, Error, Result, Row, Version};

/// Stream heads that are kept in memory; beyond that they are read back from the last batch.
const HEADS_MAX: usize = 4096;
/// Rows that a wipe looks at in one read.
const PAGE: usize = 1024;
/// How long a flush waits for company at most. It is spent only while transactions come together anyway, and costs each of
/// them less than the flush that it would otherwise wait for.
const GATHER_TIME: Duration = Duration::from_micros(200);

/// A transaction that waits for its commit.
pub(crate) struct Submission {
    pub(crate) since: Version,
    /// Whether it read anything.
    pub(crate) read: bool,
    /// What is to be validated: nothing of one that wrote nothing.
    pub(crate) reads: Reads,
    pub(crate) writes: BTreeMap<Vec<u8>, Write>,
    pub(crate) appends: Vec<Append>,
    pub(crate) ticket: Ticket,
}

/// Names the rows that a wipe deletes.
pub(crate) type Doomed = Box<dyn Fn(&[u8], &[u8]) -> bool + Send>;

pub(crate) enum Request {
    Commit(Submission),
    Wipe { doomed: Doomed, ticket: Ticket },
    Load { rows: Vec<Row>, ticket: Ticket },
}

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) requests: Vec<Request>,
    /// The length at which a committer that gathers wants to be woken; 0 while it does not.
    pub(crate) wanted: usize,
    pub(crate) closed: bool,
}

/// Starts the thread. Without one (the system has no more) the store only reads, and commits answer that it is closed.
pub(crate) fn start(shared: Arc<Shared>, chain: Box<dyn Chain>) -> Option<JoinHandle<()>> {
    let inner = Arc::clone(&shared);
    let spawned = thread::Builder::new()
        .name("store-commit".to_owned())
        .spawn(move || {
            let closing = Closing(Arc::clone(&inner));
            Committer {
                shared: inner,
                chain,
                heads: HashMap::default(),
                trust: Trust::Certain,
                replaced: 0,
                company: [0; 2],
            }
            .serve();
            drop(closing);
        });
    if spawned.is_err() {
        shared.queue.lock().closed = true;
    }
    spawned.ok()
}

/// Refuses what still waits when the thread ends, however it ends.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        let left = {
            let mut queue = self.0.queue.lock();
            queue.closed = true;
            mem::take(&mut queue.requests)
        };
        drop(left);
    }
}

/// Where a stream goes on.
#[derive(Clone)]
struct Head {
    next: u64,
    link: Option<Vec<u8>>,
}

/// What is known of the engine's state.
enum Trust {
    Certain,
    /// A commit failed, and the state could not be read back yet.
    Unknown,
    /// A commit that was answered as failed is there.
    Broken,
}

struct Committer {
    shared: Arc<Shared>,
    chain: Box<dyn Chain>,
    heads: HashMap<Vec<u8>, Head, RandomState>,
    trust: Trust,
    /// The version that came of the last wipe or load; zero without one.
    replaced: Version,
    /// The sizes of the last two groups: as many are likely to commit again soon.
    company: [usize; 2],
}

/// One group on its way to the disk.
#[derive(Default)]
struct Group {
    batch: Batch,
    /// The records of the rows in the batch, with their weights, for the cache.
    values: HashMap<Arc<[u8]>, (Option<Value>, usize)>,
    records: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    heads: HashMap<Vec<u8>, Head, RandomState>,
    waiting: Vec<(Ticket, Committed)>,
    /// Those that are to run again. They are told when the group is published: before that they would read what made them
    /// conflict, and conflict again.
    conflicted: Vec<Ticket>,
}

impl Group {
    fn refuse_conflicted(&mut self) {
        for ticket in self.conflicted.drain(..) {
            ticket.answer(Err(Error::Conflict));
        }
    }
}

impl Committer {
    fn serve(mut self) {
        while let Some(requests) = self.next() {
            let mut submissions = Vec::with_capacity(requests.len());
            for request in requests {
                match request {
                    Request::Commit(submission) => submissions.push(submission),
                    Request::Wipe { doomed, ticket } => {
                        self.group(mem::take(&mut submissions));
                        let answer = self.wipe(&doomed);
                        ticket.answer(answer);
                    }
                    Request::Load { rows, ticket } => {
                        self.group(mem::take(&mut submissions));
                        let answer = self.load(rows);
                        ticket.answer(answer);
                    }
                }
            }
            self.group(submissions);
        }
    }

    /// Everything that waits; `None` when the store is closed and nothing waits any more.
    fn next(&mut self) -> Option<Vec<Request>> {
        let mut queue = self.shared.queue.lock();
        while queue.requests.is_empty() {
            if queue.closed {
                return None;
            }
            self.shared.arrived.wait(&mut queue);
        }
        // Those who were answered together come back together, and one flush is enough for them.
        let [last, before] = self.company;
        if queue.requests.len() < last.max(before) && !queue.closed {
            queue.wanted = last.max(before);
            let _late = self.shared.arrived.wait_for(&mut queue, GATHER_TIME);
            queue.wanted = 0;
        }
        self.company = [queue.requests.len(), last];
        Some(mem::take(&mut queue.requests))
    }

    fn published(&self) -> Version {
        self.shared.published.load(Ordering::Acquire)
    }

    /// Commits a group with one flush and answers every member.
    fn group(&mut self, submissions: Vec<Submission>) {
        if submissions.is_empty() {
            return;
        }
        let mut group = Group::default();
        group.batch.version = self.published();
        let prepared = self
            .trusted()
            .and_then(|()| self.find_heads(&submissions, &mut group));
        if let Err(error) = prepared {
            for submission in submissions {
                submission.ticket.answer(Err(error.clone()));
            }
            return;
        }
        for submission in submissions {
            self.admit(submission, &mut group);
        }
        if group.waiting.is_empty() {
            return group.refuse_conflicted();
        }
        self.chain(&mut group);
        let outcome = self.flush(&group.batch);
        if outcome.is_ok() {
            let count = u64::try_from(group.waiting.len()).unwrap_or(u64::MAX);
            self.shared.counters.commits.fetch_add(count, Ordering::Relaxed);
            self.publish(&mut group);
        }
        group.refuse_conflicted();
        for (ticket, committed) in group.waiting {
            ticket.answer(outcome.clone().map(|()| committed));
        }
    }

    /// Whether the state is certain, trying to make it so if it is not.
    fn trusted(&mut self) -> Result<()> {
        match &self.trust {
            Trust::Certain => return Ok(()),
            Trust::Broken => return Err(Error::Poisoned),
            Trust::Unknown => {}
        }
        match self.shared.engine.recover() {
            Err(error) => Err(Error::Uncertain(Arc::new(error))),
            Ok(version) if version == self.published() => {
                self.forget(version);
                self.trust(Trust::Certain);
                Ok(())
            }
            Ok(_) => {
                self.trust(Trust::Broken);
                Err(Error::Poisoned)
            }
        }
    }

    /// Finds where each stream of the group goes on.
    fn find_heads(&mut self, submissions: &[Submission], group: &mut Group) -> Result<()> {
        for append in submissions.iter().flat_map(|submission| &submission.appends) {
            if group.heads.contains_key(&append.stream) {
                continue;
            }
            let head = match self.heads.get(&append.stream) {
                Some(head) => head.clone(),
                None => self.read_head(&append.stream)?,
            };
            group.heads.insert(append.stream.clone(), head);
        }
        Ok(())
    }

    fn read_head(&self, stream: &[u8]) -> Result<Head> {
        let from = stream::prefix(stream);
        let last = self
            .shared
            .engine
            .snapshot()?
            .range(&from, &end_of(&from), Direction::Reverse, 1)?;
        let Some((key, value)) = last.first() else {
            return Ok(Head { next: 0, link: None });
        };
        let batch = StreamBatch::from_row(key, value)?;
        Ok(Head {
            next: batch.end(),
            link: Some(self.chain.link(&batch.bytes)),
        })
    }

    /// Takes a transaction into the group, or tells it to run again.
    fn admit(&self, submission: Submission, group: &mut Group) {
        let Submission {
            since,
            read,
            reads,
            writes,
            appends,
            ticket,
        } = submission;
        let version = group.batch.version + 1;
        // One that only read and is recorded holds at its snapshot: no newer commit takes that back, unless all was replaced.
        if read && since < self.replaced {
            self.shared.counters.conflicts.fetch_add(1, Ordering::Relaxed);
            return group.conflicted.push(ticket);
        }
        if !writes.is_empty() {
            let mut recent = self.shared.recent.lock();
            if recent.conflicts(&reads, since) {
                drop(recent);
                self.shared.counters.conflicts.fetch_add(1, Ordering::Relaxed);
                return group.conflicted.push(ticket);
            }
            let mut keys = Vec::with_capacity(writes.len());
            for (key, write) in writes {
                let key: Arc<[u8]> = Arc::from(key);
                if write.table {
                    let size = write.stored.as_ref().map_or(0, Vec::len);
                    let weight = if write.cached {
                        weight(&key, size)
                    } else {
                        UNCACHED
                    };
                    group.values.insert(Arc::clone(&key), (write.value, weight));
                    keys.push(Arc::clone(&key));
                }
                group.batch.writes.insert(key, write.stored);
            }
            // Noted before it is durable, so that a reader whose snapshot shows it finds it here.
            recent.note(version, keys);
        }
        group.batch.version = version;
        let mut sequences = Vec::with_capacity(appends.len());
        for append in appends {
            if let Some(head) = group.heads.get_mut(&append.stream) {
                sequences.push(head.next);
                head.next += 1;
            }
            group
                .records
                .entry(append.stream)
                .or_default()
                .push(append.record);
        }
        group.waiting.push((ticket, Committed { version, sequences }));
    }

    /// Makes one row of each stream's records.
    fn chain(&mut self, group: &mut Group) {
        for (stream, records) in mem::take(&mut group.records) {
            let Some(head) = group.heads.get_mut(&stream) else {
                continue;
            };
            let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
            let first = head.next.saturating_sub(u64::from(count));
            let bytes = self.chain.batch(&stream, first, head.link.as_deref(), &records);
            head.link = Some(self.chain.link(&bytes));
            let key = Arc::from(stream::key(&stream, first));
            group.batch.writes.insert(key, Some(stream::value(count, bytes)));
        }
    }

    /// Makes a batch durable. On an error it is certain that nothing of it is there, or the store refuses further commits.
    fn flush(&mut self, batch: &Batch) -> Result<()> {
        // Before the engine shows the new values, so that no transaction finds an old one beside them.
        if batch.wipe {
            self.shared.cache.clear(batch.version);
        } else {
            self.shared
                .cache
                .invalidate(batch.writes.keys().map(|key| &**key), batch.version);
        }
        self.shared.counters.flushes.fetch_add(1, Ordering::Relaxed);
        let Err(error) = self.shared.engine.commit(batch) else {
            return Ok(());
        };
        let error = Arc::new(error);
        match self.shared.engine.recover() {
            Ok(version) if version == batch.version => Ok(()),
            Ok(version) if version == self.published() => {
                self.forget(version);
                Err(Error::Refused(error))
            }
            Ok(_) => {
                self.trust(Trust::Broken);
                Err(Error::Poisoned)
            }
            Err(_) => {
                self.trust(Trust::Unknown);
                Err(Error::Uncertain(error))
            }
        }
    }

    fn trust(&mut self, trust: Trust) {
        self.shared
            .certain
            .store(matches!(trust, Trust::Certain), Ordering::Release);
        self.trust = trust;
    }

    /// Drops what a group that came to nothing left in memory.
    fn forget(&mut self, version: Version) {
        self.shared.cache.clear(version);
        self.shared.ranges.clear();
        self.shared.recent.lock().reset(version);
    }

    fn publish(&mut self, group: &mut Group) {
        let version = group.batch.version;
        for (key, (value, weight)) in group.values.drain() {
            self.shared.cache.written(key, value, weight, version);
        }
        if self.heads.len() > HEADS_MAX {
            self.heads.clear();
        }
        self.heads.extend(group.heads.drain());
        self.announce(version);
    }

    fn announce(&self, version: Version) {
        self.shared.published.store(version, Ordering::Release);
        self.shared.versions.send_replace(version);
    }

    /// Commits a change of the whole store: every transaction that began before it conflicts.
    fn replace(&mut self, mut batch: Batch) -> Result<Committed> {
        let version = self.published() + 1;
        batch.version = version;
        self.shared.recent.lock().reset(version);
        self.shared.cache.clear(version);
        self.shared.ranges.clear();
        self.heads.clear();
        // Before anybody can see the new content: who takes the new number for the old content began too early to commit.
        self.shared.era.store(next_era(), Ordering::Release);
        self.flush(&batch)?;
        self.replaced = version;
        self.announce(version);
        Ok(Committed {
            version,
            sequences: Vec::new(),
        })
    }

    fn wipe(&mut self, doomed: &Doomed) -> Result<Committed> {
        self.trusted()?;
        let snapshot = self.shared.engine.snapshot()?;
        let mut batch = Batch::default();
        let mut from = STREAMS.to_vec();
        loop {
            let rows = snapshot.range(&from, &END, Direction::Forward, PAGE)?;
            let Some((last, _)) = rows.last() else { break };
            from.clone_from(last);
            from.push(0);
            for (key, value) in rows {
                if doomed(&key, &value) {
                    batch.writes.insert(Arc::from(key), None);
                }
            }
        }
        drop(snapshot);
        self.replace(batch)
    }

    fn load(&mut self, rows: Vec<Row>) -> Result<Committed> {
        self.trusted()?;
        let writes = rows
            .into_iter()
            .map(|(key, value)| (Arc::from(key), Some(value)))
            .collect();
        self.replace(Batch {
            version: 0,
            wipe: true,
            writes,
        })
    }
}
