//! A plane of instances on which nothing runs: every task is done well, and every disk is the same.

use std::sync::Arc;

use bytes::Bytes;
use pipeline::instances::{Attendant, Doing, Done, InstanceRef, Instances, Metadata, Outturn, Task};
use wire::Timestamp;

/// Does as it is told.
pub struct Idle;

impl Instances for Idle {
    fn lacks(&self) -> Option<String> {
        None
    }

    fn perform<'a>(&'a self, task: &'a Task) -> Doing<'a, Outturn> {
        Box::pin(async move {
            Ok(match task {
                Task::Stop { .. } | Task::Snapshot { .. } => Done::Disk(Bytes::from_static(b"tar")),
                Task::Start(_) | Task::Terminate { .. } | Task::Reboot { .. } => Done::Well,
            })
        })
    }

    fn console(&self, _instance_id: &str) -> Option<(Bytes, Timestamp)> {
        None
    }

    fn update(&self, _instance: &InstanceRef, _metadata: Metadata) {}

    fn forget(&self, _instance_id: &str) {}

    fn attend(&self, _attendant: Arc<dyn Attendant>) {}
}
