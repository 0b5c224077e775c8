//! The engine for tests and throw-away servers: every key keeps the values that living snapshots can still see.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::engine::END;
use crate::{Batch, Direction, Engine, Result, Row, Snapshot, Version, disk};

/// The values of one key, oldest first; `None` stands for a deletion.
type History = Vec<(Version, Option<Arc<[u8]>>)>;

#[derive(Default)]
struct Rows {
    version: Version,
    keys: BTreeMap<Arc<[u8]>, History>,
    /// How many snapshots live at each version.
    living: BTreeMap<Version, usize>,
    /// Keys whose older values wait for snapshots before that version to go.
    stale: VecDeque<(Version, Arc<[u8]>)>,
}

/// Rows in memory, gone with the process.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    rows: Arc<RwLock<Rows>>,
}

fn visible(history: &History, version: Version) -> Option<&Arc<[u8]>> {
    history
        .iter()
        .rev()
        .find(|(written, _)| *written <= version)?
        .1
        .as_ref()
}

impl Rows {
    fn write(&mut self, key: &Arc<[u8]>, value: Option<Arc<[u8]>>, version: Version) {
        let history = self.keys.entry(Arc::clone(key)).or_default();
        if !history.is_empty() || value.is_none() {
            self.stale.push_back((version, Arc::clone(key)));
        }
        history.push((version, value));
    }

    /// Drops the values that no snapshot, living or future, can see.
    fn prune(&mut self) {
        let oldest = self.living.keys().next().copied().unwrap_or(self.version);
        while self.stale.front().is_some_and(|(version, _)| *version <= oldest) {
            let Some((_, key)) = self.stale.pop_front() else {
                return;
            };
            let Some(history) = self.keys.get_mut(&key) else {
                continue;
            };
            let kept = history
                .iter()
                .rposition(|(written, _)| *written <= oldest)
                .unwrap_or(0);
            history.drain(..kept);
            if matches!(history.as_slice(), [(written, None)] if *written <= oldest) {
                self.keys.remove(&key);
            }
        }
    }
}

impl Engine for Memory {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let mut rows = self.rows.write();
        let version = rows.version;
        *rows.living.entry(version).or_default() += 1;
        Ok(Box::new(View {
            rows: Arc::clone(&self.rows),
            version,
        }))
    }

    fn commit(&self, batch: &Batch) -> Result<()> {
        let mut rows = self.rows.write();
        if batch.wipe {
            let keys: Vec<_> = rows.keys.keys().cloned().collect();
            for key in keys.iter().filter(|key| !batch.writes.contains_key(*key)) {
                rows.write(key, None, batch.version);
            }
        }
        for (key, value) in &batch.writes {
            rows.write(key, value.as_deref().map(Arc::from), batch.version);
        }
        rows.version = batch.version;
        rows.prune();
        Ok(())
    }

    fn recover(&self) -> Result<Version> {
        Ok(self.rows.read().version)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let view = self.snapshot()?;
        let rows = view.range(&[], &END, Direction::Forward, usize::MAX)?;
        disk::export(path, view.version(), rows)
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }
}

struct View {
    rows: Arc<RwLock<Rows>>,
    version: Version,
}

impl Drop for View {
    fn drop(&mut self) {
        let mut rows = self.rows.write();
        if let Some(count) = rows.living.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                rows.living.remove(&self.version);
            }
        }
    }
}

impl Snapshot for View {
    fn version(&self) -> Version {
        self.version
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let rows = self.rows.read();
        let value = rows
            .keys
            .get(key)
            .and_then(|history| visible(history, self.version));
        Ok(value.map(|value| value.to_vec()))
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, limit: usize) -> Result<Vec<Row>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let rows = self.rows.read();
        let range = rows
            .keys
            .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        let row = |(key, history): (&Arc<[u8]>, &History)| {
            visible(history, self.version).map(|value| (key.to_vec(), value.to_vec()))
        };
        Ok(match direction {
            Direction::Forward => range.filter_map(row).take(limit).collect(),
            Direction::Reverse => range.rev().filter_map(row).take(limit).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(version: Version, key: &[u8], value: Option<&[u8]>) -> Batch {
        let writes = BTreeMap::from([(Arc::from(key), value.map(<[u8]>::to_vec))]);
        Batch {
            version,
            wipe: false,
            writes,
        }
    }

    #[test]
    fn old_values_go_when_no_snapshot_sees_them() {
        let memory = Memory::default();
        memory.commit(&batch(1, b"k", Some(b"1"))).unwrap();
        let old = memory.snapshot().unwrap();
        for version in 2..50 {
            memory.commit(&batch(version, b"k", Some(b"x"))).unwrap();
        }
        assert_eq!(old.get(b"k").unwrap().unwrap(), b"1");
        drop(old);
        memory.commit(&batch(50, b"k", None)).unwrap();
        memory.commit(&batch(51, b"other", Some(b"y"))).unwrap();
        let rows = memory.rows.read();
        assert_eq!(rows.keys.len(), 1);
        assert!(rows.stale.is_empty() && rows.living.is_empty());
    }
}
