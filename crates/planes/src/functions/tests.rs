//! Functions that really run: with the Python and Node.js of this machine, and with executables of their own.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crypto::Secret;
use pipeline::functions::{Concurrency, Credentials, FunctionError, Functions as _, Invocation, NotRun, Ran};
use serde_json::{Value, json};
use wire::Timestamp;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

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
        let sandboxes = Sandboxes::open(&folder.path().join("functions"), Vec::new()).unwrap();
        sandboxes.serve_at(Endpoint {
            url: "http://127.0.0.1:4566".to_owned(),
            authority: None,
        });
        Self {
            sandboxes: Arc::new(sandboxes),
            folder,
        }
    }

    /// One whose functions are shut in with or without namespaces.
    fn jailed(jailed: bool) -> Self {
        let place = Self::new();
        if !jailed {
            place.sandboxes.0.without_jail();
        }
        place
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
        payload: Bytes::from_static(b"{\"a\": 1}"),
        client_context: None,
        request_id: "8d1f3f0e-0000-4000-8000-000000000001".to_owned(),
        trace_id: None,
        log_tail: true,
        concurrency: Vec::new(),
        now: Timestamp(1_795_305_600_000),
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

/// The error's type and message; the run must have failed.
fn error(ran: &Ran) -> (String, String) {
    assert_eq!(ran.error, Some(FunctionError::Unhandled), "{:?}", ran.payload);
    let told = told(ran);
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    (text("errorType"), text("errorMessage"))
}

#[tokio::test(flavor = "multi_thread")]
async fn python_runs_with_its_context_and_its_log() {
    let place = Place::new();
    let mut invocation = python(
        "context",
        r#"
import json, logging, os
runs = 0
def handler(event, context):
    global runs
    runs += 1
    print("hello")
    logging.getLogger().warning("careful")
    assert 0 < context.get_remaining_time_in_millis() <= 30000
    return {"event": event, "runs": runs, "greeting": os.environ["GREETING"], "context": [
        context.function_name, context.function_version, context.aws_request_id, context.invoked_function_arn,
        context.memory_limit_in_mb, context.log_group_name, context.client_context.custom["k"], context.identity.cognito_identity_id],
        "ü": context.log_stream_name}
"#,
    );
    invocation.client_context = Some("{\"custom\": {\"k\": \"ö\"}}".to_owned());
    let ran = place.run(&invocation).await;
    let answer = told(&ran);
    assert_eq!(ran.error, None, "{answer}");
    assert_eq!((&answer["event"], &answer["runs"]), (&json!({"a": 1}), &json!(1)));
    assert_eq!(answer["greeting"], "it's \"me\"\n$HOME");
    let context = json!([
        "context",
        "$LATEST",
        invocation.request_id,
        invocation.invoked_arn,
        "256",
        "/aws/lambda/context",
        "ö",
        null
    ]);
    assert_eq!(answer["context"], context);
    assert!(answer["ü"].as_str().unwrap().starts_with("2026/11/22/[$LATEST]"));
    let log = tail(&ran);
    let id = &invocation.request_id;
    assert!(log.starts_with("INIT_START Runtime Version: Python 3."), "{log}");
    assert!(
        log.contains(&format!("START RequestId: {id} Version: $LATEST\nhello\n")),
        "{log}"
    );
    assert!(
        log.contains("[WARNING]\t") && log.contains(&format!("\t{id}\tcareful\n")),
        "{log}"
    );
    assert!(
        log.contains(&format!(
            "END RequestId: {id}\nREPORT RequestId: {id}\tDuration: "
        )),
        "{log}"
    );
    assert!(log.contains("Memory Size: 256 MB\tMax Memory Used: ") && log.contains("Init Duration: "));
    assert!(ran.init.is_some() && ran.memory_used_mb > 0 && ran.billed >= ran.duration);
    // Warm: the same process, without a start.
    invocation.zip = None;
    let again = place.run(&invocation).await;
    assert_eq!((told(&again)["runs"].as_i64(), again.init), (Some(2), None));
    assert!(tail(&again).starts_with("START"), "{}", tail(&again));
    assert!(
        place
            .log("context")
            .iter()
            .filter(|line| *line == "hello")
            .count()
            == 2
    );
    // A changed configuration: another process.
    invocation.configuration = "2".to_owned();
    assert_eq!(told(&place.run(&invocation).await)["runs"], 1);
    // So are credentials that would end.
    invocation.now = Timestamp(invocation.now.0 + 3_600_000);
    assert_eq!(told(&place.run(&invocation).await)["runs"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn python_errors_have_the_form_that_aws_gives_them() {
    let place = Place::new();
    let ran = place
        .run(&python(
            "raises",
            "def handler(event, context):\n    raise ValueError('bad ' + str(event['a']))\n",
        ))
        .await;
    let answer = told(&ran);
    assert_eq!(error(&ran), ("ValueError".to_owned(), "bad 1".to_owned()));
    assert_eq!(answer["requestId"], "8d1f3f0e-0000-4000-8000-000000000001");
    let trace = answer["stackTrace"].as_array().unwrap();
    assert_eq!(trace.len(), 1, "{trace:?}");
    assert!(
        trace[0]
            .as_str()
            .unwrap()
            .contains("index.py\", line 2, in handler\n"),
        "{trace:?}"
    );
    assert!(tail(&ran).contains("[ERROR] ValueError: bad 1\nTraceback (most recent call last):\n"));
    let cases = [
        (
            "no_such.handler",
            "x = 1",
            "Runtime.ImportModuleError",
            "Unable to import module 'no_such': No module named 'no_such'",
        ),
        (
            "index.lacking",
            "x = 1",
            "Runtime.HandlerNotFound",
            "Handler 'lacking' missing on module 'index'",
        ),
        (
            "index",
            "x = 1",
            "Runtime.MalformedHandlerName",
            "Bad handler 'index': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "index.handler",
            "import nothing_here",
            "Runtime.ImportModuleError",
            "Unable to import module 'index': No module named 'nothing_here'",
        ),
        ("index.handler", "raise KeyError('k')", "KeyError", "'k'"),
        (
            "index.handler",
            "def handler(e, c): return object()",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type object is not JSON serializable",
        ),
    ];
    for (number, (handler, source, kind, message)) in cases.into_iter().enumerate() {
        let name = format!("case{number}");
        let ran = place
            .run(&invocation(&name, "python3.12", handler, &[("index.py", source)]))
            .await;
        assert_eq!(error(&ran), (kind.to_owned(), message.to_owned()));
        assert_eq!(told(&ran)["requestId"], "8d1f3f0e-0000-4000-8000-000000000001");
    }
    let ran = place.run(&python("syntax", "def handler(:\n")).await;
    assert_eq!(error(&ran).0, "Runtime.UserCodeSyntaxError");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_runs_every_kind_of_handler() {
    let place = Place::new();
    let cases = [
        (
            "async",
            "index.mjs",
            "export const handler = async (event, context) => ({ a: event.a, name: context.functionName, id: context.awsRequestId, left: context.getRemainingTimeInMillis() <= 30000 });",
        ),
        (
            "required",
            "index.js",
            "exports.handler = async (event, context) => ({ a: event.a, name: context.functionName, id: context.awsRequestId, left: true });",
        ),
        (
            "callback",
            "index.js",
            "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, { a: event.a, name: context.functionName, id: context.awsRequestId, left: true }), 5); };",
        ),
        (
            "succeeds",
            "index.cjs",
            "exports.handler = (event, context) => { context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); context.succeed({ a: event.a, name: context.functionName, id: context.awsRequestId, left: true }); };",
        ),
    ];
    for (name, file, source) in cases {
        let invocation = node(name, file, source);
        for _ in 0..2 {
            let ran = place.run(&invocation).await;
            let expected = json!({"a": 1, "name": name, "id": invocation.request_id, "left": true});
            assert_eq!(told(&ran), expected, "{name}: {}", tail(&ran));
        }
    }
    let ran = place
        .run(&node("silent", "index.js", "exports.handler = () => 7;"))
        .await;
    assert_eq!(
        told(&ran),
        Value::Null,
        "a plain result of old runtimes is not looked at"
    );
    let mut modern = node(
        "modern",
        "index.js",
        "exports.handler = () => { console.log('a\\nb'); return 7; };",
    );
    modern.runtime = "nodejs24.x".to_owned();
    let ran = place.run(&modern).await;
    assert_eq!(told(&ran), 7);
    assert!(
        tail(&ran).contains(&format!("\t{}\tINFO\ta\rb\n", modern.request_id)),
        "{}",
        tail(&ran)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn node_errors_have_the_form_that_aws_gives_them() {
    let place = Place::new();
    let cases = [
        (
            "throws",
            "exports.handler = async () => { throw new TypeError('bad'); };",
            "TypeError",
            "bad",
        ),
        (
            "calls",
            "exports.handler = (e, c, callback) => callback(new Error('told'));",
            "Error",
            "told",
        ),
        (
            "text",
            "exports.handler = (e, c, callback) => callback('text');",
            "string",
            "text",
        ),
        (
            "lacking",
            "exports.other = 1;",
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        ),
        (
            "rejects",
            "exports.handler = () => new Promise(() => { Promise.reject(new Error('lost')); });",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
        ),
    ];
    for (name, source, kind, message) in cases {
        let ran = place.run(&node(name, "index.js", source)).await;
        assert_eq!(
            error(&ran),
            (kind.to_owned(), message.to_owned()),
            "{name}: {}",
            tail(&ran)
        );
    }
    let ran = place
        .run(&node("import", "index.js", "require('nothing');"))
        .await;
    let (kind, message) = error(&ran);
    assert_eq!(kind, "Runtime.ImportModuleError");
    assert!(
        message.starts_with("Error: Cannot find module 'nothing'"),
        "{message}"
    );
    let ran = place
        .run(&node("syntax", "index.mjs", "export const handler = (;"))
        .await;
    assert_eq!(error(&ran).0, "Runtime.UserCodeSyntaxError");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_killed_with_all_its_processes() {
    for jailed in [true, false] {
        times_out(Place::jailed(jailed)).await;
    }
}

async fn times_out(place: Place) {
    let source = r#"
import os, subprocess
def handler(event, context):
    if event.get("hang"):
        subprocess.Popen(["/bin/sleep", "1234567"])
        subprocess.Popen(["/bin/sleep", "1234567"], start_new_session=True)
        subprocess.run(["/bin/sleep", "1234567"])
    return "quick"
"#;
    let mut invocation = python("slow", source);
    invocation.timeout = Duration::from_secs(1);
    assert_eq!(told(&place.run(&invocation).await), "quick");
    invocation.payload = Bytes::from_static(b"{\"hang\": true}");
    let ran = place.run(&invocation).await;
    let id = &invocation.request_id;
    assert_eq!(
        error(&ran),
        (
            "Sandbox.Timedout".to_owned(),
            format!("RequestId: {id} Error: Task timed out after 1.00 seconds")
        )
    );
    assert_eq!(ran.duration, Duration::from_secs(1));
    assert!(
        tail(&ran).contains(&format!("{id} Task timed out after 1.00 seconds\nEND RequestId")),
        "{}",
        tail(&ran)
    );
    assert!(tail(&ran).contains("Status: timeout"));
    let sleeping = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|process| {
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let place_of = std::fs::read(process.path().join("environ")).ok()?;
            let ours = String::from_utf8_lossy(&place_of).contains("AWS_LAMBDA_FUNCTION_NAME=slow");
            (ours && line.starts_with(b"/bin/sleep\x001234567")).then_some(())
        });
        lines.count()
    };
    eventually(|| sleeping() == 0).await;
    eventually(|| place.sandbox_folders().is_empty()).await;
    invocation.payload = Bytes::from_static(b"{}");
    assert_eq!(
        told(&place.run(&invocation).await),
        "quick",
        "the next one starts anew"
    );
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

#[tokio::test(flavor = "multi_thread")]
async fn crashes_are_told_and_leave_nothing() {
    for jailed in [true, false] {
        crashes(Place::jailed(jailed)).await;
    }
}

async fn crashes(place: Place) {
    let id = "RequestId: 8d1f3f0e-0000-4000-8000-000000000001 Error: ";
    let cases = [
        (
            "exits",
            "import os\ndef handler(e, c):\n    os._exit(1)\n",
            "Runtime.ExitError",
            "Runtime exited with error: exit status 1",
        ),
        (
            "zero",
            "import os\ndef handler(e, c):\n    os._exit(0)\n",
            "Runtime.ExitError",
            "Runtime exited without providing a reason",
        ),
        (
            "killed",
            "import os\ndef handler(e, c):\n    os.abort()\n",
            "Runtime.ExitError",
            "Runtime exited with error: signal: aborted",
        ),
        (
            "init",
            "import os\nos._exit(3)\n",
            "Runtime.ExitError",
            "Runtime exited with error: exit status 3",
        ),
    ];
    for (name, source, kind, message) in cases {
        let ran = place.run(&python(name, source)).await;
        assert_eq!(
            error(&ran),
            (kind.to_owned(), format!("{id}{message}")),
            "{}",
            tail(&ran)
        );
        assert!(
            tail(&ran).contains("Status: error\tError Type: Runtime.ExitError"),
            "{}",
            tail(&ran)
        );
    }
    let mut greedy = python(
        "greedy",
        "def handler(e, c):\n    x = []\n    while True:\n        x.append(bytearray(1 << 20))\n",
    );
    greedy.memory_mb = 128;
    let ran = place.run(&greedy).await;
    let (kind, message) = error(&ran);
    // Killed from outside, or told by its allocator that there is no more.
    assert!(
        kind == "Runtime.OutOfMemory" || kind == "MemoryError",
        "{kind}: {message}"
    );
    let ran = place
        .run(&python("long", "def handler(e, c):\n    return 'x' * 7000000\n"))
        .await;
    assert_eq!(error(&ran).0, "Function.ResponseSizeTooLarge");
    eventually(|| place.sandbox_folders().len() <= 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_sees_nothing_that_is_not_its_own() {
    for jailed in [true, false] {
        sees_its_own(Place::jailed(jailed)).await;
    }
}

async fn sees_its_own(place: Place) {
    // Something of the server's that no function may see.
    std::fs::write(place.folder.path().join("secret"), "data").unwrap();
    let source = r#"
import os, resource, sys
def handler(event, context):
    task = os.environ["LAMBDA_TASK_ROOT"]
    try:
        open(os.path.join(task, "new"), "w").close()
        written = True
    except OSError:
        written = False
    with open(os.path.join(os.environ["TMPDIR"], "mine"), "w") as file:
        file.write("x")
    return {
        "environment": sorted(os.environ),
        "descriptors": {fd: os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")},
        "cwd": os.getcwd() == task, "written": written, "group": os.getpgrp() == os.getpgid(0),
        "core": resource.getrlimit(resource.RLIMIT_CORE), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "size": resource.getrlimit(resource.RLIMIT_FSIZE)[1], "umask": os.umask(0o22),
        "stdin": os.readlink("/proc/self/fd/0"), "endpoint": os.environ["AWS_ENDPOINT_URL"], "key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "secret": os.path.exists(event["secret"]), "folders": os.path.exists(event["folders"]), "task": task,
        "pids": [pid for pid in os.listdir("/proc") if pid.isdigit()], "shown": open("/proc/self/cmdline").read(),
    }
"#;
    let mut invocation = python("alone", source);
    let folders = place.folder.path().join("functions/sandboxes");
    let secret = place.folder.path().join("secret");
    let payload = json!({"secret": secret, "folders": folders}).to_string();
    invocation.payload = Bytes::from(payload);
    let ran = place.run(&invocation).await;
    let answer = told(&ran);
    assert_eq!(ran.error, None, "{answer}");
    let mut expected: Vec<&str> = vec![
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GREETING",
        "HOME",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PWD",
        "TMPDIR",
        "TZ",
        "_HANDLER",
    ];
    expected.sort_unstable();
    let mut seen: Vec<&str> = answer["environment"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    // Shells and Python itself add these.
    seen.retain(|name| !["_", "LC_CTYPE"].contains(name));
    assert_eq!(seen, expected);
    assert_eq!(
        (&answer["cwd"], &answer["stdin"]),
        (&json!(true), &json!("/dev/null"))
    );
    assert_eq!(
        (&answer["core"], &answer["files"]),
        (&json!([0, 0]), &json!(1024))
    );
    assert_eq!(
        (&answer["size"], &answer["umask"]),
        (&json!(512 << 20), &json!(0o077))
    );
    assert_eq!(
        (&answer["endpoint"], &answer["key"]),
        (&json!("http://127.0.0.1:4566"), &json!("secret-key"))
    );
    assert!(!answer["shown"].as_str().unwrap().contains("secret"), "{answer}");
    let mut kinds = answer["descriptors"].as_object().unwrap().clone();
    // What this process was started with and leaves open for its children is none of the runner's.
    kinds.retain(|descriptor, _| descriptor.len() == 1 || !is_left_open(descriptor));
    let kinds: Vec<_> = kinds.values().collect();
    assert_eq!(
        kinds,
        ["/dev/null", "pipe", "pipe", "socket"],
        "its log and its Runtime API alone"
    );
    if answer["task"] == "/var/task" {
        // In a jail it sees neither the data folder nor other processes, and its code is read-only even for root.
        assert_eq!(
            (&answer["secret"], &answer["folders"]),
            (&json!(false), &json!(false))
        );
        assert_eq!(answer["written"], false);
        assert!(
            answer["pids"].as_array().unwrap().len() <= 2,
            "{}",
            answer["pids"]
        );
    }
    assert!(!place.folder.path().join("functions/codes").join("new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_a_time_have_sandboxes_of_their_own_and_limits() {
    let place = Place::new();
    // Each waits until another runs as well: one after the other, they would run out of time.
    let source = r#"
import os, socket
def handler(event, context):
    if event["first"]:
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(20)
        print("port", server.getsockname()[1], flush=True)
        server.accept()
        return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    socket.create_connection(("127.0.0.1", event["port"]), 20).close()
    return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
"#;
    let limit = vec![Concurrency {
        of: "account".to_owned(),
        limit: 2,
    }];
    let mut first = python("both", source);
    first.payload = Bytes::from_static(b"{\"first\": true}");
    first.concurrency = limit.clone();
    let sandboxes = Arc::clone(&place.sandboxes);
    let running = tokio::spawn(async move { sandboxes.invoke(&first).await });
    let mut port = None;
    eventually(|| {
        port = place
            .log("both")
            .iter()
            .find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok());
        port.is_some()
    })
    .await;
    let mut second = python("both", source);
    second.payload = Bytes::from(json!({"first": false, "port": port}).to_string());
    second.concurrency = vec![Concurrency {
        of: "account".to_owned(),
        limit: 1,
    }];
    let refused = place.sandboxes.invoke(&second).await;
    assert_eq!(
        refused.unwrap_err(),
        NotRun::Throttled {
            of: "account".to_owned()
        }
    );
    second.concurrency = limit;
    let (other, one) = (place.run(&second).await, running.await.unwrap().unwrap());
    assert_ne!(told(&one), told(&other));
    assert_eq!((one.error, other.error), (None, None));
    // Both gave their places back.
    let again = place.run(&python("free", "def handler(e, c): return 1\n")).await;
    assert_eq!(told(&again), 1);
}

/// A Python that is no part of the system, such as those of version managers, is shown to functions too.
#[tokio::test(flavor = "multi_thread")]
async fn programs_outside_the_system_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("python/bin");
    std::fs::create_dir_all(&bin).unwrap();
    let stand_in = format!(
        "#!/bin/sh\nif [ \"$1\" = -I ]; then printf '3.14.1\\n%s\\n%s\\n' \"{0}/python3.14\" \"{1}/python\"; else exec python3 \"$@\"; fi\n",
        bin.display(),
        folder.path().display()
    );
    std::fs::write(bin.join("python3.14"), stand_in).unwrap();
    std::fs::set_permissions(
        bin.join("python3.14"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let sandboxes = Sandboxes::open(&folder.path().join("functions"), vec![bin]).unwrap();
    let mut invocation = python("outside", "def handler(e, c): return 1\n");
    invocation.runtime = "python3.14".to_owned();
    let ran = sandboxes.invoke(&invocation).await.unwrap();
    assert_eq!(told(&ran), 1, "{}", tail(&ran));
    assert!(tail(&ran).starts_with("INIT_START Runtime Version: Python 3.14.1\n"));
    sandboxes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn executables_speak_the_runtime_api_themselves() {
    let place = Place::new();
    let bootstrap = r#"#!/usr/bin/python3
import http.client, os
while True:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    body, id = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", "/2018-06-01/runtime/invocation/wrong/response", b"no")
    assert api.getresponse().read() and True
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", b"own:" + body)
    answer = api.getresponse()
    assert answer.status == 202, answer.status
    answer.read()
"#;
    let own = invocation("own", "provided.al2023", "any", &[("bootstrap", bootstrap)]);
    for _ in 0..2 {
        let ran = place.run(&own).await;
        assert_eq!(&ran.payload[..], b"own:{\"a\": 1}", "{}", tail(&ran));
    }
    let without = invocation("without", "provided.al2023", "any", &[("other", "")]);
    let refused = place.sandboxes.invoke(&without).await.unwrap_err();
    assert!(matches!(refused, NotRun::StartFailed { reason } if reason.contains("bootstrap")));
    let java = invocation("java", "java21", "any", &[("other", "")]);
    assert!(matches!(
        place.sandboxes.invoke(&java).await,
        Err(NotRun::RuntimeMissing { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_not_served_by_a_runtime_api() {
    let place = Place::new();
    let source = "import os\ndef handler(e, c):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n";
    let invocation = python("api", source);
    let ran = place.run(&invocation).await;
    let address = told(&ran).as_str().unwrap().to_owned();
    let stolen = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let _ = stream.write_all(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut read = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut read);
        read
    });
    assert!(stolen.await.unwrap().is_empty(), "the connection is closed");
    assert_eq!(told(&place.run(&invocation).await), told(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_is_held_and_asked_for() {
    let place = Place::new();
    let mut invocation = python("held", "def handler(e, c): return 1\n");
    let zip = invocation.zip.take();
    assert!(!place.sandboxes.holds(&invocation.code_sha256));
    assert_eq!(
        place.sandboxes.invoke(&invocation).await.unwrap_err(),
        NotRun::CodeMissing
    );
    invocation.zip = Some(Bytes::from_static(b"no zip"));
    assert!(matches!(
        place.sandboxes.invoke(&invocation).await,
        Err(NotRun::BadCode { .. })
    ));
    assert!(!place.sandboxes.holds(&invocation.code_sha256));
    invocation.zip = zip;
    assert_eq!(told(&place.run(&invocation).await), 1);
    assert!(place.sandboxes.holds(&invocation.code_sha256));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_what_runs_and_starting_removes_what_is_left() {
    let place = Place::new();
    let source = "import time\ndef handler(e, c):\n    print('on', flush=True)\n    time.sleep(1000)\n";
    let mut slow = python("hangs", source);
    slow.timeout = Duration::from_secs(900);
    let sandboxes = Arc::clone(&place.sandboxes);
    let running = tokio::spawn(async move { sandboxes.invoke(&slow).await });
    eventually(|| place.log("hangs").iter().any(|line| line == "on")).await;
    let folder = place.folder.path().join("functions").canonicalize().unwrap();
    let processes = || count_processes(&folder);
    assert!(processes() > 0);
    place.sandboxes.stop().await;
    assert_eq!(running.await.unwrap().unwrap_err(), NotRun::Refused);
    eventually(|| processes() == 0).await;
    assert!(!folder.exists());
    // A server that was killed leaves a process and folders behind.
    let left = folder.join("sandboxes/left/tmp");
    std::fs::create_dir_all(&left).unwrap();
    let mut child = std::process::Command::new("/bin/sleep")
        .arg("1000")
        .env("TMPDIR", &left)
        .spawn()
        .unwrap();
    let next = Sandboxes::open(&folder, Vec::new()).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(!left.exists());
    next.stop().await;
}

/// Whether a descriptor of this process goes on to the processes that it starts.
fn is_left_open(descriptor: &str) -> bool {
    const CLOSES: u32 = 0o2_000_000;
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap_or_default();
    let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.is_some_and(|flags| u32::from_str_radix(flags.trim(), 8).unwrap() & CLOSES == 0)
}

/// Processes that were started for sandboxes in a folder.
fn count_processes(folder: &Path) -> usize {
    let mark = format!("={}/", folder.display());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments
        .filter(|text| String::from_utf8_lossy(text).contains(&mark))
        .count()
}
