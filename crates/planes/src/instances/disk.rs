//! The disk of an instance: a few folders, in clear while it runs, a tar of them when it does not.
//!
//! Both directions are done by the system's `tar` inside a view of the disk, as the instance's own user: what the instance left there
//! (links, odd names, folders that become links meanwhile) can lead nowhere else, and nothing of it is loaded or run.
//!
//! Invariant: a tar that is taken is no longer than `DISK_BYTES_MAX`; nobody but the server's user and the instance's reads a disk.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use pipeline::instances::{DISK_BYTES_MAX, Failure};
use rustix::process::{Pid, Resource};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::view::{Network, View};
use crate::jail::family::MARK;
use crate::jail::{self, WAIT, tools_path};

/// What an instance keeps, with the modes that the folders begin with.
const FOLDERS: [(&str, u32); 7] = [
    ("etc", 0o755),
    ("home", 0o755),
    ("opt", 0o755),
    ("root", 0o700),
    ("srv", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
];
/// Bytes of what `tar` says that are kept.
const WORDS_MAX: u64 = 4096;

/// Where an instance has its things on this host.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The instance's own; everything below it goes with it.
    pub(super) folder: PathBuf,
    pub(super) disk: PathBuf,
    /// Stays empty: what a view is mounted on.
    pub(super) root: PathBuf,
    /// Its sockets.
    pub(super) link: PathBuf,
}

