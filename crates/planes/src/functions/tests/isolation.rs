//! What a sandbox sees, and who is served by its Runtime API.

use super::*;

/// What a sandbox has for variables, with what `invocation` gives it.
const VARIABLES: [&str; 25] = [
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
    "PWD",
    "PYTHONDONTWRITEBYTECODE",
    "TMPDIR",
    "TZ",
    "_HANDLER",
];

/// Tells what it sees.
const LOOKS: &str = r#"
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
    try:
        listed = os.listdir(event["folders"])
    except OSError:
        listed = None
    return {
        "listed": listed, "user": os.getuid(),
        "environment": sorted(os.environ),
        "descriptors": {fd: os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")},
        "cwd": os.getcwd() == task, "written": written, "group": os.getpgrp() == os.getpgid(0),
        "core": resource.getrlimit(resource.RLIMIT_CORE), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "size": resource.getrlimit(resource.RLIMIT_FSIZE)[1], "umask": os.umask(0o22),
        "stdin": os.readlink("/proc/self/fd/0"), "endpoint": os.environ["AWS_ENDPOINT_URL"], "key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "kernel": os.access("/proc/sys/kernel/core_pattern", os.W_OK), "secret": os.path.exists(event["secret"]), "folders": os.path.exists(event["folders"]), "task": task,
        "pids": [pid for pid in os.listdir("/proc") if pid.isdigit()], "shown": open("/proc/self/cmdline").read(),
    }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_sees_nothing_that_is_not_its_own() {
    for place in Place::all() {
        sees_its_own(place).await;
    }
}

async fn sees_its_own(place: Place) {
    // Something of the server's that no function may see.
    std::fs::write(place.folder.path().join("secret"), "data").unwrap();
    let mut invocation = python("alone", LOOKS);
    let folders = place.folder.path().join("functions/sandboxes");
    let secret = place.folder.path().join("secret");
    let payload = json!({"secret": secret, "folders": folders}).to_string();
    invocation.payload = Bytes::from(payload);
    let ran = place.run(&invocation).await;
    let ground = place.sandboxes.0.ground.get();
    let unconfined = ground.is_some_and(|ground| matches!(ground.confinement, Confinement::Nothing));
    let user = ground.and_then(|ground| ground.confinement.user(0));
    let answer = told(&ran);
    assert_eq!(ran.error, None, "{answer}");
    let mut seen: Vec<&str> = answer["environment"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    // Shells and Python itself add these.
    seen.retain(|name| !["_", "LC_CTYPE"].contains(name));
    assert_eq!(seen, VARIABLES);
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
    if let Some(user) = user {
        assert_eq!(
            (&answer["user"], &answer["written"]),
            (&json!(user), &json!(false))
        );
    }
    if !unconfined {
        assert_eq!(answer["listed"], Value::Null, "other sandboxes");
    }
    if answer["task"] == "/var/task" {
        // In a jail it sees neither the data folder nor other processes, and its code is read-only even for root.
        assert_eq!(
            (&answer["secret"], &answer["folders"]),
            (&json!(false), &json!(false))
        );
        assert_eq!(answer["written"], false);
        assert_eq!(
            answer["kernel"], false,
            "what the kernel is told by files is not to be written"
        );
        assert!(
            answer["pids"].as_array().unwrap().len() <= 2,
            "{}",
            answer["pids"]
        );
    }
    assert!(!place.folder.path().join("functions/codes").join("new").exists());
}

/// Says what it can read of a file that it sees.
const READS: &str = r#"
def handler(event, context):
    try:
        with open(event["file"]) as file:
            return file.read()
    except OSError as error:
        return type(error).__name__
"#;

/// A server that is root shares that with no function: seen from the host, a function's processes belong to a user whom nothing else
/// belongs to, and what only root may read stays closed to them, even where a jail shows it.
#[tokio::test(flavor = "multi_thread")]
async fn no_function_is_root_of_the_host() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("python/bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = bin.join("python3.14");
    let stand_in = format!(
        "#!/bin/sh\nif [ \"$1\" = -I ]; then printf '3.14.1\\n%s\\n%s\\n' '{}' '{}'; else exec python3 \"$@\"; fi\n",
        program.display(),
        folder.path().join("python").display()
    );
    std::fs::write(&program, stand_in).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    for (name, content, mode) in [("open", "open", 0o644), ("closed", "closed", 0o600)] {
        std::fs::write(bin.join(name), content).unwrap();
        std::fs::set_permissions(bin.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let home = folder.path().join("functions");
    let sandboxes = Sandboxes::open(&home, vec![bin.clone()], false).unwrap();
    let mut users = std::collections::BTreeSet::new();
    for name in ["whose", "another"] {
        let name = format!("{name}-{}", std::process::id());
        let mut invocation = python(&name, READS);
        invocation.runtime = "python3.14".to_owned();
        for (file, expected) in [("open", "open"), ("closed", "PermissionError")] {
            invocation.payload = Bytes::from(json!({ "file": bin.join(file) }).to_string());
            let ran = sandboxes.invoke(&invocation).await.unwrap();
            assert_eq!(told(&ran), expected, "{}", tail(&ran));
        }
        let statuses = statuses_of(&name);
        assert!(!statuses.is_empty(), "the process waits for more to do");
        for status in statuses {
            let line = |name: &str| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap()
                    .trim()
            };
            let ids: Vec<u32> = line("Uid:")
                .split_whitespace()
                .map(|id| id.parse().unwrap())
                .collect();
            assert!(
                ids.iter().all(|id| *id >= 0x7000_0000 && *id == ids[0]),
                "{ids:?}"
            );
            assert_eq!(line("Gid:"), line("Uid:"));
            assert_eq!((line("Groups:"), line("CapEff:")), ("", "0000000000000000"));
            users.insert(ids[0]);
        }
    }
    assert_eq!(users.len(), 2, "each sandbox has a user of its own");
    sandboxes.stop().await;
}

/// What the host says of the processes that have a function's variables.
fn statuses_of(function: &str) -> Vec<String> {
    let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ours = processes.filter(|process| {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == wanted.as_bytes())
    });
    ours.filter_map(|process| std::fs::read_to_string(process.path().join("status")).ok())
        .collect()
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

/// Whether a descriptor of this process goes on to the processes that it starts.
fn is_left_open(descriptor: &str) -> bool {
    const CLOSES: u32 = 0o2_000_000;
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap_or_default();
    let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.is_some_and(|flags| u32::from_str_radix(flags.trim(), 8).unwrap() & CLOSES == 0)
}
