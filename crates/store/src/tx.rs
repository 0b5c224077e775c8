//! A transaction: reads of one snapshot, its own writes laid over them, and the memory of what was read. Hot records come from
//! the cache; the engine is asked only for what is missing there, and only then is a snapshot opened.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::cache::{Value, weight};
use crate::conflict::Reads;
use crate::engine::Direction;
use crate::key::end_of;
use crate::ranges::{Found, Span};
use crate::record::{pack, unpack};
use crate::store::Shared;
use crate::stream::{self, StreamBatch};
use crate::{AsKey, Error, Key, Prefix, Record, Result, Snapshot, Table, Version};

/// A write that waits for the commit.
#[derive(Clone)]
pub(crate) struct Write {
    /// The stored bytes; `None` deletes.
    pub(crate) stored: Option<Vec<u8>>,
    /// The decoded record; `None` for a deletion.
    pub(crate) value: Option<Value>,
    /// Whether the row belongs to a table: only those are validated and cached.
    pub(crate) table: bool,
    /// Whether the record may stay in the cache.
    pub(crate) cached: bool,
}

/// What a transaction had written at some moment. See [`Tx::savepoint`].
pub struct Savepoint(BTreeMap<Vec<u8>, Write>);

/// A transaction under way. Dropping it leaves no trace.
pub struct Tx {
    shared: Arc<Shared>,
    era: u64,
    version: Version,
    snapshot: Option<Box<dyn Snapshot>>,
    pub(crate) reads: Reads,
    pub(crate) writes: BTreeMap<Vec<u8>, Write>,
    conflicted: bool,
    /// Reads that the caches answered; counted together, since every thread counts in the same place.
    hits: u64,
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.shared.counters.hits.fetch_add(self.hits, Ordering::Relaxed);
    }
}

fn row_key<K: Key, V: Record>(table: &Table<K, V>, key: &(impl AsKey<K> + ?Sized)) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    encode_row(table, key, &mut out);
    out
}

fn encode_row<K: Key, V: Record>(table: &Table<K, V>, key: &(impl AsKey<K> + ?Sized), out: &mut Vec<u8>) {
    out.extend_from_slice(&table.id().to_be_bytes());
    key.encode(out);
}

fn row_prefix<K: Key, V: Record>(table: &Table<K, V>, prefix: &impl Prefix<K>) -> Vec<u8> {
    let mut out = table.id().to_be_bytes().to_vec();
    prefix.encode(&mut out);
    out
}

fn typed<V: Record>(table: &'static str, value: Value) -> Result<Arc<V>> {
    value.downcast().map_err(|_| Error::Type(table))
}

impl Tx {
    pub(crate) fn new(shared: Arc<Shared>, version: Version, snapshot: Option<Box<dyn Snapshot>>) -> Tx {
        Tx {
            // After the version: a number that is too new for it belongs to who began before a wipe, and does not commit.
            era: shared.era.load(Ordering::Acquire),
            shared,
            version,
            snapshot,
            reads: Reads::default(),
            writes: BTreeMap::new(),
            conflicted: false,
            hits: 0,
        }
    }

    /// The version of the snapshot that the reads come from. It may grow until the first read that the cache cannot answer.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// A number for the content of the store as long as it is not wiped or loaded: what is remembered of the content under one holds for
    /// whoever commits under the same. No two stores of a process have the same, and none is zero.
    #[must_use]
    pub fn era(&self) -> u64 {
        self.era
    }

