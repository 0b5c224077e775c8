//! Managed and inline policies on users, groups and roles, and permissions boundaries, through the pipeline.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{READ_ALL, Scene, allow, code, decoded, document, trust};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Kind, member of requests, and how one of it is made.
const BEARERS: [(&str, &str); 3] = [("User", "UserName"), ("Group", "GroupName"), ("Role", "RoleName")];

fn furnished() -> Scene {
    let scene = Scene::new();
    scene.user("it");
    scene.root("CreateGroup", json!({"GroupName": "it"}));
    scene.root(
        "CreateRole",
        json!({"RoleName": "it", "AssumeRolePolicyDocument": trust("AWS", ACCOUNT)}),
    );
    scene
}

fn with(field: &str, rest: Value) -> Value {
    let mut input = rest;
    input[field] = json!("it");
    input
}

#[test]
fn policies_are_attached_once_and_detached() {
    let scene = furnished();
    for (kind, field) in BEARERS {
        let attach = || {
            scene.root(
                &format!("Attach{kind}Policy"),
                with(field, json!({"PolicyArn": READ_ONLY})),
            )
        };
        attach();
        attach();
        let listed = scene.root(&format!("ListAttached{kind}Policies"), with(field, json!({})));
        assert_eq!(
            listed["AttachedPolicies"],
            json!([{"PolicyName": "IAMReadOnlyAccess", "PolicyArn": READ_ONLY}])
        );
        assert_eq!(listed["IsTruncated"], false);
    }
    let count = |scene: &Scene| {
        scene.root("GetPolicy", json!({"PolicyArn": READ_ONLY}))["Policy"]["AttachmentCount"].clone()
    };
    assert_eq!(count(&scene), 3);
    let entities = scene.root("ListEntitiesForPolicy", json!({"PolicyArn": READ_ONLY}));
    for (kind, field) in BEARERS {
        let listed = entities[format!("Policy{kind}s")].as_array().unwrap();
        assert_eq!((listed.len(), &listed[0][field]), (1, &json!("it")));
    }
    let users = scene.root(
        "ListEntitiesForPolicy",
        json!({"PolicyArn": READ_ONLY, "EntityFilter": "User"}),
    );
    assert_eq!(
        (
            users["PolicyUsers"].as_array().unwrap().len(),
            &users["PolicyRoles"]
        ),
        (1, &json!([]))
    );
    for (kind, field) in BEARERS {
        let detach = with(field, json!({"PolicyArn": READ_ONLY}));
        scene.root(&format!("Detach{kind}Policy"), detach.clone());
        let failure = scene.refused(&format!("Detach{kind}Policy"), detach);
        assert_eq!(failure.code, "NoSuchEntity");
        assert_eq!(failure.message, format!("Policy {READ_ONLY} was not found."));
    }
    assert_eq!(count(&scene), 0);
}

#[test]
fn what_is_attached_must_exist_and_is_limited() {
    let scene = furnished();
    for number in 0..21 {
        scene.root(
            "CreatePolicy",
            json!({"PolicyName": format!("P{number}"), "PolicyDocument": READ_ALL}),
        );
    }
    let arn = |number: usize| format!("arn:aws:iam::{ACCOUNT}:policy/P{number}");
    for (kind, field) in BEARERS {
        let operation = format!("Attach{kind}Policy");
        let most = if kind == "Role" { 20 } else { 10 };
        for number in 0..most {
            scene.root(&operation, with(field, json!({"PolicyArn": arn(number)})));
        }
        let failure = scene.refused(&operation, with(field, json!({"PolicyArn": arn(most)})));
        assert_eq!(failure.code, "LimitExceeded");
        assert_eq!(
            failure.message,
            format!("Cannot exceed quota for PoliciesPer{kind}: {most}")
        );
        let absent = "arn:aws:iam::aws:policy/NoSuchPolicy";
        let failure = scene.refused(&operation, with(field, json!({"PolicyArn": absent})));
        assert_eq!(
            failure.message,
            format!("Policy {absent} does not exist or is not attachable.")
        );
        assert_eq!(
            code(
                &scene,
                &operation,
                with(field, json!({"PolicyArn": "not an arn, but long"}))
            ),
            "InvalidInput"
        );
    }
    let page = scene.root(
        "ListAttachedUserPolicies",
        json!({"UserName": "it", "MaxItems": 4}),
    );
    assert_eq!(
        (
            page["AttachedPolicies"].as_array().unwrap().len(),
            &page["IsTruncated"]
        ),
        (4, &json!(true))
    );
    let rest = scene.root(
        "ListAttachedUserPolicies",
        json!({"UserName": "it", "Marker": page["Marker"]}),
    );
    assert_eq!(
        (
            rest["AttachedPolicies"].as_array().unwrap().len(),
            &rest["IsTruncated"]
        ),
        (6, &json!(false))
    );
}

