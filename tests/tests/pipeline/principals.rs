//! Principals of resource policies: they are there, and they are whom the policy meant.

use pipeline::testing::ACCOUNT;
use scenarios::world::World;
use serde_json::{Value, json};

fn naming(principal: &Value) -> Value {
    let text = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:Decrypt", "Resource": "*"},
    ]});
    json!({"Policy": text.to_string()})
}

/// S2.14, S8.61: a key policy names users and roles who exist, by ARN or by unique id, and no others.
#[test]
fn a_key_policy_names_nobody_who_does_not_exist() {
    let world = World::furnished();
    let user = format!("arn:aws:iam::{ACCOUNT}:user/existing");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/existing");
    let id = world.make("GetUser", json!({"UserName": "existing"}))["User"]["UserId"].clone();
    for present in [
        json!(user),
        json!(role),
        json!([user, role]),
        id,
        json!("*"),
        json!(ACCOUNT),
        json!(format!("arn:aws:sts::{ACCOUNT}:assumed-role/existing/session")),
    ] {
        let made = world.call("kms", "CreateKey", naming(&present));
        assert!(made.is_ok(), "{present}: {made:?}");
    }
    for absent in [
        json!(format!("arn:aws:iam::{ACCOUNT}:user/nobody")),
        json!(format!("arn:aws:iam::{ACCOUNT}:user/elsewhere/existing")),
        json!(format!("arn:aws:iam::{ACCOUNT}:role/nobody")),
        json!([user, format!("arn:aws:iam::{ACCOUNT}:role/nobody")]),
        json!("AIDAABCDEFGHIJKLMNOPQ"),
        json!("AROAABCDEFGHIJKLMNOPQ"),
        json!(format!("arn:aws:iam::{ACCOUNT}:group/existing")),
    ] {
        assert_eq!(
            world.call("kms", "CreateKey", naming(&absent)).unwrap_err(),
            "MalformedPolicyDocumentException: Policy contains a statement with one or more invalid principals.",
            "{absent}"
        );
    }
}
