//! Decoded records, bounded by weight. Invariant: an entry that is found at snapshot S with `as_of <= S` is the value at S,
//! because a commit removes what it overwrites before anyone can see its version.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use parking_lot::RwLock;

use crate::Version;

/// A decoded record of any table.
pub(crate) type Value = Arc<dyn Any + Send + Sync>;

const SHARDS: usize = 16;
/// The weight of all entries together, unless a store is told otherwise. Decoded records take about twice their stored bytes; see
/// [`weight`].
const WEIGHT_MAX: usize = 128 << 20;

/// The weight of what is not to be kept at all.
pub(crate) const UNCACHED: usize = usize::MAX;

/// What an entry is reckoned to take: key, decoded value, and the maps' own bookkeeping.
pub(crate) fn weight(key: &[u8], stored: usize) -> usize {
    key.len() + 2 * stored + 160
}

struct Entry {
    /// `None` remembers that there is no such row.
    value: Option<Value>,
    as_of: Version,
    weight: usize,
    /// Set by readers, so that eviction passes once over what is in use.
    used: AtomicBool,
}

struct Shard {
    entries: HashMap<Arc<[u8]>, Entry, RandomState>,
    /// Keys in the order in which eviction looks at them; it may name keys that are gone.
    order: VecDeque<Arc<[u8]>>,
    weight: usize,
    /// The newest commit that overwrote anything of this shard: readers of older snapshots may no longer install here.
    invalidated: Version,
}

impl Shard {
    fn new(seed: RandomState) -> Self {
        Self {
            entries: HashMap::with_hasher(seed),
            order: VecDeque::new(),
            weight: 0,
            invalidated: 0,
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
        }
    }

    fn insert(
        &mut self,
        key: Arc<[u8]>,
        value: Option<Value>,
        weight: usize,
        as_of: Version,
        weight_max: usize,
    ) {
        if weight > weight_max / 4 {
            self.remove(&key);
            return self.evict(weight_max);
        }
        let entry = Entry {
            value,
            as_of,
            weight,
            used: AtomicBool::new(false),
        };
        match self.entries.insert(Arc::clone(&key), entry) {
            Some(old) => self.weight -= old.weight,
            None => self.order.push_back(key),
        }
        self.weight += weight;
        self.evict(weight_max);
        if self.order.len() > 2 * self.entries.len() + 64 {
            self.order = self.entries.keys().cloned().collect();
        }
    }

    fn evict(&mut self, weight_max: usize) {
        while self.weight > weight_max {
            let Some(key) = self.order.pop_front() else { return };
            match self.entries.get(&key) {
                Some(entry) if entry.used.swap(false, Ordering::Relaxed) => self.order.push_back(key),
                Some(_) => self.remove(&key),
                None => {}
            }
        }
    }
}

/// The cache of one store.
pub(crate) struct Cache {
    /// Secret: nobody can choose keys that meet in one place.
    seed: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    /// Of one shard.
    weight_max: AtomicUsize,
}

impl Cache {
    pub(crate) fn new() -> Cache {
        Cache::bounded(WEIGHT_MAX)
    }

    fn bounded(weight_max: usize) -> Cache {
        let seed = RandomState::default();
        Cache {
            shards: std::array::from_fn(|_| RwLock::new(Shard::new(seed.clone()))),
            seed,
            weight_max: AtomicUsize::new(weight_max / SHARDS),
        }
    }

    /// Holds all entries together to another weight, from the next one on.
    pub(crate) fn bound(&self, weight_max: usize) {
        self.weight_max.store(weight_max / SHARDS, Ordering::Relaxed);
    }

    fn weight_max(&self) -> usize {
        self.weight_max.load(Ordering::Relaxed)
    }

    fn shard(&self, key: &[u8]) -> &RwLock<Shard> {
        // Bits that the map inside looks at last.
        let hash = self.seed.hash_one(key);
        let [first, rest @ ..] = &self.shards;
        let at = usize::from(hash.to_le_bytes()[4]) % SHARDS;
        if at == 0 {
            first
        } else {
            rest.get(at - 1).unwrap_or(first)
        }
    }

