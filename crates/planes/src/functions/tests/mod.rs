//! Functions that really run: with the Python and Node.js of this machine, and with executables of their own.

mod endings;
mod isolation;
mod layers;
mod node;
mod python;
mod warm;

use std::fs::Permissions;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crypto::Secret;
use pipeline::functions::{
    Concurrency, Credentials, FunctionError, Functions as _, Invocation, LogForm, NotRun, Ran,
};
use serde_json::{Value, json};
use wire::Timestamp;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::ground::{Confinement, Ground};
use super::{Endpoint, Sandboxes};

const ARN: &str = "arn:aws:lambda:eu-central-1:111122223333:function";

/// A runner in a folder of its own, which goes away.
struct Place {
    sandboxes: Arc<Sandboxes>,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandboxes = Sandboxes::open(&folder.path().join("functions"), Vec::new(), false).unwrap();
        sandboxes.serve_at(Endpoint {
            url: "http://127.0.0.1:4566".to_owned(),
            authority: None,
        });
        Self {
            sandboxes: Arc::new(sandboxes),
            folder,
        }
    }

    /// One for each way of shutting functions in that this machine has.
    fn all() -> Vec<Self> {
        let nothing = Self::new();
        nothing.lay(Confinement::Nothing);
        let mut all = vec![Self::new(), nothing];
        if rustix::process::geteuid().is_root() {
            let users = Self::new();
            std::fs::set_permissions(users.folder.path(), Permissions::from_mode(0o711)).unwrap();
            users.lay(Confinement::Users {
                first: crate::jail::users::first(crate::jail::users::FUNCTIONS, users.folder.path()),
                lacking: String::new(),
            });
            all.push(users);
        }
        all
    }

    fn lay(&self, confinement: Confinement) {
        let base = self.folder.path().join("functions").canonicalize().unwrap();
        let ground = Ground { confinement, base };
        ground.make_folders().unwrap();
        self.sandboxes.0.ground.set(ground).unwrap();
    }

    async fn run(&self, invocation: &Invocation) -> Ran {
        self.sandboxes.invoke(invocation).await.unwrap()
    }

    fn sandbox_folders(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("functions/sandboxes");
        let read = std::fs::read_dir(folder).unwrap();
        read.map(|entry| entry.unwrap().path()).collect()
    }

    fn log(&self, name: &str) -> Vec<String> {
        let lines = self.sandboxes.log(&format!("{ARN}:{name}"));
        lines.into_iter().map(|line| line.text).collect()
    }
}

fn zipped(files: &[(&str, &str)]) -> Bytes {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file(*name, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    Bytes::from(zip.finish().unwrap().into_inner())
}

fn invocation(name: &str, runtime: &str, handler: &str, files: &[(&str, &str)]) -> Invocation {
    let zip = zipped(files);
    Invocation {
        function_arn: format!("{ARN}:{name}:$LATEST"),
        invoked_arn: format!("{ARN}:{name}"),
        configuration: "1".to_owned(),
        code_sha256: crypto::digest::hex(&crypto::digest::sha256(&zip)),
        zip: Some(zip),
        layers: None,
        runtime: runtime.to_owned(),
        handler: handler.to_owned(),
        memory_mb: 256,
        storage_mb: 512,
        timeout: Duration::from_secs(30),
        environment: vec![("GREETING".to_owned(), Secret::from("it's \"me\"\n$HOME"))],
        credentials: Some(Credentials {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: Secret::from("secret-key"),
            session_token: Secret::from("token"),
            expires: Timestamp(1_795_305_600_000 + 3_600_000),
        }),
        region: "eu-central-1".to_owned(),
        log_group: format!("/aws/lambda/{name}"),
        log_form: LogForm::Text,
        payload: Bytes::from_static(b"{\"a\": 1}"),
        client_context: None,
        request_id: "8d1f3f0e-0000-4000-8000-000000000001".to_owned(),
        trace_id: None,
        log_tail: true,
        concurrency: Vec::new(),
        now: Timestamp(1_795_305_600_000),
        warm: false,
    }
}

fn python(name: &str, source: &str) -> Invocation {
    invocation(name, "python3.12", "index.handler", &[("index.py", source)])
}

fn node(name: &str, file: &str, source: &str) -> Invocation {
    invocation(name, "nodejs20.x", "index.handler", &[(file, source)])
}

fn told(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.payload).unwrap()
}

fn tail(ran: &Ran) -> String {
    String::from_utf8(ran.log_tail.clone().unwrap().to_vec()).unwrap()
}

/// The lines of JSON in a log, and the others.
fn json_lines(log: &str) -> (Vec<Value>, Vec<String>) {
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for line in log.lines() {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            Err(_) => others.push(line.to_owned()),
        }
    }
    (lines, others)
}

fn as_json(application: &str, system: &str) -> LogForm {
    LogForm::Json {
        application_level: application.to_owned(),
        system_level: system.to_owned(),
    }
}

/// The error's type and message; the run must have failed.
fn error(ran: &Ran) -> (String, String) {
    assert_eq!(ran.error, Some(FunctionError::Unhandled), "{:?}", ran.payload);
    let told = told(ran);
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    (text("errorType"), text("errorMessage"))
}

/// Waits for what must become true soon.
async fn eventually(mut holds: impl FnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..1000 {
        ticks.tick().await;
        if holds() {
            return;
        }
    }
    panic!("it did not become true");
}
