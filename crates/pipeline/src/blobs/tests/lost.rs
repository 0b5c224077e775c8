//! A client that goes away while its call is being made durable: what was stored then stays whole.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use store::{Batch, Engine, Result, Snapshot, Store, Version};
use tokio::sync::Notify;

use super::rig::{Ask, chain, files, over, stored, text};
use super::{LARGE, blobs, get, put};

/// A gate before the engine's commits.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
    /// A commit stands before it.
    reached: Notify,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut shut = self.shut.lock().unwrap();
        if *shut {
            self.reached.notify_one();
        }
        while *shut {
            shut = self.opened.wait(shut).unwrap();
        }
    }
}

struct Gated(Box<dyn Engine>, Arc<Gate>);

impl Engine for Gated {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.0.snapshot()
    }
    fn commit(&self, batch: &Batch) -> Result<()> {
        self.1.pass();
        self.0.commit(batch)
    }
    fn recover(&self) -> Result<Version> {
        self.0.recover()
    }
    fn save(&self, path: &Path) -> Result<()> {
        self.0.save(path)
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
}

#[test]
fn a_client_that_is_lost_during_the_commit_takes_nothing_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let engine = Gated(Store::disk_engine(dir.path()).unwrap(), Arc::clone(&gate));
    let contents = Store::disk_blobs(dir.path()).unwrap();
    let cloud = over(Store::with_engine_and_blobs(Box::new(engine), contents, chain()).unwrap());
    put(&cloud, "a", &text(LARGE - 1));
    gate.set(true);
    let request = Ask::put("a", text(LARGE)).request();
    cloud.wait(async {
        tokio::select! {
            biased;
            () = gate.reached.notified() => {}
            _ = cloud.gateway.serve(request) => panic!("it was answered before it was durable"),
        }
    });
    // The call's future is gone; its commit is not.
    gate.set(false);
    for _ in 0..2000 {
        if stored(&cloud, "a").is_some_and(|stored| stored.source().size() == LARGE as u64) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    cloud.settle();
    assert!(
        get(&cloud, "a").body == text(LARGE),
        "the row names a content that is there"
    );
    cloud.gateway.sweep().unwrap();
    assert!(get(&cloud, "a").body == text(LARGE));
    assert_eq!(files(&blobs(&cloud)), 1, "the older content goes with the sweep");
}
