//! What this process lets others see of its memory, which holds keys: no core file, no debugger of the same user, no swap.
//!
//! Invariant: the server does not start where core files cannot be forbidden.

use std::path::Path;

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::error::Error;

/// Shields the process. Tells whether its memory is locked against swapping.
pub(crate) fn shield() -> Result<bool, Error> {
    let forbidden = |what: &str, error: rustix::io::Errno| Error::Usage(format!("cannot {what}: {error}"));
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none)
        .map_err(|error| forbidden("forbid core files", error))?;
    // A process that cannot be dumped belongs to root as far as /proc and debuggers are concerned.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| forbidden("forbid debuggers", error))?;
    Ok(lock())
}

/// Locks every page as it is touched, where the process may lock as much as it will ever need: under a limit it would have to
/// end in the midst of its work.
fn lock() -> bool {
    let unlimited = rustix::process::getrlimit(Resource::Memlock).current.is_none();
    if !unlimited && !rustix::process::geteuid().is_root() {
        return false;
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    rustix::mm::mlockall(all).is_ok()
}

/// Whether the machine has anywhere to swap to; `true` where that cannot be told.
pub(crate) fn swaps() -> bool {
    // A heading, and a line for each device.
    std::fs::read_to_string(Path::new("/proc/swaps")).map_or(true, |text| text.lines().count() > 1)
}
