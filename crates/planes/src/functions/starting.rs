//! A new sandbox: its folder, its variables, its program, its listener, its task.
//!
//! Invariant: what the function chooses (handler, variables, code) has no say in how it is shut in.
//!
//! Source: Lambda Developer Guide, "Defined runtime environment variables".

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use pipeline::functions::{Invocation, LogForm, NotRun, Ran};
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::Instant;

use super::ending;
use super::ground::Ground;
use super::host::{Host, Language, Usable};
use super::log::Stream;
use super::pool::{AUTHORITY, Runner, failed};
use super::process::{Launch, Places, Seen, Value, is_executable, start};
use super::runtime_api;
use super::sandbox::{Handle, Process, Sandbox, Traits};
use crate::jail::{self, search_path};

/// What a sandbox is made of.
struct Parts<'a> {
    invocation: &'a Invocation,
    usable: Usable,
    places: Places,
    ground: &'a Ground,
    /// As whom it runs, if not as the server.
    user: Option<u32>,
    /// Unique.
    id: String,
    codes: Vec<Arc<OnceCell<()>>>,
}

impl Runner {
    /// Starts a sandbox; or says what the function's run comes to, since its code cannot even be started.
    pub(super) async fn start(
        self: &Arc<Self>,
        invocation: &Invocation,
    ) -> Result<Result<Handle, Ran>, NotRun> {
        let lay = || Ground::lay(&self.folder, self.unconfined);
        let ground = self.ground.get_or_try_init(lay).await;
        let ground = ground.map_err(|reason| NotRun::StartFailed { reason })?;
        let user = ground.confinement.user_outside();
        let host = self.host.get_or_init(|| Host::inspect(&self.search, user)).await;
        let usable = host
            .runtime(&invocation.runtime)
            .map_err(|what| NotRun::RuntimeMissing { what })?;
        let (folder, code) = self.code(invocation, &ground.base).await?;
        let (layers, more) = self.layers(invocation, &ground.base).await?.unzip();
        let starts = |holder: &PathBuf| is_executable(&holder.join("bootstrap"));
        let starts = starts(&folder) || layers.as_ref().is_some_and(starts);
        if usable.language == Language::Provided && !starts {
            return Ok(Err(ending::without_bootstrap(&invocation.request_id)));
        }
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let id = crypto::random::uuid(&crypto::SystemRandomness)
            .map_err(|error| failed(&io::Error::other(error)))?
            .replace('-', "");
        let own = ground.base.join("sandboxes").join(format!("{number}-{id}"));
        let parts = Parts {
            invocation,
            usable,
            places: Places {
                tmp: own.join("tmp"),
                runtime: ground.base.join("runtime"),
                code: folder,
                layers,
                folder: own.clone(),
            },
            user: ground.confinement.user(number),
            ground,
            id,
            codes: [code].into_iter().chain(more).collect(),
        };
        let started = self.launch(parts).await;
        if started.is_err() {
            let _ = jail::remove(&own);
        }
        started.map(Ok).map_err(|error| failed(&error))
    }