impl Places {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self {
            disk: folder.join("disk"),
            root: folder.join("root"),
            link: folder.join("link"),
            folder,
        }
    }

    /// Makes an empty disk, which belongs to `user` if that is not the server's, and all else that is not there.
    pub(super) fn make(&self, user: Option<u32>) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for place in [&self.folder, &self.root, &self.disk] {
            builder.create(place)?;
        }
        // The instance's user passes through it, by a view alone.
        builder.mode(0o711).create(&self.link)?;
        fs::set_permissions(&self.link, Permissions::from_mode(0o711))?;
        for (name, mode) in FOLDERS {
            let path = self.disk.join(name);
            if fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir()) {
                continue;
            }
            builder.mode(mode).create(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
            if let Some(user) = user {
                chown(&path, Some(user), Some(user))?;
            }
        }
        Ok(())
    }

    /// Whether there is a disk, and whose.
    pub(super) fn owner(&self) -> Option<u32> {
        let facts = fs::symlink_metadata(self.disk.join("root")).ok()?;
        facts.is_dir().then(|| facts.uid())
    }

    /// Says that the disk was given to whoever keeps it, or takes that back.
    pub(super) fn set_given(&self, given: bool) -> io::Result<()> {
        let mark = self.folder.join("given");
        if given {
            return fs::write(mark, b"");
        }
        match fs::remove_file(mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Says that user data was run on the disk.
    pub(super) fn set_begun(&self) -> io::Result<()> {
        fs::write(self.folder.join("begun"), b"")
    }

    pub(super) fn is_begun(&self) -> bool {
        self.folder.join("begun").exists()
    }

    pub(super) fn is_given(&self) -> bool {
        self.folder.join("given").exists()
    }
}

/// Takes a disk as a tar.
pub(super) async fn take(view: &View, places: &Places, user: Option<u32>) -> Result<Bytes, Failure> {
    let mut words = [
        "tar",
        "--create",
        "--sparse",
        "--format=posix",
        "--numeric-owner",
        "--one-file-system",
        "--warning=no-file-ignored",
        "--directory=/disk",
        "--",
    ]
    .map(OsString::from)
    .to_vec();
    words.extend(FOLDERS.map(|(name, _)| OsString::from(name)));
    let mut child = run(view, places, user, words).map_err(|error| failed(&error))?;
    let (Some(out), Some(mut stdin)) = (child.stdout.take(), child.stdin.take()) else {
        return Err(failed(&io::Error::other("tar has no output")));
    };
    let words = words_of(&mut child);
    stdin.write_all(b"go\n").await.map_err(|error| failed(&error))?;
    drop(stdin);
    let mut taken = Vec::new();
    let read = out.take(DISK_BYTES_MAX + 1).read_to_end(&mut taken).await;
    read.map_err(|error| failed(&error))?;
    if u64::try_from(taken.len()).is_ok_and(|length| length > DISK_BYTES_MAX) {
        return Err(Failure::DiskTooLarge);
    }
    ended(child, words, 1).await?;
    Ok(Bytes::from(taken))
}

/// The bytes and the names that a disk holds, as the instance's own user sees it; `None` if that is not known in `time`.
pub(super) async fn weigh(
    view: &View,
    places: &Places,
    user: Option<u32>,
    time: Duration,
) -> Result<Option<(u64, u64)>, Failure> {
    let bytes = sum(view, places, user, &["--block-size=1"]);
    let entries = sum(view, places, user, &["--inodes", "--count-links"]);
    match timeout(time, async { tokio::try_join!(bytes, entries) }).await {
        Ok(held) => held.map(Some),
        Err(_) => Ok(None),
    }
}

/// What `du` says of a disk. Its folders are mounted each by itself, on a file system that is not the disk's.
async fn sum(view: &View, places: &Places, user: Option<u32>, options: &[&str]) -> Result<u64, Failure> {
    let words = ["du", "--summarize", "--one-file-system"];
    let words = words.iter().chain(options).map(OsString::from);
    let folders = FOLDERS.map(|(name, _)| OsString::from(format!("/disk/{name}")));
    let program = words.chain(folders).collect();
    let mut child = run(view, places, user, program).map_err(|error| failed(&error))?;
    let (Some(out), Some(mut stdin)) = (child.stdout.take(), child.stdin.take()) else {
        return Err(failed(&io::Error::other("du has no output")));
    };
    let words = words_of(&mut child);
    stdin.write_all(b"go\n").await.map_err(|error| failed(&error))?;
    drop(stdin);
    let mut told = Vec::new();
    let read = out.take(WORDS_MAX).read_to_end(&mut told).await;
    read.map_err(|error| failed(&error))?;
    // What goes away while it looks makes it end with 1.
    ended(child, words, 1).await?;
    let told = String::from_utf8_lossy(&told);
    let numbers = told
        .lines()
        .map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let number = numbers.sum::<Option<u64>>().filter(|_| !told.is_empty());
    number.ok_or_else(|| failed(&io::Error::other("du told no number")))
}

/// Fills a new disk with a tar.
pub(super) async fn fill(
    view: &View,
    places: &Places,
    user: Option<u32>,
    tar: &Bytes,
) -> Result<(), Failure> {
    let words = [
        "tar",
        "--extract",
        "--preserve-permissions",
        "--no-same-owner",
        "--no-overwrite-dir",
        "--delay-directory-restore",
        "--warning=no-timestamp",
        "--directory=/disk",
    ];
    let mut child =
        run(view, places, user, words.map(OsString::from).to_vec()).map_err(|error| failed(&error))?;
    let Some(mut stdin) = child.stdin.take() else {
        return Err(failed(&io::Error::other("tar has no input")));
    };
    let words = words_of(&mut child);
    // What it says is told below, if it ends before it read everything.
    let _ = async {
        stdin.write_all(b"go\n").await?;
        stdin.write_all(tar).await
    }
    .await;
    drop(stdin);
    ended(child, words, 0).await
}

/// Starts a program in a view of a disk that waits for a line.
fn run(view: &View, places: &Places, user: Option<u32>, program: Vec<OsString>) -> io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", WAIT, "disk"])
        .args(view.words(places, user, "disk", &Network::Nothing, program))
        .env_clear()
        .env("PATH", tools_path())
        .env(MARK, mark(places))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let pid = id.and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the process ended at once"))?;
    jail::limit(pid, &[(Resource::Core, 0), (Resource::Fsize, DISK_BYTES_MAX)])?;
    Ok(child)
}

/// The variable's value by which processes of an instance are known.
pub(super) fn mark(places: &Places) -> OsString {
    let mut mark = places.folder.clone().into_os_string();
    mark.push("/");
    mark
}

fn words_of(child: &mut Child) -> tokio::task::JoinHandle<Vec<u8>> {
    let told = child.stderr.take();
    tokio::spawn(async move {
        let mut words = Vec::new();
        if let Some(mut told) = told {
            let _ = (&mut told).take(WORDS_MAX).read_to_end(&mut words).await;
            let _ = tokio::io::copy(&mut told, &mut tokio::io::sink()).await;
        }
        words
    })
}

/// Waits for `tar`, whose exit codes up to `well` are fine: 1 says that something changed while it was read.
async fn ended(mut child: Child, words: tokio::task::JoinHandle<Vec<u8>>, well: i32) -> Result<(), Failure> {
    let status = child.wait().await.map_err(|error| failed(&error))?;
    if status.code().is_some_and(|code| code <= well) {
        return Ok(());
    }
    let words = words.await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let reason = words
        .trim()
        .lines()
        .last()
        .unwrap_or("tar gave no reason")
        .to_owned();
    Err(Failure::Failed { reason })
}

pub(super) fn failed(error: &io::Error) -> Failure {
    Failure::Failed {
        reason: error.to_string(),
    }
}
