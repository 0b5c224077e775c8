//! Key policies.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER, allow, policy};

fn root_statement() -> Value {
    json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "kms:*", "Resource": "*" })
}

/// S8.37: without a policy of its own a key gives all to the account, and it is formatted as AWS formats it.
#[test]
fn the_default_policy_is_awss() {
    let here = Here::new();
    let key = here.key();
    let answer = here.ok("GetKeyPolicy", json!({ "KeyId": key }));
    assert_eq!(answer["PolicyName"], "default");
    let text = answer["Policy"].as_str().unwrap();
    assert!(text.starts_with(
        "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n"
    ));
    let parsed: Value = serde_json::from_str(text).unwrap();
    let mut statement = root_statement();
    statement["Sid"] = json!("Enable IAM User Permissions");
    assert_eq!(parsed["Statement"], json!([statement]));
    let names = here.ok("ListKeyPolicies", json!({ "KeyId": key }));
    assert_eq!(names, json!({ "PolicyNames": ["default"], "Truncated": false }));
    let shared = json!({ "KeyId": key, "PolicyName": "AWS_RAM" });
    assert_eq!(
        here.refused(&here.root(), "GetKeyPolicy", shared).0,
        "NotFoundException"
    );
    let sharing = json!({ "KeyId": key, "PolicyName": "AWS_RAM", "Policy": "{}" });
    let words = "The AWS_RAM policy can only be managed by the RAM service.";
    assert_eq!(
        here.refused(&here.root(), "PutKeyPolicy", sharing),
        ("ValidationException".to_owned(), words.to_owned())
    );
    let other = json!({ "KeyId": key, "PolicyName": "other" });
    assert_eq!(
        here.refused(&here.root(), "GetKeyPolicy", other).0,
        "NotFoundException"
    );
}

/// S8.43, S8.45: the key policy alone suffices; IAM suffices where the key policy delegates to the account.
#[test]
fn access_comes_by_key_policy_or_by_delegated_iam() {
    let here = Here::new();
    let named = here.user(ACCOUNT, "named", &json!([]));
    let able = here.user(
        ACCOUNT,
        "able",
        &json!([{ "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*" }]),
    );
    let delegating = here.key_with(&[allow(&named, &["kms:Encrypt"])]);
    assert!(here.encrypt(&named, &delegating, b"x").is_ok());
    assert!(here.encrypt(&able, &delegating, b"x").is_ok());
}

/// S8.44: where the key policy does not delegate, IAM policies do not count, not even an administrator's.
#[test]
fn iam_counts_only_where_the_key_policy_delegates() {
    let here = Here::new();
    let named = here.user(ACCOUNT, "named", &json!([]));
    let admin = here.admin(ACCOUNT, "admin");
    let closed = here.key_only(&[allow(&named, &["kms:*"])]);
    let input = json!({ "KeyId": closed, "Plaintext": "dGV4dA==" });
    assert!(here.denied(&admin, "Encrypt", input.clone()));
    assert!(here.denied(&here.root(), "Encrypt", input.clone()));
    assert!(!here.denied(&named, "Encrypt", input));
}

/// S8.44: a Deny wins, in the key policy and in IAM.
#[test]
fn a_deny_wins_wherever_it_stands() {
    let here = Here::new();
    let ann = here.admin(ACCOUNT, "ann");
    let bob = here.user(
        ACCOUNT,
        "bob",
        &json!([{ "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*" }]),
    );
    let mut deny = allow(&ann, &["kms:Encrypt"]);
    deny["Effect"] = json!("Deny");
    let key = here.key_with(&[deny, allow(&bob, &["kms:*"])]);
    for caller in [ann, bob] {
        let (code, message) = here.refused(
            &caller,
            "Encrypt",
            json!({ "KeyId": key, "Plaintext": "dGV4dA==" }),
        );
        assert_eq!(code, "AccessDeniedException");
        assert!(message.contains("with an explicit deny in"), "{message}");
    }
}

/// S8.38: a policy that would lock its author out is refused, unless the check is bypassed; then nobody can manage the key.
#[test]
fn nobody_locks_himself_out_by_accident() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let text = policy(&[allow(&ann, &["kms:Encrypt"])]);
    let locked = (
        "MalformedPolicyDocumentException".to_owned(),
        "The new key policy will not allow you to update the key policy in the future.".to_owned(),
    );
    let root = here.root();
    assert_eq!(
        here.refused(&root, "CreateKey", json!({ "Policy": text })),
        locked
    );
    let key = here.key();
    assert_eq!(
        here.refused(&root, "PutKeyPolicy", json!({ "KeyId": key, "Policy": text })),
        locked
    );
    let bypassing = json!({ "KeyId": key, "Policy": text, "BypassPolicyLockoutSafetyCheck": true });
    here.ok("PutKeyPolicy", bypassing);
    assert!(here.denied(
        &root,
        "PutKeyPolicy",
        json!({ "KeyId": key, "Policy": policy(&[root_statement()]) })
    ));
    assert!(here.denied(&root, "ScheduleKeyDeletion", json!({ "KeyId": key })));
    assert!(here.encrypt(&ann, &key, b"x").is_ok());
}

