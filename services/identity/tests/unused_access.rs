//! Analyzers of unused access through the pipeline.

use pipeline::testing::{ACCOUNT, Caller, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, document, trust};

const DAY: i64 = 86_400_000;

fn analyzer() -> String {
    format!("arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/u")
}

fn ask(scene: &Scene, operation: &str, rest: Value) -> Value {
    let mut input = rest;
    input["analyzerArn"] = json!(analyzer());
    scene
        .cloud
        .call(&scene.root, "accessanalyzer", operation, input)
        .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
}

/// Active findings: the type and the resource's name, in order; and the ids.
fn active(scene: &Scene) -> (Vec<(String, String)>, Vec<Value>) {
    let input = json!({"filter": {"status": {"eq": ["ACTIVE"]}},
        "sort": {"attributeName": "findingType", "orderBy": "ASC"}});
    let answer = ask(scene, "ListFindingsV2", input);
    let findings = answer["findings"].as_array().unwrap();
    let named = findings.iter().map(|finding| {
        let (_, name) = finding["resource"].as_str().unwrap().rsplit_once('/').unwrap();
        (
            finding["findingType"].as_str().unwrap().to_owned(),
            name.to_owned(),
        )
    });
    (
        named.collect(),
        findings.iter().map(|finding| finding["id"].clone()).collect(),
    )
}

/// A user with key and password, a role that sleeps, one that works, and one that is left out by its tag.
fn furnished() -> (Scene, Caller) {
    let scene = Scene::new();
    let user = scene.user("user");
    scene.root(
        "CreateLoginProfile",
        json!({"UserName": "user", "Password": "Correct-Horse-9"}),
    );
    let root = trust("AWS", &format!("arn:aws:iam::{ACCOUNT}:root"));
    for name in ["sleeper", "worker", "spared"] {
        let tags = if name == "spared" {
            json!([{"Key": "keep", "Value": "yes"}])
        } else {
            json!([])
        };
        scene.root(
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": root, "Tags": tags}),
        );
    }
    let many = document(&json!([
        {"Effect": "Allow", "Action": ["iam:GetUser", "iam:ListUsers"], "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    ]));
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "worker", "PolicyName": "P", "PolicyDocument": many}),
    );
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "user", "PolicyName": "P", "PolicyDocument": crate::scene::allow("sts:AssumeRole")}),
    );
    ask(
        &scene,
        "CreateAnalyzer",
        json!({"analyzerName": "u", "type": "ACCOUNT_UNUSED_ACCESS", "configuration": {"unusedAccess": {
            "unusedAccessAge": 10, "analysisRule": {"exclusions": [{"resourceTags": [{"keep": "yes"}]}]}}}}),
    );
    (scene, user)
}

fn pair(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

/// Roles, passwords, keys and permissions that nobody uses are found once they are old enough, and resolved when they are gone.
#[test]
fn unused_access_is_found_and_resolved() {
    let (scene, _) = furnished();
    scene.cloud.advance(9 * DAY);
    assert!(active(&scene).0.is_empty());
    scene.cloud.advance(2 * DAY);
    let (found, ids) = active(&scene);
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            pair("UnusedIAMRole", "sleeper"),
            pair("UnusedIAMRole", "worker"),
            pair("UnusedIAMUserAccessKey", "user"),
            pair("UnusedIAMUserPassword", "user"),
        ]
    );
    let key = found
        .iter()
        .position(|(kind, _)| kind == "UnusedIAMUserAccessKey")
        .unwrap();
    let whole = ask(&scene, "GetFindingV2", json!({"id": ids[key]}));
    let details = &whole["findingDetails"][0]["unusedIamUserAccessKeyDetails"];
    assert!(details["accessKeyId"].as_str().unwrap().starts_with("AKIA"));
    scene.root("DeleteRole", json!({"RoleName": "sleeper"}));
    scene.root("DeleteLoginProfile", json!({"UserName": "user"}));
    scene.cloud.advance(DAY);
    let (left, _) = active(&scene);
    assert_eq!(left.len(), 2);
    let statistics = ask(&scene, "GetFindingsStatistics", json!({}));
    let counted = &statistics["findingsStatistics"][0]["unusedAccessFindingsStatistics"];
    assert_eq!(
        (&counted["totalResolvedFindings"], &counted["totalActiveFindings"]),
        (&json!(2), &json!(2))
    );
    let input = json!({"analyzerArn": analyzer()});
    let refused = scene
        .cloud
        .call(&scene.root, "accessanalyzer", "ListFindings", input);
    assert_eq!(refused.unwrap_err().code, "ValidationException");
}