/// S1.22: an inline policy belongs to its user, group or role alone.
#[test]
fn inline_policies_live_in_their_bearer() {
    let scene = furnished();
    let text = "{ \"Version\": \"2012-10-17\", \"Statement\": {\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"} }";
    for (kind, field) in BEARERS {
        let named = |name: &str| with(field, json!({"PolicyName": name}));
        let put = |name: &str, text: &str| with(field, json!({"PolicyName": name, "PolicyDocument": text}));
        scene.root(&format!("Put{kind}Policy"), put("b", READ_ALL));
        scene.root(&format!("Put{kind}Policy"), put("a", READ_ALL));
        scene.root(&format!("Put{kind}Policy"), put("a", text));
        let listed = scene.root(&format!("List{kind}Policies"), with(field, json!({})));
        assert_eq!(listed["PolicyNames"], json!(["a", "b"]));
        let got = scene.root(&format!("Get{kind}Policy"), named("a"));
        assert_eq!((&got[field], &got["PolicyName"]), (&json!("it"), &json!("a")));
        assert_eq!(decoded(got["PolicyDocument"].as_str().unwrap()), text);
        scene.root(&format!("Delete{kind}Policy"), named("a"));
        for operation in ["Get", "Delete"] {
            let failure = scene.refused(&format!("{operation}{kind}Policy"), named("a"));
            let lower = kind.to_lowercase();
            assert_eq!(
                failure.message,
                format!("The {lower} policy with name a cannot be found.")
            );
        }
        assert_eq!(
            code(&scene, &format!("Put{kind}Policy"), put("c", "{}")),
            "MalformedPolicyDocument"
        );
    }
}

#[test]
fn inline_policies_together_have_a_size() {
    let scene = furnished();
    let sized = |bytes: usize| {
        let rest = allow("s3:").len();
        allow(&format!("s3:{}", "a".repeat(bytes - rest)))
    };
    for ((kind, field), max) in BEARERS.into_iter().zip([2048, 5120, 10_240]) {
        let put = |name: &str, bytes: usize| {
            with(field, json!({"PolicyName": name, "PolicyDocument": sized(bytes)}))
        };
        scene.root(&format!("Put{kind}Policy"), put("a", max - 200));
        scene.root(&format!("Put{kind}Policy"), put("b", 200));
        let failure = scene.refused(&format!("Put{kind}Policy"), put("b", 201));
        assert_eq!(failure.code, "LimitExceeded");
        let lower = kind.to_lowercase();
        assert_eq!(
            failure.message,
            format!("Maximum policy size of {max} bytes exceeded for {lower} it")
        );
    }
}

