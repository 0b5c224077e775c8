//! What a running instance may hold on this host's disk: it is weighed again and again, and one that holds too much is ended.
//!
//! No limit of the system's holds for a folder on every file system and for every user, so this one is kept from outside: an instance can
//! go beyond it by what it writes between two looks, and no further.
//!
//! Invariant: what is counted is what the instance holds of the disk's own file system: its files, whoever may list them, and those that are
//! open and have no name any more.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::process::Pid;
use tokio::time::{Instant, sleep};

use super::disk;
use super::machine::Machine;
use super::runner::Runner;
use crate::jail::family;

/// The shortest time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// The longest, or else what is slow to weigh could be written to for long.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// Weighing takes one part in ten of the time, while that keeps to `LOOK_MAX`.
const SHARE: u32 = 10;
/// Time to find what has no name, and again for what is closed to the server.
const WEIGH_TIME: Duration = Duration::from_secs(30);
/// Looks in a row that may see less than there is: the host may be short of something for a moment.
const HIDDEN_MAX: u32 = 5;
/// What a disk held when it was started is let be up to this many times the bounds.
const BASE_MAX: u64 = 4;
/// Bytes of a block, as the system counts them.
const BLOCK: u64 = 512;

/// How much an instance may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    /// Names of files and folders.
    pub(super) entries: u64,
}

/// A gibibyte, which is four times what can be kept of a disk.
pub(super) const STANDARD: Bounds = Bounds {
    bytes: 1 << 30,
    entries: 200_000,
};

/// What a disk held before the instance was started on it. Reboots do not change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Base {
    bytes: u64,
    entries: u64,
}

#[derive(Clone, Copy, Default)]
struct Weight {
    bytes: u64,
    entries: u64,
    /// Something could not be looked at.
    hidden: bool,
    /// There is so much that it could not be weighed in time.
    endless: bool,
}

impl Weight {
    fn base(self) -> Option<Base> {
        (!self.hidden && !self.endless).then_some(Base {
            bytes: self.bytes,
            entries: self.entries,
        })
    }

    /// A sentence about what is too much.
    fn excess(self, bounds: Bounds, base: Option<Base>) -> Option<String> {
        let base = base.unwrap_or(Base { bytes: 0, entries: 0 });
        let most = |bound: u64, base: u64| bound.max(base.min(bound.saturating_mul(BASE_MAX)));
        if self.bytes > most(bounds.bytes, base.bytes) {
            return Some(format!("Its disk held more than {} MiB.", bounds.bytes >> 20));
        }
        if self.entries > most(bounds.entries, base.entries) {
            return Some(format!("Its disk held more than {} files.", bounds.entries));
        }
        self.endless
            .then(|| "Its disk held too much to be weighed in time.".to_owned())
    }
}

/// How many looks in a row did not see everything.
#[derive(Default)]
struct Looks {
    hidden: u32,
}

impl Looks {
    /// A sentence about why the instance is to end. The first look that saw everything is the base, if there is none yet.
    fn judge(&mut self, weight: Weight, bounds: Bounds, base: &mut Option<Base>) -> Option<String> {
        *base = base.or_else(|| weight.base());
        self.hidden = if weight.hidden { self.hidden + 1 } else { 0 };
        let blind = || (self.hidden >= HIDDEN_MAX).then(|| "Its disk could not be weighed.".to_owned());
        // Without a base, what is seen in part tells nothing of what was there already.
        let excess = weight
            .excess(bounds, *base)
            .filter(|_| base.is_some() || weight.endless);
        excess.or_else(blind)
    }
}

fn pause(weighed: Duration) -> Duration {
    weighed.saturating_mul(SHARE).clamp(LOOK, LOOK_MAX)
}

/// Notes what a disk holds that is about to be started on, before anything of the instance writes to it: that is not too much (but for
/// `BASE_MAX`), so that one that held too much once can be started to make room.
pub(super) async fn begin(runner: &Arc<Runner>, machine: &Machine) {
    let bounds = *runner.bounds.lock();
    let weight = weigh(&Arc::downgrade(runner), machine, None, bounds).await;
    *machine.base.lock() = weight.base();
}

/// Watches the disk of an instance, until it holds too much: a sentence about that.
pub(super) async fn watch(runner: Weak<Runner>, machine: Arc<Machine>, first: Pid) -> String {
    let mut looks = Looks::default();
    loop {
        let before = Instant::now();
        let Some(bounds) = runner.upgrade().map(|runner| *runner.bounds.lock()) else {
            return std::future::pending().await;
        };
        let weight = weigh(&runner, &machine, Some(first), bounds).await;
        if let Some(reason) = looks.judge(weight, bounds, &mut machine.base.lock()) {
            return reason;
        }
        sleep(pause(before.elapsed())).await;
    }
}