/// Of a role that works, the ledger tells what it does not do; the recommendation is its policy without that.
#[test]
fn unused_permissions_are_told_and_taken_out_of_the_policy() {
    let (scene, user) = furnished();
    scene.cloud.advance(9 * DAY);
    let session = scene.assume(&user, "worker").unwrap();
    scene.call(&session, "ListUsers", json!({})).unwrap();
    scene.cloud.advance(2 * DAY);
    let (found, ids) = active(&scene);
    let place = found
        .iter()
        .position(|(kind, _)| kind == "UnusedPermission")
        .unwrap();
    assert_eq!(found[place].1, "worker");
    let one = json!({"id": ids[place]});
    let whole = ask(&scene, "GetFindingV2", one.clone());
    let details = whole["findingDetails"].as_array().unwrap().iter();
    let details: Vec<_> = details.map(|detail| &detail["unusedPermissionDetails"]).collect();
    assert_eq!(details[0]["serviceNamespace"], "iam");
    assert_eq!(details[0]["actions"], json!([{"action": "iam:GetUser"}]));
    assert_eq!(details[1], &json!({"serviceNamespace": "s3"}));
    ask(&scene, "GenerateFindingRecommendation", one.clone());
    let advice = ask(&scene, "GetFindingRecommendation", one);
    let step = |place: usize| &advice["recommendedSteps"][place]["unusedPermissionsRecommendedStep"];
    assert_eq!(
        (&step(0)["recommendedAction"], &step(0)["existingPolicyId"]),
        (&json!("CREATE_POLICY"), &json!("P"))
    );
    let narrow: Value = serde_json::from_str(step(0)["recommendedPolicy"].as_str().unwrap()).unwrap();
    assert_eq!(
        narrow["Statement"],
        json!([{"Effect": "Allow", "Action": ["iam:ListUsers"], "Resource": "*"}])
    );
    assert_eq!(step(1)["recommendedAction"], "DETACH_POLICY");
}

/// A long ledger, and many users and roles, are gone through in many jobs, between which others run.
#[test]
fn a_scan_goes_on_from_job_to_job() {
    let (scene, user) = furnished();
    for number in 0..120 {
        let root = trust("AWS", &format!("arn:aws:iam::{ACCOUNT}:root"));
        let name = format!("many{number:03}");
        scene.root(
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": root}),
        );
    }
    scene.cloud.advance(9 * DAY);
    let session = scene.assume(&user, "worker").unwrap();
    scene.call(&session, "ListUsers", json!({})).unwrap();
    for _ in 0..1_100 {
        scene.call(&user, "GetUser", json!({})).unwrap_err();
    }
    let commits = || scene.cloud.gateway.store().statistics().commits;
    let before = commits();
    scene.cloud.advance(2 * DAY);
    // Two scans: twice the ledger in two strides, a hundred and some more roles, users, and what is left behind.
    assert!(commits() - before >= 12, "{}", commits() - before);
    let counted = ask(&scene, "GetFindingsStatistics", json!({}));
    let counted = &counted["findingsStatistics"][0]["unusedAccessFindingsStatistics"];
    // Those roles, the sleeper, the password, and permissions of the worker.
    assert_eq!(counted["totalActiveFindings"], 123, "{counted}");
    let input = json!({"filter": {"findingType": {"eq": ["UnusedPermission"]}}});
    let found = ask(&scene, "ListFindingsV2", input);
    let found = found["findings"].as_array().unwrap();
    assert_eq!(
        found.len(),
        1,
        "what was done before the last thousand calls counts: {found:?}"
    );
    assert!(found[0]["resource"].as_str().unwrap().ends_with("/worker"));
}
