//! The sandboxes that there are: warm ones are used again, new ones are started, and too many are refused.
//!
//! Invariant: a sandbox has one event at a time, of the one version and configuration of a function that it was started for.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use pipeline::functions::{Concurrency, Ended, Invocation, LogLine, NotRun};
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, mpsc, watch};
use tokio::time::{Instant, timeout};

use super::host::{Host, Language, Usable, search_path};
use super::jail::Jail;
use super::log::{Logs, Stream};
use super::process::{Launch, Places, Value, is_executable, start};
use super::sandbox::{Handle, Process, Sandbox, Traits, Work};
use super::{Endpoint, archive, family, runtime_api};

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
const AUTHORITY: &str = "ca.pem";
const PYTHON: &str = include_str!("bootstrap/python.py");
const NODE: &str = include_str!("bootstrap/node.mjs");

/// The runner's own state.
pub(super) struct Runner {
    folder: PathBuf,
    search: Vec<PathBuf>,
    host: OnceCell<Host>,
    jail: OnceCell<Option<Jail>>,
    endpoint: Mutex<Option<Endpoint>>,
    idle: Mutex<Vec<Handle>>,
    running: Arc<Mutex<HashMap<String, usize>>>,
    codes: Mutex<HashMap<String, Code>>,
    logs: Logs,
    drawn: AtomicU64,
    /// Set to end all sandboxes. Each of them holds a receiver until it has ended.
    stopping: watch::Sender<bool>,
}

