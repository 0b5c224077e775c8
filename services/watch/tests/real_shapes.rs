//! Our events beside those that AWS recorded for the same calls: the same members with the same types.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Map, Value, json};

use crate::scene::{Keys, Scene, trust};

/// What AWS's events have and ours leave out, by path, with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "responseElements.credentials.sessionToken",
        "half of a live credential: see the trail rules of STS",
    ),
    (
        "userIdentity.sessionContext.webIdFederationData",
        "always empty here; AWS stopped writing it in 2024",
    ),
    (
        "userIdentity.sessionContext.ec2RoleDelivery",
        "only sessions that an instance fetched have it",
    ),
];

/// Members that the API answers since the real events were recorded, and that a record therefore shows now.
const NEWER: &[&str] = &[
    "responseElements.sessionTokenSize",
    "responseElements.sessionTokenUtilization",
];

/// Every value replaced by the name of its type, as in the file of real shapes.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), shape(value)))
                .collect(),
        ),
    }
}

fn without(paths: &[&str], path: &str, value: &Value) -> Value {
    let Value::Object(members) = value else {
        return value.clone();
    };
    let mut kept = Map::new();
    for (name, inner) in members {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if !paths.contains(&path.as_str()) {
            kept.insert(name.clone(), without(paths, &path, inner));
        }
    }
    Value::Object(kept)
}

/// The calls of the real events, with the same parameters.
fn calls(scene: &Scene) -> Keys {
    let keys = scene.user("christophe", "*");
    let principal = format!("arn:aws:iam::{ACCOUNT}:root");
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let tags = [
        ("Tags.member.1.Key", "made-by"),
        ("Tags.member.1.Value", "a test"),
    ];
    scene.sent(
        &keys,
        "iam",
        "CreateUser",
        &[&[("UserName", "mallory")], tags.as_slice()].concat(),
    );
    scene.sent(&keys, "iam", "CreateAccessKey", &[("UserName", "mallory")]);
    scene.sent(
        &keys,
        "iam",
        "AttachUserPolicy",
        &[("UserName", "mallory"), ("PolicyArn", admin)],
    );
    let boundary = ("PermissionsBoundary", "arn:aws:iam::aws:policy/AWSDenyAll");
    let document = trust(&principal);
    let role = [
        ("RoleName", "malicious"),
        ("AssumeRolePolicyDocument", document.as_str()),
        boundary,
    ];
    scene.sent(&keys, "iam", "CreateRole", &role);
    scene.sent(
        &keys,
        "iam",
        "AttachRolePolicy",
        &[("RoleName", "malicious"), ("PolicyArn", admin)],
    );
    let update = [("RoleName", "malicious"), ("PolicyDocument", document.as_str())];
    scene.sent(&keys, "iam", "UpdateAssumeRolePolicy", &update);
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/malicious");
    let assume = [
        ("RoleArn", arn.as_str()),
        ("RoleSessionName", "session"),
        ("DurationSeconds", "900"),
    ];
    scene.sent(&keys, "sts", "AssumeRole", &assume);
    let absent = format!("arn:aws:iam::{ACCOUNT}:role/absent");
    let powerless = scene.user("powerless", "s3:Get*");
    let assume = [("RoleArn", absent.as_str()), ("RoleSessionName", "session")];
    assert_eq!(scene.send(&powerless, "sts", "AssumeRole", &assume).0, 403);
    let policy =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    scene.sent(
        &keys,
        "sts",
        "GetFederationToken",
        &[("Name", "fed"), ("Policy", &policy.to_string())],
    );
    let caller = scene.caller(&keys);
    let assumed = scene.session(
        &caller,
        "AssumeRole",
        json!({"RoleArn": arn, "RoleSessionName": "work"}),
    );
    let federated = scene.session(
        &caller,
        "GetFederationToken",
        json!({"Name": "fed", "Policy": policy.to_string()}),
    );
    for keys in [&keys, &assumed, &federated] {
        scene.sent(keys, "sts", "GetCallerIdentity", &[]);
    }
    keys
}

/// S12.1, S12.2, S12.3, S12.4, S12.5, S12.6, S12.9, S12.10: the record of a call has what AWS's has, member by member.
#[test]
fn our_events_have_the_shape_of_real_ones() {
    let scene = Scene::new();
    calls(&scene);
    let real: Vec<Value> = serde_json::from_str(include_str!("real/shapes.json")).unwrap();
    let mut compared = Vec::new();
    for real in &real {
        let name = real["eventName"].as_str().unwrap();
        let region = if real["eventSource"] == "iam.amazonaws.com" {
            "us-east-1"
        } else {
            REGION
        };
        let same = |event: &Value| {
            event["errorCode"] == real["errorCode"]
                && event["userIdentity"]["type"] == real["identity"]
                && event.get("tlsDetails").is_some()
        };
        let Some(ours) = scene.found(region, "EventName", name).into_iter().find(same) else {
            continue;
        };
        assert_eq!(ours["eventSource"], real["eventSource"], "{name}");
        assert_eq!(ours["readOnly"], real["readOnly"], "{name}");
        let left_out: Vec<_> = LEFT_OUT.iter().map(|(path, _)| *path).collect();
        let expected = without(&left_out, "", &real["shape"]);
        assert_eq!(
            without(NEWER, "", &shape(&ours)),
            expected,
            "{name} by {}",
            real["identity"]
        );
        compared.push(format!(
            "{name}/{}/{}",
            real["identity"].as_str().unwrap(),
            real["errorCode"]
        ));
    }
    // Login profiles are not built yet; every other real event must have been compared.
    let expected = real
        .iter()
        .filter(|real| !real["eventName"].as_str().unwrap().ends_with("LoginProfile"))
        .count();
    assert_eq!(compared.len(), expected, "{compared:?}");
}
