//! Invocations that nobody waits for.

use serde_json::{Value, json};

use crate::scene::{Scene, arn, policy};

fn waiting(scene: &Scene, name: &str) -> usize {
    let (account, region) = (pipeline::testing::ACCOUNT, pipeline::testing::REGION);
    let read = scene.cloud.gateway.system(region, |call| {
        platform::lambda::invoke::event::waiting(call, account, region, name)
    });
    read.ok().unwrap()
}

const SECOND: i64 = 1000;

#[test]
fn an_event_that_fails_is_tried_twice_more() {
    let scene = Scene::new();
    scene.function("tried", &json!({}));
    scene.send("tried", &json!({ "fail": 1 }));
    let runs = || scene.seen().len();
    assert_eq!(runs(), 1);
    scene.cloud.advance(59 * SECOND);
    assert_eq!(runs(), 1);
    scene.cloud.advance(SECOND);
    assert_eq!(runs(), 2);
    scene.cloud.advance(119 * SECOND);
    assert_eq!(runs(), 2);
    scene.cloud.advance(SECOND);
    assert_eq!(runs(), 3);
    scene.cloud.advance(86_400 * SECOND);
    assert_eq!((runs(), waiting(&scene, "tried")), (3, 0));
}

#[test]
fn settings_say_how_often_and_how_long() {
    let scene = Scene::new();
    scene.function("set", &json!({}));
    let settings = json!({ "FunctionName": "set", "MaximumRetryAttempts": 0 });
    scene.lambda("PutFunctionEventInvokeConfig", settings);
    scene.send("set", &json!({ "fail": 1 }));
    assert_eq!((scene.seen().len(), waiting(&scene, "set")), (1, 0));
    let settings = json!({ "FunctionName": "set", "MaximumEventAgeInSeconds": 60 });
    scene.lambda("UpdateFunctionEventInvokeConfig", settings);
    scene.send("set", &json!({ "full": 1 }));
    assert_eq!(waiting(&scene, "set"), 1);
    scene.cloud.advance(61 * SECOND);
    assert_eq!(waiting(&scene, "set"), 0);
    let shown = scene.lambda("GetFunctionEventInvokeConfig", json!({ "FunctionName": "set" }));
    assert_eq!(
        (&shown["MaximumRetryAttempts"], &shown["FunctionArn"]),
        (&json!(0), &json!(arn("set:$LATEST")))
    );
    scene.lambda(
        "DeleteFunctionEventInvokeConfig",
        json!({ "FunctionName": "set" }),
    );
    let refused = scene.refused("GetFunctionEventInvokeConfig", json!({ "FunctionName": "set" }));
    assert_eq!(refused.code, "ResourceNotFoundException");
}

