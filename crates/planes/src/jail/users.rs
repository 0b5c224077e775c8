//! The users that run what is shut in, for a server that is root: none of them is anybody's.
//!
//! Invariant: functions and instances never share a user.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crypto::digest;

/// The first of the users that functions run as, within a range that nobody is given.
/// Source: systemd, "Users, Groups, UIDs and GIDs on systemd Systems".
pub(crate) const FUNCTIONS: u32 = 0x7000_0000;
/// The first of the users that instances run as.
pub(crate) const INSTANCES: u32 = 0x7800_0000;
/// Each server has a block of them, by its folder; what it runs takes turns.
pub(crate) const BLOCK: u32 = 0x1_0000;
const BLOCKS: u32 = 0x800;

/// The first of the users that a server with this folder has, `from` those for functions or for instances.
pub(crate) fn first(from: u32, folder: &Path) -> u32 {
    let [.., third, second, first] = mark(folder);
    from + (u32::from_be_bytes([0, third, second, first]) % BLOCKS) * BLOCK
}

/// What tells a server's folder from those of others.
pub(crate) fn mark(folder: &Path) -> [u8; 8] {
    let digest = digest::sha256(folder.as_os_str().as_bytes());
    digest.first_chunk().copied().unwrap_or_default()
}

/// What comes before a program so that it runs as another user, of no group and with nothing to gain.
pub(crate) fn as_user(user: u32) -> [OsString; 6] {
    let words = [
        "setpriv",
        &format!("--reuid={user}"),
        &format!("--regid={user}"),
        "--clear-groups",
        "--no-new-privs",
        "--",
    ];
    words.map(OsString::from)
}

/// Whether the server is root outside of any namespace of users. There, root's files are to be kept from what is shut in, and all users
/// are there. In a namespace of users root is somebody else outside, and what is shut in gets one more of these namespaces.
pub(crate) fn is_root_of_the_host() -> bool {
    let mapped = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let all = ["0", "0", "4294967295"];
    rustix::process::geteuid().is_root() && mapped.split_ascii_whitespace().eq(all)
}
