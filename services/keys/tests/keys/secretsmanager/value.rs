//! Values: made, read, changed, kept encrypted.

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::json;

use super::{Vault, id};
use crate::cloud::b64;

const DAY: i64 = 86_400_000;

/// S11.7: one place from which a value is read by name, ARN or partial ARN.
#[test]
fn a_secret_is_read_by_any_of_its_names() {
    let vault = Vault::new();
    let arn = vault.secret("prod/db", "hunter2");
    let prefix = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-");
    let suffix = arn.strip_prefix(&prefix).unwrap();
    assert!(suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let partial = arn.strip_suffix(&format!("-{suffix}")).unwrap();
    for name in ["prod/db", &arn, partial] {
        let read = vault.ok("GetSecretValue", json!({ "SecretId": name }));
        let want = json!({ "ARN": arn, "Name": "prod/db", "SecretString": "hunter2", "VersionId": id("1"),
            "VersionStages": ["AWSCURRENT"], "CreatedDate": read["CreatedDate"] });
        assert_eq!(read, want);
        assert_eq!(read["CreatedDate"].as_f64(), Some((BEGINNING / 1000) as f64));
    }
    let missing = (
        "ResourceNotFoundException".to_owned(),
        "Secrets Manager can't find the specified secret.".to_owned(),
    );
    let wrong = format!("{partial}-aaaaaa");
    for name in ["prod/other", &wrong] {
        let input = json!({ "SecretId": name });
        assert_eq!(
            vault.refused(&vault.here.root(), "GetSecretValue", input),
            missing
        );
    }
}

#[test]
fn bytes_come_back_as_bytes() {
    let vault = Vault::new();
    let input = json!({ "Name": "b", "SecretBinary": b64(b"\x00\xff"), "KmsKeyId": vault.key, "ClientRequestToken": id("1") });
    vault.ok("CreateSecret", input);
    let read = vault.ok("GetSecretValue", json!({ "SecretId": "b" }));
    assert_eq!(read["SecretBinary"], b64(b"\x00\xff"));
    assert!(read.get("SecretString").is_none());
}

/// S11.10: a value has at most 65,536 bytes, not characters; it is text or bytes.
#[test]
fn a_value_has_bounds() {
    let vault = Vault::new();
    let with = |value: String| json!({ "Name": "v", "SecretString": value, "KmsKeyId": vault.key, "ClientRequestToken": id("1") });
    for long in ["x".repeat(65_537), "é".repeat(32_769)] {
        assert_eq!(vault.code("CreateSecret", with(long)), "ValidationException");
    }
    vault.ok("CreateSecret", with("é".repeat(32_768)));
    assert_eq!(vault.text(json!({ "SecretId": "v" })).len(), 65_536);
    let both = json!({ "SecretId": "v", "SecretString": "a", "SecretBinary": "AA==", "ClientRequestToken": id("2") });
    assert_eq!(vault.code("PutSecretValue", both), "InvalidParameterException");
    let neither = json!({ "SecretId": "v", "ClientRequestToken": id("2") });
    assert_eq!(vault.code("PutSecretValue", neither), "InvalidRequestException");
    let tokenless = json!({ "SecretId": "v", "SecretString": "a" });
    assert_eq!(vault.code("PutSecretValue", tokenless), "InvalidRequestException");
}

/// S11.10: KMS makes a data key for every version, in the caller's name, and the secret's ARN and version are its context.
#[test]
fn a_value_is_encrypted_under_kms_in_the_callers_name() {
    let vault = Vault::new();
    let arn = vault.secret("s", "plain-text-of-the-test");
    vault.text(json!({ "SecretId": "s" }));
    let records = vault.here.cloud.records(ACCOUNT, REGION);
    for (operation, caller) in [("GenerateDataKey", "root"), ("Decrypt", "root")] {
        let event = records
            .iter()
            .find(|record| record.operation == operation)
            .unwrap();
        let text = serde_json::to_string(event).unwrap();
        assert!(
            text.contains(&arn) && text.contains(&id("1")) && text.contains(caller),
            "{text}"
        );
        assert!(text.contains("secretsmanager.amazonaws.com"), "{text}");
    }
    for record in &records {
        let text = serde_json::to_string(record).unwrap();
        assert!(!text.contains("plain-text-of-the-test"), "{text}");
    }
    let shown = vault.ok("DescribeSecret", json!({ "SecretId": "s" }));
    assert_eq!(shown["KmsKeyId"], vault.key);
}

/// A key that cannot be used makes a secret unreadable, and says no more than that.
#[test]
fn a_disabled_key_takes_its_secrets_along() {
    let vault = Vault::new();
    vault.secret("s", "value");
    vault.here.ok("DisableKey", json!({ "KeyId": vault.key }));
    assert_eq!(
        vault.code("GetSecretValue", json!({ "SecretId": "s" })),
        "DecryptionFailure"
    );
    let put = json!({ "SecretId": "s", "SecretString": "new", "ClientRequestToken": id("2") });
    assert_eq!(vault.code("PutSecretValue", put), "EncryptionFailure");
    vault.here.ok("EnableKey", json!({ "KeyId": vault.key }));
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "value");
}

