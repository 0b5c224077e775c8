//! Service-linked roles through the pipeline.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{Scene, code, decoded, document};

const SCALING: &str = "autoscaling.amazonaws.com";
const ROLE: &str = "AWSServiceRoleForAutoScaling";

fn make(scene: &Scene, service: &str) -> Value {
    scene.root("CreateServiceLinkedRole", json!({"AWSServiceName": service}))["Role"].clone()
}

/// The name, path, trust and policy are the service's choice.
#[test]
fn a_role_is_made_as_its_service_wants_it() {
    let scene = Scene::new();
    let made = make(&scene, SCALING);
    assert_eq!(
        made["Arn"],
        format!("arn:aws:iam::{ACCOUNT}:role/aws-service-role/{SCALING}/{ROLE}")
    );
    let trust: Value =
        serde_json::from_str(&decoded(made["AssumeRolePolicyDocument"].as_str().unwrap())).unwrap();
    assert_eq!(trust["Statement"][0]["Principal"], json!({"Service": [SCALING]}));
    let attached =
        scene.root("ListAttachedRolePolicies", json!({"RoleName": ROLE}))["AttachedPolicies"].clone();
    let policy = "arn:aws:iam::aws:policy/aws-service-role/AutoScalingServiceRolePolicy";
    assert_eq!(attached[0]["PolicyArn"], policy);
    let failure = scene.refused("CreateServiceLinkedRole", json!({"AWSServiceName": SCALING}));
    assert_eq!(failure.code, "InvalidInput");
    assert!(
        failure.message.contains("has been taken in this account"),
        "{}",
        failure.message
    );
    let suffixed = json!({"AWSServiceName": SCALING, "CustomSuffix": "blue"});
    let made = scene.root("CreateServiceLinkedRole", suffixed);
    assert_eq!(made["Role"]["RoleName"], format!("{ROLE}_blue"));
    for wrong in [
        json!({"AWSServiceName": "es.amazonaws.com", "CustomSuffix": "blue"}),
        json!({"AWSServiceName": "nothing.amazonaws.com"}),
        json!({"AWSServiceName": SCALING, "CustomSuffix": "b".repeat(64)}),
    ] {
        assert_eq!(code(&scene, "CreateServiceLinkedRole", wrong), "InvalidInput");
    }
}

