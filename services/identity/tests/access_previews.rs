//! Access previews through the pipeline: what would be found if a policy were another.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, trust};

const OTHER: &str = "444455556666";

fn arn() -> String {
    format!("arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/a")
}

fn ask(scene: &Scene, operation: &str, input: Value) -> Value {
    scene
        .cloud
        .call(&scene.root, "accessanalyzer", operation, input)
        .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
}

fn preview(scene: &Scene, resource: &str, configuration: Value) -> Value {
    let input = json!({"analyzerArn": arn(), "configurations": {resource: configuration}});
    ask(scene, "CreateAccessPreview", input)["id"].clone()
}

/// Changes with the names of principals, in order.
fn found(scene: &Scene, id: &Value, filter: Value) -> Vec<(String, String, String)> {
    let input = json!({"analyzerArn": arn(), "accessPreviewId": id, "filter": filter});
    let answer = ask(scene, "ListAccessPreviewFindings", input);
    let findings = answer["findings"].as_array().unwrap().iter();
    let mut found: Vec<_> = findings
        .map(|finding| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&finding["principal"]["AWS"]),
                text(&finding["changeType"]),
                text(&finding["status"]),
            )
        })
        .collect();
    found.sort();
    found
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.root(
        "CreateRole",
        json!({"RoleName": "r", "AssumeRolePolicyDocument": trust("AWS", OTHER)}),
    );
    ask(
        &scene,
        "CreateAnalyzer",
        json!({"analyzerName": "a", "type": "ACCOUNT"}),
    );
    scene.cloud.advance(1);
    scene
}

fn triple(parts: [&str; 3]) -> (String, String, String) {
    let [principal, change, status] = parts.map(str::to_owned);
    (principal, change, status)
}

/// A request that comes again by the same token is the same preview; with another policy it is refused.
#[test]
fn a_preview_that_is_asked_for_again_is_made_once() {
    let scene = scene();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let call = |account: &str, token: &str| {
        let configuration = json!({"iamRole": {"trustPolicy": trust("AWS", account)}});
        let input =
            json!({"analyzerArn": arn(), "configurations": {&role: configuration}, "clientToken": token});
        scene
            .cloud
            .call(&scene.root, "accessanalyzer", "CreateAccessPreview", input)
    };
    let first = call(OTHER, "one").unwrap();
    assert_eq!(call(OTHER, "one").unwrap(), first);
    assert_ne!(call(OTHER, "two").unwrap(), first);
    assert_eq!(call("777788889999", "one").unwrap_err().code, "ConflictException");
    let listed = ask(&scene, "ListAccessPreviews", json!({"analyzerArn": arn()}));
    assert_eq!(listed["accessPreviews"].as_array().unwrap().len(), 2);
}

/// An order that there is not is refused, whether there are findings or none.
#[test]
fn findings_are_sorted_by_what_they_have() {
    let scene = Scene::new();
    ask(
        &scene,
        "CreateAnalyzer",
        json!({"analyzerName": "a", "type": "ACCOUNT"}),
    );
    let list = |attribute: &str| {
        let input = json!({"analyzerArn": arn(), "sort": {"attributeName": attribute}});
        scene
            .cloud
            .call(&scene.root, "accessanalyzer", "ListFindings", input)
    };
    assert_eq!(list("createdAt").unwrap()["findings"], json!([]));
    assert_eq!(list("nonsense").unwrap_err().code, "ValidationException");
}

/// What is new, what stays and what would end are told apart, and nothing of the role changes.
#[test]
fn a_preview_tells_what_a_trust_policy_would_change() {
    let scene = scene();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let more = json!({"iamRole": {"trustPolicy": crate::scene::document(&json!([
        {"Effect": "Allow", "Principal": {"AWS": [OTHER, "777788889999"]}, "Action": "sts:AssumeRole"}]))}});
    let id = preview(&scene, &role, more);
    assert_eq!(
        found(&scene, &id, json!({})),
        [
            triple([OTHER, "UNCHANGED", "ACTIVE"]),
            triple(["777788889999", "NEW", "ACTIVE"])
        ]
    );
    assert_eq!(
        found(&scene, &id, json!({"changeType": {"eq": ["NEW"]}})).len(),
        1
    );
    let none = preview(
        &scene,
        &role,
        json!({"iamRole": {"trustPolicy": trust("AWS", ACCOUNT)}}),
    );
    assert_eq!(
        found(
            &scene,
            &none,
            json!({"existingFindingStatus": {"eq": ["ACTIVE"]}})
        ),
        [triple([OTHER, "CHANGED", "RESOLVED"])]
    );
    let same = preview(&scene, &role, json!({"iamRole": {}}));
    assert_eq!(
        found(&scene, &same, json!({})),
        [triple([OTHER, "UNCHANGED", "ACTIVE"])]
    );
    let now = ask(&scene, "ListFindings", json!({"analyzerArn": arn()}));
    assert_eq!(now["findings"].as_array().unwrap().len(), 1);
    let shown = ask(
        &scene,
        "GetAccessPreview",
        json!({"analyzerArn": arn(), "accessPreviewId": none}),
    );
    assert_eq!(shown["accessPreview"]["status"], "COMPLETED");
    assert!(shown["accessPreview"]["configurations"][&role]["iamRole"]["trustPolicy"].is_string());
    let all = ask(&scene, "ListAccessPreviews", json!({"analyzerArn": arn()}));
    assert_eq!(all["accessPreviews"].as_array().unwrap().len(), 3);
}

#[test]
fn a_key_that_is_not_there_yet_is_previewed_with_its_grants() {
    let scene = scene();
    let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/new");
    let grantee = format!("arn:aws:iam::{OTHER}:role/r");
    let proposed = json!({"kmsKey": {"grants": [{"operations": ["Decrypt"], "granteePrincipal": grantee,
        "issuingAccount": ACCOUNT}]}});
    let id = preview(&scene, &key, proposed);
    assert_eq!(
        found(&scene, &id, json!({})),
        [triple([&grantee, "NEW", "ACTIVE"])]
    );
    let broken = preview(
        &scene,
        &key,
        json!({"kmsKey": {"keyPolicies": {"default": "no policy"}}}),
    );
    let shown = ask(
        &scene,
        "GetAccessPreview",
        json!({"analyzerArn": arn(), "accessPreviewId": broken}),
    );
    let (status, reason) = (
        &shown["accessPreview"]["status"],
        &shown["accessPreview"]["statusReason"]["code"],
    );
    assert_eq!(
        (status, reason),
        (&json!("FAILED"), &json!("INVALID_CONFIGURATION"))
    );
}

#[test]
fn what_cannot_be_previewed_is_refused() {
    let scene = scene();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let own = json!({"iamRole": {"trustPolicy": trust("AWS", ACCOUNT)}});
    for configurations in [
        json!({&role: {"snsTopic": {}}}),
        json!({&role: {"kmsKey": {}}}),
        json!({format!("arn:aws:iam::{OTHER}:role/r"): own.clone()}),
        json!({&role: own.clone(), format!("{role}2"): own}),
    ] {
        let input = json!({"analyzerArn": arn(), "configurations": configurations});
        let refused = scene.cloud.call(
            &scene.root,
            "accessanalyzer",
            "CreateAccessPreview",
            input.clone(),
        );
        assert_eq!(
            refused.err().map(|failure| failure.code).as_deref(),
            Some("ValidationException"),
            "{input}"
        );
    }
}
