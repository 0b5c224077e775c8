//! The processes of a sandbox, as the system shows them: the first one, and all that descend from it.
//!
//! Invariant: what is killed here descends from a sandbox's first process, or carries the sandbox's folder in its environment.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The variable that tells the processes which build a sandbox; the function does not see it.
pub(crate) const MARK: &str = "RINGWORK_SANDBOX";

/// A process and its descendants. Those that were left by their parents are not among them.
fn members(first: Pid) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut open = vec![first.as_raw_nonzero().get()];
    while let Some(pid) = open.pop() {
        if !found.insert(pid) {
            continue;
        }
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            open.extend(
                children
                    .split_ascii_whitespace()
                    .filter_map(|child| child.parse::<i32>().ok()),
            );
        }
    }
    found
}

/// Bytes of memory that a sandbox has in use.
pub(crate) fn resident(first: Pid) -> u64 {
    members(first).into_iter().filter_map(own).sum()
}

/// The process that has most in use, and how many bytes.
pub(crate) fn heaviest(first: Pid) -> Option<(Pid, u64)> {
    let all = members(first).into_iter();
    let heaviest = all.filter_map(|pid| Some((own(pid)?, pid))).max()?;
    Some((Pid::from_raw(heaviest.1)?, heaviest.0))
}

/// Bytes of files of a device that a sandbox has open and that have no name any more; `None` if they are not found by `until`. Threads may
/// have descriptors of their own. What is mapped alone, or on its way through a socket, is not seen.
pub(crate) fn nameless(first: Pid, device: u64, until: Instant) -> Option<u64> {
    const BLOCK: u64 = 512;
    let mut seen = BTreeSet::new();
    let mut bytes: u64 = 0;
    for pid in members(first) {
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let open = fs::read_dir(thread.path().join("fd"));
            for descriptor in open.into_iter().flatten().flatten() {
                if Instant::now() > until {
                    return None;
                }
                let Ok(facts) = fs::metadata(descriptor.path()) else {
                    continue;
                };
                let counts = facts.is_file() && facts.nlink() == 0 && facts.dev() == device;
                if counts && seen.insert(facts.ino()) {
                    bytes = bytes.saturating_add(facts.blocks().saturating_mul(BLOCK));
                }
            }
        }
    }
    Some(bytes)
}

/// Bytes of memory that a process has for itself, with its part of what it shares with others of no file: that is nobody's to take back.
fn own(pid: i32) -> Option<u64> {
    private(pid).map(|bytes| bytes.saturating_add(shared(pid)))
}

/// A process's part of the memory that it shares with others, of no file on a disk.
fn shared(pid: i32) -> u64 {
    let told = |file: &str, name: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
        Some(kilobytes.saturating_mul(1024))
    };
    match told("status", "RssShmem:") {
        None | Some(0) => 0,
        // What is its part takes longer to find out.
        Some(all) => told("smaps_rollup", "Pss_Shmem:").unwrap_or(all),
    }
}

/// Bytes of memory that no other process has.
fn private(pid: i32) -> Option<u64> {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
    let resident = numbers.nth(1)?.ok()?;
    let shared = numbers.next()?.ok()?;
    // Pages of files are the system's to take back.
    Some(resident.saturating_sub(shared).saturating_mul(page))
}

/// Whether a sandbox holds the other end of a connection to `to`: its user, if it has one of its own, or else one of its processes.
/// `None` if the system does not tell.
pub(crate) fn holds_connection(first: Pid, user: Option<u32>, from: u16, to: u16) -> Option<bool> {
    const LOOPBACK: &str = "0100007F";
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let (from, to) = (format!("{LOOPBACK}:{from:04X}"), format!("{LOOPBACK}:{to:04X}"));
    let holder = table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let ours = fields.next()? == from && fields.next()? == to;
        let user = fields.nth(4).filter(|_| ours)?;
        Some((user.parse::<u32>().ok(), fields.nth(1)?))
    });
    let Some((holder, inode)) = holder else {
        // It is closed already, or this is no loopback of IPv4 as it is known.
        return Some(false);
    };
    if user.is_some() {
        return Some(holder == user);
    }
    let socket = format!("socket:[{inode}]");
    Some(members(first).into_iter().any(|pid| {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            return false;
        };
        open.flatten().any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == socket.as_str())
        })
    }))
}

/// Kills a sandbox: its group, its descendants, all of its user if it has one of its own, and whatever left these but still carries
/// `folder` in its environment.
pub(crate) fn kill(first: Pid, user: Option<u32>, folder: &Path) {
    for pid in stopped(first).into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let _ = kill_process_group(first, Signal::KILL);
    if let Some(user) = user {
        sweep_users(user..user + 1);
    }
    sweep(folder);
}

/// Stops a process and its descendants until none is new: what is stopped starts no more of them, and what is not dead yet still tells
/// its children.
fn stopped(first: Pid) -> BTreeSet<i32> {
    const ROUNDS: usize = 64;
    let mut all = BTreeSet::new();
    for _ in 0..ROUNDS {
        let found = members(first);
        let new: Vec<i32> = found.difference(&all).copied().collect();
        if new.is_empty() {
            break;
        }
        for pid in new.iter().copied().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::STOP);
        }
        all.extend(new);
    }
    all
}

/// All processes, with their folders in `/proc`.
fn processes() -> impl Iterator<Item = (Pid, fs::DirEntry)> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|process| {
        let number = process.file_name().to_str()?.parse::<i32>().ok()?;
        Some((Pid::from_raw(number)?, process))
    })
}

/// Kills every process of these users.
pub(crate) fn sweep_users(users: Range<u32>) {
    for (pid, process) in processes() {
        if process.metadata().is_ok_and(|facts| users.contains(&facts.uid())) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Kills every process that was started for a sandbox in `folder`, by the variables that it was started with.
pub(crate) fn sweep(folder: &Path) {
    let marks = [MARK, "TMPDIR"].map(|name| {
        let mut mark = format!("{name}=").into_bytes();
        mark.extend_from_slice(folder.as_os_str().as_bytes());
        mark.push(b'/');
        mark
    });
    for (pid, process) in processes() {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if variables.any(|variable| marks.iter().any(|mark| variable.starts_with(mark))) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