/// Nobody but its service changes it, apart from what describes it.
#[test]
fn a_role_is_protected_from_everybody_even_root() {
    let scene = Scene::new();
    make(&scene, SCALING);
    let policy = document(&json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    let trust = crate::scene::trust("AWS", ACCOUNT);
    let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    for (operation, mut input) in [
        ("DeleteRole", json!({})),
        ("AttachRolePolicy", json!({"PolicyArn": arn})),
        ("DetachRolePolicy", json!({"PolicyArn": arn})),
        (
            "PutRolePolicy",
            json!({"PolicyName": "more", "PolicyDocument": policy}),
        ),
        ("PutRolePermissionsBoundary", json!({"PermissionsBoundary": arn})),
        ("UpdateAssumeRolePolicy", json!({"PolicyDocument": trust})),
        ("UpdateRole", json!({"MaxSessionDuration": 7200})),
    ] {
        input["RoleName"] = ROLE.into();
        assert_eq!(
            code(&scene, operation, input),
            "UnmodifiableEntity",
            "{operation}"
        );
    }
    scene.root("UpdateRole", json!({"RoleName": ROLE, "Description": "one"}));
    scene.root(
        "UpdateRoleDescription",
        json!({"RoleName": ROLE, "Description": "two"}),
    );
    let role = scene.root("GetRole", json!({"RoleName": ROLE}))["Role"].clone();
    assert_eq!(
        (&role["Description"], &role["MaxSessionDuration"]),
        (&"two".into(), &3600.into())
    );
    let below = json!({"RoleName": "mine", "Path": "/aws-service-role/ecs.amazonaws.com/",
        "AssumeRolePolicyDocument": trust});
    assert_eq!(code(&scene, "CreateRole", below), "InvalidInput");
}

/// The deletion is a task that is done a little later, once.
#[test]
fn a_role_is_deleted_by_a_task() {
    let scene = Scene::new();
    make(&scene, SCALING);
    let count = || scene.root("GetAccountSummary", json!({}))["SummaryMap"]["Roles"].clone();
    assert_eq!(count(), 1);
    let ask = || scene.root("DeleteServiceLinkedRole", json!({"RoleName": ROLE}))["DeletionTaskId"].clone();
    let task = ask();
    assert!(
        task.as_str()
            .unwrap()
            .starts_with(&format!("task/aws-service-role/{SCALING}/{ROLE}/"))
    );
    assert_eq!(ask(), task);
    let status = |task: &Value| {
        scene.root(
            "GetServiceLinkedRoleDeletionStatus",
            json!({"DeletionTaskId": task}),
        )["Status"]
            .clone()
    };
    assert_eq!(status(&task), "IN_PROGRESS");
    scene.cloud.advance(2_000);
    assert_eq!((status(&task), count()), ("SUCCEEDED".into(), 0.into()));
    assert_eq!(code(&scene, "GetRole", json!({"RoleName": ROLE})), "NoSuchEntity");
    let of = |input: Value| code(&scene, "GetServiceLinkedRoleDeletionStatus", input);
    assert_eq!(of(json!({"DeletionTaskId": "task"})), "InvalidInput");
    let other = format!("task/aws-service-role/{SCALING}/{ROLE}/none");
    assert_eq!(of(json!({"DeletionTaskId": other})), "NoSuchEntity");
    // A role made anew has a task of its own.
    make(&scene, SCALING);
    assert_ne!(ask(), task);
    let trust = crate::scene::trust("AWS", ACCOUNT);
    scene.root(
        "CreateRole",
        json!({"RoleName": "mine", "AssumeRolePolicyDocument": trust}),
    );
    assert_eq!(
        code(&scene, "DeleteServiceLinkedRole", json!({"RoleName": "mine"})),
        "NoSuchEntity"
    );
}

/// `iam:AWSServiceName` and the role's ARN narrow who may let which service in.
#[test]
fn a_permission_can_be_for_one_service() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let policy = document(
        &json!({"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole",
        "Resource": format!("arn:aws:iam::*:role/aws-service-role/{SCALING}/{ROLE}*"),
        "Condition": {"StringLike": {"iam:AWSServiceName": SCALING}}}),
    );
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": policy}),
    );
    let ask = |service: &str| {
        scene.call(
            &ana,
            "CreateServiceLinkedRole",
            json!({"AWSServiceName": service}),
        )
    };
    assert_eq!(ask("ecs.amazonaws.com").unwrap_err().code, "AccessDenied");
    assert_eq!(ask("nothing.amazonaws.com").unwrap_err().code, "AccessDenied");
    ask(SCALING).unwrap();
}

/// The account's preference of token versions is told by its summary.
#[test]
fn the_summary_tells_the_preferred_token_version() {
    let scene = Scene::new();
    let version =
        || scene.root("GetAccountSummary", json!({}))["SummaryMap"]["GlobalEndpointTokenVersion"].clone();
    let prefer = |version: &str| {
        let input = json!({"GlobalEndpointTokenVersion": version});
        scene.root("SetSecurityTokenServicePreferences", input)
    };
    assert_eq!(version(), 2);
    prefer("v1Token");
    assert_eq!(version(), 1);
    prefer("v2Token");
    assert_eq!(version(), 2);
}

/// What a service of the cloud does when it needs its role: it makes it once.
#[test]
fn a_service_has_its_role_made_once() {
    use identity::iam::role::linked;
    let scene = Scene::new();
    let provide = |principal: &'static str| {
        scene
            .cloud
            .gateway
            .system("us-east-1", |call| linked::provide(call, principal))
    };
    let arn = provide("organizations.amazonaws.com").unwrap_or_default();
    assert!(
        arn.ends_with(":role/aws-service-role/organizations.amazonaws.com/AWSServiceRoleForOrganizations")
    );
    let id = || {
        scene.root("GetRole", json!({"RoleName": "AWSServiceRoleForOrganizations"}))["Role"]["RoleId"].clone()
    };
    let before = id();
    assert_eq!(provide("organizations.amazonaws.com").unwrap_or_default(), arn);
    assert_eq!(id(), before);
    assert!(provide("nothing.amazonaws.com").is_err());
}
