//! Who may do what: conditions, keys, and other accounts.

use pipeline::testing::{ACCOUNT, Caller, REGION};
use serde_json::{Value, json};

use super::{Vault, id};
use crate::cloud::{OTHER, allow, policy};

/// S11.9, S11.6: an external user needs the secret's policy, its own permissions for secret and key, and the key policy; each one
/// that is missing denies.
#[test]
fn another_account_needs_every_grant() {
    for missing in [
        "",
        "secret policy",
        "own secret permission",
        "own key permission",
        "key policy",
    ] {
        let vault = Vault::new();
        let mut own = Vec::new();
        if missing != "own secret permission" {
            own.push(
                json!({ "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*" }),
            );
        }
        if missing != "own key permission" {
            own.push(json!({ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*" }));
        }
        let eve = vault.here.user(OTHER, "eve", &json!(own));
        let key = if missing == "key policy" {
            vault.here.key()
        } else {
            vault.key_for(&eve, &["kms:Decrypt"])
        };
        let input =
            json!({ "Name": "s", "SecretString": "shared", "KmsKeyId": key, "ClientRequestToken": id("1") });
        let arn = vault.ok("CreateSecret", input)["ARN"].clone();
        if missing != "secret policy" {
            let text = policy(&[allow(&eve, &["secretsmanager:GetSecretValue"])]);
            vault.ok(
                "PutResourcePolicy",
                json!({ "SecretId": "s", "ResourcePolicy": text }),
            );
        }
        let read = vault.call(&eve, "GetSecretValue", json!({ "SecretId": arn }));
        if missing.is_empty() {
            assert_eq!(read.unwrap()["SecretString"], "shared");
            let shared = vault.here.cloud.records(ACCOUNT, REGION);
            assert!(shared.iter().any(|record| record.operation == "GetSecretValue"));
        } else {
            assert_eq!(
                read.unwrap_err().code,
                "AccessDeniedException",
                "without the {missing}"
            );
        }
    }
}

/// S11.6: a stranger cannot tell a secret that is closed from one that does not exist, and needs the whole ARN.
#[test]
fn a_stranger_learns_nothing() {
    let vault = Vault::new();
    let arn = vault.secret("s", "value");
    let eve = vault.here.user(
        OTHER,
        "eve",
        &json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]),
    );
    let text = policy(&[allow(&eve, &["secretsmanager:GetSecretValue"])]);
    vault.ok(
        "PutResourcePolicy",
        json!({ "SecretId": "s", "ResourcePolicy": text }),
    );
    let partial = arn.get(..arn.len() - 7).unwrap();
    let none = partial.replace(":secret:s", ":secret:none-abcdef");
    for name in [partial, &none] {
        for force in [false, true] {
            let (operation, mut input) = ("DeleteSecret", json!({ "SecretId": name }));
            if force {
                input["ForceDeleteWithoutRecovery"] = true.into();
            }
            assert_eq!(vault.refused(&eve, operation, input).0, "AccessDeniedException");
        }
        let input = json!({ "SecretId": name });
        assert_eq!(
            vault.refused(&eve, "GetSecretValue", input).0,
            "AccessDeniedException"
        );
    }
}

/// The use of the key is the caller's: without it the secret stays closed, and KMS's own words are not shown.
#[test]
fn the_key_must_allow_the_caller() {
    let vault = Vault::new();
    vault.secret("s", "value");
    let statements = json!([{ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" }]);
    let ann = vault.here.user(ACCOUNT, "ann", &statements);
    let refused = (
        "AccessDeniedException".to_owned(),
        "Access to KMS is not allowed".to_owned(),
    );
    assert_eq!(
        vault.refused(&ann, "GetSecretValue", json!({ "SecretId": "s" })),
        refused
    );
    let put = json!({ "SecretId": "s", "SecretString": "x", "ClientRequestToken": id("2") });
    assert_eq!(vault.refused(&ann, "PutSecretValue", put), refused);
}

/// A key can be bound to one secret and to this service.
#[test]
fn a_key_policy_can_ask_for_the_service_and_the_secret() {
    let vault = Vault::new();
    let ann = vault.here.user(
        ACCOUNT,
        "ann",
        &json!([{ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" }]),
    );
    let mut statement = allow(&ann, &["kms:Decrypt"]);
    statement["Condition"] = json!({
        "StringEquals": { "kms:ViaService": format!("secretsmanager.{REGION}.amazonaws.com") },
        "StringLike": { "kms:EncryptionContext:SecretARN": format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:mine-*") },
    });
    let key = vault.here.key_with(&[statement]);
    for name in ["mine", "other"] {
        let input =
            json!({ "Name": name, "SecretString": "v", "KmsKeyId": key, "ClientRequestToken": id("1") });
        vault.ok("CreateSecret", input);
    }
    assert!(
        vault
            .call(&ann, "GetSecretValue", json!({ "SecretId": "mine" }))
            .is_ok()
    );
    assert!(
        vault
            .call(&ann, "GetSecretValue", json!({ "SecretId": "other" }))
            .is_err()
    );
}

fn bound(vault: &Vault, name: &str, action: &str, condition: &Value) -> Caller {
    let statements = json!([{ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition },
        { "Effect": "Allow", "Action": "kms:*", "Resource": "*" }]);
    vault.here.user(ACCOUNT, name, &statements)
}

/// An operation, the condition keys that a policy asks for, an input that fits them, and one that does not.
fn cases(vault: &Vault, arn: &str) -> Vec<(&'static str, Value, Value, Value)> {
    vec![
        (
            "GetSecretValue",
            json!({ "secretsmanager:VersionStage": "AWSCURRENT" }),
            json!({ "SecretId": "s" }),
            json!({ "SecretId": "s", "VersionId": id("1") }),
        ),
        (
            "GetSecretValue",
            json!({ "secretsmanager:VersionId": id("1") }),
            json!({ "SecretId": "s", "VersionId": id("1") }),
            json!({ "SecretId": "s" }),
        ),
        (
            "DescribeSecret",
            json!({ "aws:ResourceTag/team": "blue", "secretsmanager:ResourceTag/team": "blue", "secretsmanager:SecretId": arn }),
            json!({ "SecretId": "s" }),
            json!({ "SecretId": "bare" }),
        ),
        (
            "UpdateSecret",
            json!({ "secretsmanager:Description": "d" }),
            json!({ "SecretId": "s", "Description": "d" }),
            json!({ "SecretId": "s", "Description": "e" }),
        ),
        (
            "UpdateSecret",
            json!({ "secretsmanager:KmsKeyId": vault.key }),
            json!({ "SecretId": "s", "KmsKeyId": vault.key }),
            json!({ "SecretId": "s", "KmsKeyId": "other" }),
        ),
        (
            "CreateSecret",
            json!({ "secretsmanager:Name": "n1" }),
            json!({ "Name": "n1" }),
            json!({ "Name": "n2" }),
        ),
        (
            "TagResource",
            json!({ "aws:RequestTag/a": "b" }),
            json!({ "SecretId": "s", "Tags": [{ "Key": "a", "Value": "b" }] }),
            json!({ "SecretId": "s", "Tags": [{ "Key": "a", "Value": "c" }] }),
        ),
        (
            "PutResourcePolicy",
            json!({ "secretsmanager:BlockPublicPolicy": "true" }),
            json!({ "SecretId": "s", "BlockPublicPolicy": true, "ResourcePolicy": policy(&[json!({ "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:RotateSecret", "Resource": "*" })]) }),
            json!({ "SecretId": "s", "ResourcePolicy": "{}" }),
        ),
        (
            "DeleteSecret",
            json!({ "secretsmanager:RecoveryWindowInDays": "30" }),
            json!({ "SecretId": "s", "RecoveryWindowInDays": 30 }),
            json!({ "SecretId": "s", "RecoveryWindowInDays": 7 }),
        ),
        (
            "DeleteSecret",
            json!({ "secretsmanager:ForceDeleteWithoutRecovery": "true" }),
            json!({ "SecretId": "s", "ForceDeleteWithoutRecovery": true }),
            json!({ "SecretId": "s" }),
        ),
    ]
}

/// S11.8: identity policies can ask for what a request says and for what the secret is.
#[test]
fn conditions_bind_requests() {
    let vault = Vault::new();
    let arn = vault.secret("s", "value");
    vault.ok(
        "TagResource",
        json!({ "SecretId": "s", "Tags": [{ "Key": "team", "Value": "blue" }] }),
    );
    let cases = cases(&vault, &arn);
    vault.secret("bare", "value");
    for (index, (operation, keys, fits, other)) in cases.into_iter().enumerate() {
        let caller = bound(
            &vault,
            &format!("u{index}"),
            &format!("secretsmanager:{operation}"),
            &json!({ "StringEquals": keys }),
        );
        let refused = vault.refused(&caller, operation, other);
        assert_eq!(refused.0, "AccessDeniedException", "{index} {}", refused.1);
        vault
            .call(&caller, operation, fits)
            .unwrap_or_else(|failure| panic!("{index} {failure:?}"));
    }
}

#[test]
fn tags_at_the_making_need_their_own_permission() {
    let vault = Vault::new();
    let ann = vault.user("ann", &["secretsmanager:CreateSecret"]);
    let tagged = json!({ "Name": "t", "Tags": [{ "Key": "a", "Value": "b" }] });
    assert_eq!(
        vault.refused(&ann, "CreateSecret", tagged.clone()).0,
        "AccessDeniedException"
    );
    let bob = vault.user(
        "bob",
        &["secretsmanager:CreateSecret", "secretsmanager:TagResource"],
    );
    vault.call(&bob, "CreateSecret", tagged).unwrap();
    vault.ok(
        "UntagResource",
        json!({ "SecretId": "t", "TagKeys": ["a", "none"] }),
    );
    assert!(
        vault
            .ok("DescribeSecret", json!({ "SecretId": "t" }))
            .get("Tags")
            .is_none()
    );
    let own = json!({ "SecretId": "t", "Tags": [{ "Key": "aws:x", "Value": "" }] });
    assert_eq!(vault.code("TagResource", own), "InvalidParameterException");
}

/// Tags that would take all of the caller's permissions for the secret away are refused, at its making and later; any others are not (Secrets
/// Manager API Reference, `TagResource`).
#[test]
fn nobody_locks_themselves_out_by_tags() {
    let vault = Vault::new();
    let closed = json!([
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*",
          "Condition": { "StringEquals": { "aws:ResourceTag/team": "red" } } },
    ]);
    let ann = vault.here.user(ACCOUNT, "ann", &closed);
    let named = |tag: &str| json!([{ "Key": "team", "Value": tag }]);
    let make = |name: &str, tag: &str| json!({ "Name": name, "SecretString": "v", "Tags": named(tag), "ClientRequestToken": id("1") });
    assert_eq!(
        vault.refused(&ann, "CreateSecret", make("s", "red")).0,
        "AccessDeniedException"
    );
    vault.call(&ann, "CreateSecret", make("s", "blue")).unwrap();
    let tag = |tag: &str| json!({ "SecretId": "s", "Tags": named(tag) });
    assert_eq!(
        vault.refused(&ann, "TagResource", tag("red")).0,
        "AccessDeniedException"
    );
    let shown = vault.ok("DescribeSecret", json!({ "SecretId": "s" }));
    assert_eq!(shown["Tags"], named("blue"));
    vault.call(&ann, "TagResource", tag("green")).unwrap();
    // One whose permissions hang on a tag does not take it off, and one who has none to lose may tag.
    let bound = json!([{ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*",
        "Condition": { "StringEquals": { "aws:ResourceTag/team": "green" } } }]);
    let bob = vault.here.user(ACCOUNT, "bob", &bound);
    let untag = json!({ "SecretId": "s", "TagKeys": ["team"] });
    assert_eq!(
        vault.refused(&bob, "UntagResource", untag.clone()).0,
        "AccessDeniedException"
    );
    vault.call(&ann, "UntagResource", untag).unwrap();
    let only = json!([{ "Effect": "Allow", "Action": "secretsmanager:TagResource", "Resource": "*",
        "Condition": { "StringEquals": { "aws:RequestTag/team": "red" } } }]);
    let tagger = vault.here.user(ACCOUNT, "tagger", &only);
    vault.call(&tagger, "TagResource", tag("red")).unwrap();
}
