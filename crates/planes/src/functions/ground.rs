//! Where functions run and what shuts them in: namespaces, or else users of their own, or, only if the operator says so, nothing.
//!
//! Invariant: a function can read what the server can only where the operator allowed that.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crypto::digest;
use tokio::process::Command;
use tokio::time::timeout;

use super::family;
use super::jail::Jail;
use super::{archive, host};

/// The first of the users that a root's functions run as: a range that nobody is given.
/// Source: systemd, "Users, Groups, UIDs and GIDs on systemd Systems".
const USERS: u32 = 0x7000_0000;
/// Each server has a block of them, by its folder; its sandboxes take turns.
const BLOCK: u32 = 0x1_0000;
const BLOCKS: u32 = 0x1000;
/// Where other users can reach what the server puts there, and only root can put anything.
const PUBLIC: &str = "/var/lib";
/// Time in which a trial must end.
const TRY_TIME: Duration = Duration::from_secs(10);

const PYTHON: &str = include_str!("bootstrap/python.py");
const NODE: &str = include_str!("bootstrap/node.mjs");

/// What shuts functions in.
#[derive(Debug)]
pub(super) enum Confinement {
    Jail(Jail),
    /// A user for each sandbox, who can read none of the server's files; only for a server that is root.
    Users {
        /// The first of the server's block.
        first: u32,
        /// Why there is no jail.
        lacking: String,
    },
    /// The server's own rights.
    Nothing,
}

/// What shuts functions in, and where their folders are.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) confinement: Confinement,
    pub(super) base: PathBuf,
}

impl Confinement {
    /// The best that this host has; a sentence says why it has none. `scratch` is an existing folder.
    pub(super) async fn found(scratch: &Path) -> Result<Self, String> {
        let first = users(scratch);
        let root = is_root_of_the_host();
        match Jail::prepare(scratch, root.then_some(first)).await {
            Ok(jail) => Ok(Self::Jail(jail)),
            Err(lacking) => {
                if works_as(first).await {
                    Ok(Self::Users { first, lacking })
                } else {
                    Err(lacking)
                }
            }
        }
    }

    pub(super) const fn jail(&self) -> Option<&Jail> {
        match self {
            Self::Jail(jail) => Some(jail),
            Self::Users { .. } | Self::Nothing => None,
        }
    }

    /// The user that the sandbox with this number runs as, if not the server's.
    pub(super) fn user(&self, number: u64) -> Option<u32> {
        let first = match self {
            Self::Users { first, .. } => Some(*first),
            Self::Jail(jail) => jail.first(),
            Self::Nothing => None,
        };
        first.map(|first| first + u32::try_from(number % u64::from(BLOCK)).unwrap_or_default())
    }

    /// As whom programs must work outside of a jail, if not as the server.
    pub(super) fn user_outside(&self) -> Option<u32> {
        match self {
            Self::Users { first, .. } => Some(*first),
            Self::Jail(_) | Self::Nothing => None,
        }
    }
}

impl Ground {
    /// Lays the ground for functions of a server whose own folder for them is `folder`.
    pub(super) async fn lay(folder: &Path, unconfined: bool) -> Result<Self, String> {
        let confinement = match Confinement::found(folder).await {
            Ok(found) => found,
            Err(_) if unconfined => Confinement::Nothing,
            Err(lacking) => {
                return Err(format!(
                    "Functions cannot be shut in on this host: {lacking}, and only root can run them as other users. \
                     Start the server with --unconfined-functions to run them with its own rights."
                ));
            }
        };
        let base = match confinement {
            Confinement::Users { .. } => public(folder),
            Confinement::Jail(_) | Confinement::Nothing => folder.to_owned(),
        };
        let laid = Self { confinement, base };
        laid.make_folders().map_err(|error| error.to_string())?;
        Ok(laid)
    }

    pub(super) fn make_folders(&self) -> io::Result<()> {
        // Other users may pass through, but not look around.
        let mode = match self.confinement {
            Confinement::Users { .. } => 0o711,
            Confinement::Jail(_) | Confinement::Nothing => 0o700,
        };
        for place in ["", "codes", "sandboxes", "runtime"] {
            // A jail shows this folder itself, to another user than the server's.
            let mode = if place == "runtime" { 0o711 } else { mode };
            let place = self.base.join(place);
            DirBuilder::new().recursive(true).create(&place)?;
            fs::set_permissions(&place, Permissions::from_mode(mode))?;
        }
        self.write("python.py", PYTHON)?;
        self.write("node.mjs", NODE)
    }

    /// Writes a file that every function can read.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.base.join("runtime").join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))
    }
}

/// The folder in which other users can run what belongs to `folder`.
fn public(folder: &Path) -> PathBuf {
    let name: String = mark(folder).iter().map(|byte| format!("{byte:02x}")).collect();
    Path::new(PUBLIC).join(format!("ringwork-functions-{name}"))
}

/// The first of the users that a server with this folder runs functions as.
pub(super) fn users(folder: &Path) -> u32 {
    let [.., third, second, first] = mark(folder);
    USERS + (u32::from_be_bytes([0, third, second, first]) % BLOCKS) * BLOCK
}

/// What tells a server's folder from those of others.
fn mark(folder: &Path) -> [u8; 8] {
    let digest = digest::sha256(folder.as_os_str().as_bytes());
    digest.first_chunk().copied().unwrap_or_default()
}

/// Ends and removes all that runs or lies in a server's folder of functions, and where other users ran some.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    family::sweep(folder);
    if rustix::process::geteuid().is_root() {
        let public = public(folder);
        if public.exists() {
            let first = users(folder);
            family::sweep(&public);
            family::sweep_users(first..first + BLOCK);
            archive::remove(&public)?;
        }
    }
    archive::remove(folder)
}

/// What comes before a program so that it runs as another user, of no group and with nothing to gain.
pub(super) fn as_user(user: u32) -> [OsString; 6] {
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

/// Whether the server is root outside of any namespace of users. There, root's files are to be kept from functions, and all users are there.
/// In a namespace of users root is somebody else outside, and functions get one more of these namespaces.
fn is_root_of_the_host() -> bool {
    let mapped = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let all = ["0", "0", "4294967295"];
    rustix::process::geteuid().is_root() && mapped.split_ascii_whitespace().eq(all)
}

/// Whether processes can be started as this user.
async fn works_as(user: u32) -> bool {
    if !rustix::process::geteuid().is_root() {
        return false;
    }
    let tried = Command::new("/usr/bin/env")
        .args(as_user(user))
        .args(["/bin/sh", "-c", "id -u"])
        .env_clear()
        .env("PATH", host::tools_path())
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = timeout(TRY_TIME, tried).await;
    let told = format!("{user}\n").into_bytes();
    answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.stdout == told))
}
