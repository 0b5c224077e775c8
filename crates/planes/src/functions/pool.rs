//! The sandboxes that there are: warm ones are used again, new ones are started, and too many are refused.
//!
//! Invariant: a sandbox has one event at a time, of the one version and configuration of a function that it was started for.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pipeline::functions::{Concurrency, Ended, Invocation, LogLine, NotRun};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, timeout};
use wire::Timestamp;

use super::ground::{self, Ground};
use super::host::Host;
use super::log::Logs;
use super::sandbox::{Handle, Work};
use super::{Endpoint, archive};
use crate::jail;

/// Sandboxes that run at a time, of all functions.
const BUSY_MAX: usize = 256;
/// Sandboxes that wait for work at a time, of all functions.
const IDLE_MAX: usize = 64;
/// Unpacked codes that are kept.
const CODES_MAX: usize = 64;
/// How long a code stays at least that was asked for.
const CODE_KEPT: Duration = Duration::from_secs(60);
/// Time for all sandboxes to end.
const STOP_TIME: Duration = Duration::from_secs(10);
/// How often a run that has not begun is given to another sandbox.
const TRIES: usize = 4;

/// The file of the server's authority among those of the runtimes.
pub(super) const AUTHORITY: &str = "ca.pem";

/// The runner's own state.
pub(super) struct Runner {
    pub(super) folder: PathBuf,
    pub(super) search: Vec<PathBuf>,
    /// Functions may run with the server's rights where nothing shuts them in.
    pub(super) unconfined: bool,
    pub(super) host: OnceCell<Host>,
    pub(super) ground: OnceCell<Ground>,
    pub(super) endpoint: Mutex<Option<Endpoint>>,
    idle: Mutex<Vec<Handle>>,
    running: Arc<Mutex<HashMap<String, usize>>>,
    codes: Mutex<HashMap<String, Code>>,
    pub(super) logs: Logs,
    pub(super) drawn: AtomicU64,
    /// Set to end all sandboxes. Each of them holds a receiver until it has ended.
    pub(super) stopping: watch::Sender<bool>,
}

/// A code that is unpacked, or being unpacked.
struct Code {
    unpacked: Arc<OnceCell<()>>,
    used: Instant,
}

/// A folder of unpacked code, and what keeps it there.
pub(super) type Unpacked = (PathBuf, Arc<OnceCell<()>>);

/// Places among the runs that may be at a time, given back when they are dropped.
pub(super) struct Slots {
    running: Arc<Mutex<HashMap<String, usize>>>,
    of: Vec<String>,
}

impl Slots {
    /// Takes a place in every one of the limits, or in none.
    fn take(running: &Arc<Mutex<HashMap<String, usize>>>, limits: &[Concurrency]) -> Result<Self, NotRun> {
        let mut counts = running.lock();
        let count = |of: &str| counts.get(of).copied().unwrap_or_default();
        let host = Concurrency {
            of: "host".to_owned(),
            limit: BUSY_MAX,
        };
        let limits: Vec<&Concurrency> = limits.iter().chain([&host]).collect();
        if let Some(full) = limits.iter().find(|one| count(&one.of) >= one.limit) {
            return Err(NotRun::Throttled { of: full.of.clone() });
        }
        let of: Vec<String> = limits.into_iter().map(|one| one.of.clone()).collect();
        for name in &of {
            *counts.entry(name.clone()).or_default() += 1;
        }
        drop(counts);
        Ok(Self {
            running: Arc::clone(running),
            of,
        })
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let mut counts = self.running.lock();
        for name in &self.of {
            if let Some(count) = counts.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(name);
                }
            }
        }
    }
}

