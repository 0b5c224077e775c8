//! What an instance sees of this host: the system's programs read-only, a disk of its own, its own processes, a network with nobody else.
//!
//! A server that is root runs each instance as a user of its own, whom nothing on the host belongs to and who is called root inside. Any
//! other server needs a namespace of users to build the view in; the instance's root is the server's user outside.
//!
//! Invariants: what an instance left on its disk is looked at only from inside the view, so that no link on it leads anywhere else. No
//! program that may do more than the instance's own sees the disk's `/etc`, which could have it load a library of the instance's.
//!
//! Source: namespaces(7), unshare(1), pivot_root(8), setpriv(1), ip-address(8).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Agent;
use super::disk::Places;
use crate::jail::{self, tools_path, users};

const SCRIPT: &str = concat!(include_str!("../jail/system.sh"), include_str!("view.sh"));
/// For a server that is root; it gives the view away to another user last.
const UNSHARE: [&str; 9] = [
    "unshare",
    "--mount",
    "--pid",
    "--ipc",
    "--uts",
    "--net",
    "--fork",
    "--kill-child",
    "--",
];
/// For any other: only a namespace of users lets it mount anything.
const UNSHARE_USERS: [&str; 11] = [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--ipc",
    "--uts",
    "--net",
    "--fork",
    "--kill-child",
    "--",
];
/// What views and disks are made with, and the packages that have it.
const TOOLS: [(&str, &str); 7] = [
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("mount", "util-linux or mount"),
    ("pivot_root", "util-linux"),
    ("ip", "iproute2"),
    ("mkfifo", "coreutils"),
    ("tar", "tar"),
];
/// Time in which a view must be built, when it is tried.
const TRY_TIME: Duration = Duration::from_secs(20);

/// Views can be built here.
#[derive(Debug)]
pub(super) struct View {
    script: PathBuf,
    pub(super) agent: Agent,
    /// The first of the users that instances run as; `None` if they are the server's user outside.
    first: Option<u32>,
}

/// What goes on in a view.
pub(super) enum Network<'a> {
    /// It can be spoken to by its links alone, and reaches the server at an address besides those of every machine.
    Linked(Option<&'a str>),
    Nothing,
}

impl View {
    /// Tries to run a process in a view below `folder`, and blocks meanwhile; a sentence says why it does not work.
    pub(super) fn found(folder: &Path, agent: Agent) -> Result<Self, String> {
        let path = tools_path();
        let has = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).exists());
        if let Some((tool, package)) = TOOLS.iter().find(|(tool, _)| !has(tool)) {
            return Err(format!(
                "this host has no {tool}, which is in the package {package}"
            ));
        }
        if !agent.program.is_file() {
            return Err("the server's own program is not where it was when it started".to_owned());
        }
        let script = folder.join("view.sh");
        let failed = |error: io::Error| format!("namespaces cannot be tried: {error}");
        fs::write(&script, SCRIPT).map_err(failed)?;
        let root = users::is_root_of_the_host();
        let view = Self {
            script,
            agent,
            first: root.then(|| users::first(users::INSTANCES, folder)),
        };
        let trial = Places::at(folder.join("trial"));
        let tried = view.try_in(&trial);
        let _ = jail::remove(&trial.folder);
        tried.map(|()| view)
    }

    fn try_in(&self, trial: &Places) -> Result<(), String> {
        let failed = |error: io::Error| format!("namespaces cannot be tried: {error}");
        let user = self.user(0);
        jail::remove(&trial.folder)
            .and_then(|()| trial.make(user))
            .map_err(failed)?;
        let asks = "test -x /.instance/agent || { echo 'its own program may not be run by other users' >&2; exit 1; }; \
                    test ! -e /old/usr && test -w /root && id -u";
        let program = ["/bin/sh", "-c", asks].map(OsString::from);
        let words = self.words(trial, user, "trial", &Network::Linked(None), program);
        let mut words = words.into_iter();
        let mut child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .env_clear()
            .env("PATH", tools_path())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare(1) cannot be run: {error}"))?;
        let end = Instant::now() + TRY_TIME;
        while child.try_wait().map_err(failed)?.is_none() {
            if Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                return Err("namespaces could not be made in time".to_owned());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let answer = child.wait_with_output().map_err(failed)?;
        if answer.status.success() && answer.stdout == b"0\n" {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&answer.stderr);
        let last = words.trim().lines().last().unwrap_or("no reason given");
        Err(format!("namespaces cannot be used here ({last})"))
    }

    /// The user with this number, if instances are others than the server's.
    pub(super) fn user(&self, number: u32) -> Option<u32> {
        self.first.map(|first| first + number % users::BLOCK)
    }

    /// The words that run a program in a view of a disk.
    pub(super) fn words(
        &self,
        places: &Places,
        user: Option<u32>,
        name: &str,
        network: &Network<'_>,
        program: impl IntoIterator<Item = OsString>,
    ) -> Vec<OsString> {
        let unshare: &[&str] = match user {
            Some(_) => &UNSHARE,
            None => &UNSHARE_USERS,
        };
        let address = match network {
            Network::Linked(address) => address.unwrap_or_default(),
            Network::Nothing => "off",
        };
        let user = user.map(|user| user.to_string()).unwrap_or_default();
        let own: [&OsStr; 9] = [
            "/bin/sh".as_ref(),
            self.script.as_ref(),
            places.root.as_ref(),
            places.disk.as_ref(),
            places.link.as_ref(),
            self.agent.program.as_ref(),
            user.as_ref(),
            name.as_ref(),
            address.as_ref(),
        ];
        let mut words: Vec<OsString> = unshare.iter().map(OsString::from).collect();
        words.extend(own.map(OsString::from));
        words.extend(program);
        words
    }

    /// The agent, as the view shows it.
    pub(super) fn agent(&self) -> impl Iterator<Item = OsString> + use<> {
        let arguments = self.agent.arguments.clone();
        std::iter::once("/.instance/agent".into()).chain(arguments)
    }
}
