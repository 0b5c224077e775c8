//! Who seals and digests the bodies that arrive: no more at a time than there are cores, and whoever came first goes first.
//!
//! If all of many uploads went on at once, all would come to their flush at once: the cores would wait for the disk, and then the disk
//! for the cores. In their order, one is flushed while the next is sealed.
//!
//! Invariant: an upload keeps its turn for [`TURN_BYTES`] and then takes a new one, behind everybody who waits: a long one holds up
//! nobody, and nobody waits for ever. Who waits for its client is not in the queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// Bytes of a body that go through in one turn.
const TURN_BYTES: u64 = 8 << 20;

type Task = Box<dyn FnOnce() + Send>;

/// Work that waits. The oldest turn is the greatest.
struct Waiting {
    turn: Reverse<u64>,
    task: Task,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.turn == other.turn
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.turn.cmp(&other.turn)
    }
}

#[derive(Default)]
struct Queue {
    working: usize,
    waiting: BinaryHeap<Waiting>,
}

/// The workers of one store.
pub(super) struct Workers {
    most: usize,
    turns: AtomicU64,
    queue: Mutex<Queue>,
}

impl Workers {
    /// As many as there are cores.
    pub(super) fn new() -> Arc<Self> {
        Self::of(std::thread::available_parallelism().map_or(1, usize::from))
    }

    pub(super) fn of(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            turns: AtomicU64::new(0),
            queue: Mutex::default(),
        })
    }

    /// The turns of one body.
    pub(super) fn turns(self: &Arc<Self>) -> Turns {
        Turns {
            workers: Arc::clone(self),
            turn: self.turns.fetch_add(1, Ordering::Relaxed),
            bytes: 0,
        }
    }

    /// Whether there is more work than workers.
    fn is_crowded(&self) -> bool {
        !self.queue.lock().waiting.is_empty()
    }

    fn add(self: &Arc<Self>, turn: u64, task: Task) {
        let mut queue = self.queue.lock();
        if queue.working >= self.most {
            queue.waiting.push(Waiting {
                turn: Reverse(turn),
                task,
            });
            return;
        }
        queue.working += 1;
        drop(queue);
        self.work(task);
    }

    /// Works until nothing waits.
    fn work(self: &Arc<Self>, first: Task) {
        let place = Place(Arc::clone(self));
        spawn_blocking(move || {
            let mut next = Some(first);
            while let Some(task) = next {
                task();
                next = place.0.queue.lock().waiting.pop().map(|waiting| waiting.task);
            }
        });
    }
}

/// One worker's place, given back however it ends.
struct Place(Arc<Workers>);

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        // Something came since it looked, or its task broke: another takes the place.
        match queue.waiting.pop() {
            Some(waiting) if tokio::runtime::Handle::try_current().is_ok() => {
                drop(queue);
                self.0.work(waiting.task);
            }
            _ => queue.working = queue.working.saturating_sub(1),
        }
    }
}

/// When the work on one body comes in.
pub(super) struct Turns {
    workers: Arc<Workers>,
    turn: u64,
    bytes: u64,
}

impl Turns {
    /// Tells of bytes that are about to be worked on.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes > TURN_BYTES {
            self.bytes = bytes as u64;
            self.turn = self.workers.turns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether others wait: then work is better done in one piece than by two workers.
    pub(super) fn is_crowded(&self) -> bool {
        self.workers.is_crowded()
    }

    /// Has `work` done on a thread that may block, when its turn has come.
    pub(super) fn add<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (done, result) = oneshot::channel();
        let task = move || {
            // Nobody waits for it if the call was given up.
            let _given_up = done.send(work());
        };
        self.workers.add(self.turn, Box::new(task));
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn wait<R>(runtime: &tokio::runtime::Runtime, result: oneshot::Receiver<R>) -> R {
        runtime.block_on(result).unwrap()
    }

    #[test]
    fn who_came_first_goes_first_and_a_long_one_goes_behind_after_its_turn() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        let workers = Workers::of(1);
        let (mut old, mut new) = (workers.turns(), workers.turns());
        let (go, gate) = mpsc::channel::<()>();
        let (done, order) = mpsc::channel();
        let busy = old.add(move || gate.recv().unwrap());
        let say = |text: &'static str| {
            let done = done.clone();
            move || done.send(text).unwrap()
        };
        new.count(1);
        let _new = new.add(say("new"));
        assert!(old.is_crowded());
        old.count(8 << 20);
        let _old = old.add(say("old"));
        old.count(1);
        let last = old.add(say("old again"));
        go.send(()).unwrap();
        wait(&runtime, busy);
        wait(&runtime, last);
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["old", "new", "old again"]);
        assert!(!old.is_crowded());
    }

    #[test]
    fn a_task_that_breaks_costs_no_worker() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        let workers = Workers::of(1);
        let turns = workers.turns();
        for _ in 0..3 {
            let broken = turns.add(|| panic!("a bug"));
            let sound = turns.add(|| 7);
            assert!(runtime.block_on(broken).is_err());
            assert_eq!(wait(&runtime, sound), 7);
        }
    }
}