    /// The value at `snapshot`: `Some(None)` when it is known that there is none.
    pub(crate) fn get(&self, key: &[u8], snapshot: Version) -> Option<Option<Value>> {
        let shard = self.shard(key).read();
        let entry = shard.entries.get(key).filter(|entry| entry.as_of <= snapshot)?;
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    /// Keeps what was read at `snapshot`, unless a newer commit may have overwritten it meanwhile.
    pub(crate) fn install(&self, key: &[u8], value: Option<Value>, weight: usize, snapshot: Version) {
        let mut shard = self.shard(key).write();
        if shard.invalidated > snapshot || shard.entries.get(key).is_some_and(|entry| entry.as_of > snapshot)
        {
            return;
        }
        shard.insert(Arc::from(key), value, weight, snapshot, self.weight_max());
    }

    /// Removes what a commit is about to overwrite, and holds off readers of older snapshots.
    pub(crate) fn invalidate<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, version: Version) {
        for key in keys {
            let mut shard = self.shard(key).write();
            shard.remove(key);
            shard.invalidated = shard.invalidated.max(version);
        }
    }

    /// Keeps what the commit `version` wrote. Only the committer calls this, before the next invalidation.
    pub(crate) fn written(&self, key: Arc<[u8]>, value: Option<Value>, weight: usize, version: Version) {
        self.shard(&key)
            .write()
            .insert(Arc::clone(&key), value, weight, version, self.weight_max());
    }

    /// Forgets everything; only readers of `version` and later may install.
    pub(crate) fn clear(&self, version: Version) {
        for shard in &self.shards {
            *shard.write() = Shard {
                invalidated: version,
                ..Shard::new(self.seed.clone())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: u64) -> Option<Value> {
        Some(Arc::new(number))
    }

    fn found(cache: &Cache, key: &[u8], snapshot: Version) -> Option<u64> {
        let value = cache.get(key, snapshot)??;
        value.downcast_ref().copied()
    }

    #[test]
    fn an_entry_is_not_shown_to_older_snapshots() {
        let cache = Cache::new();
        cache.install(b"k", value(1), 10, 5);
        assert_eq!(found(&cache, b"k", 4), None);
        assert_eq!(found(&cache, b"k", 5), Some(1));
    }

    #[test]
    fn a_slow_reader_does_not_bring_back_an_overwritten_value() {
        let cache = Cache::new();
        cache.invalidate([b"k".as_slice()].into_iter(), 6);
        cache.install(b"k", value(1), 10, 5);
        assert!(cache.get(b"k", 9).is_none());
        cache.written(Arc::from(b"k".as_slice()), value(2), 10, 6);
        assert_eq!(found(&cache, b"k", 6), Some(2));
    }

    #[test]
    fn absence_is_remembered_and_everything_forgotten_on_clear() {
        let cache = Cache::new();
        cache.install(b"k", None, 10, 5);
        assert!(matches!(cache.get(b"k", 5), Some(None)));
        cache.clear(7);
        assert!(cache.get(b"k", 9).is_none());
        cache.install(b"k", value(1), 10, 6);
        assert!(cache.get(b"k", 9).is_none());
    }

    #[test]
    fn weight_is_bounded_and_used_entries_stay_longest() {
        let cache = Cache::bounded(64 * 1000);
        cache.install(b"hot", value(0), 100, 1);
        for number in 0..10_000_u64 {
            cache.install(&number.to_be_bytes(), value(number), 100, 1);
            assert_eq!(found(&cache, b"hot", 1), Some(0));
            if number == 5_000 {
                cache.bound(SHARDS * 400);
            }
        }
        for shard in &cache.shards {
            let shard = shard.read();
            assert!(shard.weight <= cache.weight_max());
            assert_eq!(shard.weight, 100 * shard.entries.len());
            assert!(shard.order.len() <= 2 * shard.entries.len() + 65);
        }
    }
}
