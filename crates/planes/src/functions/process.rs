//! Starting the first process of a sandbox: with limits, without anything of this process's.
//!
//! A shell waits for a word before it becomes anything else, so that the limits hold before anything of the function runs. The
//! function's variables come by its input, once the jail is built: none of them (`PATH`, `LD_PRELOAD`) has a say in that, and no
//! list of processes shows them.
//!
//! Invariant: the process has the variables that it is given and no others, no descriptor but its log, and a group of its own.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crypto::Secret;
use rustix::process::{Pid, Resource};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::jail::Jail;
use crate::jail::family::MARK;
use crate::jail::users::as_user;
use crate::jail::{self, WAIT, tools_path};

/// Bytes of private memory beyond twice the function's memory size that may be mapped: stacks of threads, what is reserved and
/// hardly used. The memory that is really in use is watched besides.
const MAPPED_EXTRA: u64 = 512 << 20;
/// Lambda's own limits.
const DESCRIPTORS_MAX: u64 = 1024;
const PROCESSES_MAX: u64 = 1024;

/// A variable's value.
pub(super) enum Value {
    Plain(OsString),
    Secret(Secret),
}

impl Value {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Secret(secret) => secret.expose(),
        }
    }
}

/// What is started.
pub(super) struct Launch<'a> {
    pub(super) program: PathBuf,
    /// What the program needs.
    pub(super) prefix: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(String, Value)>,
    pub(super) places: &'a Places,
    pub(super) memory_mb: u32,
    pub(super) storage_mb: u32,
    pub(super) jail: Option<&'a Jail>,
    /// As whom it runs, if not as the server.
    pub(super) user: Option<u32>,
}

/// Where a sandbox has its things on this host.
#[derive(Clone)]
pub(super) struct Places {
    /// The sandbox's own; everything below it goes with it.
    pub(super) folder: PathBuf,
    pub(super) tmp: PathBuf,
    pub(super) code: PathBuf,
    /// What lies below `/opt`, if anything does.
    pub(super) layers: Option<PathBuf>,
    /// Where the scripts are that load handlers.
    pub(super) runtime: PathBuf,
}

/// The same as the function sees it.
pub(super) struct Seen {
    pub(super) tmp: PathBuf,
    pub(super) code: PathBuf,
    pub(super) layers: Option<PathBuf>,
    pub(super) runtime: PathBuf,
}

impl Places {
    pub(super) fn seen(&self, jailed: bool) -> Seen {
        if jailed {
            Seen {
                tmp: "/tmp".into(),
                code: "/var/task".into(),
                layers: self.layers.as_ref().map(|_| "/opt".into()),
                runtime: "/var/runtime".into(),
            }
        } else {
            Seen {
                tmp: self.tmp.clone(),
                code: self.code.clone(),
                layers: self.layers.clone(),
                runtime: self.runtime.clone(),
            }
        }
    }
}

/// A process that runs.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) pid: Pid,
    /// What it writes to its standard output and error.
    pub(super) log: pipe::Receiver,
}

/// Starts a process; it is killed when `Started` is dropped.
pub(super) async fn start(launch: Launch<'_>) -> io::Result<Started> {
    let script = script(&launch.environment)?;
    let (log, written) = std::io::pipe()?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WAIT, "sandbox"]);
    if let Some(jail) = launch.jail {
        command.args(jail.prefix(launch.places, &launch.prefix, launch.user));
    } else if let Some(user) = launch.user {
        // Not the first process itself: the server may set the limits of none but its own user's.
        command.args(as_user(user));
    }
    command.args(["/bin/sh", "-s", "--"]);
    command.arg(&launch.program).args(&launch.arguments);
    let mut mark = launch.places.folder.clone().into_os_string();
    mark.push("/");
    command
        .env_clear()
        .env("PATH", tools_path())
        .env(MARK, mark)
        .current_dir(&launch.places.code)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(written.try_clone()?))
        .stderr(Stdio::from(written))
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    // The command holds the writing end of the log.
    drop(command);
    let id = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let pid = id.ok_or_else(|| io::Error::other("the process ended at once"))?;
    limit(pid, &launch)?;
    let stdin = child.stdin.take();
    let mut stdin = stdin.ok_or_else(|| io::Error::other("the process has no input"))?;
    stdin.write_all(&script).await?;
    let log = pipe::Receiver::from_owned_fd(OwnedFd::from(log))?;
    Ok(Started { child, pid, log })
}

/// What the last shell reads: the variables, and then to become the program.
fn script(environment: &[(String, Value)]) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let room: usize = environment
        .iter()
        .map(|(name, value)| name.len() + 4 * value.bytes().len() + 16)
        .sum();
    let mut script = Zeroizing::new(Vec::with_capacity(room + 128));
    script.extend_from_slice(b"go\nunset OLDPWD SHLVL ");
    script.extend_from_slice(MARK.as_bytes());
    script.push(b'\n');
    for (name, value) in environment {
        let mut letters = name.bytes();
        let first = letters
            .next()
            .is_some_and(|letter| letter.is_ascii_alphabetic() || letter == b'_');
        if !first || !letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') {
            return Err(io::Error::other(format!(
                "the variable {name:?} has a name that is none"
            )));
        }
        script.extend_from_slice(b"export ");
        script.extend_from_slice(name.as_bytes());
        script.extend_from_slice(b"='");
        for byte in value.bytes() {
            match byte {
                0 => return Err(io::Error::other(format!("the variable {name} holds a NUL"))),
                b'\'' => script.extend_from_slice(br"'\''"),
                other => script.push(*other),
            }
        }
        script.extend_from_slice(b"'\n");
    }
    script.extend_from_slice(b"exec \"$@\" </dev/null\n");
    Ok(script)
}

fn limit(pid: Pid, launch: &Launch<'_>) -> io::Result<()> {
    let memory = u64::from(launch.memory_mb) << 20;
    let limits = [
        (Resource::Core, 0),
        (Resource::Data, memory * 2 + MAPPED_EXTRA),
        (Resource::Fsize, u64::from(launch.storage_mb) << 20),
        (Resource::Nofile, DESCRIPTORS_MAX),
        (Resource::Nproc, PROCESSES_MAX),
    ];
    // Otherwise processes are counted together with all others of the server's user.
    let alone = launch.jail.is_some() || launch.user.is_some();
    let kept = limits
        .iter()
        .filter(|(resource, _)| alone || *resource != Resource::Nproc);
    let kept: Vec<(Resource, u64)> = kept.copied().collect();
    jail::limit(pid, &kept)
}

/// Whether a path is a file that may be executed.
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_out_as_they_went_in() {
        let nasty = "a'b\"c$(exit 3)`exit 4`\\\n\nö\t;";
        let environment = [("A_1".to_owned(), Value::Secret(Secret::from(nasty)))];
        let script = script(&environment).unwrap();
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-s", "--", "/bin/sh", "-c", "printf %s \"$A_1\""])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let body = script.strip_prefix(b"go\n").unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), body).unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, nasty.as_bytes());
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for name in ["", "1A", "A-B", "A=B", "A;exit", "ä"] {
            let environment = [(name.to_owned(), Value::Plain("x".into()))];
            assert!(script(&environment).is_err(), "{name}");
        }
        assert!(script(&[("A".to_owned(), Value::Plain("a\0b".into()))]).is_err());
    }
}
