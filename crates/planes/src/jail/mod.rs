//! What all that is shut in on this host shares: its users, its processes, the system's part of what it sees.
//!
//! Invariant: nothing here lets anything out; what shuts a thing in is decided where the thing is run.

pub(crate) mod family;
pub(crate) mod users;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// Waits for a line, then becomes what the arguments say: so that limits hold before anything else runs.
pub(crate) const WAIT: &str = r#"read -r go || exit 1; umask 077; exec "$@""#;
/// Where the programs of a system are.
pub(crate) const FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// `PATH` of a sandbox.
pub(crate) fn search_path() -> OsString {
    OsString::from(FOLDERS.join(":"))
}

/// The same with the folders of tools for the system's administrator.
pub(crate) fn tools_path() -> OsString {
    let mut path = search_path();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    path
}

/// Bounds what a process and those that it starts may take.
pub(crate) fn limit(pid: Pid, limits: &[(Resource, u64)]) -> io::Result<()> {
    for (resource, most) in limits {
        let wanted = Rlimit {
            current: Some(*most),
            maximum: Some(*most),
        };
        prlimit(Some(pid), *resource, wanted)?;
    }
    Ok(())
}

/// Removes a folder, whatever the modes of what is in it.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(facts) if facts.is_dir() => {}
        Ok(_) => return fs::remove_file(folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    if rustix::process::geteuid().is_root() {
        // Modes do not matter, and other users may have a hand in it.
        return fs::remove_dir_all(folder);
    }
    // Not through a link: what was looked at is a folder.
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        remove(&entry?.path())?;
    }
    fs::remove_dir(folder)
}
