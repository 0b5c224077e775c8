//! A view of the host for functions alone: namespaces of Linux, built by the system's own tools, where the host has and allows them.
//!
//! Inside, a function sees the system's programs, its code in `/var/task`, its temporary folder as `/tmp`, and processes of its own.
//! It does not see the data folder, other sandboxes or other processes. The network is the host's.
//!
//! Invariant: a jail is used only after a process ran in one.
//!
//! Source: namespaces(7), unshare(1), pivot_root(8), setpriv(1).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::host::tools_path;
use super::process::Places;

/// The script that builds the view.
const SCRIPT: &str = include_str!("jail.sh");
/// Time in which a jail must be built, when it is tried.
const TRY_TIME: Duration = Duration::from_secs(10);
const UNSHARE: [&str; 9] = [
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
}

impl Jail {
    /// Tries to run a process in a jail below `folder`; a sentence says why it does not work.
    pub(super) async fn prepare(folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("namespaces cannot be tried: {error}");
        let script = folder.join("jail.sh");
        std::fs::write(&script, SCRIPT).map_err(failed)?;
        let jail = Self { script };
        let trial = folder.join("trial");
        let places = Places {
            tmp: trial.join("tmp"),
            code: trial.join("code"),
            runtime: trial.join("runtime"),
            folder: trial.clone(),
        };
        for place in [&places.tmp, &places.code, &places.runtime, &trial.join("root")] {
            std::fs::create_dir_all(place).map_err(failed)?;
        }
        let prefix = jail.prefix(&places, Path::new(""));
        let mut words = prefix.into_iter();
        let Some(program) = words.next() else {
            return Err("namespaces cannot be tried".to_owned());
        };
        let tried = Command::new(program)
            .args(words)
            .args([
                "/bin/sh",
                "-c",
                "test ! -e /old/usr && test -d /var/task && echo works",
            ])
            .env_clear()
            .env("PATH", tools_path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let answer = timeout(TRY_TIME, tried).await;
        let _ = std::fs::remove_dir_all(&trial);
        match answer {
            Ok(Ok(answer)) if answer.status.success() && answer.stdout == b"works\n" => Ok(jail),
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

    /// What comes before a program so that it runs in a jail, where `shown` can be read besides.
    pub(super) fn prefix(&self, places: &Places, shown: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = UNSHARE.map(OsString::from).to_vec();
        words.push("/bin/sh".into());
        words.push(self.script.clone().into());
        words.push(places.folder.join("root").into());
        words.push(places.code.clone().into());
        words.push(places.runtime.clone().into());
        words.push(places.tmp.clone().into());
        let system = ["", "/usr", "/bin", "/lib"].map(Path::new);
        let shown = if system.contains(&shown) {
            Path::new("")
        } else {
            shown
        };
        words.push(shown.into());
        words
    }
}
