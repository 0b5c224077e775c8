//! Policies made from what a principal did, through the pipeline.

use pipeline::testing::{ACCOUNT, Caller, Failure};
use serde_json::{Value, json};

use crate::scene::{Scene, allow, trust};

fn ask(scene: &Scene, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
    scene.cloud.call(caller, "accessanalyzer", operation, input)
}

fn root(scene: &Scene, operation: &str, input: Value) -> Value {
    ask(scene, &scene.root, operation, input).unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
}

fn user(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

/// A user who listed users and looked at itself, and was refused to make a group.
fn worked() -> (Scene, Caller) {
    let scene = Scene::new();
    let worker = scene.user("worker");
    let policy = crate::scene::document(
        &json!({"Effect": "Allow", "Action": ["iam:ListUsers", "iam:GetUser"],
        "Resource": "*"}),
    );
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "worker", "PolicyName": "P", "PolicyDocument": policy}),
    );
    scene.call(&worker, "ListUsers", json!({})).unwrap();
    scene
        .call(&worker, "GetUser", json!({"UserName": "worker"}))
        .unwrap();
    scene
        .call(&worker, "CreateGroup", json!({"GroupName": "g"}))
        .unwrap_err();
    (scene, worker)
}

fn start(scene: &Scene, principal: &str) -> String {
    let input = json!({"policyGenerationDetails": {"principalArn": principal}});
    root(scene, "StartPolicyGeneration", input)["jobId"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// S1.20: the generated policy has what was allowed and not what was refused, and is enough to do the same again.
#[test]
fn a_policy_is_made_of_what_was_done() {
    let (scene, worker) = worked();
    let id = start(&scene, &user("worker"));
    let running = root(&scene, "GetGeneratedPolicy", json!({"jobId": id}));
    assert_eq!(running["jobDetails"]["status"], "IN_PROGRESS");
    scene.cloud.advance(5_000);
    let made = root(&scene, "GetGeneratedPolicy", json!({"jobId": id}));
    assert_eq!(made["jobDetails"]["status"], "SUCCEEDED");
    let result = &made["generatedPolicyResult"];
    assert_eq!(result["properties"]["principalArn"], user("worker"));
    assert_eq!(result["properties"]["isComplete"], true);
    let text = result["generatedPolicies"][0]["policy"].as_str().unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        document["Statement"],
        json!([{"Effect": "Allow", "Action": ["iam:GetUser", "iam:ListUsers"], "Resource": "*"}])
    );
    let placed = json!({"jobId": id, "includeResourcePlaceholders": true});
    let placed = root(&scene, "GetGeneratedPolicy", placed);
    let text = placed["generatedPolicyResult"]["generatedPolicies"][0]["policy"]
        .as_str()
        .unwrap();
    assert!(
        text.contains("arn:aws:iam::${Account}:user/${UserNameWithPath}"),
        "{text}"
    );
    let text = document.to_string();
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "worker", "PolicyName": "P", "PolicyDocument": text}),
    );
    assert!(scene.call(&worker, "ListUsers", json!({})).is_ok());
    assert!(
        scene
            .call(&worker, "GetUser", json!({"UserName": "worker"}))
            .is_ok()
    );
}

#[test]
fn one_policy_is_made_at_a_time_and_may_be_called_off() {
    let (scene, _) = worked();
    let id = start(&scene, &user("worker"));
    let second = json!({"policyGenerationDetails": {"principalArn": user("worker")}});
    let refused = ask(&scene, &scene.root, "StartPolicyGeneration", second).unwrap_err();
    assert_eq!(refused.code, "ServiceQuotaExceededException");
    root(&scene, "CancelPolicyGeneration", json!({"jobId": id}));
    scene.cloud.advance(5_000);
    let list = root(
        &scene,
        "ListPolicyGenerations",
        json!({"principalArn": user("worker")}),
    );
    assert_eq!(list["policyGenerations"][0]["status"], "CANCELED");
    let again = ask(
        &scene,
        &scene.root,
        "CancelPolicyGeneration",
        json!({"jobId": id}),
    )
    .unwrap_err();
    assert_eq!(again.code, "ValidationException");
    let gone = start(&scene, &user("nobody"));
    scene.cloud.advance(5_000);
    let failed = root(&scene, "GetGeneratedPolicy", json!({"jobId": gone}))["jobDetails"].clone();
    assert_eq!(failed["status"], "FAILED");
    assert_eq!(failed["jobError"]["code"], "RESOURCE_NOT_FOUND_ERROR");
    let strange = json!({"policyGenerationDetails": {"principalArn": "arn:aws:iam::444455556666:user/u"}});
    let strange = ask(&scene, &scene.root, "StartPolicyGeneration", strange).unwrap_err();
    assert_eq!(strange.code, "ValidationException");
}

/// The role that is to read the trails must be passed.
#[test]
fn trails_are_named_with_a_role_that_may_be_passed() {
    let (scene, worker) = worked();
    scene.root(
        "CreateRole",
        json!({"RoleName": "reader", "AssumeRolePolicyDocument": trust("Service", "access-analyzer.amazonaws.com")}),
    );
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "worker", "PolicyName": "P", "PolicyDocument": allow("access-analyzer:*")}),
    );
    let end = pipeline::testing::BEGINNING / 1000;
    let input = |days: i64| {
        json!({"policyGenerationDetails": {"principalArn": user("worker")}, "cloudTrailDetails": {
            "trails": [{"cloudTrailArn": format!("arn:aws:cloudtrail:eu-central-1:{ACCOUNT}:trail/t"), "allRegions": true}],
            "accessRole": format!("arn:aws:iam::{ACCOUNT}:role/reader"),
            "startTime": end - days * 86_400, "endTime": end}})
    };
    let refused = ask(&scene, &worker, "StartPolicyGeneration", input(7)).unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(refused.message.contains("iam:PassRole"), "{}", refused.message);
    let long = ask(&scene, &scene.root, "StartPolicyGeneration", input(91)).unwrap_err();
    assert_eq!(long.code, "ValidationException");
    let id = root(&scene, "StartPolicyGeneration", input(7))["jobId"].clone();
    scene.cloud.advance(5_000);
    let made = root(&scene, "GetGeneratedPolicy", json!({"jobId": id}));
    let trails = &made["generatedPolicyResult"]["properties"]["cloudTrailProperties"];
    assert_eq!(trails["trailProperties"][0]["allRegions"], true);
}

/// A long ledger is read in many jobs, between which others run, and to its end.
#[test]
fn a_long_ledger_is_read_in_steps() {
    let (scene, worker) = worked();
    for _ in 0..1_100 {
        scene
            .call(&worker, "GetUser", json!({"UserName": "worker"}))
            .unwrap();
    }
    let id = start(&scene, &user("worker"));
    let commits = || scene.cloud.gateway.store().statistics().commits;
    let before = commits();
    scene.cloud.advance(5_000);
    assert!(commits() - before >= 2, "one transaction read all of it");
    let made = root(&scene, "GetGeneratedPolicy", json!({"jobId": id}));
    assert_eq!(made["jobDetails"]["status"], "SUCCEEDED");
    let text = made["generatedPolicyResult"]["generatedPolicies"][0]["policy"]
        .as_str()
        .unwrap();
    // What was done before the last thousand calls counts too.
    assert!(text.contains("iam:ListUsers"), "{text}");
}
