//! Data key pairs.

use serde_json::json;

use crate::cloud::{Here, bytes};

/// S8.20: the private key comes in clear and encrypted under the key, and is kept nowhere.
#[test]
fn pairs_come_with_their_private_key_encrypted() {
    let here = Here::new();
    let root = here.root();
    let key = here.key();
    for spec in [
        "RSA_2048",
        "ECC_NIST_P256",
        "ECC_SECG_P256K1",
        "ECC_NIST_EDWARDS25519",
    ] {
        let asked = json!({ "KeyId": key, "KeyPairSpec": spec, "EncryptionContext": { "a": "b" } });
        let made = here.ok("GenerateDataKeyPair", asked.clone());
        assert_eq!(
            (&made["KeyPairSpec"], &made["KeyId"]),
            (&json!(spec), &json!(key))
        );
        assert!(made["KeyMaterialId"].is_string());
        let blob = &made["PrivateKeyCiphertextBlob"];
        let opened = here.ok(
            "Decrypt",
            json!({ "CiphertextBlob": blob, "EncryptionContext": { "a": "b" } }),
        );
        assert_eq!(opened["Plaintext"], made["PrivateKeyPlaintext"]);
        let unbound = here.refused(&root, "Decrypt", json!({ "CiphertextBlob": blob }));
        assert_eq!(unbound.0, "InvalidCiphertextException");
        let hidden = here.ok("GenerateDataKeyPairWithoutPlaintext", asked);
        assert!(hidden["PrivateKeyPlaintext"].is_null());
        assert_ne!(hidden["PublicKey"], made["PublicKey"]);
        // Both halves are DER sequences: `SubjectPublicKeyInfo`, and PKCS #8 of version 0.
        assert_eq!(bytes(&made["PublicKey"])[0], 0x30);
        let private = bytes(&made["PrivateKeyPlaintext"]);
        assert!(
            private.windows(3).take(6).any(|window| window == [2, 1, 0]),
            "{spec}"
        );
        let text = serde_json::to_string(
            &here
                .cloud
                .records(pipeline::testing::ACCOUNT, pipeline::testing::REGION),
        );
        assert!(
            !text
                .unwrap()
                .contains(made["PrivateKeyPlaintext"].as_str().unwrap())
        );
    }
}

/// The condition key `kms:DataKeyPairSpec`, dry runs, and kinds that there are not.
#[test]
fn pairs_are_made_for_those_who_may() {
    let here = Here::new();
    let root = here.root();
    let key = here.key();
    let asked = |spec: &str| json!({ "KeyId": key, "KeyPairSpec": spec });
    let statement = json!([{
        "Effect": "Allow", "Action": "kms:GenerateDataKeyPair*", "Resource": "*",
        "Condition": { "StringLike": { "kms:DataKeyPairSpec": "ECC_NIST_P*" } },
    }]);
    let user = here.user(pipeline::testing::ACCOUNT, "maker", &statement);
    for operation in ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"] {
        assert!(!here.denied(&user, operation, asked("ECC_NIST_P384")));
        assert!(here.denied(&user, operation, asked("ECC_SECG_P256K1")));
        let mut tried = asked("RSA_4096");
        tried["DryRun"] = true.into();
        assert_eq!(
            here.refused(&root, operation, tried).0,
            "DryRunOperationException"
        );
        let refused = here.refused(&root, operation, asked("SM2"));
        assert_eq!(refused.0, "UnsupportedOperationException");
    }
    let mac = here.ok(
        "CreateKey",
        json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" }),
    );
    let input = json!({ "KeyId": mac["KeyMetadata"]["Arn"], "KeyPairSpec": "ECC_NIST_P256" });
    assert_eq!(
        here.refused(&root, "GenerateDataKeyPair", input).0,
        "InvalidKeyUsageException"
    );
}