impl Runner {
    pub(super) fn open(folder: &Path, search: Vec<PathBuf>, unconfined: bool) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder)?;
        let folder = folder.canonicalize()?;
        ground::clear(&folder)?;
        builder.create(&folder)?;
        Ok(Self {
            folder,
            search,
            unconfined,
            host: OnceCell::new(),
            ground: OnceCell::new(),
            endpoint: Mutex::default(),
            idle: Mutex::default(),
            running: Arc::default(),
            codes: Mutex::default(),
            logs: Logs::default(),
            drawn: AtomicU64::default(),
            stopping: watch::Sender::new(false),
        })
    }

    pub(super) fn serve_at(&self, endpoint: Endpoint) {
        *self.endpoint.lock() = Some(endpoint);
    }

    pub(super) fn holds(&self, sha256: &str) -> bool {
        let mut codes = self.codes.lock();
        let known = codes.get_mut(sha256);
        known.is_some_and(|code| {
            code.used = Instant::now();
            code.unpacked.initialized()
        })
    }

    pub(super) fn log(&self, function_arn: &str) -> Vec<LogLine> {
        self.logs.read(function_arn)
    }

    pub(super) async fn stop(&self) {
        self.stopping.send_replace(true);
        self.idle.lock().clear();
        let _ = timeout(STOP_TIME, self.stopping.closed()).await;
        let folder = self.folder.clone();
        let cleaned = tokio::task::spawn_blocking(move || ground::clear(&folder));
        let _ = cleaned.await;
    }

    /// Takes a sandbox back that can be used again; `false` if there is no use for it.
    pub(super) fn rest(&self, handle: Handle) -> bool {
        if *self.stopping.borrow() {
            return false;
        }
        let mut idle = self.idle.lock();
        idle.retain(|known| !known.work.is_closed());
        if idle.len() >= IDLE_MAX {
            // The one that has waited longest.
            idle.remove(0);
        }
        idle.push(handle);
        true
    }

    /// A warm sandbox for a run. Those of another configuration of the same version, or whose credentials would end, are dropped.
    fn warm(&self, invocation: &Invocation) -> Option<Handle> {
        let mut idle = self.idle.lock();
        let end = invocation
            .now
            .0
            .saturating_add(i64::try_from(invocation.timeout.as_millis()).unwrap_or(i64::MAX));
        idle.retain(|known| {
            let traits = &known.traits;
            let same = traits.configuration == invocation.configuration;
            let good = traits.expires.is_none_or(|expires| expires.0 > end);
            !known.work.is_closed() && (traits.function != invocation.function_arn || same && good)
        });
        let found = idle
            .iter()
            .rposition(|known| known.traits.function == invocation.function_arn)?;
        Some(idle.remove(found))
    }

    pub(super) fn waits(&self, function: &str, configuration: &str, until: Timestamp) -> bool {
        let idle = self.idle.lock();
        idle.iter().any(|known| {
            let traits = &known.traits;
            let same = traits.function == function && traits.configuration == configuration;
            let good = traits.expires.is_none_or(|expires| expires > until);
            same && good && !known.work.is_closed()
        })
    }

    pub(super) async fn invoke(self: &Arc<Self>, invocation: &Invocation) -> Ended {
        for _ in 0..TRIES {
            if *self.stopping.borrow() {
                return Err(NotRun::Refused);
            }
            let slots = Slots::take(&self.running, &invocation.concurrency)?;
            let handle = match self.warm(invocation) {
                Some(handle) => handle,
                None if invocation.warm => return Err(NotRun::Cold),
                None => match self.start(invocation).await? {
                    Ok(handle) => handle,
                    Err(ran) => return Ok(ran),
                },
            };
            let (work, answered) = Work::of(invocation, handle.clone(), slots);
            if handle.work.send(work).await.is_err() {
                continue;
            }
            drop(handle);
            // Without an answer, the sandbox ended before it began.
            if let Ok(ended) = answered.await {
                return ended;
            }
        }
        Err(NotRun::Refused)
    }

    /// The folder of the unpacked code, which stays as long as the second value is held.
    pub(super) async fn code(&self, invocation: &Invocation, base: &Path) -> Result<Unpacked, NotRun> {
        let zips = invocation.zip.iter().cloned().collect();
        self.unpacked(&invocation.code_sha256, zips, base).await
    }

    /// The same of the layers, if there are any.
    pub(super) async fn layers(
        &self,
        invocation: &Invocation,
        base: &Path,
    ) -> Result<Option<Unpacked>, NotRun> {
        match &invocation.layers {
            None => Ok(None),
            Some(layers) => {
                let unpacked = self.unpacked(&layers.code_sha256, layers.zips.clone(), base);
                unpacked.await.map(Some)
            }
        }
    }

    async fn unpacked(&self, digest: &String, zips: Vec<Bytes>, base: &Path) -> Result<Unpacked, NotRun> {
        let folder = base.join("codes").join(folder_name(digest));
        let unpacked = {
            let mut codes = self.codes.lock();
            if codes.len() >= CODES_MAX && !codes.contains_key(digest) {
                forget_a_code(&mut codes, base);
            }
            let known = codes.entry(digest.clone()).or_insert_with(|| Code {
                unpacked: Arc::default(),
                used: Instant::now(),
            });
            known.used = Instant::now();
            Arc::clone(&known.unpacked)
        };
        let unpack = || async {
            if zips.is_empty() {
                return Err(NotRun::CodeMissing);
            }
            let place = folder.clone();
            let done = tokio::task::spawn_blocking(move || {
                jail::remove(&place)
                    .and_then(|()| DirBuilder::new().mode(0o755).create(&place))
                    .map_err(archive::Refused::Disk)?;
                archive::unpack(&zips, &place)
            });
            match done.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(archive::Refused::Archive(reason))) => Err(NotRun::BadCode { reason }),
                Ok(Err(archive::Refused::Disk(error))) => Err(failed(&error)),
                Err(_) => Err(NotRun::Refused),
            }
        };
        unpacked.get_or_try_init(unpack).await?;
        Ok((folder, unpacked))
    }
}

/// Removes the code that was not used for longest and that no sandbox has.
fn forget_a_code(codes: &mut HashMap<String, Code>, base: &Path) {
    let unused = codes
        .iter()
        .filter(|(_, code)| code.used.elapsed() > CODE_KEPT && Arc::strong_count(&code.unpacked) == 1);
    let Some(oldest) = unused
        .min_by_key(|(_, code)| code.used)
        .map(|(name, _)| name.clone())
    else {
        return;
    };
    codes.remove(&oldest);
    let _ = jail::remove(&base.join("codes").join(folder_name(&oldest)));
}

pub(super) fn failed(error: &io::Error) -> NotRun {
    NotRun::StartFailed {
        reason: error.to_string(),
    }
}

/// A digest, in whatever spelling, as the name of a folder.
fn folder_name(digest: &str) -> String {
    digest.bytes().map(|byte| format!("{byte:02x}")).collect()
}