/// S1.9: permissions given to a group reach its members, and end with the membership.
#[test]
fn a_group_gives_its_policies_to_its_members() {
    let scene = furnished();
    let alice = scene.user("alice");
    scene.root(
        "AttachGroupPolicy",
        json!({"GroupName": "it", "PolicyArn": READ_ONLY}),
    );
    let create = allow("iam:CreateUser");
    scene.root(
        "PutGroupPolicy",
        json!({"GroupName": "it", "PolicyName": "I", "PolicyDocument": create}),
    );
    assert_eq!(
        scene.call(&alice, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    scene.root("AddUserToGroup", json!({"GroupName": "it", "UserName": "alice"}));
    assert!(scene.call(&alice, "ListUsers", json!({})).is_ok());
    assert!(scene.call(&alice, "CreateUser", json!({"UserName": "x"})).is_ok());
    scene.root(
        "RemoveUserFromGroup",
        json!({"GroupName": "it", "UserName": "alice"}),
    );
    assert_eq!(
        scene.call(&alice, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
}

/// S2.17: what a user or a role may do is what its policies allow within its boundary, and no more.
#[test]
fn a_boundary_narrows_users_and_roles() {
    let scene = furnished();
    let alice = scene.user("alice");
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "alice", "PolicyArn": ADMINISTRATOR}),
    );
    scene.root(
        "AttachRolePolicy",
        json!({"RoleName": "it", "PolicyArn": ADMINISTRATOR}),
    );
    let session = scene.assume(&alice, "it").unwrap();
    scene.root(
        "PutUserPermissionsBoundary",
        json!({"UserName": "alice", "PermissionsBoundary": READ_ONLY}),
    );
    scene.root(
        "PutRolePermissionsBoundary",
        json!({"RoleName": "it", "PermissionsBoundary": READ_ONLY}),
    );
    for caller in [&alice, &session] {
        assert!(scene.call(caller, "ListUsers", json!({})).is_ok());
        let refused = scene
            .call(caller, "CreateUser", json!({"UserName": "x"}))
            .unwrap_err();
        assert!(
            refused
                .message
                .contains("because no permissions boundary allows the iam:CreateUser action"),
            "{}",
            refused.message
        );
    }
    let role = scene.root("GetRole", json!({"RoleName": "it"}));
    let shown =
        json!({"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": READ_ONLY});
    assert_eq!(role["Role"]["PermissionsBoundary"], shown);
    let policy = scene.root("GetPolicy", json!({"PolicyArn": READ_ONLY}))["Policy"].clone();
    assert_eq!(
        (
            &policy["PermissionsBoundaryUsageCount"],
            &policy["AttachmentCount"]
        ),
        (&json!(2), &json!(0))
    );
    let filter =
        json!({"PolicyArn": READ_ONLY, "PolicyUsageFilter": "PermissionsBoundary", "EntityFilter": "Role"});
    let entities = scene.root("ListEntitiesForPolicy", filter);
    assert_eq!(
        (
            entities["PolicyRoles"].as_array().unwrap().len(),
            &entities["PolicyUsers"]
        ),
        (1, &json!([]))
    );
    scene.root("DeleteUserPermissionsBoundary", json!({"UserName": "alice"}));
    scene.root("DeleteRolePermissionsBoundary", json!({"RoleName": "it"}));
    assert!(
        scene
            .call(&session, "CreateUser", json!({"UserName": "x"}))
            .is_ok()
    );
    assert!(scene.call(&alice, "CreateUser", json!({"UserName": "y"})).is_ok());
    assert_eq!(
        code(
            &scene,
            "DeleteUserPermissionsBoundary",
            json!({"UserName": "alice"})
        ),
        "NoSuchEntity"
    );
    let absent = json!({"UserName": "alice", "PermissionsBoundary": "arn:aws:iam::aws:policy/NoSuchPolicy"});
    assert_eq!(code(&scene, "PutUserPermissionsBoundary", absent), "NoSuchEntity");
}

/// A delegate who must give everyone a boundary can neither leave it out, give another, nor take it away.
#[test]
fn a_delegate_is_held_to_a_boundary() {
    let scene = furnished();
    let alice = scene.user("alice");
    let statement = json!({
        "Effect": "Allow", "Resource": "*",
        "Action": ["iam:CreateUser", "iam:CreateRole", "iam:PutUserPermissionsBoundary", "iam:DeleteUserPermissionsBoundary"],
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}},
    });
    let input = json!({"UserName": "alice", "PolicyName": "I", "PolicyDocument": document(&statement)});
    scene.root("PutUserPolicy", input);
    let tried = |operation: &str, input: Value| {
        scene
            .call(&alice, operation, input)
            .err()
            .map(|failure| failure.code)
    };
    let denied = Some("AccessDenied".to_owned());
    let create = |boundary: &str| json!({"UserName": "a", "PermissionsBoundary": boundary});
    let set = |name: &str, boundary: &str| json!({"UserName": name, "PermissionsBoundary": boundary});
    assert_eq!(tried("CreateUser", json!({"UserName": "a"})), denied);
    assert_eq!(tried("CreateUser", create(ADMINISTRATOR)), denied);
    assert_eq!(tried("CreateUser", create(READ_ONLY)), None);
    let role = json!({"RoleName": "a", "AssumeRolePolicyDocument": trust("AWS", ACCOUNT)});
    assert_eq!(tried("CreateRole", role), denied);
    assert_eq!(
        tried("PutUserPermissionsBoundary", set("a", ADMINISTRATOR)),
        denied
    );
    assert_eq!(tried("PutUserPermissionsBoundary", set("it", READ_ONLY)), None);
    scene.root("PutUserPermissionsBoundary", set("a", ADMINISTRATOR));
    assert_eq!(
        tried("DeleteUserPermissionsBoundary", json!({"UserName": "a"})),
        denied
    );
    let none = format!("arn:aws:iam::{ACCOUNT}:policy/none");
    let absent = json!({"UserName": "b", "PermissionsBoundary": none});
    assert_eq!(code(&scene, "CreateUser", absent), "NoSuchEntity");
}

