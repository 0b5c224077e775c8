//! Handlers in Python, and their errors.

use super::*;

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

/// Prints, logs at several levels and perhaps fails.
const LOGS: &str = r#"
import logging
def handler(event, context):
    print("plain")
    logging.info("begins", extra={"a": "b", "list": [3]})
    logging.debug("hidden")
    try:
        raise ValueError("wrong")
    except ValueError:
        logging.getLogger("mine").exception("caught")
    if event.get("fail"):
        raise KeyError("lost")
    return 1
"#;

/// These members of a line.
fn picked(line: &Value, members: &[&str]) -> Value {
    members.iter().map(|member| line[*member].clone()).collect()
}

/// As JSON, what `logging` is told is written with its level, time, logger, error and whatever the function adds; what is printed is
/// written as it is; the runner's own lines are JSON too.
#[tokio::test(flavor = "multi_thread")]
async fn python_logs_as_json() {
    let place = Place::new();
    let mut invocation = python("json", LOGS);
    invocation.log_form = as_json("INFO", "DEBUG");
    let (lines, others) = json_lines(&tail(&place.run(&invocation).await));
    assert_eq!(others, ["plain"]);
    let [init, start, begins, caught, done, report] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let id = &invocation.request_id;
    let kinds = [init, start, done, report].map(|line| line["type"].as_str().unwrap());
    assert_eq!(
        kinds.map(|kind| kind.trim_start_matches("platform.")),
        ["initStart", "start", "runtimeDone", "report"]
    );
    let of = &init["record"];
    assert_eq!(
        picked(of, &["functionName", "functionVersion", "phase"]),
        json!(["json", "$LATEST", "init"])
    );
    assert!(init["time"].as_str().unwrap().starts_with("2026-11-2"), "{init}");
    assert_eq!(start["record"], json!({ "requestId": id, "version": "$LATEST" }));
    assert_eq!(
        picked(begins, &["message", "level", "logger", "requestId", "a", "list"]),
        json!(["begins", "INFO", "root", id, "b", [3]])
    );
    assert_eq!(
        picked(
            caught,
            &["message", "level", "logger", "errorType", "errorMessage"]
        ),
        json!(["caught", "ERROR", "mine", "ValueError", "wrong"])
    );
    let trace = caught["stackTrace"][0].as_str().unwrap();
    assert!(trace.contains("raise ValueError"), "{trace}");
    assert_eq!(done["record"]["metrics"]["producedBytes"], 1);
    assert_eq!(
        picked(&report["record"], &["requestId", "status"]),
        json!([id, "success"])
    );
    let metrics = &report["record"]["metrics"];
    assert_eq!(metrics["memorySizeMB"], 256);
    assert!(metrics["durationMs"].is_f64() && metrics["initDurationMs"].as_f64() > Some(0.0));
}

/// What is below a function's levels is not written; its errors always are.
#[tokio::test(flavor = "multi_thread")]
async fn levels_keep_lines_out_of_a_log() {
    let place = Place::new();
    let mut invocation = python("levels", LOGS);
    invocation.log_form = as_json("FATAL", "WARN");
    assert_eq!(tail(&place.run(&invocation).await), "plain\n");
    invocation.payload = Bytes::from_static(b"{\"fail\": true}");
    let (lines, _) = json_lines(&tail(&place.run(&invocation).await));
    let [told, done, report] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert_eq!(
        picked(told, &["level", "errorType", "requestId"]),
        json!(["ERROR", "KeyError", invocation.request_id])
    );
    for (line, kind) in [(done, "platform.runtimeDone"), (report, "platform.report")] {
        assert_eq!(line["type"], kind);
        assert_eq!(
            picked(&line["record"], &["status", "errorType"]),
            json!(["error", "KeyError"])
        );
    }
}