    /// Whether anything was written.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.writes.is_empty()
    }

    /// What is written so far, to come back to by [`Tx::restore`]. It costs what was written, not what is stored.
    #[must_use]
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.writes.clone())
    }

    /// Forgets what was written since. What was read since stays read: a commit is validated against it.
    pub fn restore(&mut self, saved: Savepoint) {
        self.writes = saved.0;
    }

    /// Whether a read found that the transaction must run again. What it concluded until then is still consistent, but it
    /// cannot go on.
    #[must_use]
    pub fn conflicted(&self) -> bool {
        self.conflicted
    }

    /// The record under `key`.
    ///
    /// # Errors
    /// [`Error::Conflict`] asks for another run; others when the row cannot be read.
    pub fn get<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<Option<Arc<V>>> {
        self.reads.points.push(|out| encode_row(table, key, out));
        if !self.writes.is_empty()
            && let Some(write) = self.writes.get(self.reads.points.last())
        {
            self.reads.points.pop();
            return write
                .value
                .clone()
                .map(|value| typed(table.name(), value))
                .transpose();
        }
        if let Some(value) = self.shared.cache.get(self.reads.points.last(), self.version) {
            self.hits += 1;
            return value.map(|value| typed(table.name(), value)).transpose();
        }
        // Until it is read it is none of what was seen: a newer snapshot may be opened for it.
        let key = self.reads.points.last().to_vec();
        self.reads.points.pop();
        let value = self.load(table, &key)?;
        self.reads.points.push(|out| out.extend_from_slice(&key));
        Ok(value)
    }

    fn load<K: Key, V: Record>(&mut self, table: &Table<K, V>, key: &[u8]) -> Result<Option<Arc<V>>> {
        let stored = self
            .snapshot()?
            .get(key)
            .map_err(|error| error.in_table(table.name()))?;
        let size = stored.as_ref().map_or(0, Vec::len);
        let value = stored
            .map(|stored| unpack::<V>(table.name(), &stored).map(Arc::new))
            .transpose()?;
        if V::CACHED {
            let kept = value.clone().map(|value| value as Arc<dyn Any + Send + Sync>);
            self.shared
                .cache
                .install(key, kept, weight(key, size), self.version);
        }
        Ok(value)
    }

    /// Whether there is a record under `key`.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn contains<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<bool> {
        Ok(self.get(table, key)?.is_some())
    }

    /// Writes `value` under `key`, over whatever is there.
    ///
    /// # Errors
    /// [`Error::Encode`] when the record has no stored form.
    pub fn put<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
        value: V,
    ) -> Result<()> {
        let stored = Some(pack(&value)?);
        let write = Write {
            stored,
            value: Some(Arc::new(value)),
            table: true,
            cached: V::CACHED,
        };
        self.writes.insert(row_key(table, key), write);
        Ok(())
    }

    /// Deletes what is under `key`, if anything.
    ///
    /// # Errors
    /// None today; engines that are far away may have some.
    pub fn delete<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<()> {
        self.writes.insert(
            row_key(table, key),
            Write {
                stored: None,
                value: None,
                table: true,
                cached: V::CACHED,
            },
        );
        Ok(())
    }

    /// Up to `limit` records whose keys begin with `prefix`, upwards, starting behind `after`.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn range<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        prefix: &impl Prefix<K>,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let mut from = row_prefix(table, prefix);
        let to = end_of(&from);
        if let Some(after) = after {
            let mut behind = row_key(table, after);
            behind.push(0);
            from = from.max(behind);
        }
        self.records(
            table,
            Span {
                from,
                to,
                direction: Direction::Forward,
                limit,
            },
        )
    }

    /// Up to `limit` records whose keys begin with `prefix`, downwards, starting below `before`.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn range_rev<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        prefix: &impl Prefix<K>,
        before: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let from = row_prefix(table, prefix);
        let mut to = end_of(&from);
        if let Some(before) = before {
            to = to.min(row_key(table, before));
        }
        self.records(
            table,
            Span {
                from,
                to,
                direction: Direction::Reverse,
                limit,
            },
        )
    }

    /// Up to `limit` records with `from <= key < to`, upwards; both bounds may be prefixes (jobs that are due: `&()` to
    /// `&(now + 1,)`).
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn range_between<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        from: &impl Prefix<K>,
        to: &impl Prefix<K>,
        limit: usize,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let (from, to) = (row_prefix(table, from), row_prefix(table, to));
        self.records(
            table,
            Span {
                from,
                to,
                direction: Direction::Forward,
                limit,
            },
        )
    }

    fn records<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        mut span: Span,
    ) -> Result<Vec<(K, Arc<V>)>> {
        if span.limit == 0 || span.from >= span.to {
            return Ok(Vec::new());
        }
        let own = self.writes.range(span.from.clone()..span.to.clone()).count();
        let (limit, direction) = (span.limit, span.direction);
        // Every own write may hide or precede one stored row, so this many are enough.
        span.limit = limit.saturating_add(own);
        let found = match self.known_range(&span) {
            Some(found) => found,
            None => self.load_range(table, &span)?,
        };
        self.reads.ranges.push(found.seen.clone());
        let decode = |(key, value): (&Vec<u8>, &Value)| {
            let mut rest = key.get(2..).unwrap_or_default();
            let decoded = K::decode(&mut rest)?;
            if rest.is_empty() {
                Ok((decoded, typed(table.name(), Arc::clone(value))?))
            } else {
                Err(Error::Key("bytes behind its end"))
            }
        };
        if own == 0 {
            return found
                .rows
                .iter()
                .map(|(key, value)| decode((key, value)))
                .collect();
        }
        let mut merged: BTreeMap<&Vec<u8>, &Value> =
            found.rows.iter().map(|(key, value)| (key, value)).collect();
        for (key, write) in self.writes.range(span.from..span.to) {
            match &write.value {
                Some(value) => merged.insert(key, value),
                None => merged.remove(key),
            };
        }
        match direction {
            Direction::Forward => merged.into_iter().take(limit).map(decode).collect(),
            Direction::Reverse => merged.into_iter().rev().take(limit).map(decode).collect(),
        }
    }

    /// The answer of an earlier read of the same span, if nothing was written into it since.
    fn known_range(&mut self, span: &Span) -> Option<Arc<Found>> {
        let (found, as_of) = self.shared.ranges.get(span, self.version)?;
        if as_of < self.version {
            let (from, to) = &found.seen;
            if self.shared.recent.lock().touched(from, to, as_of) {
                return None;
            }
            self.shared.ranges.confirm(span, &found, self.version);
        }
        self.hits += 1;
        Some(found)
    }

    fn load_range<K: Key, V: Record>(&mut self, table: &Table<K, V>, span: &Span) -> Result<Arc<Found>> {
        let stored = self
            .snapshot()?
            .range(&span.from, &span.to, span.direction, span.limit)
            .map_err(|error| error.in_table(table.name()))?;
        let seen = span.seen(&stored);
        let mut rows = Vec::with_capacity(stored.len());
        for (key, stored) in stored {
            let value: Value = self.decoded(table, &key, &stored)?;
            rows.push((key, value));
        }
        let found = Arc::new(Found { rows, seen });
        self.shared
            .ranges
            .install(span.clone(), Arc::clone(&found), self.version);
        Ok(found)
    }

    /// The record of a row that was read from the snapshot, decoded only if the cache does not hold it.
    fn decoded<K: Key, V: Record>(&self, table: &Table<K, V>, key: &[u8], stored: &[u8]) -> Result<Arc<V>> {
        if let Some(Some(value)) = self.shared.cache.get(key, self.version) {
            return typed(table.name(), value);
        }
        let value = Arc::new(unpack::<V>(table.name(), stored)?);
        if V::CACHED {
            let kept = Arc::clone(&value) as Arc<dyn Any + Send + Sync>;
            self.shared
                .cache
                .install(key, Some(kept), weight(key, stored.len()), self.version);
        }
        Ok(value)
    }

    /// The engine's snapshot, opened on first need. Until then the reads came from the cache at the version of the beginning;
    /// if nothing that they saw was written since, they hold at the newer version too.
    fn snapshot(&mut self) -> Result<&dyn Snapshot> {
        let counters = &self.shared.counters;
        counters.reads.fetch_add(1, Ordering::Relaxed);
        if self.conflicted {
            return Err(Error::Conflict);
        }
        let snapshot = match self.snapshot.take() {
            Some(snapshot) => snapshot,
            None => {
                let snapshot = self.shared.engine.snapshot()?;
                let version = snapshot.version();
                let stale = version < self.version
                    || version > self.version
                        && self.shared.recent.lock().conflicts(&self.reads, self.version);
                if stale {
                    counters.conflicts.fetch_add(1, Ordering::Relaxed);
                    self.conflicted = true;
                    return Err(Error::Conflict);
                }
                self.version = version;
                self.era = self.shared.era.load(Ordering::Acquire);
                snapshot
            }
        };
        Ok(&**self.snapshot.insert(snapshot))
    }

    /// Up to `limit` batches of `stream`. Forward: from the one that holds the sequence number `from`, upwards. Reverse: from
    /// the last one that begins below `from`, downwards. Stream reads see the snapshot but never make a transaction conflict.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn stream_batches(
        &mut self,
        stream: &[u8],
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StreamBatch>> {
        let (start, end) = (stream::prefix(stream), end_of(&stream::prefix(stream)));
        let at = stream::key(stream, from);
        let snapshot = self.snapshot()?;
        let rows = match direction {
            Direction::Reverse => snapshot.range(&start, &at, direction, limit)?,
            Direction::Forward => {
                let before = snapshot.range(&start, &at, Direction::Reverse, 1)?;
                let mut begin = at;
                if let Some((key, value)) = before.into_iter().next()
                    && StreamBatch::from_row(&key, &value)?.end() > from
                {
                    begin = key;
                }
                snapshot.range(&begin, &end, direction, limit)?
            }
        };
        rows.iter()
            .map(|(key, value)| StreamBatch::from_row(key, value))
            .collect()
    }

    /// The sequence number of the last record of `stream`; `None` when there is none.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn stream_last(&mut self, stream: &[u8]) -> Result<Option<u64>> {
        let start = stream::prefix(stream);
        let rows = self
            .snapshot()?
            .range(&start, &end_of(&start), Direction::Reverse, 1)?;
        let Some((key, value)) = rows.first() else {
            return Ok(None);
        };
        Ok(StreamBatch::from_row(key, value)?.end().checked_sub(1))
    }

    /// Up to `limit` names of streams that begin with `prefix`, in order, behind `after`.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn streams(&mut self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Vec<u8>>> {
        let (mut from, to) = stream::named(prefix);
        if let Some(after) = after {
            from = from.max(end_of(&stream::prefix(after)));
        }
        let mut names = Vec::new();
        while names.len() < limit {
            let rows = self.snapshot()?.range(&from, &to, Direction::Forward, 1)?;
            let Some((key, _)) = rows.first() else { break };
            let (name, _) = stream::split_key(key)?;
            from = end_of(&stream::prefix(&name));
            names.push(name);
        }
        Ok(names)
    }

    /// Deletes up to `limit` of the oldest batches of `stream` whose records all lie below `below`, and tells how many. The
    /// last batch always stays, since the next one is numbered and linked by it.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub fn stream_trim(&mut self, stream: &[u8], below: u64, limit: usize) -> Result<usize> {
        let from = stream::prefix(stream);
        let rows =
            self.snapshot()?
                .range(&from, &end_of(&from), Direction::Forward, limit.saturating_add(1))?;
        let mut trimmed = 0;
        for (key, value) in rows.iter().take(rows.len().saturating_sub(1)) {
            if StreamBatch::from_row(key, value)?.end() > below {
                break;
            }
            self.writes.insert(
                key.clone(),
                Write {
                    stored: None,
                    value: None,
                    table: false,
                    cached: false,
                },
            );
            trimmed += 1;
        }
        Ok(trimmed)
    }
}