#[test]
fn a_destination_is_told_with_the_roles_permissions() {
    let scene = Scene::new();
    scene.function("told", &json!({}));
    scene.function("telling", &json!({}));
    let settings = json!({ "FunctionName": "telling", "DestinationConfig": {
        "OnSuccess": { "Destination": arn("told") }, "OnFailure": { "Destination": arn("told") },
    } });
    scene.lambda("PutFunctionEventInvokeConfig", settings);
    scene.send("telling", &json!({ "n": 1 }));
    assert_eq!(scene.seen().len(), 1, "the role may not invoke");
    let may =
        policy(&json!({ "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn("told") }));
    scene.ok(
        "iam",
        "PutRolePolicy",
        json!({ "RoleName": "runs", "PolicyName": "own", "PolicyDocument": may }),
    );
    scene.send("telling", &json!({ "n": 2 }));
    let record = told(&scene);
    assert_eq!(
        (&record["version"], &record["requestContext"]["condition"]),
        (&json!("1.0"), &json!("Success"))
    );
    assert_eq!(
        (&record["requestPayload"], &record["responsePayload"]),
        (&json!({ "n": 2 }), &json!({ "n": 2 }))
    );
    assert_eq!(record["requestContext"]["functionArn"], arn("telling:$LATEST"));
    assert_eq!(
        record["responseContext"],
        json!({ "statusCode": 200, "executedVersion": "$LATEST" })
    );
    scene.lambda(
        "PutFunctionConcurrency",
        json!({ "FunctionName": "telling", "ReservedConcurrentExecutions": 0 }),
    );
    scene.send("telling", &json!({ "n": 3 }));
    let record = told(&scene);
    assert_eq!(
        (&record["requestPayload"], &record["responseContext"]),
        (&json!({ "n": 3 }), &Value::Null)
    );
}

/// Two functions that tell each other of their ends do not do so for ever: after sixteen events of one chain Lambda stops, and tells of
/// that once. A function may be told to allow it.
#[test]
fn destinations_that_tell_each_other_come_to_an_end() {
    let scene = Scene::new();
    let may = policy(&json!({ "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*" }));
    scene.ok(
        "iam",
        "PutRolePolicy",
        json!({ "RoleName": "runs", "PolicyName": "own", "PolicyDocument": may }),
    );
    for name in ["brief-ping", "brief-pong"] {
        scene.function(name, &json!({}));
    }
    for (name, other) in [("brief-ping", "brief-pong"), ("brief-pong", "brief-ping")] {
        let settings = json!({ "FunctionName": name, "DestinationConfig": {
            "OnSuccess": { "Destination": arn(other) }, "OnFailure": { "Destination": arn(other) },
        } });
        scene.lambda("PutFunctionEventInvokeConfig", settings);
    }
    let shown = scene.lambda(
        "GetFunctionRecursionConfig",
        json!({ "FunctionName": "brief-ping" }),
    );
    assert_eq!(shown, json!({ "RecursiveLoop": "Terminate" }));
    scene.send("brief-ping", &json!({ "n": 1 }));
    scene.cloud.advance(86_400 * SECOND);
    assert_eq!(
        (waiting(&scene, "brief-ping"), waiting(&scene, "brief-pong")),
        (0, 0)
    );
    let seen = scene.seen();
    let runs = |name: &str| seen.iter().filter(|seen| seen.invoked == arn(name)).count();
    assert_eq!((runs("brief-ping"), runs("brief-pong")), (16, 16));
    let root = |seen: &crate::scene::Seen| seen.trace.split(';').next().unwrap().to_owned();
    assert!(
        seen.iter()
            .all(|one| root(one) == root(&seen[0]) && one.trace.starts_with("Root=1-"))
    );
    // Another event begins another chain.
    scene.send("brief-ping", &json!({ "n": 2 }));
    assert_eq!(scene.seen().len(), 64);
    let allowed = json!({ "FunctionName": "brief-ping", "RecursiveLoop": "Allow" });
    assert_eq!(
        scene.lambda("PutFunctionRecursionConfig", allowed)["RecursiveLoop"],
        "Allow"
    );
    scene.send("brief-ping", &json!({ "n": 3 }));
    let seen = scene.seen();
    let pings = seen
        .iter()
        .skip(64)
        .filter(|seen| seen.invoked == arn("brief-ping"))
        .count();
    assert_eq!(pings, 18, "its own count stops nothing; that of the other does");
}

/// The last event of the function `told`.
fn told(scene: &Scene) -> Value {
    let seen = scene
        .seen()
        .into_iter()
        .rev()
        .find(|seen| seen.invoked == arn("told"));
    seen.unwrap().payload
}

#[test]
fn a_destination_must_be_there_and_another_function() {
    let scene = Scene::new();
    scene.function("alone", &json!({}));
    for (destination, code) in [
        (arn("nobody"), "InvalidParameterValueException"),
        (arn("alone"), "InvalidParameterValueException"),
        (
            "arn:aws:sqs:eu-central-1:111122223333:queue".to_owned(),
            "NotImplemented",
        ),
    ] {
        let settings = json!({ "FunctionName": "alone", "DestinationConfig": { "OnFailure": { "Destination": destination } } });
        assert_eq!(scene.refused("PutFunctionEventInvokeConfig", settings).code, code);
    }
    let nothing = json!({ "FunctionName": "alone" });
    assert_eq!(
        scene.refused("PutFunctionEventInvokeConfig", nothing).code,
        "InvalidParameterValueException"
    );
}

#[test]
fn waiting_events_go_with_their_function() {
    let scene = Scene::new();
    scene.function("going", &json!({}));
    scene.send("going", &json!({ "fail": 1 }));
    scene.lambda("DeleteFunction", json!({ "FunctionName": "going" }));
    scene.cloud.advance(3_600 * SECOND);
    assert_eq!((scene.seen().len(), waiting(&scene, "going")), (1, 0));
}