/// A request that comes again is the same request; with another value it is refused.
#[test]
fn a_token_stands_for_one_value() {
    let vault = Vault::new();
    let arn = vault.secret("s", "one");
    let create = |value: &str| json!({ "Name": "s", "SecretString": value, "KmsKeyId": vault.key, "ClientRequestToken": id("1") });
    assert_eq!(vault.ok("CreateSecret", create("one"))["ARN"], arn);
    let refused = vault.refused(&vault.here.root(), "CreateSecret", create("two"));
    assert_eq!(
        refused,
        (
            "ResourceExistsException".to_owned(),
            "The operation failed because the secret s already exists.".to_owned()
        )
    );
    let put = |value: &str| json!({ "SecretId": "s", "SecretString": value, "ClientRequestToken": id("2") });
    let first = vault.ok("PutSecretValue", put("two"));
    assert_eq!(vault.ok("PutSecretValue", put("two")), first);
    for operation in ["PutSecretValue", "UpdateSecret"] {
        let refused = vault.refused(&vault.here.root(), operation, put("three"));
        assert_eq!(
            refused,
            (
                "ResourceExistsException".to_owned(),
                "A resource with the ID you requested already exists.".to_owned()
            )
        );
    }
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "two");
}

#[test]
fn an_update_changes_what_it_names() {
    let vault = Vault::new();
    let arn = vault.secret("s", "one");
    vault.here.cloud.advance(DAY);
    let answer = vault.ok("UpdateSecret", json!({ "SecretId": "s", "Description": "words" }));
    assert_eq!(answer, json!({ "ARN": arn, "Name": "s" }));
    let input = json!({ "SecretId": "s", "SecretString": "two", "ClientRequestToken": id("2") });
    assert_eq!(vault.ok("UpdateSecret", input)["VersionId"], id("2"));
    let shown = vault.ok("DescribeSecret", json!({ "SecretId": "s" }));
    assert_eq!(shown["Description"], "words");
    assert_eq!(
        shown["VersionIdsToStages"],
        json!({ id("1"): ["AWSPREVIOUS"], id("2"): ["AWSCURRENT"] })
    );
    assert!(shown["LastChangedDate"].as_f64() > shown["CreatedDate"].as_f64());
}

/// An update that comes again, with the token and the value of a version, is the same update, whatever the version's labels are now; with
/// another value it is refused, and then nothing else of it is done either.
#[test]
fn an_update_that_comes_again_changes_nothing() {
    let vault = Vault::new();
    vault.secret("s", "one");
    let update = |value: &str, words: &str| json!({ "SecretId": "s", "SecretString": value, "Description": words, "ClientRequestToken": id("2") });
    let first = vault.ok("UpdateSecret", update("two", "words"));
    assert_eq!(first["VersionId"], id("2"));
    vault.ok(
        "PutSecretValue",
        json!({ "SecretId": "s", "SecretString": "three", "ClientRequestToken": id("3") }),
    );
    let shown = || vault.ok("DescribeSecret", json!({ "SecretId": "s" }));
    let before = shown();
    vault.here.cloud.advance(DAY);
    assert_eq!(vault.ok("UpdateSecret", update("two", "words")), first);
    assert_eq!(shown(), before);
    vault.ok(
        "UpdateSecret",
        json!({ "SecretId": "s", "ClientRequestToken": id("4") }),
    );
    assert_eq!(shown(), before);
    let other = vault.here.key();
    let mut wrong = update("four", "other words");
    wrong["KmsKeyId"] = json!(other);
    assert_eq!(vault.code("UpdateSecret", wrong), "ResourceExistsException");
    assert_eq!(shown(), before);
    // The same value as bytes is another value.
    let bytes = json!({ "SecretId": "s", "SecretBinary": b64(b"two"), "ClientRequestToken": id("2") });
    for operation in ["UpdateSecret", "PutSecretValue"] {
        assert_eq!(vault.code(operation, bytes.clone()), "ResourceExistsException");
    }
    // With new words, the words alone are new.
    vault.ok("UpdateSecret", update("two", "new words"));
    let after = shown();
    assert_eq!(
        (&after["Description"], &after["VersionIdsToStages"]),
        (&json!("new words"), &before["VersionIdsToStages"])
    );
    assert!(after["LastChangedDate"].as_f64() > before["LastChangedDate"].as_f64());
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "three");
}

