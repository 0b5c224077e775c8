//! The runner of instances, as this server starts it, and this binary as the first process of one.
//!
//! Invariant: the binary is an instance's first process only where a view of an instance is all that it sees.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use planes::instances::{Agent, Machines};

use crate::error::Error;
use crate::folder::Folder;

/// The word that makes the binary an instance's first process. It is none of the commands that people give.
const AGENT: &str = "instance-agent";

pub(crate) fn open(folder: &Folder) -> Result<Arc<Machines>, Error> {
    let place = folder.instances();
    let opened = Machines::open(&place, agent());
    opened.map(Arc::new).map_err(|source| Error::File {
        doing: "prepare the folder of instances",
        path: place,
        source,
    })
}

/// This binary, by the path that it was started from.
pub(crate) fn agent() -> Agent {
    Agent {
        program: std::env::current_exe().unwrap_or_else(|_| PathBuf::new()),
        arguments: vec![AGENT.into()],
    }
}

/// Runs as an instance's first process, if that was asked for.
pub(crate) fn asked_for() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let asked = words.next().is_some_and(|word| word == AGENT) && words.next().is_none();
    asked.then(planes::instances::run_agent)
}