/// A code that is unpacked, or being unpacked.
struct Code {
    unpacked: Arc<OnceCell<()>>,
    used: Instant,
}

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
    pub(super) fn open(folder: &Path, search: Vec<PathBuf>) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder)?;
        let folder = folder.canonicalize()?;
        family::sweep(&folder);
        archive::remove(&folder)?;
        for place in ["codes", "sandboxes", "runtime"] {
            builder.create(folder.join(place))?;
        }
        std::fs::write(folder.join("runtime/python.py"), PYTHON)?;
        std::fs::write(folder.join("runtime/node.mjs"), NODE)?;
        Ok(Self {
            folder,
            search,
            host: OnceCell::new(),
            jail: OnceCell::new(),
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
        if let Some(pem) = &endpoint.authority {
            let _ = std::fs::write(self.folder.join("runtime").join(AUTHORITY), pem);
        }
        *self.endpoint.lock() = Some(endpoint);
    }

    #[cfg(test)]
    pub(super) fn without_jail(&self) {
        self.jail.set(None).ok();
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
        let cleaned = tokio::task::spawn_blocking(move || {
            family::sweep(&folder);
            let _ = archive::remove(&folder);
        });
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

    pub(super) async fn invoke(self: &Arc<Self>, invocation: &Invocation) -> Ended {
        for _ in 0..TRIES {
            if *self.stopping.borrow() {
                return Err(NotRun::Refused);
            }
            let slots = Slots::take(&self.running, &invocation.concurrency)?;
            let handle = match self.warm(invocation) {
                Some(handle) => handle,
                None => self.start(invocation).await?,
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

    /// The folder of the unpacked code.
    async fn code(&self, invocation: &Invocation) -> Result<PathBuf, NotRun> {
        let digest = &invocation.code_sha256;
        let folder = self.folder.join("codes").join(folder_name(digest));
        let unpacked = {
            let mut codes = self.codes.lock();
            if codes.len() >= CODES_MAX && !codes.contains_key(digest) {
                self.forget_a_code(&mut codes);
            }
            let known = codes.entry(digest.clone()).or_insert_with(|| Code {
                unpacked: Arc::default(),
                used: Instant::now(),
            });
            known.used = Instant::now();
            Arc::clone(&known.unpacked)
        };
        let unpack = || async {
            let zip = invocation.zip.clone().ok_or(NotRun::CodeMissing)?;
            let place = folder.clone();
            let done = tokio::task::spawn_blocking(move || {
                archive::remove(&place)
                    .and_then(|()| DirBuilder::new().mode(0o755).create(&place))
                    .map_err(archive::Refused::Disk)?;
                archive::unpack(&zip, &place)
            });
            match done.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(archive::Refused::Archive(reason))) => Err(NotRun::BadCode { reason }),
                Ok(Err(archive::Refused::Disk(error))) => Err(failed(&error)),
                Err(_) => Err(NotRun::Refused),
            }
        };
        unpacked.get_or_try_init(unpack).await?;
        Ok(folder)
    }

    /// Removes the code that was not used for longest, and the sandboxes that wait with it.
    fn forget_a_code(&self, codes: &mut HashMap<String, Code>) {
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
        let _ = archive::remove(&self.folder.join("codes").join(folder_name(&oldest)));
    }

    /// Starts a sandbox.
    async fn start(self: &Arc<Self>, invocation: &Invocation) -> Result<Handle, NotRun> {
        let host = self.host.get_or_init(|| Host::inspect(&self.search)).await;
        let usable = host
            .runtime(&invocation.runtime)
            .map_err(|what| NotRun::RuntimeMissing { what })?;
        let code = self.code(invocation).await?;
        let jail = self
            .jail
            .get_or_init(|| async { Jail::prepare(&self.folder).await.ok() })
            .await
            .as_ref();
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let id = crypto::random::uuid(&crypto::SystemRandomness)
            .map_err(|error| failed(&io::Error::other(error)))?;
        let id = id.replace('-', "");
        let folder = self.folder.join("sandboxes").join(format!("{number}-{id}"));
        let places = Places {
            tmp: folder.join("tmp"),
            runtime: self.folder.join("runtime"),
            code,
            folder,
        };
        let started = self.launch(invocation, &usable, &places, jail, &id).await;
        if started.is_err() {
            let _ = archive::remove(&places.folder);
        }
        started.map_err(|error| failed(&error))
    }

    async fn launch(
        self: &Arc<Self>,
        invocation: &Invocation,
        usable: &Usable,
        places: &Places,
        jail: Option<&Jail>,
        id: &str,
    ) -> io::Result<Handle> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700).create(&places.folder)?;
        builder.create(&places.tmp)?;
        builder.create(places.folder.join("root"))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (events, coming) = mpsc::channel(1);
        let (say, said) = mpsc::unbounded_channel();
        let process = Arc::new(OnceLock::new());
        let api = tokio::spawn(runtime_api::serve(listener, Arc::clone(&process), coming, say));
        let seen = places.seen(jail.is_some());
        let memory = invocation.memory_mb;
        let (program, arguments): (PathBuf, Vec<OsString>) = match usable.language {
            Language::Python => {
                let script = seen.runtime.join("python.py").into();
                (usable.program.clone(), vec!["-u".into(), "-s".into(), script])
            }
            Language::Node => {
                let heap = format!("--max-old-space-size={}", (memory * 9 / 10).max(64)).into();
                (
                    usable.program.clone(),
                    vec![heap, seen.runtime.join("node.mjs").into()],
                )
            }
            Language::Provided => {
                if !is_executable(&places.code.join("bootstrap")) {
                    api.abort();
                    let words = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
                    return Err(io::Error::other(words));
                }
                (seen.code.join("bootstrap"), Vec::new())
            }
        };
        let day = invocation.now.iso8601();
        let day = day.split('T').next().unwrap_or_default().replace('-', "/");
        let version = invocation.function_arn.rsplit(':').next().unwrap_or_default();
        let stream = format!("{day}/[{version}]{id}");
        let mut environment = self.environment(invocation, &seen);
        for (name, value) in [
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream.clone()),
            ("AWS_LAMBDA_RUNTIME_API", address),
        ] {
            environment.push((name.to_owned(), Value::Plain(value.into())));
        }
        let launch = Launch {
            program,
            prefix: usable.prefix.clone(),
            arguments,
            environment,
            places,
            memory_mb: memory,
            storage_mb: invocation.storage_mb,
            jail,
        };
        let began = Instant::now();
        let started = start(launch).await.inspect_err(|_| api.abort())?;
        let traits = Arc::new(Traits {
            function: invocation.function_arn.clone(),
            configuration: invocation.configuration.clone(),
            expires: invocation
                .credentials
                .as_ref()
                .map(|credentials| credentials.expires),
            memory_mb: memory,
            runtime: usable.version.clone(),
        });
        let unversioned = invocation
            .function_arn
            .rsplit_once(':')
            .map_or("", |(arn, _)| arn);
        let sandbox = Sandbox {
            runner: Arc::downgrade(self),
            traits: Arc::clone(&traits),
            places: places.clone(),
            process: Process::new(started, &process),
            log: Stream::new(self.logs.of(unversioned), stream),
            events,
            said,
            api,
            began,
            ready: false,
        };
        let (work, works) = mpsc::channel(1);
        let stopping = self.stopping.subscribe();
        tokio::spawn(sandbox.live(works, stopping));
        Ok(Handle { work, traits })
    }

    /// The variables of a sandbox: first what the function's own may replace, then its own, then what nobody may.
    fn environment(&self, invocation: &Invocation, seen: &super::process::Seen) -> Vec<(String, Value)> {
        let mut variables = Vec::new();
        let plain = |value: &str| Value::Plain(value.into());
        let mut set = |name: &str, value: Value| variables.push((name.to_owned(), value));
        let tmp = || Value::Plain(seen.tmp.clone().into_os_string());
        set("PATH", Value::Plain(search_path()));
        set("LANG", plain("en_US.UTF-8"));
        set("TZ", plain(":UTC"));
        set("HOME", tmp());
        set("PYTHONDONTWRITEBYTECODE", plain("1"));
        if let Some(endpoint) = self.endpoint.lock().as_ref() {
            set("AWS_ENDPOINT_URL", plain(&endpoint.url));
            if endpoint.authority.is_some() {
                let file = || Value::Plain(seen.runtime.join(AUTHORITY).into_os_string());
                set("AWS_CA_BUNDLE", file());
                set("NODE_EXTRA_CA_CERTS", file());
            }
        }
        for (name, value) in &invocation.environment {
            set(name, Value::Secret(value.clone()));
        }
        let arn = &invocation.function_arn;
        let mut parts = arn.rsplit(':');
        let (version, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        for (variable, value) in [
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_VERSION", version),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                &invocation.memory_mb.to_string(),
            ),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &invocation.log_group),
            ("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{}", invocation.runtime)),
            ("AWS_REGION", &invocation.region),
            ("AWS_DEFAULT_REGION", &invocation.region),
            ("_HANDLER", &invocation.handler),
        ] {
            set(variable, plain(value));
        }
        set("TMPDIR", tmp());
        set(
            "LAMBDA_TASK_ROOT",
            Value::Plain(seen.code.clone().into_os_string()),
        );
        set(
            "LAMBDA_RUNTIME_DIR",
            Value::Plain(seen.runtime.clone().into_os_string()),
        );
        if let Some(credentials) = &invocation.credentials {
            set("AWS_ACCESS_KEY_ID", plain(&credentials.access_key_id));
            set(
                "AWS_SECRET_ACCESS_KEY",
                Value::Secret(credentials.secret_access_key.clone()),
            );
            set(
                "AWS_SESSION_TOKEN",
                Value::Secret(credentials.session_token.clone()),
            );
        }
        variables
    }
}

fn failed(error: &io::Error) -> NotRun {
    NotRun::StartFailed {
        reason: error.to_string(),
    }
}

/// A digest, in whatever spelling, as the name of a folder.
fn folder_name(digest: &str) -> String {
    digest.bytes().map(|byte| format!("{byte:02x}")).collect()
}
