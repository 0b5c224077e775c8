//! Data keys and random bytes.

use std::collections::BTreeSet;

use pipeline::testing::ACCOUNT;
use serde_json::json;

use crate::cloud::{Here, allow, bytes};

/// S8.6, S8.8, S8.19, S8.32: the data key comes in clear and encrypted, and the key in KMS opens the encrypted one.
#[test]
fn envelope_encryption_has_two_tiers() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    for (input, length) in [
        (json!({ "KeyId": key, "KeySpec": "AES_256" }), 32),
        (json!({ "KeyId": key, "KeySpec": "AES_128" }), 16),
        (json!({ "KeyId": key, "NumberOfBytes": 1024 }), 1024),
    ] {
        let made = here.ok("GenerateDataKey", input.clone());
        let clear = bytes(&made["Plaintext"]);
        assert_eq!((clear.len(), &made["KeyId"]), (length, &json!(key)));
        assert_eq!(
            here.decrypt(&root, made["CiphertextBlob"].as_str().unwrap())
                .unwrap(),
            clear
        );
        let blind = here.ok("GenerateDataKeyWithoutPlaintext", input);
        assert!(blind["Plaintext"].is_null());
        let other = here
            .decrypt(&root, blind["CiphertextBlob"].as_str().unwrap())
            .unwrap();
        assert_eq!(other.len(), length);
        assert_ne!(other, clear);
    }
}

#[test]
fn a_data_key_has_one_length() {
    let here = Here::new();
    let key = here.key();
    for input in [
        json!({ "KeyId": key }),
        json!({ "KeyId": key, "KeySpec": "AES_256", "NumberOfBytes": 32 }),
    ] {
        let refused = here.refused(&here.root(), "GenerateDataKey", input);
        let message = "Please specify either number of bytes or key spec.";
        assert_eq!(refused, ("ValidationException".to_owned(), message.to_owned()));
    }
}

/// S8.56: a policy limits who makes data keys.
#[test]
fn data_keys_need_their_own_permission() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let key = here.key_with(&[allow(
        &ann,
        &["kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext"],
    )]);
    assert!(here.denied(
        &ann,
        "GenerateDataKey",
        json!({ "KeyId": key, "KeySpec": "AES_256" })
    ));
    assert!(!here.denied(
        &ann,
        "GenerateDataKeyWithoutPlaintext",
        json!({ "KeyId": key, "KeySpec": "AES_256" })
    ));
}

/// S8.21: random bytes, of the length that is asked for, never the same.
#[test]
fn random_bytes_are_random() {
    let here = Here::new();
    let drawn: BTreeSet<Vec<u8>> = (0..20)
        .map(|_| bytes(&here.ok("GenerateRandom", json!({ "NumberOfBytes": 24 }))["Plaintext"]))
        .collect();
    assert_eq!(drawn.len(), 20);
    assert!(drawn.iter().all(|bytes| bytes.len() == 24));
    let refused = here.refused(&here.root(), "GenerateRandom", json!({}));
    assert_eq!(
        refused,
        (
            "ValidationException".to_owned(),
            "NumberOfBytes is required.".to_owned()
        )
    );
    assert!(here.denied(
        &here.user(ACCOUNT, "eve", &json!([])),
        "GenerateRandom",
        json!({ "NumberOfBytes": 1 })
    ));
}
