//! Instance profiles through the pipeline.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{Scene, allow, document, trust};

fn furnished() -> Scene {
    let scene = Scene::new();
    for role in ["App", "Other"] {
        let ec2 = trust("Service", "ec2.amazonaws.com");
        scene.root(
            "CreateRole",
            json!({"RoleName": role, "AssumeRolePolicyDocument": ec2}),
        );
    }
    scene.root(
        "CreateInstanceProfile",
        json!({"InstanceProfileName": "P", "Path": "/a/", "Tags": [{"Key": "k", "Value": "v"}]}),
    );
    scene
}

fn pair(role: &str) -> Value {
    json!({"InstanceProfileName": "P", "RoleName": role})
}

/// S1.12: a machine gets its role by the profile that holds it.
#[test]
fn a_profile_holds_one_role() {
    let scene = furnished();
    scene.root("AddRoleToInstanceProfile", pair("App"));
    let shown =
        scene.root("GetInstanceProfile", json!({"InstanceProfileName": "p"}))["InstanceProfile"].clone();
    assert_eq!(
        shown["Arn"],
        json!(format!("arn:aws:iam::{ACCOUNT}:instance-profile/a/P"))
    );
    assert!(shown["InstanceProfileId"].as_str().unwrap().starts_with("AIPA"));
    assert_eq!(
        (&shown["Roles"][0]["RoleName"], &shown["Tags"][0]["Key"]),
        (&json!("App"), &json!("k"))
    );
    let second = scene.refused("AddRoleToInstanceProfile", pair("Other"));
    assert_eq!(
        second.message,
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    );
    for list in [
        scene.root("ListInstanceProfilesForRole", json!({"RoleName": "App"})),
        scene.root("ListInstanceProfiles", json!({"PathPrefix": "/a/"})),
    ] {
        assert_eq!(list["InstanceProfiles"][0]["InstanceProfileName"], "P");
    }
    assert_eq!(
        scene.root("ListInstanceProfilesForRole", json!({"RoleName": "Other"}))["InstanceProfiles"],
        json!([])
    );
}

#[test]
fn neither_role_nor_profile_is_deleted_under_the_other() {
    let scene = furnished();
    scene.root("AddRoleToInstanceProfile", pair("App"));
    let message = "Cannot delete entity, must remove roles from instance profile first.";
    assert_eq!(
        scene.refused("DeleteRole", json!({"RoleName": "App"})).message,
        message
    );
    assert_eq!(
        scene
            .refused("DeleteInstanceProfile", json!({"InstanceProfileName": "P"}))
            .message,
        message
    );
    assert_eq!(
        scene.refused("RemoveRoleFromInstanceProfile", pair("Other")).code,
        "NoSuchEntity"
    );
    scene.root("RemoveRoleFromInstanceProfile", pair("App"));
    scene.root("DeleteRole", json!({"RoleName": "App"}));
    scene.root("DeleteInstanceProfile", json!({"InstanceProfileName": "P"}));
    let gone = scene.refused("GetInstanceProfile", json!({"InstanceProfileName": "P"}));
    assert_eq!(gone.message, "Instance Profile P cannot be found.");
}

/// Handing a role to machines takes `iam:PassRole` on that role, not only the right to change the profile.
#[test]
fn a_role_is_passed_only_by_those_who_may_pass_it() {
    let scene = furnished();
    let alice = scene.user("alice");
    let put = |document: String| {
        scene.root(
            "PutUserPolicy",
            json!({"UserName": "alice", "PolicyName": "I", "PolicyDocument": document}),
        );
    };
    put(allow("iam:AddRoleToInstanceProfile"));
    let refused = scene
        .call(&alice, "AddRoleToInstanceProfile", pair("App"))
        .unwrap_err();
    assert_eq!(refused.code, "AccessDenied");
    assert!(refused.message.contains("iam:PassRole"), "{}", refused.message);
    put(document(&json!([
        {"Effect": "Allow", "Action": "iam:AddRoleToInstanceProfile", "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": format!("arn:aws:iam::{ACCOUNT}:role/App"),
         "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}},
    ])));
    assert_eq!(
        scene
            .call(&alice, "AddRoleToInstanceProfile", pair("Other"))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    assert!(
        scene
            .call(&alice, "AddRoleToInstanceProfile", pair("App"))
            .is_ok()
    );
}

#[test]
fn tags_are_set_and_listed() {
    let scene = furnished();
    let profile = |rest: Value| {
        let mut input = rest;
        input["InstanceProfileName"] = json!("P");
        input
    };
    scene.root(
        "TagInstanceProfile",
        profile(json!({"Tags": [{"Key": "K", "Value": "w"}, {"Key": "a", "Value": "b"}]})),
    );
    let tags = scene.root("ListInstanceProfileTags", profile(json!({})))["Tags"].clone();
    assert_eq!(
        tags,
        json!([{"Key": "K", "Value": "w"}, {"Key": "a", "Value": "b"}])
    );
    scene.root("UntagInstanceProfile", profile(json!({"TagKeys": ["k", "a"]})));
    assert_eq!(
        scene.root("ListInstanceProfileTags", profile(json!({})))["Tags"],
        json!([])
    );
}
