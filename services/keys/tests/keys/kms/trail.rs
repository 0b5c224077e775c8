//! What the record says of KMS (S8.10).

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::json;

use crate::cloud::{Here, OTHER, b64, bytes};

/// S8.10: every use is on record, with the key's ARN and the context, and without plaintext or ciphertext.
#[test]
fn uses_are_recorded_without_their_secrets() {
    let here = Here::new();
    let key = here.key();
    let secret = b64(b"a very secret text");
    let input = json!({ "KeyId": key, "Plaintext": secret, "EncryptionContext": { "tenant": "blue" } });
    let blob = here.ok("Encrypt", input)["CiphertextBlob"].clone();
    here.ok(
        "Decrypt",
        json!({ "CiphertextBlob": blob, "EncryptionContext": { "tenant": "blue" } }),
    );
    let made = here.ok("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" }));
    let records = here.cloud.records(ACCOUNT, REGION);
    for operation in ["Encrypt", "Decrypt", "GenerateDataKey"] {
        let record = records
            .iter()
            .find(|record| record.operation == operation)
            .unwrap();
        assert!(record.read_only, "{operation}");
        let named: Vec<_> = record
            .resources
            .iter()
            .map(|resource| (resource.arn.as_str(), resource.kind.as_str()))
            .collect();
        assert_eq!(named, [(key.as_str(), "AWS::KMS::Key")], "{operation}");
        assert!(record.response.is_none());
    }
    let shown = records
        .iter()
        .find(|record| record.operation == "Encrypt")
        .unwrap()
        .request
        .clone()
        .unwrap();
    assert_eq!(
        (&shown["keyId"], &shown["encryptionContext"]),
        (&json!(key), &json!({ "tenant": "blue" }))
    );
    let all = serde_json::to_string(&records).unwrap();
    for hidden in [
        secret.as_str(),
        blob.as_str().unwrap(),
        made["Plaintext"].as_str().unwrap(),
        made["CiphertextBlob"].as_str().unwrap(),
    ] {
        assert!(!all.contains(hidden));
    }
    assert!(!all.contains("a very secret text"));
    assert_eq!(bytes(&made["Plaintext"]).len(), 32);
}

/// S8.10, S12.10: uses say which material and which algorithm, as AWS's records do, also when the request does not.
#[test]
fn uses_are_recorded_with_their_material_and_algorithm() {
    let here = Here::new();
    let (old, new) = (here.key(), here.key());
    let encrypted = here.ok(
        "Encrypt",
        json!({ "KeyId": old, "Plaintext": b64(b"x"), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }),
    );
    let blob = encrypted["CiphertextBlob"].clone();
    let moved = here.ok(
        "ReEncrypt",
        json!({ "CiphertextBlob": blob, "DestinationKeyId": new }),
    );
    let decrypted = here.ok("Decrypt", json!({ "CiphertextBlob": blob }));
    let made = here.ok("GenerateDataKey", json!({ "KeyId": old, "KeySpec": "AES_256" }));
    let records = here.cloud.records(ACCOUNT, REGION);
    let record = |operation: &str| {
        records
            .iter()
            .find(|record| record.operation == operation)
            .unwrap()
    };
    let material = decrypted["KeyMaterialId"].clone();
    assert!(material.is_string() && material == made["KeyMaterialId"]);
    for operation in ["Encrypt", "Decrypt", "GenerateDataKey"] {
        assert_eq!(
            json!(record(operation).additional),
            json!({ "keyMaterialId": material }),
            "{operation}"
        );
    }
    assert_eq!(
        json!(record("ReEncrypt").additional),
        json!({
            "sourceKeyMaterialId": moved["SourceKeyMaterialId"],
            "destinationKeyMaterialId": moved["DestinationKeyMaterialId"],
        })
    );
    let symmetric = json!("SYMMETRIC_DEFAULT");
    for (operation, member) in [
        ("Encrypt", "encryptionAlgorithm"),
        ("Decrypt", "encryptionAlgorithm"),
        ("ReEncrypt", "sourceEncryptionAlgorithm"),
        ("ReEncrypt", "destinationEncryptionAlgorithm"),
    ] {
        assert_eq!(record(operation).request.as_ref().unwrap()[member], symmetric);
    }
    let data_key = record("GenerateDataKey").request.as_ref().unwrap();
    assert!(data_key.get("encryptionAlgorithm").is_none());
}

#[test]
fn making_a_key_is_recorded_with_its_arn() {
    let here = Here::new();
    let key = here.key();
    let records = here.cloud.records(ACCOUNT, REGION);
    let record = records
        .iter()
        .find(|record| record.operation == "CreateKey")
        .unwrap();
    assert!(!record.read_only);
    assert_eq!(record.resources[0].arn, key);
    assert_eq!(
        record.response.as_ref().unwrap()["keyMetadata"]["arn"],
        json!(key)
    );
}

/// A refusal is on record too, and a use from another account stands in both trails.
#[test]
fn both_accounts_see_a_use_across_accounts() {
    let here = Here::new();
    let key = here.key_with(&[
        json!({ "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": "kms:Encrypt", "Resource": "*" }),
    ]);
    let ann = here.admin(OTHER, "ann");
    here.encrypt(&ann, &key, b"text").unwrap();
    assert!(here.denied(&ann, "ListGrants", json!({ "KeyId": key })));
    let shared = |account: &str| {
        let records = here.cloud.records(account, REGION);
        records
            .into_iter()
            .find(|record| record.operation == "Encrypt")
            .and_then(|record| record.shared)
    };
    assert!(shared(OTHER).is_some());
    assert_eq!(shared(OTHER), shared(ACCOUNT));
    let refused = here
        .cloud
        .records(OTHER, REGION)
        .into_iter()
        .find(|record| record.operation == "ListGrants")
        .unwrap();
    assert_eq!(refused.error.unwrap().code, "AccessDenied");
}