/// `iam:PolicyARN` says which policies a delegate may hand out.
#[test]
fn a_delegate_is_held_to_policies() {
    let scene = furnished();
    let alice = scene.user("alice");
    let statement = json!({
        "Effect": "Allow", "Action": ["iam:AttachUserPolicy", "iam:DetachUserPolicy"], "Resource": "*",
        "Condition": {"ArnEquals": {"iam:PolicyARN": READ_ONLY}},
    });
    let input = json!({"UserName": "alice", "PolicyName": "I", "PolicyDocument": document(&statement)});
    scene.root("PutUserPolicy", input);
    let tried = |operation: &str, policy: &str| {
        let input = json!({"UserName": "it", "PolicyArn": policy});
        scene
            .call(&alice, operation, input)
            .err()
            .map(|failure| failure.code)
    };
    let denied = Some("AccessDenied".to_owned());
    assert_eq!(tried("AttachUserPolicy", ADMINISTRATOR), denied);
    assert_eq!(tried("AttachUserPolicy", READ_ONLY), None);
    assert_eq!(tried("DetachUserPolicy", ADMINISTRATOR), denied);
    assert_eq!(tried("DetachUserPolicy", READ_ONLY), None);
}

/// S2.12: the policy of a bucket is refused wherever IAM keeps policies; it belongs on a bucket and nowhere else.
#[test]
fn a_bucket_policy_is_refused_by_everything_that_is_no_bucket() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "alice"}));
    scene.root("CreateGroup", json!({"GroupName": "staff"}));
    let bucket = document(&json!({
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/alice")},
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::parts/*",
    }));
    let refused = [
        (
            "CreatePolicy",
            json!({"PolicyName": "p", "PolicyDocument": bucket}),
        ),
        (
            "PutUserPolicy",
            json!({"UserName": "alice", "PolicyName": "p", "PolicyDocument": bucket}),
        ),
        (
            "PutGroupPolicy",
            json!({"GroupName": "staff", "PolicyName": "p", "PolicyDocument": bucket}),
        ),
        (
            "CreateRole",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": bucket}),
        ),
    ];
    for (operation, input) in refused {
        let failure = scene.refused(operation, input);
        assert_eq!(
            failure.code, "MalformedPolicyDocument",
            "{operation}: {}",
            failure.message
        );
    }
}
