//! Decoded records, bounded by weight. Invariant: an entry that is found at snapshot S with `as_of <= S` is the value at S,
//! because a commit removes what it overwrites before anyone can see its version.
//!
//! Entries lie by the hash of their key, which is reckoned once for shard and place. Of two keys with one hash the later is held: the
//! other is read from the engine again.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};
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
    key: Arc<[u8]>,
    /// `None` remembers that there is no such row.
    value: Option<Value>,
    as_of: Version,
    weight: usize,
    /// Set by readers, so that eviction passes once over what is in use.
    used: AtomicBool,
}

/// Hashes are good as they are.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[derive(Default)]
struct Shard {
    entries: HashMap<u64, Entry, BuildHasherDefault<AsIs>>,
    /// Hashes in the order in which eviction looks at their entries; it may name some that are gone.
    order: VecDeque<u64>,
    weight: usize,
    /// The newest commit that overwrote anything of this shard: readers of older snapshots may no longer install here.
    invalidated: Version,
}

impl Shard {
    fn find(&self, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.entries.get(&hash).filter(|entry| *entry.key == *key)
    }

    fn remove(&mut self, hash: u64) {
        if let Some(entry) = self.entries.remove(&hash) {
            self.weight -= entry.weight;
        }
    }

    fn insert(&mut self, hash: u64, entry: Entry, weight_max: usize) {
        if entry.weight > weight_max / 4 {
            self.remove(hash);
            return self.evict(weight_max);
        }
        self.weight += entry.weight;
        match self.entries.insert(hash, entry) {
            Some(old) => self.weight -= old.weight,
            None => self.order.push_back(hash),
        }
        self.evict(weight_max);
        if self.order.len() > 2 * self.entries.len() + 64 {
            self.order = self.entries.keys().copied().collect();
        }
    }

    fn evict(&mut self, weight_max: usize) {
        while self.weight > weight_max {
            let Some(hash) = self.order.pop_front() else {
                return;
            };
            match self.entries.get(&hash) {
                Some(entry) if entry.used.swap(false, Ordering::Relaxed) => self.order.push_back(hash),
                Some(_) => self.remove(hash),
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
        Cache {
            seed: RandomState::default(),
            shards: std::array::from_fn(|_| RwLock::default()),
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

    /// Where a key belongs: its hash and its shard.
    fn place(&self, key: &[u8]) -> (u64, &RwLock<Shard>) {
        let hash = self.seed.hash_one(key);
        let [first, rest @ ..] = &self.shards;
        // Bits that the map inside looks at last.
        let at = usize::from(hash.to_le_bytes()[4]) % SHARDS;
        let shard = match at {
            0 => first,
            _ => rest.get(at - 1).unwrap_or(first),
        };
        (hash, shard)
    }

    /// The value at `snapshot`: `Some(None)` when it is known that there is none.
    pub(crate) fn get(&self, key: &[u8], snapshot: Version) -> Option<Option<Value>> {
        let (hash, shard) = self.place(key);
        let shard = shard.read();
        let entry = shard.find(hash, key).filter(|entry| entry.as_of <= snapshot)?;
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    /// Keeps what was read at `snapshot`, unless a newer commit may have overwritten it meanwhile.
    pub(crate) fn install(&self, key: &[u8], value: Option<Value>, weight: usize, snapshot: Version) {
        let (hash, shard) = self.place(key);
        let mut shard = shard.write();
        let newer = shard.find(hash, key).is_some_and(|entry| entry.as_of > snapshot);
        if shard.invalidated > snapshot || newer {
            return;
        }
        let entry = Entry {
            key: Arc::from(key),
            value,
            as_of: snapshot,
            weight,
            used: AtomicBool::new(false),
        };
        shard.insert(hash, entry, self.weight_max());
    }

    /// Removes what a commit is about to overwrite, and holds off readers of older snapshots.
    pub(crate) fn invalidate<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, version: Version) {
        for key in keys {
            let (hash, shard) = self.place(key);
            let mut shard = shard.write();
            shard.remove(hash);
            shard.invalidated = shard.invalidated.max(version);
        }
    }

    /// Keeps what the commit `version` wrote. Only the committer calls this, before the next invalidation.
    pub(crate) fn written(&self, key: Arc<[u8]>, value: Option<Value>, weight: usize, version: Version) {
        let (hash, shard) = self.place(&key);
        let entry = Entry {
            key,
            value,
            as_of: version,
            weight,
            used: AtomicBool::new(false),
        };
        shard.write().insert(hash, entry, self.weight_max());
    }

    /// Forgets everything; only readers of `version` and later may install.
    pub(crate) fn clear(&self, version: Version) {
        for shard in &self.shards {
            *shard.write() = Shard {
                invalidated: version,
                ..Shard::default()
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
    fn keys_of_one_hash_are_not_mistaken_for_each_other() {
        let mut shard = Shard::default();
        let entry = |key: &[u8], number| Entry {
            key: Arc::from(key),
            value: value(number),
            as_of: 1,
            weight: 10,
            used: AtomicBool::new(false),
        };
        shard.insert(7, entry(b"one", 1), 1000);
        shard.insert(7, entry(b"two", 2), 1000);
        assert!(shard.find(7, b"one").is_none());
        assert!(shard.find(7, b"two").is_some());
        assert_eq!((shard.weight, shard.entries.len(), shard.order.len()), (10, 1, 1));
        shard.remove(7);
        assert_eq!(shard.weight, 0);
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
