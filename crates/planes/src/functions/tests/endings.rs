//! Runs that end otherwise than by an answer.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_killed_with_all_its_processes() {
    for place in Place::all() {
        times_out(place).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn crashes_are_told_and_leave_nothing() {
    for place in Place::all() {
        crashes(place).await;
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
    // Its environment is readable only once the kernel has finished the exec, which spawning doesn't wait for.
    eventually(|| processes() == 1).await;
    let next = Sandboxes::open(&folder, Vec::new(), false).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(!left.exists());
    next.stop().await;
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
