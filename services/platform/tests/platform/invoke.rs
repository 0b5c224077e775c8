//! Invocations that somebody waits for.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::json;

use crate::scene::{Scene, arn, encoded, policy};

#[test]
fn a_run_has_the_roles_credentials_the_variables_and_the_code() {
    let scene = Scene::new();
    scene.function(
        "whole",
        &json!({ "Environment": { "Variables": { "COLOUR": "blue" } }, "Publish": true }),
    );
    let (answer, said) = scene.invoke("whole:1", &json!({ "a": 1 }));
    assert_eq!(
        (&answer["StatusCode"], &answer["ExecutedVersion"]),
        (&json!(200), &json!("1"))
    );
    assert_eq!(said, json!({ "a": 1 }));
    let [seen] = scene.seen().try_into().ok().unwrap();
    assert_eq!((seen.function, seen.invoked), (arn("whole:1"), arn("whole:1")));
    assert_eq!(seen.environment, [("COLOUR".to_owned(), "blue".to_owned())]);
    assert_eq!(seen.limits, [(format!("{ACCOUNT}:{REGION}"), 1000)]);
    assert!(seen.zip.unwrap().starts_with(b"PK"));
    let session = scene
        .cloud
        .caller(&seen.access_key_id, Some(&seen.token))
        .unwrap();
    assert_eq!(
        &*session.arn,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/runs/whole")
    );
}

/// S12.8: the trail shows the very credentials that the function got, issued to Lambda.
#[test]
fn the_issue_of_credentials_is_recorded_with_the_run_that_got_them() {
    let scene = Scene::new();
    scene.function(
        "traced",
        &json!({ "Environment": { "Variables": { "COLOUR": "blue" } } }),
    );
    scene.invoke("traced", &json!({}));
    let id = scene.seen()[0].access_key_id.clone();
    let records = scene.cloud.records(ACCOUNT, REGION);
    let shown = |record: &&pipeline::ledger::Record| {
        record.operation == "AssumeRole"
            && record
                .response
                .as_ref()
                .is_some_and(|shown| shown.to_string().contains(&id))
    };
    let issued: Vec<_> = records.iter().filter(shown).collect();
    assert_eq!(issued.len(), 1);
    assert_eq!(issued[0].user_agent.as_deref(), Some("lambda.amazonaws.com"));
    assert_eq!(issued[0].judgements.len(), 1);
    let decrypted = records
        .iter()
        .find(|record| record.operation == "Decrypt" && record.caller.access_key_id == id);
    assert_eq!(
        decrypted.unwrap().caller.invoked_by.as_deref(),
        Some("lambda.amazonaws.com")
    );
}

/// A process keeps what it was started with: while one waits, nobody asks STS or KMS again, and the trail has one issue for all its events.
#[test]
fn credentials_are_issued_once_for_a_process() {
    let scene = Scene::new();
    scene.function(
        "warm",
        &json!({ "Environment": { "Variables": { "COLOUR": "blue" } } }),
    );
    let count = |operation: &str| {
        let records = scene.cloud.records(ACCOUNT, REGION);
        records
            .iter()
            .filter(|record| record.operation == operation && record.caller.invoked_by.is_some())
            .count()
    };
    scene.invoke("warm", &json!({ "n": 1 }));
    let asked = (count("AssumeRole"), count("Decrypt"));
    scene.notes.waiting.lock().push(arn("warm:$LATEST"));
    for n in 2..5 {
        let (_, said) = scene.invoke("warm", &json!({ "n": n }));
        assert_eq!(said["n"], n);
    }
    assert_eq!((count("AssumeRole"), count("Decrypt")), asked);
    assert!(
        scene.seen()[1..]
            .iter()
            .all(|seen| seen.warm && seen.environment.is_empty())
    );
    // What waited was taken meanwhile: another process is started, with credentials of its own.
    scene.notes.taken.lock().push(arn("warm:$LATEST"));
    scene.invoke("warm", &json!({ "n": 5 }));
    assert_eq!(
        (count("AssumeRole"), count("Decrypt")),
        (asked.0 + 1, asked.1 + 1)
    );
    let last = scene.seen().pop().unwrap();
    assert!(!last.warm && last.access_key_id.starts_with("ASIA") && last.zip.is_some());
}

#[test]
fn what_the_runner_cannot_do_is_told_as_aws_does() {
    let scene = Scene::new();
    scene.function("full", &json!({}));
    let full = json!({ "FunctionName": "full", "Payload": encoded(&json!({ "full": true })) });
    assert_eq!(
        scene.refused("Invoke", full.clone()).code,
        "TooManyRequestsException"
    );
    scene.lambda(
        "PutFunctionConcurrency",
        json!({ "FunctionName": "full", "ReservedConcurrentExecutions": 2 }),
    );
    scene.refused("Invoke", full.clone());
    assert_eq!(scene.seen()[1].limits, [(arn("full"), 2)]);
    scene.lambda(
        "PutFunctionConcurrency",
        json!({ "FunctionName": "full", "ReservedConcurrentExecutions": 0 }),
    );
    scene.refused("Invoke", full);
    assert_eq!(scene.seen().len(), 2, "a stopped function is not run");
}

#[test]
fn a_role_that_no_longer_trusts_lambda_runs_nothing() {
    let scene = Scene::new();
    scene.function("orphan", &json!({}));
    let nobody = policy(&json!({
        "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole",
    }));
    scene.ok(
        "iam",
        "UpdateAssumeRolePolicy",
        json!({ "RoleName": "runs", "PolicyDocument": nobody }),
    );
    let refused = scene.refused("Invoke", json!({ "FunctionName": "orphan" }));
    assert_eq!(
        refused.message,
        "The role defined for the function cannot be assumed by Lambda."
    );
    assert!(scene.seen().is_empty());
}

#[test]
fn another_account_needs_both_sides() {
    let scene = Scene::new();
    scene.function("lent", &json!({}));
    let stranger = std::sync::Arc::new(pipeline::Identity::root("444455556666"));
    let call = json!({ "FunctionName": arn("lent") });
    assert_eq!(
        scene.refused_to(&stranger, "Invoke", call.clone()).code,
        "AccessDeniedException"
    );
    let missing = json!({ "FunctionName": arn("missing") });
    assert_eq!(
        scene.refused_to(&stranger, "Invoke", missing).code,
        "AccessDeniedException"
    );
    scene.lambda("AddPermission", json!({
        "FunctionName": "lent", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "444455556666",
    }));
    scene.call(&stranger, "lambda", "Invoke", call).unwrap();
    let session = scene
        .cloud
        .caller(&scene.seen()[0].access_key_id, Some(&scene.seen()[0].token))
        .unwrap();
    assert_eq!(&*session.account, ACCOUNT, "the function runs in its own account");
}

#[test]
fn passing_a_role_takes_its_own_permission() {
    let scene = Scene::new();
    let maker = scene.user(
        "maker",
        &json!([
            { "Effect": "Allow", "Action": "lambda:*", "Resource": "*" },
            { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
              "Condition": { "StringEquals": { "iam:PassedToService": "ec2.amazonaws.com" } } },
        ]),
    );
    let input = json!({
        "FunctionName": "f", "Runtime": "python3.13", "Handler": "a.b", "Role": scene.role,
        "Code": { "ZipFile": crate::scene::zip(1) },
    });
    let refused = scene.refused_to(&maker, "CreateFunction", input);
    assert!(refused.message.contains("iam:PassRole"), "{refused:?}");
}
