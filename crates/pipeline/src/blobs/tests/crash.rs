//! Ends at every point: what was acknowledged is there after the next start, what was not leaves nothing behind a sweep.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use store::blobs::{Blob, BlobName, Blobs, Staged};
use store::{Batch, Engine, Error, Result, Snapshot, Store, Version};

use super::rig::{Ask, chain, files, over, rows, stored, text};
use super::{LARGE, get, put};

const FOLDER: &str = "PIPELINE_CRASH_FOLDER";
const ROUND: &str = "PIPELINE_CRASH_ROUND";
const CHILD: &str = "blobs::tests::crash::puts_until_it_is_killed";

fn size_of(number: usize) -> usize {
    [500, 40_000, 700_000][number % 3] + number
}

/// The child's half, which does nothing unless the test below starts it.
#[test]
fn puts_until_it_is_killed() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else {
        return;
    };
    let cloud = over(Store::open(Path::new(&folder), chain()).unwrap());
    for number in 0.. {
        // Ten names, so that most puts let a content go.
        let name = format!("{round}.{}", number % 10);
        let said = Ask::put(&name, text(size_of(number))).stream(&cloud, 30_000);
        assert_eq!(said.status, 200);
        writeln!(std::io::stdout().lock(), "kept {name} {number}").unwrap();
    }
}

/// Starts the child, kills it once it acknowledged so many puts, and returns the last number of each name.
fn killed_under_load(folder: &Path, round: usize) -> BTreeMap<String, usize> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut kept = BTreeMap::new();
    for (said, line) in output.lines().map_while(|line| line.ok()).enumerate() {
        // The harness's own words may stand before the first one.
        if let Some((_, words)) = line.split_once("kept ")
            && let Some((name, number)) = words.split_once(' ')
        {
            kept.insert(name.to_owned(), number.parse().unwrap());
        }
        if said == 40 + 13 * round {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    kept
}

#[test]
fn every_acknowledged_object_survives_a_kill_and_no_orphan_survives_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = BTreeMap::new();
    for round in 0..3 {
        kept.extend(killed_under_load(folder.path(), round));
        let cloud = over(Store::open(folder.path(), chain()).unwrap());
        cloud.gateway.sweep().unwrap();
        let blobs = cloud.gateway.store().blobs();
        assert_eq!(files(&blobs), rows(&cloud).0, "a file for each row, and no other");
        for (name, number) in &kept {
            let body = get(&cloud, name).body;
            // The put that the kill cut off may have come to its end, unheard.
            let heard = body == text(size_of(*number)) || body == text(size_of(number + 10));
            assert!(heard, "{name} {number}");
        }
        assert!(
            std::fs::read_dir(folder.path().join("blobs/staging"))
                .unwrap()
                .next()
                .is_none()
        );
    }
    assert_eq!(kept.len(), 30);
}

/// Fails at the n-th step from now on, as a machine does that loses its disk.
#[derive(Default)]
struct Plan(AtomicUsize);

impl Plan {
    /// The next `steps` succeed.
    fn fail_after(&self, steps: usize) {
        self.0.store(steps + 1, Ordering::Relaxed);
    }

    fn heal(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn step(&self) -> Result<()> {
        let left = self.0.load(Ordering::Relaxed);
        if left > 1 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
        if left == 1 {
            let source = std::io::Error::other("the disk is gone");
            return Err(Error::engine("write", source));
        }
        Ok(())
    }
}

struct FaultyBlobs(Arc<dyn Blobs>, Arc<Plan>);

impl Blobs for FaultyBlobs {
    fn stage(&self, name: &BlobName) -> Result<Box<dyn Staged>> {
        self.1.step()?;
        Ok(Box::new(FaultyStaged(self.0.stage(name)?, Arc::clone(&self.1))))
    }
    fn open(&self, name: &BlobName) -> Result<Option<Box<dyn Blob>>> {
        self.0.open(name)
    }
    fn delete(&self, name: &BlobName) -> Result<bool> {
        self.1.step()?;
        self.0.delete(name)
    }
    fn list(&self, shard: u8) -> Result<Vec<BlobName>> {
        self.0.list(shard)
    }
    fn save(&self, folder: &Path) -> Result<()> {
        self.0.save(folder)
    }
    fn load(&self, folder: &Path) -> Result<()> {
        self.0.load(folder)
    }
}

struct FaultyStaged(Box<dyn Staged>, Arc<Plan>);

impl Staged for FaultyStaged {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.1.step()?;
        self.0.append(bytes)
    }
    fn publish(self: Box<Self>) -> Result<()> {
        self.1.step()?;
        self.0.publish()?;
        // Published, though whoever asked for it does not hear of it.
        self.1.step()
    }
}

struct FaultyEngine(Box<dyn Engine>, Arc<Plan>);

impl Engine for FaultyEngine {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.0.snapshot()
    }
    fn commit(&self, batch: &Batch) -> Result<()> {
        self.1.step()?;
        self.0.commit(batch)?;
        self.1.step()
    }
    fn recover(&self) -> Result<Version> {
        self.1.step()?;
        self.0.recover()
    }
    fn save(&self, path: &Path) -> Result<()> {
        self.0.save(path)
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
}

/// A put over an older object, that fails at each step in turn, and then a restart.
#[test]
fn a_put_that_fails_at_any_step_leaves_the_object_before_or_after_it() {
    let (old, new) = (text(LARGE - 1), text(LARGE));
    let mut refused = 0;
    for steps in 0..16 {
        let dir = tempfile::tempdir().unwrap();
        let plan = Arc::new(Plan::default());
        let engine = FaultyEngine(Store::disk_engine(dir.path()).unwrap(), Arc::clone(&plan));
        let blobs = FaultyBlobs(Store::disk_blobs(dir.path()).unwrap(), Arc::clone(&plan));
        let store = Store::with_engine_and_blobs(Box::new(engine), Arc::new(blobs), chain()).unwrap();
        let cloud = over(store);
        put(&cloud, "a", &old);
        plan.fail_after(steps);
        let said = Ask::put("a", new.clone()).stream(&cloud, 100_000);
        cloud.settle();
        refused += usize::from(said.status != 200);
        plan.heal();
        drop(cloud);
        let again = over(Store::open(dir.path(), chain()).unwrap());
        again.gateway.sweep().unwrap();
        let body = get(&again, "a").body;
        assert!(
            body == new || said.status != 200 && body == old,
            "{steps} {}",
            said.status
        );
        let blobs = again.gateway.store().blobs();
        assert_eq!((files(&blobs), rows(&again)), (1, (1, 0)), "{steps}");
    }
    assert!(refused > 5, "{refused}");
}

/// Files that are in a call's hands are not swept, and what a dead call left is.
#[test]
fn a_sweep_takes_what_nobody_holds() {
    let cloud = over(Store::memory(chain()));
    let blobs = cloud.gateway.store().blobs();
    put(&cloud, "a", &text(LARGE));
    let orphan = [9; 16];
    let mut staged = blobs.stage(&orphan).unwrap();
    staged.append(b"left behind").unwrap();
    staged.publish().unwrap();
    let held = {
        let yard = &cloud.gateway.environment.yard;
        let held = yard.hold(orphan);
        assert_eq!(cloud.gateway.sweep().unwrap(), 0);
        held
    };
    held.settle();
    drop(held);
    assert_eq!(cloud.gateway.sweep().unwrap(), 1);
    assert_eq!(files(&blobs), 1);
    assert!(get(&cloud, "a").body == text(LARGE) && stored(&cloud, "a").is_some());
    assert_eq!(Ask::new(Method::DELETE, "a").whole(&cloud).status, 204);
}
