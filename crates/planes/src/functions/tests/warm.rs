//! Sandboxes that are used again or beside one another, the programs that run in them, and their code.

use super::*;

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
    let sandboxes = Sandboxes::open(&folder.path().join("functions"), vec![bin], false).unwrap();
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
    let ran = place.run(&without).await;
    assert_eq!(error(&ran).0, "Runtime.InvalidEntrypoint");
    let java = invocation("java", "java21", "any", &[("other", "")]);
    assert!(matches!(
        place.sandboxes.invoke(&java).await,
        Err(NotRun::RuntimeMissing { .. })
    ));
}

/// An executable is told how the function wants its log; that it runs in a runtime of Lambda's, it is not.
#[tokio::test(flavor = "multi_thread")]
async fn executables_learn_how_to_log() {
    let place = Place::new();
    let bootstrap = r#"#!/usr/bin/python3
import http.client, json, os
while True:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    answer.read()
    names = ["AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "AWS_EXECUTION_ENV"]
    seen = json.dumps([os.environ.get(name) for name in names])
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", seen)
    api.getresponse().read()
"#;
    let mut own = invocation("logs", "provided.al2023", "any", &[("bootstrap", bootstrap)]);
    assert_eq!(told(&place.run(&own).await), json!([null, null, null]));
    own.configuration = "2".to_owned();
    own.log_form = as_json("DEBUG", "INFO");
    assert_eq!(told(&place.run(&own).await), json!(["JSON", "DEBUG", null]));
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

/// A process is found by what it was started with; what is for a waiting process alone starts none.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_process_needs_nothing_to_run_again() {
    let place = Place::new();
    let source = "import os\ndef handler(e, c): return [os.getpid(), os.environ['AWS_ACCESS_KEY_ID'], os.environ['_X_AMZN_TRACE_ID']]\n";
    let mut whole = python("again", source);
    whole.trace_id = Some("Root=1".to_owned());
    let (arn, configuration) = (whole.function_arn.clone(), whole.configuration.clone());
    let expires = whole.credentials.as_ref().unwrap().expires;
    let waits = |until| place.sandboxes.waits(&arn, &configuration, until);
    let mut bare = python("again", source);
    (bare.warm, bare.zip, bare.credentials) = (true, None, None);
    bare.environment.clear();
    bare.trace_id = Some("Root=2".to_owned());
    assert!(!waits(whole.now));
    assert_eq!(place.sandboxes.invoke(&bare).await.unwrap_err(), NotRun::Cold);
    let first = told(&place.run(&whole).await);
    assert!(waits(whole.now));
    assert!(!waits(expires), "its credentials end");
    assert!(
        !place.sandboxes.waits(&arn, "2", whole.now),
        "another configuration"
    );
    let again = told(&place.run(&bare).await);
    assert_eq!((&again[0], &again[1]), (&first[0], &first[1]));
    assert_eq!((&first[2], &again[2]), (&json!("Root=1"), &json!("Root=2")));
}
