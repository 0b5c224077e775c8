//! One instance: where it has its things, what it said, and its present run if there is one.
//!
//! Invariant: who holds an instance's turn is the only one to start or end anything in it.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use pipeline::instances::{Failure, InstanceRef, Launch};
use tokio::sync::{mpsc, watch};

use super::console::Console;
use super::disk::Places;
use super::metadata::Service;
use super::quota::Base;

pub(super) struct Machine {
    pub(super) places: Places,
    /// As whom it runs outside, if not as the server.
    pub(super) user: Option<u32>,
    pub(super) console: Mutex<Option<Console>>,
    /// Of the present run.
    pub(super) service: Mutex<Option<Arc<Service>>>,
    /// What its disk held when it was started last.
    pub(super) base: Mutex<Option<Base>>,
    pub(super) turn: tokio::sync::Mutex<Option<Run>>,
}

/// A run, which may have ended by itself.
pub(super) struct Run {
    /// Without its disk.
    pub(super) launch: Arc<Launch>,
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) ended: watch::Receiver<bool>,
}

/// What the task of a run is told. Either way nobody hears that it ended by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Shut down, with a time to do so.
    Stop,
    Kill,
}

impl Machine {
    pub(super) fn new(folder: &Path, id: &str, user: Option<u32>) -> Self {
        Self {
            places: Places::at(folder.join(id)),
            user,
            console: Mutex::default(),
            service: Mutex::default(),
            base: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn wrote(&self, bytes: &[u8]) {
        if let Some(console) = self.console.lock().as_mut() {
            console.wrote(bytes);
        }
    }
}

impl Run {
    pub(super) fn is_of(&self, instance: &InstanceRef) -> bool {
        self.launch.instance == *instance
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Ends it, and waits until nothing of it runs.
    pub(super) async fn end(&mut self, order: Order) {
        let _ = self.orders.send(order);
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

/// Whether a text may be the name of a folder here.
pub(super) fn is_id(id: &str) -> bool {
    let digits = id.strip_prefix("i-");
    digits.is_some_and(|digits| {
        (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

pub(super) fn unable(what: String) -> Failure {
    Failure::Unable { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_an_instance_id_names_a_folder() {
        assert!(is_id("i-0123456789abcdef0"));
        for wrong in [
            "",
            "i-",
            "i-..",
            "i-0123456789abcdef01",
            "../i-0123456789abcdef0",
            "i-0123456789abcde/0",
        ] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }
}