    async fn launch(self: &Arc<Self>, parts: Parts<'_>) -> io::Result<Handle> {
        let Parts {
            invocation,
            usable,
            places,
            ground,
            user,
            id,
            codes,
        } = parts;
        let jail = ground.confinement.jail();
        make_folders(&places, user)?;
        let authority = self
            .endpoint
            .lock()
            .as_ref()
            .and_then(|endpoint| endpoint.authority.clone());
        if let Some(pem) = authority {
            ground.write(AUTHORITY, &pem)?;
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let seen = places.seen(jail.is_some());
        let own = is_executable(&places.code.join("bootstrap"));
        let (program, arguments) = program(&usable, &seen, own, invocation.memory_mb);
        let stream = stream_name(invocation, &id);
        let environment = self.environment(invocation, &seen, (&stream, &address));
        let launch = Launch {
            program,
            prefix: usable.prefix,
            arguments,
            environment,
            places: &places,
            memory_mb: invocation.memory_mb,
            storage_mb: invocation.storage_mb,
            jail,
            user,
        };
        let (events, coming) = mpsc::channel(1);
        let (say, said) = mpsc::unbounded_channel();
        let process = Arc::new(OnceLock::new());
        let api = tokio::spawn(runtime_api::serve(
            listener,
            (Arc::clone(&process), user),
            coming,
            say,
        ));
        let began = Instant::now();
        let started = start(launch).await.inspect_err(|_| api.abort())?;
        let traits = Arc::new(traits(invocation, usable.version, codes));
        let unversioned = invocation.function_arn.rsplit_once(':');
        let log = self.logs.of(unversioned.map_or("", |(arn, _)| arn));
        let sandbox = Sandbox {
            runner: Arc::downgrade(self),
            traits: Arc::clone(&traits),
            places,
            process: Process::new(started, user, &process),
            log: Stream::new(log, stream),
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
    fn environment(
        &self,
        invocation: &Invocation,
        seen: &Seen,
        (stream, address): (&str, &str),
    ) -> Vec<(String, Value)> {
        let mut variables = Vec::new();
        let plain = |value: &str| Value::Plain(value.into());
        let mut set = |name: &str, value: Value| variables.push((name.to_owned(), value));
        let tmp = || Value::Plain(seen.tmp.clone().into_os_string());
        match &seen.layers {
            None => set("PATH", Value::Plain(search_path())),
            Some(layers) => {
                for (name, value) in paths(seen, layers, &invocation.runtime) {
                    set(name, Value::Plain(value));
                }
            }
        }
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
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
            ("AWS_LAMBDA_RUNTIME_API", address),
            ("AWS_REGION", &invocation.region),
            ("AWS_DEFAULT_REGION", &invocation.region),
            ("_HANDLER", &invocation.handler),
        ] {
            set(variable, plain(value));
        }
        // Executables of the function's own run in no runtime of Lambda's ("Defined runtime environment variables").
        if !invocation.runtime.starts_with("provided") {
            let runtime = format!("AWS_Lambda_{}", invocation.runtime);
            set("AWS_EXECUTION_ENV", plain(&runtime));
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
        if let LogForm::Json {
            application_level, ..
        } = &invocation.log_form
        {
            set("AWS_LAMBDA_LOG_FORMAT", plain("JSON"));
            set("AWS_LAMBDA_LOG_LEVEL", plain(application_level));
        }
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

fn traits(invocation: &Invocation, runtime: String, codes: Vec<Arc<OnceCell<()>>>) -> Traits {
    let credentials = invocation.credentials.as_ref();
    Traits {
        function: invocation.function_arn.clone(),
        configuration: invocation.configuration.clone(),
        expires: credentials.map(|credentials| credentials.expires),
        memory_mb: invocation.memory_mb,
        log_form: invocation.log_form.clone(),
        runtime,
        _codes: codes,
    }
}

/// The folders of a sandbox. What it runs as may write to its temporary folder, and no other user to any.
fn make_folders(places: &Places, user: Option<u32>) -> io::Result<()> {
    let mode = if user.is_some() { 0o711 } else { 0o700 };
    let mut builder = DirBuilder::new();
    builder.mode(mode).create(&places.folder)?;
    std::fs::set_permissions(&places.folder, Permissions::from_mode(mode))?;
    builder.mode(0o700).create(&places.tmp)?;
    builder.create(places.folder.join("root"))?;
    match user {
        Some(user) => chown(&places.tmp, Some(user), Some(user)),
        None => Ok(()),
    }
}

/// Where programs, libraries and modules are looked for besides, in layers (Lambda Developer Guide, "Packaging your layer content").
fn paths(seen: &Seen, layers: &Path, runtime: &str) -> Vec<(&'static str, OsString)> {
    let mut programs = search_path();
    programs.push(":");
    programs.push(layers.join("bin"));
    let join = |places: &[PathBuf]| {
        let places: Vec<&OsStr> = places.iter().map(|place| place.as_os_str()).collect();
        places.join(OsStr::new(":"))
    };
    let libraries = [seen.code.clone(), seen.code.join("lib"), layers.join("lib")];
    let mut paths = vec![("PATH", programs), ("LD_LIBRARY_PATH", join(&libraries))];
    if let Some(version) = runtime.strip_prefix("nodejs") {
        let version = version.split('.').next().unwrap_or_default();
        let node = layers.join("nodejs");
        let modules = [
            node.join(format!("node{version}")).join("node_modules"),
            node.join("node_modules"),
        ];
        paths.push(("NODE_PATH", join(&modules)));
    }
    paths
}

/// What is started, as it is seen inside. `own`: the function has a `bootstrap` of its own.
fn program(usable: &Usable, seen: &Seen, own: bool, memory_mb: u32) -> (PathBuf, Vec<OsString>) {
    let program = usable.program.clone();
    match usable.language {
        Language::Python => {
            let script = seen.runtime.join("python.py").into();
            let mut words: Vec<OsString> = vec!["-u".into(), "-s".into(), script];
            words.extend(seen.layers.iter().map(|layers| layers.clone().into()));
            (program, words)
        }
        Language::Node => {
            let heap = format!("--max-old-space-size={}", (memory_mb * 9 / 10).max(64));
            (program, vec![heap.into(), seen.runtime.join("node.mjs").into()])
        }
        Language::Provided => {
            let layers = seen.layers.as_ref().filter(|_| !own);
            (layers.unwrap_or(&seen.code).join("bootstrap"), Vec::new())
        }
    }
}

/// `2026/11/22/[$LATEST]0123…`
fn stream_name(invocation: &Invocation, id: &str) -> String {
    let day = invocation.now.iso8601();
    let day = day.split('T').next().unwrap_or_default().replace('-', "/");
    let version = invocation.function_arn.rsplit(':').next().unwrap_or_default();
    format!("{day}/[{version}]{id}")
}
