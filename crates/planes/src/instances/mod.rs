//! The runner of EC2 instances: process trees of this host, each in namespaces of its own, with a disk, a metadata service and a way to
//! the server of their own and no other way out.
//!
//! `runner` takes tasks, `machine` is one instance and `boot` one run of it, `life` what goes on meanwhile; `view` is what an instance sees,
//! `disk` what it keeps, `link` how it is spoken to, `metadata` what it may ask for; `agent` runs inside, as the first process.
//!
//! Invariant: what runs in an instance is gone when the server has stopped or was killed; disks stay until somebody is done with them.
//!
//! Source: Amazon EC2 User Guide, "Instance lifecycle", "Use instance metadata to manage your EC2 instance".

mod agent;
mod boot;
mod console;
mod disk;
mod life;
mod link;
mod machine;
mod metadata;
mod quota;
mod runner;
#[cfg(test)]
mod tests;
mod view;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pipeline::instances::{Attendant, Doing, InstanceRef, Instances, Metadata, Outturn, Task};
use wire::Timestamp;

pub use self::agent::run as run_agent;
use self::runner::Runner;
use crate::functions::Endpoint;
use crate::origins::Origins;

/// What runs as the first process of an instance: a program that calls [`run_agent`].
#[derive(Clone, Debug)]
pub struct Agent {
    /// A file of this host. Instances can read it.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// Runs instances in processes of this host.
pub struct Machines(Arc<Runner>);

impl Machines {
    /// Begins in `folder`, which is the runner's own: what a killed server left running there ends, the disks stay.
    ///
    /// # Errors
    /// The folder's.
    pub fn open(folder: &Path, agent: Agent) -> io::Result<Self> {
        Runner::open(folder, agent).map(|runner| Self(Arc::new(runner)))
    }

    /// Tells the instances that start from now on where this Ringwork is.
    pub fn serve_at(&self, endpoint: Endpoint) {
        self.0.serve_at(endpoint);
    }

    /// Whose the connections to this Ringwork are that instances make.
    #[must_use]
    pub fn origins(&self) -> Origins {
        self.0.origins.clone()
    }

    /// Ends what runs in all instances, in an orderly way as far as there is time. The disks stay.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

impl Instances for Machines {
    fn lacks(&self) -> Option<String> {
        self.0.lacks()
    }

    fn perform<'a>(&'a self, task: &'a Task) -> Doing<'a, Outturn> {
        Box::pin(self.0.perform(task))
    }

    fn console(&self, instance_id: &str) -> Option<(Bytes, Timestamp)> {
        self.0.console(instance_id)
    }

    fn update(&self, instance: &InstanceRef, metadata: Metadata) {
        self.0.update(instance, metadata);
    }

    fn settled(&self, instance: &InstanceRef) {
        self.0.settled(instance);
    }

    fn forget(&self, instance_id: &str) {
        self.0.forget(instance_id);
    }

    fn attend(&self, attendant: Arc<dyn Attendant>) {
        self.0.attend(attendant);
    }
}

/// How this host would shut instances in, or what it lacks, for `ringwork doctor`. `scratch` is an existing folder of the caller's.
///
/// # Errors
/// A sentence about what is lacking.
pub fn inspect(scratch: &Path, agent: Agent) -> Result<String, String> {
    view::View::found(scratch, agent).map(|view| {
        if view.user(0).is_some() {
            "each instance in namespaces of its own, network included, as a user of its own".to_owned()
        } else {
            "each instance in namespaces of its own, network included, as the server's user outside of them"
                .to_owned()
        }
    })
}
