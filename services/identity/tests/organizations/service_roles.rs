//! The service-linked roles that come with an organization and with an analyzer, and stay as long as these do.

use pipeline::testing::{ACCOUNT, Caller};
use serde_json::{Value, json};

use super::{OTHER, Organized, root_of, text};
use crate::scene::{Scene, allow};

const ROLE: &str = "AWSServiceRoleForOrganizations";
const ANALYZER_ROLE: &str = "AWSServiceRoleForAccessAnalyzer";

fn has(scene: &Scene, account: &str, role: &str) -> bool {
    let found = scene.call(&root_of(account), "GetRole", json!({"RoleName": role}));
    found.is_ok()
}

/// Asks for the deletion of a role, and tells how it ended.
fn delete(scene: &Scene, caller: &Caller, role: &str) -> Value {
    let asked = scene
        .call(caller, "DeleteServiceLinkedRole", json!({"RoleName": role}))
        .unwrap();
    scene.cloud.advance(3_000);
    let task = json!({"DeletionTaskId": asked["DeletionTaskId"]});
    scene
        .call(caller, "GetServiceLinkedRoleDeletionStatus", task)
        .unwrap()
}

#[test]
fn every_account_of_an_organization_has_its_role_and_keeps_it() {
    let organized = Organized::new();
    let member = organized.member("member@example.com");
    organized.invited(OTHER);
    for account in [ACCOUNT, &member, OTHER] {
        assert!(has(&organized.scene, account, ROLE), "{account}");
    }
    let scene = &organized.scene;
    let ended = delete(scene, &scene.root, ROLE);
    assert_eq!(ended["Status"], "FAILED");
    let arn = format!("arn:aws:organizations::{ACCOUNT}:organization/{}", organized.id);
    let usage = json!([{"Region": "us-east-1", "Resources": [arn]}]);
    assert_eq!(ended["Reason"]["RoleUsageList"], usage);
    assert!(text(&ended["Reason"]["Reason"]).contains(ROLE));
    assert!(has(scene, ACCOUNT, ROLE));
    organized
        .as_root_of(OTHER, "LeaveOrganization", json!({}))
        .unwrap();
    assert_eq!(delete(scene, &root_of(OTHER), ROLE)["Status"], "SUCCEEDED");
    assert!(!has(scene, OTHER, ROLE));
}

/// Without all features the role may go; the account that approves all features gets it again.
#[test]
fn the_role_is_needed_with_all_features_alone() {
    let organized = Organized::with(json!({"FeatureSet": "CONSOLIDATED_BILLING"}));
    let scene = &organized.scene;
    assert_eq!(delete(scene, &scene.root, ROLE)["Status"], "SUCCEEDED");
    organized.ok("EnableAllFeatures", json!({}));
    let sent = organized.ok("ListHandshakesForAccount", json!({}))["Handshakes"].clone();
    let last = sent
        .as_array()
        .unwrap()
        .iter()
        .find(|sent| sent["Action"] == "APPROVE_ALL_FEATURES");
    organized.ok("AcceptHandshake", json!({"HandshakeId": last.unwrap()["Id"]}));
    assert!(has(scene, ACCOUNT, ROLE));
    assert_eq!(delete(scene, &scene.root, ROLE)["Status"], "FAILED");
}

/// On AWS too, whoever makes an organization or an analyzer must be allowed to make the role, unless it is there.
#[test]
fn whoever_lets_a_service_make_its_role_must_be_allowed_to() {
    let scene = Scene::new();
    let caller = scene.user("maker");
    let put = |name: &str, action: &str| {
        let input = json!({"UserName": "maker", "PolicyName": name, "PolicyDocument": allow(action)});
        scene.root("PutUserPolicy", input);
    };
    put("organizations", "organizations:*");
    put("analyzers", "access-analyzer:*");
    let organize = || {
        scene
            .cloud
            .call(&caller, "organizations", "CreateOrganization", json!({}))
    };
    let analyzer = json!({"analyzerName": "a", "type": "ACCOUNT"});
    let analyze = || {
        scene
            .cloud
            .call(&caller, "accessanalyzer", "CreateAnalyzer", analyzer.clone())
    };
    for failure in [organize().unwrap_err(), analyze().unwrap_err()] {
        assert!(
            failure.message.contains("iam:CreateServiceLinkedRole"),
            "{failure:?}"
        );
    }
    put("roles", "iam:CreateServiceLinkedRole");
    assert!(organize().is_ok() && analyze().is_ok());
    assert!(has(&scene, ACCOUNT, ROLE) && has(&scene, ACCOUNT, ANALYZER_ROLE));
}

#[test]
fn an_analyzer_keeps_its_role() {
    let scene = Scene::new();
    let analyzer = json!({"analyzerName": "a", "type": "ACCOUNT"});
    let made = scene
        .cloud
        .call(&scene.root, "accessanalyzer", "CreateAnalyzer", analyzer)
        .unwrap();
    let ended = delete(&scene, &scene.root, ANALYZER_ROLE);
    assert_eq!(ended["Status"], "FAILED");
    assert_eq!(
        ended["Reason"]["RoleUsageList"][0]["Resources"],
        json!([made["arn"]])
    );
    let name = json!({"analyzerName": "a"});
    scene
        .cloud
        .call(&scene.root, "accessanalyzer", "DeleteAnalyzer", name)
        .unwrap();
    assert_eq!(delete(&scene, &scene.root, ANALYZER_ROLE)["Status"], "SUCCEEDED");
    assert!(!has(&scene, ACCOUNT, ANALYZER_ROLE));
}