/// Another key encrypts the labelled versions anew: the old key is needed no more.
#[test]
fn another_key_takes_over() {
    let vault = Vault::new();
    vault.secret("s", "one");
    vault.ok(
        "PutSecretValue",
        json!({ "SecretId": "s", "SecretString": "two", "ClientRequestToken": id("2") }),
    );
    let other = vault.here.key();
    vault.ok("UpdateSecret", json!({ "SecretId": "s", "KmsKeyId": other }));
    vault.here.ok("DisableKey", json!({ "KeyId": vault.key }));
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "two");
    assert_eq!(
        vault.text(json!({ "SecretId": "s", "VersionStage": "AWSPREVIOUS" })),
        "one"
    );
}

/// The day of the last read is kept, and not its time.
#[test]
fn a_read_leaves_its_day() {
    let vault = Vault::new();
    vault.secret("s", "one");
    let accessed = || vault.ok("DescribeSecret", json!({ "SecretId": "s" }))["LastAccessedDate"].clone();
    assert!(accessed().is_null());
    vault.here.cloud.advance(DAY + DAY / 2);
    vault.text(json!({ "SecretId": "s" }));
    assert_eq!(accessed().as_f64(), Some(((BEGINNING + DAY) / 1000) as f64));
}

#[test]
fn names_have_an_alphabet() {
    let vault = Vault::new();
    for name in ["with space", "a:b", "é"] {
        let refused = vault.refused(&vault.here.root(), "CreateSecret", json!({ "Name": name }));
        assert_eq!(refused.0, "ValidationException", "{name}");
    }
    vault.ok("CreateSecret", json!({ "Name": "a-/_+=.@!Z9" }));
    let refused = vault.refused(
        &vault.here.root(),
        "GetSecretValue",
        json!({ "SecretId": "a-/_+=.@!Z9" }),
    );
    assert_eq!(
        refused,
        (
            "ResourceNotFoundException".to_owned(),
            "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT".to_owned()
        )
    );
}

/// A secret that names no key is under the account's own key for the service, made at its first use (S11.10).
#[test]
fn a_secret_without_a_key_is_under_the_services_own() {
    let vault = Vault::new();
    let made = vault.ok(
        "CreateSecret",
        json!({ "Name": "plain", "SecretString": "hunter2", "ClientRequestToken": id("1") }),
    );
    let read = vault.ok("GetSecretValue", json!({ "SecretId": made["ARN"] }));
    assert_eq!(read["SecretString"], "hunter2");
    let described = vault
        .here
        .ok("DescribeKey", json!({ "KeyId": "alias/aws/secretsmanager" }));
    assert_eq!(described["KeyMetadata"]["KeyManager"], "AWS");
}

/// Another key takes over the data keys of the versions in use, unless the caller may not encrypt under it: then they stay as they are,
/// and what comes later is under the new key (Secrets Manager API Reference, `UpdateSecret`, `KmsKeyId`).
#[test]
fn another_key_takes_over_what_the_caller_may_encrypt() {
    let vault = Vault::new();
    vault.secret("s", "value");
    let (other, third) = (vault.here.key(), vault.here.key());
    let statements = |more: &str| {
        json!([{ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" },
            { "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey", more], "Resource": "*" }])
    };
    let (may, not) = (
        vault.here.user(ACCOUNT, "may", &statements("kms:Encrypt")),
        vault.here.user(ACCOUNT, "not", &statements("kms:DescribeKey")),
    );
    let under = || {
        let listed = vault.ok("ListSecretVersionIds", json!({ "SecretId": "s" }));
        listed["Versions"][0]["KmsKeyIds"][0].as_str().unwrap().to_owned()
    };
    let to = |key: &str| json!({ "SecretId": "s", "KmsKeyId": key });
    vault.call(&may, "UpdateSecret", to(&other)).unwrap();
    assert_eq!(under(), other);
    vault.here.ok("DisableKey", json!({ "KeyId": vault.key }));
    assert_eq!(
        vault.text(json!({ "SecretId": "s" })),
        "value",
        "the old key is not needed"
    );
    vault.call(&not, "UpdateSecret", to(&third)).unwrap();
    assert_eq!(under(), other);
    assert_eq!(
        vault.ok("DescribeSecret", json!({ "SecretId": "s" }))["KmsKeyId"],
        third
    );
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "value");
    let put = json!({ "SecretId": "s", "SecretString": "new", "ClientRequestToken": id("2") });
    vault.call(&not, "PutSecretValue", put).unwrap();
    assert_eq!(under(), third);
}
