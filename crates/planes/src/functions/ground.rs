//! Where functions run and what shuts them in: namespaces, or else users of their own, or, only if the operator says so, nothing.
//!
//! Invariant: a function can read what the server can only where the operator allowed that.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::jail::Jail;
use crate::jail::{self, family, tools_path, users};

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
        let first = users::first(users::FUNCTIONS, scratch);
        let root = users::is_root_of_the_host();
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
        first.map(|first| first + u32::try_from(number % u64::from(users::BLOCK)).unwrap_or_default())
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
    let name: String = users::mark(folder)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Path::new(PUBLIC).join(format!("ringwork-functions-{name}"))
}

/// Ends and removes all that runs or lies in a server's folder of functions, and where other users ran some.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    family::sweep(folder);
    if rustix::process::geteuid().is_root() {
        let public = public(folder);
        if public.exists() {
            let first = users::first(users::FUNCTIONS, folder);
            family::sweep(&public);
            family::sweep_users(first..first + users::BLOCK);
            jail::remove(&public)?;
        }
    }
    jail::remove(folder)
}

/// Whether processes can be started as this user.
async fn works_as(user: u32) -> bool {
    if !rustix::process::geteuid().is_root() {
        return false;
    }
    let tried = Command::new("/usr/bin/env")
        .args(users::as_user(user))
        .args(["/bin/sh", "-c", "id -u"])
        .env_clear()
        .env("PATH", tools_path())
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = timeout(TRY_TIME, tried).await;
    let told = format!("{user}\n").into_bytes();
    answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.stdout == told))
}
