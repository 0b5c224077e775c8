//! `SecureString`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, allow};
use crate::ssm::{call, ok, refused};

const SECRET: &str = "a very secret password";

fn secure(here: &Here, key: &str, name: &str, tier: &str) {
    let input = json!({ "Name": name, "Value": SECRET, "Type": "SecureString", "KeyId": key, "Tier": tier });
    ok(here, "PutParameter", input);
}

fn read(here: &Here, name: &str) -> Value {
    ok(
        here,
        "GetParameter",
        json!({ "Name": name, "WithDecryption": true }),
    )["Parameter"]["Value"]
        .clone()
}

/// S10.3: a secure value is KMS's ciphertext, bound to the parameter's ARN; asked for with decryption it is the value.
#[test]
fn secure_values_are_encrypted_by_kms() {
    let here = Here::new();
    let key = here.key();
    secure(&here, &key, "/s/a", "Standard");
    secure(&here, &key, "/s/b", "Advanced");
    assert_eq!(
        (read(&here, "/s/a"), read(&here, "/s/b")),
        (json!(SECRET), json!(SECRET))
    );
    let shown = ok(&here, "GetParameter", json!({ "Name": "/s/a" }))["Parameter"]["Value"].clone();
    let context = json!({ "PARAMETER_ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/s/a") });
    let opened = here.ok(
        "Decrypt",
        json!({ "CiphertextBlob": shown, "EncryptionContext": context }),
    );
    assert_eq!(opened["Plaintext"], json!(STANDARD.encode(SECRET)));
    let path = ok(
        &here,
        "GetParametersByPath",
        json!({ "Path": "/s", "WithDecryption": true }),
    );
    assert_eq!(path["Parameters"][1]["Value"], json!(SECRET));
    let described = ok(&here, "DescribeParameters", json!({}));
    assert_eq!(described["Parameters"][0]["KeyId"], json!(key));
}

/// S10.3: the caller needs the key as well as the parameter, and KMS sees through whom it was asked.
#[test]
fn the_caller_needs_the_key() {
    let here = Here::new();
    let reads = json!([{ "Effect": "Allow", "Action": "ssm:*", "Resource": "*" }]);
    let (able, unable) = (
        here.user(ACCOUNT, "able", &reads),
        here.user(ACCOUNT, "unable", &reads),
    );
    let mut through = allow(&able, &["kms:Decrypt"]);
    through["Condition"] =
        json!({ "StringEquals": { "kms:ViaService": format!("ssm.{REGION}.amazonaws.com") } });
    let key = here.key_with(&[through]);
    secure(&here, &key, "/s", "Standard");
    let input = json!({ "Name": "/s", "WithDecryption": true });
    assert_eq!(
        call(&here, &able, "GetParameter", input.clone()).unwrap()["Parameter"]["Value"],
        json!(SECRET)
    );
    let failure = call(&here, &unable, "GetParameter", input).unwrap_err();
    assert_eq!(failure.code, "AccessDeniedException");
    assert!(failure.message.contains("kms:Decrypt"), "{}", failure.message);
    assert!(call(&here, &unable, "GetParameter", json!({ "Name": "/s" })).is_ok());
    let put = json!({ "Name": "/t", "Value": "v", "Type": "SecureString", "KeyId": key });
    assert_eq!(
        call(&here, &able, "PutParameter", put).unwrap_err().code,
        "AccessDeniedException"
    );
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": "/t" })).0,
        "ParameterNotFound"
    );
}

/// What KMS refuses for the key's sake is told as `InvalidKeyId`, with KMS's words.
#[test]
fn a_key_that_cannot_be_used_is_invalid() {
    let here = Here::new();
    let key = here.key();
    secure(&here, &key, "/s", "Standard");
    let missing = json!({ "Name": "/t", "Value": "v", "Type": "SecureString", "KeyId": "alias/none" });
    let (code, message) = refused(&here, "PutParameter", missing);
    assert_eq!(code, "InvalidKeyId");
    assert!(
        message.contains("alias/none is not found") && message.contains("NotFoundException"),
        "{message}"
    );
    here.ok("DisableKey", json!({ "KeyId": key }));
    let (code, message) = refused(
        &here,
        "GetParameter",
        json!({ "Name": "/s", "WithDecryption": true }),
    );
    assert_eq!(code, "InvalidKeyId");
    assert!(message.contains("DisabledException"), "{message}");
    assert_eq!(
        refused(
            &here,
            "GetParameters",
            json!({ "Names": ["/s"], "WithDecryption": true })
        )
        .0,
        "InvalidKeyId"
    );
}

/// Old versions keep the key that they were encrypted under.
#[test]
fn versions_keep_their_keys() {
    let here = Here::new();
    let (old, new) = (here.key(), here.key());
    secure(&here, &old, "/s", "Standard");
    ok(
        &here,
        "PutParameter",
        json!({ "Name": "/s", "Value": "next", "KeyId": new, "Overwrite": true }),
    );
    let history = ok(
        &here,
        "GetParameterHistory",
        json!({ "Name": "/s", "WithDecryption": true }),
    );
    let of = |place: usize| {
        (
            history["Parameters"][place]["Value"].clone(),
            history["Parameters"][place]["KeyId"].clone(),
        )
    };
    assert_eq!(
        (of(0), of(1)),
        ((json!(SECRET), json!(old)), (json!("next"), json!(new)))
    );
}

/// S10.3: no record shows a value, of any type, and KMS's use is on record beside it.
#[test]
fn values_are_not_on_record() {
    let here = Here::new();
    let key = here.key();
    secure(&here, &key, "/s", "Standard");
    secure(&here, &key, "/b", "Advanced");
    read(&here, "/s");
    let shown = ok(&here, "GetParameter", json!({ "Name": "/s" }))["Parameter"]["Value"].clone();
    let records = here.cloud.records(ACCOUNT, REGION);
    let all = serde_json::to_string(&records).unwrap();
    assert!(
        !all.contains(SECRET)
            && !all.contains(&STANDARD.encode(SECRET))
            && !all.contains(shown.as_str().unwrap())
    );
    let of = |operation: &str| {
        records
            .iter()
            .filter(|record| record.operation == operation)
            .count()
    };
    assert_eq!((of("Encrypt"), of("GenerateDataKey"), of("Decrypt")), (1, 1, 1));
    let put = records
        .iter()
        .find(|record| record.operation == "PutParameter")
        .unwrap();
    assert_eq!(
        put.request.as_ref().unwrap()["value"],
        json!("HIDDEN_DUE_TO_SECURITY_REASONS")
    );
}

/// A parameter that names no key is under the account's own key for the service, made at its first use and usable through it
/// alone (S10.3).
#[test]
fn a_secure_value_without_a_key_is_under_the_services_own() {
    let here = Here::new();
    for tier in ["Standard", "Advanced"] {
        let input =
            json!({ "Name": format!("/own/{tier}"), "Value": SECRET, "Type": "SecureString", "Tier": tier });
        ok(&here, "PutParameter", input);
        assert_eq!(read(&here, &format!("/own/{tier}")), SECRET);
    }
    let described = here.ok("DescribeKey", json!({ "KeyId": "alias/aws/ssm" }));
    assert_eq!(described["KeyMetadata"]["KeyManager"], "AWS");
    let keys = here.ok("ListKeys", json!({}));
    assert_eq!(keys["Keys"].as_array().unwrap().len(), 1, "one for both");
    let direct = json!({ "KeyId": "alias/aws/ssm", "Plaintext": "AAAA" });
    assert_eq!(
        here.refused(&here.root(), "Encrypt", direct).0,
        "AccessDeniedException"
    );
}
