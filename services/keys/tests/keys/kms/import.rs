//! Imported key material, wrapped as its owner wraps it.

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, arn, b64, bytes};

const DAY: i64 = 86_400_000;

pub(crate) fn external(here: &Here, more: Value) -> String {
    let mut input = json!({ "Origin": "EXTERNAL" });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    arn(&here.ok("CreateKey", input))
}

/// A request to import these bytes, which never expire unless `more` says so.
pub(crate) fn request(here: &Here, region: &str, key: &str, material: &[u8], more: Value) -> Value {
    let asked =
        json!({ "KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048" });
    let given = here
        .cloud
        .call_in(region, &here.root(), "kms", "GetParametersForImport", asked)
        .unwrap();
    let wrapped = crypto::testing::wrapped(&bytes(&given["PublicKey"]), material).unwrap();
    let mut input = json!({
        "KeyId": key, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": b64(&wrapped),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    input
}

/// A request to import what is too long for RSA alone, such as a private key: RSA wraps a one-time key, and that the material.
pub(crate) fn request_wrapped(here: &Here, region: &str, key: &str, material: &[u8]) -> Value {
    let asked = json!({ "KeyId": key, "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256", "WrappingKeySpec": "RSA_2048" });
    let given = here
        .cloud
        .call_in(region, &here.root(), "kms", "GetParametersForImport", asked)
        .unwrap();
    let wrapped = crypto::testing::wrapped_twice(&bytes(&given["PublicKey"]), material).unwrap();
    json!({
        "KeyId": key, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": b64(&wrapped),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    })
}

fn import(here: &Here, key: &str, material: &[u8], more: Value) -> Result<String, String> {
    let input = request(here, REGION, key, material, more);
    here.call(&here.root(), "ImportKeyMaterial", input)
        .map(|answer| answer["KeyMaterialId"].as_str().unwrap().to_owned())
        .map_err(|failure| failure.code)
}

fn expiring(milliseconds: i64) -> Value {
    let seconds = f64::from(i32::try_from((BEGINNING + milliseconds) / 1000).unwrap());
    json!({ "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": seconds })
}

fn described(here: &Here, key: &str) -> Value {
    here.ok("DescribeKey", json!({ "KeyId": key }))["KeyMetadata"].clone()
}

fn materials(here: &Here, key: &str) -> Vec<Value> {
    let input = json!({ "KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL" });
    here.ok("ListKeyRotations", input)["Rotations"]
        .as_array()
        .unwrap()
        .clone()
}

/// S8.22: a key may be made without material, and the material imported later.
#[test]
fn a_key_without_material_waits_for_it() {
    let here = Here::new();
    let (root, key) = (here.root(), external(&here, json!({})));
    let shown = described(&here, &key);
    assert_eq!(
        (&shown["KeyState"], &shown["Origin"], &shown["Enabled"]),
        (&json!("PendingImport"), &json!("EXTERNAL"), &json!(false))
    );
    assert!(shown["CurrentKeyMaterialId"].is_null() && shown["ExpirationModel"].is_null());
    let refused = here.encrypt(&root, &key, b"text").unwrap_err();
    assert_eq!(refused.code, "KMSInvalidStateException");
    assert!(refused.message.contains("is pending import"));
    for operation in ["EnableKey", "DisableKey"] {
        let refused = here.refused(&root, operation, json!({ "KeyId": key }));
        assert_eq!(refused.0, "KMSInvalidStateException");
    }
    let id = import(&here, &key, &[7; 32], json!({})).unwrap();
    let shown = described(&here, &key);
    assert_eq!(
        (
            &shown["KeyState"],
            &shown["CurrentKeyMaterialId"],
            &shown["ExpirationModel"]
        ),
        (
            &json!("Enabled"),
            &json!(id),
            &json!("KEY_MATERIAL_DOES_NOT_EXPIRE")
        )
    );
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    assert_eq!(here.decrypt(&root, &blob).unwrap(), b"text");
    let automatic = here.refused(&root, "EnableKeyRotation", json!({ "KeyId": key }));
    assert_eq!(automatic.0, "UnsupportedOperationException");
    assert!(automatic.1.contains("origin is EXTERNAL"));
}

#[test]
fn only_the_same_material_can_be_imported_again() {
    let here = Here::new();
    let (root, key) = (here.root(), external(&here, json!({})));
    let id = import(
        &here,
        &key,
        &[7; 32],
        json!({ "KeyMaterialDescription": "vault 1" }),
    )
    .unwrap();
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    here.ok("DeleteImportedKeyMaterial", json!({ "KeyId": key }));
    assert_eq!(here.state(&key), "PendingImport");
    assert_eq!(
        here.decrypt(&root, &blob).unwrap_err().code,
        "KMSInvalidStateException"
    );
    assert_eq!(materials(&here, &key)[0]["ImportState"], "PENDING_IMPORT");
    let other = import(&here, &key, &[8; 32], json!({}));
    assert_eq!(other.unwrap_err(), "IncorrectKeyMaterialException");
    let short = import(&here, &key, &[7; 16], json!({}));
    assert_eq!(short.unwrap_err(), "IncorrectKeyMaterialException");
    let misnamed = import(&here, &key, &[7; 32], json!({ "KeyMaterialId": "0".repeat(64) }));
    assert_eq!(misnamed.unwrap_err(), "IncorrectKeyMaterialException");
    assert_eq!(
        import(&here, &key, &[7; 32], json!({ "KeyMaterialId": id })).unwrap(),
        id
    );
    assert_eq!(here.decrypt(&root, &blob).unwrap(), b"text");
    let listed = materials(&here, &key);
    assert_eq!(
        (&listed[0]["ImportState"], &listed[0]["KeyMaterialDescription"]),
        (&json!("IMPORTED"), &json!("vault 1"))
    );
}

#[test]
fn a_token_is_good_for_one_key_and_one_day() {
    let here = Here::new();
    let root = here.root();
    let (key, other) = (external(&here, json!({})), external(&here, json!({})));
    let input = request(&here, REGION, &key, &[7; 32], json!({}));
    let code = |input: &Value| here.refused(&root, "ImportKeyMaterial", input.clone()).0;
    let with = |name: &str, value: Value| {
        let mut changed = input.clone();
        changed[name] = value;
        changed
    };
    assert_eq!(code(&with("KeyId", json!(other))), "InvalidImportTokenException");
    assert_eq!(
        code(&with("ImportToken", json!(b64(b"no token")))),
        "InvalidImportTokenException"
    );
    assert_eq!(
        code(&with("EncryptedKeyMaterial", json!(b64(&[1; 256])))),
        "InvalidCiphertextException"
    );
    let made = here.refused(&root, "ImportKeyMaterial", with("KeyId", json!(here.key())));
    assert_eq!(made.0, "UnsupportedOperationException");
    here.cloud.advance(DAY - 1);
    assert_eq!(
        code(&with("EncryptedKeyMaterial", json!(b64(&[1; 256])))),
        "InvalidCiphertextException"
    );
    here.cloud.advance(1);
    assert_eq!(code(&input), "ExpiredImportTokenException");
}

#[test]
fn material_expires_on_its_day_and_the_trail_tells() {
    let here = Here::new();
    let (root, key) = (here.root(), external(&here, json!({})));
    for wrong in [
        json!({ "ExpirationModel": "KEY_MATERIAL_EXPIRES" }),
        expiring(0),
        expiring(366 * DAY),
        json!({ "ValidTo": 1_800_000_000.0 }),
    ] {
        assert_eq!(
            import(&here, &key, &[7; 32], wrong).unwrap_err(),
            "ValidationException"
        );
    }
    let id = import(&here, &key, &[7; 32], expiring(10 * DAY)).unwrap();
    let shown = described(&here, &key);
    assert_eq!(shown["ExpirationModel"], "KEY_MATERIAL_EXPIRES");
    assert_eq!(shown["ValidTo"].as_f64(), expiring(10 * DAY)["ValidTo"].as_f64());
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    here.cloud.advance(5 * DAY);
    assert_eq!(import(&here, &key, &[7; 32], expiring(20 * DAY)).unwrap(), id);
    here.cloud.advance(14 * DAY);
    assert_eq!(here.decrypt(&root, &blob).unwrap(), b"text");
    here.cloud.advance(DAY);
    assert_eq!(here.state(&key), "PendingImport");
    let deleted: Vec<_> = here
        .cloud
        .records(ACCOUNT, REGION)
        .into_iter()
        .filter(|record| record.operation == "DeleteExpiredKeyMaterial")
        .map(|record| record.resources[0].arn.clone())
        .collect();
    assert_eq!(deleted, std::slice::from_ref(&key));
    import(&here, &key, &[7; 32], json!({})).unwrap();
    assert_eq!(here.decrypt(&root, &blob).unwrap(), b"text");
}

#[test]
fn new_material_waits_for_a_rotation_on_demand() {
    let here = Here::new();
    let (root, key) = (here.root(), external(&here, json!({})));
    let first = import(&here, &key, &[1; 32], json!({})).unwrap();
    let old = here.encrypt(&root, &key, b"old").unwrap();
    let refused = here.refused(&root, "RotateKeyOnDemand", json!({ "KeyId": key }));
    assert_eq!(refused.0, "KMSInvalidStateException");
    let new = json!({ "ImportType": "NEW_KEY_MATERIAL" });
    let second = import(&here, &key, &[2; 32], new.clone()).unwrap();
    let again = import(&here, &key, &[3; 32], new.clone());
    assert_eq!(again.unwrap_err(), "KMSInvalidStateException");
    let same = import(&here, &key, &[1; 32], new.clone());
    assert_eq!(same.unwrap_err(), "IncorrectKeyMaterialException");
    let states = |here: &Here| -> Vec<Value> {
        let listed = materials(here, &key);
        listed
            .iter()
            .map(|entry| entry["KeyMaterialState"].clone())
            .collect()
    };
    assert_eq!(states(&here), ["CURRENT", "PENDING_ROTATION"]);
    here.ok(
        "DeleteImportedKeyMaterial",
        json!({ "KeyId": key, "KeyMaterialId": second }),
    );
    assert_eq!((here.state(&key), states(&here).len()), ("Enabled".to_owned(), 1));
    let third = import(&here, &key, &[3; 32], new).unwrap();
    here.ok("RotateKeyOnDemand", json!({ "KeyId": key }));
    here.cloud.advance(0);
    assert_eq!(states(&here), ["NON_CURRENT", "CURRENT"]);
    assert_eq!(described(&here, &key)["CurrentKeyMaterialId"], json!(third));
    let young = here.encrypt(&root, &key, b"young").unwrap();
    assert_eq!(here.decrypt(&root, &old).unwrap(), b"old");
    here.ok(
        "DeleteImportedKeyMaterial",
        json!({ "KeyId": key, "KeyMaterialId": first }),
    );
    assert_eq!(
        here.decrypt(&root, &young).unwrap_err().code,
        "KMSInvalidStateException"
    );
    import(&here, &key, &[1; 32], json!({})).unwrap();
    assert_eq!(here.decrypt(&root, &young).unwrap(), b"young");
}

/// S8.62: whoever administers an external key may import its material, if the policy says so, and only as it says.
#[test]
fn policies_rule_how_material_is_imported() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let own = json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "kms:*", "Resource": "*" });
    let rule = json!({
        "Effect": "Allow", "Principal": { "AWS": &*ann.arn }, "Resource": "*",
        "Action": ["kms:ImportKeyMaterial", "kms:GetParametersForImport"],
        "Condition": {
            "StringEqualsIfExists": { "kms:ExpirationModel": "KEY_MATERIAL_EXPIRES", "kms:WrappingKeySpec": "RSA_4096" },
            "DateLessThanIfExists": { "kms:ValidTo": "2026-12-01T00:00:00Z" },
            "StringEquals": { "kms:KeyOrigin": "EXTERNAL" },
        },
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": [own, rule] }).to_string();
    let key = external(&here, json!({ "Policy": policy }));
    let parameters = |spec: &str| json!({ "KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": spec });
    assert!(here.denied(&ann, "GetParametersForImport", parameters("RSA_2048")));
    here.call(&ann, "GetParametersForImport", parameters("RSA_4096"))
        .unwrap();
    for (more, allowed) in [
        (json!({}), false),
        (expiring(30 * DAY), false),
        (expiring(3 * DAY), true),
    ] {
        let input = request(&here, REGION, &key, &[7; 32], more);
        let answered = here.call(&ann, "ImportKeyMaterial", input);
        assert_eq!(answered.is_ok(), allowed, "{answered:?}");
    }
}

#[test]
fn a_mac_key_takes_one_material() {
    let here = Here::new();
    let key = external(
        &here,
        json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" }),
    );
    import(&here, &key, &[7; 32], json!({})).unwrap();
    let other = import(&here, &key, &[8; 32], json!({}));
    assert_eq!(other.unwrap_err(), "IncorrectKeyMaterialException");
    let new = import(&here, &key, &[8; 32], json!({ "ImportType": "NEW_KEY_MATERIAL" }));
    assert_eq!(new.unwrap_err(), "ValidationException");
    let input = json!({ "KeyId": key, "Message": b64(b"message"), "MacAlgorithm": "HMAC_SHA_256" });
    assert_eq!(bytes(&here.ok("GenerateMac", input)["Mac"]).len(), 32);
}

/// RSA alone wraps no private key of RSA, nor one of P-521 under the shortest modulus (KMS API Reference, `GetParametersForImport`).
#[test]
fn what_does_not_fit_is_not_begun() {
    let here = Here::new();
    let of = |spec: &str, usage: &str| {
        let made = here.ok(
            "CreateKey",
            json!({ "Origin": "EXTERNAL", "KeySpec": spec, "KeyUsage": usage }),
        );
        made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    };
    let (rsa, long) = (of("RSA_2048", "SIGN_VERIFY"), of("ECC_NIST_P521", "SIGN_VERIFY"));
    let wanted = |key: &str, algorithm: &str, spec: &str| json!({ "KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec });
    for wrong in [
        wanted(&rsa, "RSAES_OAEP_SHA_256", "RSA_4096"),
        wanted(&long, "RSAES_OAEP_SHA_1", "RSA_2048"),
        wanted(&long, "RSAES_OAEP_SHA_256", "RSA_2048"),
    ] {
        let refused = here.refused(&here.root(), "GetParametersForImport", wrong.clone());
        assert_eq!(refused.0, "UnsupportedOperationException", "{wrong}");
    }
    here.ok(
        "GetParametersForImport",
        wanted(&rsa, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048"),
    );
    here.ok(
        "GetParametersForImport",
        wanted(&long, "RSAES_OAEP_SHA_256", "RSA_3072"),
    );
}
