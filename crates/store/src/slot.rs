//! The place where a waiting caller finds what became of its commit, awaited or blocked upon. Every slot is answered: one
//! whose ticket is dropped says that the store is closed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

use crate::{Error, Result, Version};

/// A commit that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The transaction's own version; for one that neither wrote nor appended, the version of its snapshot.
    pub version: Version,
    /// The sequence number that each append received in its stream, in the order in which they were given.
    pub sequences: Vec<u64>,
}

#[derive(Default)]
struct State {
    result: Option<Result<Committed>>,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    answered: Condvar,
}

/// A commit under way; it goes on whether or not it is awaited.
#[must_use = "a commit is durable only once this is resolved"]
pub struct Commit {
    slot: Arc<Slot>,
}

impl Commit {
    pub(crate) fn ready(result: Result<Committed>) -> Commit {
        let (ticket, commit) = pair();
        ticket.answer(result);
        commit
    }

    /// Blocks this thread until the commit is durable or refused. Not for asynchronous code.
    ///
    /// # Errors
    /// [`Error::Conflict`] asks for another run; every other error means that nothing was kept.
    pub fn wait(self) -> Result<Committed> {
        let mut state = self.slot.state.lock();
        loop {
            if let Some(result) = state.result.take() {
                return result;
            }
            self.slot.answered.wait(&mut state);
        }
    }
}

impl Future for Commit {
    type Output = Result<Committed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.state.lock();
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

/// The duty to answer one commit.
pub(crate) struct Ticket {
    slot: Option<Arc<Slot>>,
}

pub(crate) fn pair() -> (Ticket, Commit) {
    let slot = Arc::new(Slot::default());
    (
        Ticket {
            slot: Some(Arc::clone(&slot)),
        },
        Commit { slot },
    )
}

impl Ticket {
    pub(crate) fn answer(mut self, result: Result<Committed>) {
        self.put(result);
    }

    fn put(&mut self, result: Result<Committed>) {
        let Some(slot) = self.slot.take() else { return };
        let waker = {
            let mut state = slot.state.lock();
            state.result = Some(result);
            state.waker.take()
        };
        slot.answered.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.put(Err(Error::Closed));
    }
}
