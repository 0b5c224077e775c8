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
use std::sync::Weak;
use std::time::Duration;

use rustix::process::Pid;
use tokio::time::{Instant, sleep};

use super::disk::{self, Places};
use super::runner::Runner;
use crate::jail::family;

/// The shortest time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Weighing takes at most this part of the time: one in ten.
const SHARE: u32 = 10;
/// Bytes of a block, as the system counts them.
const BLOCK: u64 = 512;

/// How much an instance may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    /// Files and folders.
    pub(super) entries: u64,
}

/// A gibibyte, which is four times what can be kept of a disk.
pub(super) const STANDARD: Bounds = Bounds {
    bytes: 1 << 30,
    entries: 200_000,
};

#[derive(Default)]
struct Weight {
    bytes: u64,
    entries: u64,
    /// Something could not be looked at.
    hidden: bool,
}

/// Watches the disk of an instance, until it holds too much: a sentence about that. What it held when it started is never too much, so that
/// one that held too much once can be started to make room.
pub(super) async fn watch(runner: Weak<Runner>, places: Places, user: Option<u32>, first: Pid) -> String {
    let mut held_at_start = None;
    loop {
        let before = Instant::now();
        let Some(bounds) = runner.upgrade().map(|runner| *runner.bounds.lock()) else {
            return std::future::pending().await;
        };
        let weight = weigh(&runner, &places, user, first, bounds).await;
        let (bytes, entries) = *held_at_start.get_or_insert((weight.bytes, weight.entries));
        if weight.hidden {
            return "Its disk could not be weighed.".to_owned();
        }
        if weight.bytes > bounds.bytes.max(bytes) {
            return format!("Its disk held more than {} MiB.", bounds.bytes >> 20);
        }
        if weight.entries > bounds.entries.max(entries) {
            return format!("Its disk held more than {} files.", bounds.entries);
        }
        sleep(LOOK.max(before.elapsed().saturating_mul(SHARE))).await;
    }
}

async fn weigh(
    runner: &Weak<Runner>,
    places: &Places,
    user: Option<u32>,
    first: Pid,
    bounds: Bounds,
) -> Weight {
    let disk = places.disk.clone();
    // What is beyond every bound need not be counted to its end.
    let enough = bounds.entries.saturating_mul(4);
    let looked = tokio::task::spawn_blocking(move || {
        let mut weight = Weight::default();
        if let Ok(facts) = fs::symlink_metadata(&disk) {
            add(&disk, facts.dev(), enough, &mut HashSet::new(), &mut weight);
            weight.bytes = weight.bytes.saturating_add(family::nameless(first, facts.dev()));
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
            && let Ok(bytes) = disk::weigh(view, places, user).await
        {
            weight.bytes = weight.bytes.max(bytes);
            weight.hidden = false;
        }
    }
    weight
}

/// Adds what a folder holds, each file once. The instance may move things meanwhile, even make a folder a link to somewhere else: it is
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
            if facts.dev() != device || (facts.nlink() > 1 && !facts.is_dir() && !seen.insert(facts.ino())) {
                continue;
            }
            weight.entries += 1;
            weight.bytes = weight.bytes.saturating_add(facts.blocks().saturating_mul(BLOCK));
            if weight.entries > enough {
                return;
            }
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