async fn weigh(runner: &Weak<Runner>, machine: &Machine, first: Option<Pid>, bounds: Bounds) -> Weight {
    let disk = machine.places.disk.clone();
    // What is beyond every bound need not be counted to its end.
    let enough = bounds.entries.saturating_mul(BASE_MAX);
    let looked = tokio::task::spawn_blocking(move || {
        let mut weight = Weight::default();
        match fs::symlink_metadata(&disk) {
            Ok(facts) => {
                add(&disk, facts.dev(), enough, &mut HashSet::new(), &mut weight);
                if let Some(first) = first {
                    let until = std::time::Instant::now() + WEIGH_TIME;
                    match family::nameless(first, facts.dev(), until) {
                        Some(bytes) => weight.bytes = weight.bytes.saturating_add(bytes),
                        None => weight.endless = true,
                    }
                }
            }
            Err(error) => weight.hidden = !is_gone(&error),
        }
        weight
    });
    // Nothing but a bug ends it early.
    let mut weight = looked.await.unwrap_or_default();
    if weight.hidden {
        // Folders that are closed to the server are open to the instance's own root.
        let runner = runner.upgrade();
        let view = runner.as_ref().and_then(|runner| runner.view().ok());
        if let Some(view) = view
            && let Ok(held) = disk::weigh(view, &machine.places, machine.user, WEIGH_TIME).await
        {
            weight.hidden = false;
            match held {
                Some((bytes, entries)) => {
                    weight.bytes = weight.bytes.max(bytes);
                    weight.entries = weight.entries.max(entries);
                }
                None => weight.endless = true,
            }
        }
    }
    weight
}

/// Adds what a folder holds: each name, and each file's bytes once. The instance may move things meanwhile, even make a folder a link to somewhere else: it is
/// counted, and nothing of it is read.
fn add(folder: &Path, device: u64, enough: u64, seen: &mut HashSet<u64>, weight: &mut Weight) {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let listed = match fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) => {
                weight.hidden |= !is_gone(&error);
                continue;
            }
        };
        for entry in listed {
            let facts = entry.and_then(|entry| Ok((entry.metadata()?, entry.path())));
            let (facts, path) = match facts {
                Ok(found) => found,
                Err(error) => {
                    weight.hidden |= !is_gone(&error);
                    continue;
                }
            };
            if facts.dev() != device {
                continue;
            }
            weight.entries += 1;
            if weight.entries > enough {
                return;
            }
            if facts.nlink() > 1 && !facts.is_dir() && !seen.insert(facts.ino()) {
                continue;
            }
            weight.bytes = weight.bytes.saturating_add(facts.blocks().saturating_mul(BLOCK));
            if facts.is_dir() {
                open.push(path);
            }
        }
    }
}

/// It went away between two looks.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        bytes: 100,
        entries: 10,
    };

    fn weight(bytes: u64, entries: u64) -> Weight {
        Weight {
            bytes,
            entries,
            ..Weight::default()
        }
    }

    #[test]
    fn what_was_there_at_the_start_is_let_be_up_to_four_times_the_bounds() {
        let ends = |now: Weight, before: Weight| now.excess(BOUNDS, before.base()).is_some();
        assert!(!ends(weight(400, 40), weight(400, 40)));
        assert!(ends(weight(401, 1), weight(1000, 1)));
        // Counting stops there, so whoever starts above it looks like this.
        assert!(ends(weight(1, 41), weight(1, 41)));
    }

    #[test]
    fn a_host_that_is_short_of_something_for_a_moment_ends_nobody() {
        let hidden = Weight {
            hidden: true,
            ..weight(1, 1)
        };
        let (mut looks, mut base) = (Looks::default(), None);
        for _ in 0..2 {
            for _ in 1..HIDDEN_MAX {
                assert_eq!(looks.judge(hidden, BOUNDS, &mut base), None);
            }
            assert_eq!(looks.judge(weight(300, 1), BOUNDS, &mut base), None);
            // Nor is what it saw of the disk taken for what was there.
            assert_eq!(base, weight(300, 1).base());
        }
        let ends = (0..HIDDEN_MAX).filter_map(|_| looks.judge(hidden, BOUNDS, &mut base));
        assert_eq!(ends.collect::<Vec<_>>(), ["Its disk could not be weighed."]);
    }

    #[test]
    fn every_name_counts_and_the_bytes_behind_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), [1; 64 << 10]).unwrap();
        let device = fs::metadata(folder.path()).unwrap().dev();
        let (mut one, mut ten) = (Weight::default(), Weight::default());
        add(folder.path(), device, 100, &mut HashSet::new(), &mut one);
        for number in 1..10 {
            fs::hard_link(at("file"), at(&number.to_string())).unwrap();
        }
        add(folder.path(), device, 100, &mut HashSet::new(), &mut ten);
        assert_eq!((one.entries, ten.entries), (1, 10));
        assert_eq!(one.bytes, ten.bytes);
        let mut enough = Weight::default();
        add(folder.path(), device, 4, &mut HashSet::new(), &mut enough);
        assert_eq!(enough.entries, 5);
    }

    #[test]
    fn the_time_between_two_looks_has_a_ceiling() {
        assert_eq!(pause(Duration::ZERO), LOOK);
        assert_eq!(pause(Duration::from_millis(300)), Duration::from_secs(3));
        assert_eq!(pause(Duration::from_secs(60)), LOOK_MAX);
    }
}
