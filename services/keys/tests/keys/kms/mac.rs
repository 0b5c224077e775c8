//! HMAC keys.

use serde_json::json;

use crate::cloud::{Here, arn, b64, bytes};

#[test]
fn macs_are_made_and_verified() {
    let here = Here::new();
    let root = here.root();
    for (spec, algorithm, length) in [
        ("HMAC_224", "HMAC_SHA_224", 28),
        ("HMAC_256", "HMAC_SHA_256", 32),
        ("HMAC_384", "HMAC_SHA_384", 48),
        ("HMAC_512", "HMAC_SHA_512", 64),
    ] {
        let created = here.ok(
            "CreateKey",
            json!({ "KeySpec": spec, "KeyUsage": "GENERATE_VERIFY_MAC" }),
        );
        assert_eq!(created["KeyMetadata"]["MacAlgorithms"], json!([algorithm]));
        assert!(created["KeyMetadata"]["EncryptionAlgorithms"].is_null());
        let key = arn(&created);
        let made = here.ok(
            "GenerateMac",
            json!({ "KeyId": key, "Message": b64(b"hi"), "MacAlgorithm": algorithm }),
        );
        assert_eq!(bytes(&made["Mac"]).len(), length);
        let verify = |message: &[u8], mac: &[u8]| {
            here.call(
                &root,
                "VerifyMac",
                json!({ "KeyId": key, "Message": b64(message), "MacAlgorithm": algorithm, "Mac": b64(mac) }),
            )
        };
        let mut mac = bytes(&made["Mac"]);
        assert_eq!(verify(b"hi", &mac).unwrap()["MacValid"], json!(true));
        assert_eq!(verify(b"ho", &mac).unwrap_err().code, "KMSInvalidMacException");
        mac[0] ^= 1;
        assert_eq!(verify(b"hi", &mac).unwrap_err().code, "KMSInvalidMacException");
    }
}

#[test]
fn a_key_does_only_what_it_is_for() {
    let here = Here::new();
    let root = here.root();
    let symmetric = here.key();
    let mac = arn(&here.ok(
        "CreateKey",
        json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" }),
    ));
    let refused = here.refused(
        &root,
        "GenerateMac",
        json!({ "KeyId": symmetric, "Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256" }),
    );
    let message = format!("{symmetric} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.");
    assert_eq!(refused, ("InvalidKeyUsageException".to_owned(), message));
    let refused = here.refused(&root, "Encrypt", json!({ "KeyId": mac, "Plaintext": "aGk=" }));
    assert_eq!(
        refused.1,
        format!("{mac} key usage is GENERATE_VERIFY_MAC which is not valid for Encrypt.")
    );
    let refused = here.refused(
        &root,
        "GenerateMac",
        json!({ "KeyId": mac, "Message": "aGk=", "MacAlgorithm": "HMAC_SHA_512" }),
    );
    let message = "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.";
    assert_eq!(
        refused,
        ("InvalidKeyUsageException".to_owned(), message.to_owned())
    );
    let blob = here.encrypt(&root, &symmetric, b"text").unwrap();
    let refused = here.refused(&root, "Decrypt", json!({ "KeyId": mac, "CiphertextBlob": blob }));
    assert_eq!(refused.0, "IncorrectKeyException");
    assert_eq!(
        here.refused(&root, "EnableKeyRotation", json!({ "KeyId": mac }))
            .0,
        "UnsupportedOperationException"
    );
    // Terraform asks this of every key.
    let status = here.ok("GetKeyRotationStatus", json!({ "KeyId": mac }));
    assert_eq!(status["KeyRotationEnabled"], false);
}
