//! Handlers for Node.js, and their errors.

use super::*;

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

/// As JSON, what the console is told is told with its level, a single object as it is, and an error with its type and its stack.
#[tokio::test(flavor = "multi_thread")]
async fn node_logs_as_json() {
    let place = Place::new();
    let source = r#"
export const handler = async (event) => {
  console.log({ data: 12.3, flag: false });
  console.info("below");
  console.warn("some object -", { flag: false });
  console.error("failed:", new RangeError("far"));
  const round = {};
  round.round = round;
  console.error(round);
  if (event.fail) throw new TypeError("typed");
  return 1;
};
"#;
    let mut invocation = node("json", "index.mjs", source);
    invocation.log_form = as_json("INFO", "WARN");
    let (lines, others) = json_lines(&tail(&place.run(&invocation).await));
    assert!(others.is_empty(), "{others:?}");
    let [object, below, warning, error, round] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert_eq!(object["message"], json!({ "data": 12.3, "flag": false }));
    assert_eq!(
        (&object["level"], &object["requestId"]),
        (&json!("INFO"), &json!(invocation.request_id))
    );
    assert_eq!(below["message"], "below");
    assert_eq!(
        (&warning["level"], &warning["message"]),
        (&json!("WARN"), &json!("some object - { flag: false }"))
    );
    assert_eq!(
        (&error["level"], &error["errorType"], &error["errorMessage"]),
        (&json!("ERROR"), &json!("RangeError"), &json!("far"))
    );
    assert_eq!(error["stackTrace"][0], "RangeError: far");
    assert!(round["message"].as_str().unwrap().contains("Circular"), "{round}");

    invocation.configuration = "2".to_owned();
    invocation.log_form = as_json("ERROR", "WARN");
    invocation.payload = Bytes::from_static(b"{\"fail\": true}");
    let (lines, _) = json_lines(&tail(&place.run(&invocation).await));
    let levels: Vec<_> = lines.iter().filter_map(|line| line["level"].as_str()).collect();
    assert_eq!(levels, ["ERROR"; 3]);
    assert_eq!(lines[2]["message"]["errorType"], "TypeError");
    assert_eq!(lines[3]["record"]["status"], "error");
}
