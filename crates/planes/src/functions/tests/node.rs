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