/// S8.39: a policy is JSON in IAM's language; S8.61: groups and principals who do not exist are refused.
#[test]
fn a_policy_names_only_principals_who_exist() {
    let here = Here::new();
    let root = here.root();
    let naming = |principal: Value| {
        policy(&[
            root_statement(),
            json!({ "Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*" }),
        ])
    };
    let invalid = (
        "MalformedPolicyDocumentException".to_owned(),
        "Policy contains a statement with one or more invalid principals.".to_owned(),
    );
    for arn in [
        format!("arn:aws:iam::{ACCOUNT}:group/admins"),
        format!("arn:aws:iam::{ACCOUNT}:user/nobody"),
        "arn:aws:iam::999999999999:root".to_owned(),
        "999999999999".to_owned(),
    ] {
        let refused = here.refused(
            &root,
            "CreateKey",
            json!({ "Policy": naming(json!({ "AWS": arn })) }),
        );
        assert_eq!(refused, invalid, "{arn}");
    }
    here.user(ACCOUNT, "somebody", &json!([]));
    for principal in [
        json!({ "AWS": format!("arn:aws:iam::{ACCOUNT}:user/somebody") }),
        json!({ "AWS": OTHER }),
        json!({ "AWS": "*" }),
        json!({ "Service": "logs.amazonaws.com" }),
    ] {
        here.ok("CreateKey", json!({ "Policy": naming(principal) }));
    }
    let key = here.key();
    for text in [
        "{",
        "{}",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}"#,
    ] {
        let refused = here.refused(&root, "PutKeyPolicy", json!({ "KeyId": key, "Policy": text }));
        assert_eq!(refused.0, "MalformedPolicyDocumentException", "{text}");
    }
    let long = policy(&[
        root_statement(),
        json!({ "Sid": "x".repeat(33_000), "Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*" }),
    ]);
    assert_eq!(
        here.refused(&root, "PutKeyPolicy", json!({ "KeyId": key, "Policy": long }))
            .0,
        "LimitExceededException"
    );
}

/// S8.60: whoever administers a key need not be able to use it.
#[test]
fn an_administrator_does_not_decrypt() {
    let here = Here::new();
    let admin = here.user(ACCOUNT, "admin", &json!([]));
    let manage = [
        "kms:Create*",
        "kms:Describe*",
        "kms:Enable*",
        "kms:List*",
        "kms:Put*",
        "kms:Disable*",
        "kms:Get*",
        "kms:ScheduleKeyDeletion",
    ];
    let key = here.key_with(&[allow(&admin, &manage)]);
    here.call(&admin, "DisableKey", json!({ "KeyId": key })).unwrap();
    here.call(&admin, "EnableKey", json!({ "KeyId": key })).unwrap();
    let text = here
        .call(&admin, "GetKeyPolicy", json!({ "KeyId": key }))
        .unwrap()["Policy"]
        .clone();
    here.call(&admin, "PutKeyPolicy", json!({ "KeyId": key, "Policy": text }))
        .unwrap();
    let blob = here.encrypt(&here.root(), &key, b"text").unwrap();
    assert!(here.denied(
        &admin,
        "Encrypt",
        json!({ "KeyId": key, "Plaintext": "dGV4dA==" })
    ));
    assert!(here.denied(&admin, "Decrypt", json!({ "CiphertextBlob": blob })));
}

/// A change of the policy counts from the next call on (S8.36).
#[test]
fn a_new_policy_counts_at_once() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let key = here.key();
    let input = json!({ "KeyId": key, "Plaintext": "dGV4dA==" });
    assert!(here.denied(&ann, "Encrypt", input.clone()));
    here.ok(
        "PutKeyPolicy",
        json!({ "KeyId": key, "Policy": policy(&[root_statement(), allow(&ann, &["kms:Encrypt"])]) }),
    );
    assert!(!here.denied(&ann, "Encrypt", input.clone()));
    here.ok(
        "PutKeyPolicy",
        json!({ "KeyId": key, "Policy": policy(&[root_statement()]) }),
    );
    assert!(here.denied(&ann, "Encrypt", input));
}

/// A statement without an action or a resource is taken and has no effect: it neither allows nor denies, nor keeps its author in (KMS API
/// Reference, `CreateKey`, `Policy`).
#[test]
fn a_statement_without_action_or_resource_has_no_effect() {
    let here = Here::new();
    let account = format!("arn:aws:iam::{ACCOUNT}:root");
    let whole =
        json!({ "Effect": "Allow", "Principal": { "AWS": account }, "Action": "kms:*", "Resource": "*" });
    let mut aimless = whole.clone();
    aimless.as_object_mut().unwrap().remove("Resource");
    let mut idle = whole.clone();
    idle["Effect"] = json!("Deny");
    idle.as_object_mut().unwrap().remove("Action");
    let policy =
        |statements: &[&Value]| json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let made = here.ok(
        "CreateKey",
        json!({ "Policy": policy(&[&whole, &aimless, &idle]) }),
    );
    let key = made["KeyMetadata"]["KeyId"].as_str().unwrap();
    assert!(
        here.encrypt(&here.root(), key, b"text").is_ok(),
        "the Deny says nothing"
    );
    let alone = json!({ "KeyId": key, "Policy": policy(&[&aimless]) });
    assert_eq!(
        here.refused(&here.root(), "PutKeyPolicy", alone).1,
        "The new key policy will not allow you to update the key policy in the future."
    );
}
