//! A view of the host for functions alone: namespaces of Linux, built by the system's own tools, where the host has and allows them.
//!
//! Inside, a function sees the system's programs, its code in `/var/task`, its layers in `/opt`, its temporary folder as `/tmp`, and processes of its own.
//! It does not see the data folder, other sandboxes or other processes. The network is the host's.
//!
//! A server that is root builds it as root, and what runs in it is a user of its own, whom nothing on the host belongs to. Any other server
//! builds it in a namespace of users, in which the function is root and outside of which it is the server's user.
//!
//! Invariant: a jail is used only after a process ran in one; nothing of a function is ever root of the host.
//!
//! Source: namespaces(7), unshare(1), pivot_root(8), setpriv(1).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::process::Places;
use crate::jail::tools_path;

/// The script that builds the view.
const SCRIPT: &str = concat!(include_str!("../jail/system.sh"), include_str!("jail.sh"));
/// Time in which a jail must be built, when it is tried.
const TRY_TIME: Duration = Duration::from_secs(10);
/// For a server that is root: nobody is mapped, and who builds the view is not who runs in it.
const UNSHARE: [&str; 7] = [
    "unshare",
    "--mount",
    "--pid",
    "--ipc",
    "--fork",
    "--kill-child",
    "--",
];
/// For any other: only a namespace of users lets it mount anything.
const UNSHARE_USERS: [&str; 9] = [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--ipc",
    "--fork",
    "--kill-child",
    "--",
];

/// Namespaces work on this host.
#[derive(Debug)]
pub(super) struct Jail {
    script: PathBuf,
    /// The first of the users that functions run as; `None` if they are the server's user outside.
    first: Option<u32>,
}

impl Jail {
    /// Tries to run a process in a jail below `folder`, as the user `first`, if the server is root; a sentence says why it does not work.
    pub(super) async fn prepare(folder: &Path, first: Option<u32>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("namespaces cannot be tried: {error}");
        let script = folder.join("jail.sh");
        std::fs::write(&script, SCRIPT).map_err(failed)?;
        let jail = Self { script, first };
        let trial = folder.join("trial");
        let places = Places {
            tmp: trial.join("tmp"),
            code: trial.join("code"),
            layers: None,
            runtime: trial.join("runtime"),
            folder: trial.clone(),
        };
        for place in [&places.tmp, &places.code, &places.runtime, &trial.join("root")] {
            std::fs::create_dir_all(place).map_err(failed)?;
        }
        let prefix = jail.prefix(&places, Path::new(""), first);
        let mut words = prefix.into_iter();
        let Some(program) = words.next() else {
            return Err("namespaces cannot be tried".to_owned());
        };
        let tried = Command::new(program)
            .args(words)
            .args([
                "/bin/sh",
                "-c",
                "test ! -e /old/usr && test -d /var/task && id -u",
            ])
            .env_clear()
            .env("PATH", tools_path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let answer = timeout(TRY_TIME, tried).await;
        let user = format!("{}\n", first.unwrap_or_default());
        let _ = std::fs::remove_dir_all(&trial);
        match answer {
            Ok(Ok(answer)) if answer.status.success() && answer.stdout == user.as_bytes() => Ok(jail),
            Ok(Ok(answer)) => {
                let words = String::from_utf8_lossy(&answer.stderr);
                let last = words
                    .trim()
                    .lines()
                    .last()
                    .unwrap_or("no reason given")
                    .to_owned();
                Err(format!("namespaces are not allowed here ({last})"))
            }
            Ok(Err(error)) => Err(format!("unshare(1) cannot be run: {error}")),
            Err(_) => Err("namespaces could not be made in time".to_owned()),
        }
    }

    /// The first of the users that functions run as, if they are others than the server's.
    pub(super) const fn first(&self) -> Option<u32> {
        self.first
    }

    /// What comes before a program so that it runs in a jail, as `user` if that is not the server's, where `shown` can be read besides.
    pub(super) fn prefix(&self, places: &Places, shown: &Path, user: Option<u32>) -> Vec<OsString> {
        let unshare: &[&str] = match user {
            Some(_) => &UNSHARE,
            None => &UNSHARE_USERS,
        };
        let mut words: Vec<OsString> = unshare.iter().map(OsString::from).collect();
        words.push("/bin/sh".into());
        words.push(self.script.clone().into());
        words.push(places.folder.join("root").into());
        words.push(places.code.clone().into());
        words.push(places.runtime.clone().into());
        words.push(places.tmp.clone().into());
        words.push(places.layers.clone().unwrap_or_default().into());
        let system = ["", "/usr", "/bin", "/lib"].map(Path::new);
        let shown = if system.contains(&shown) {
            Path::new("")
        } else {
            shown
        };
        words.push(shown.into());
        words.push(user.map(|user| user.to_string()).unwrap_or_default().into());
        words
    }
}
