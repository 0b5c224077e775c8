//! Key pairs: how they are made and shown, and RSA encryption.

use serde_json::{Value, json};

use crate::cloud::{Here, arn, b64, bytes};

fn rsa(here: &Here, usage: &str) -> Value {
    here.ok("CreateKey", json!({ "KeySpec": "RSA_2048", "KeyUsage": usage }))
}

/// S8.23: which pair is for what, as the KMS Developer Guide's key spec reference has it.
#[test]
fn a_pair_is_made_for_a_use_that_it_has() {
    let here = Here::new();
    let root = here.root();
    for (spec, usage) in [
        ("RSA_2048", "KEY_AGREEMENT"),
        ("RSA_3072", "GENERATE_VERIFY_MAC"),
        ("ECC_NIST_P256", "ENCRYPT_DECRYPT"),
        ("ECC_SECG_P256K1", "KEY_AGREEMENT"),
        ("ECC_NIST_EDWARDS25519", "KEY_AGREEMENT"),
        ("ML_DSA_65", "ENCRYPT_DECRYPT"),
        ("SYMMETRIC_DEFAULT", "SIGN_VERIFY"),
        ("HMAC_256", "SIGN_VERIFY"),
    ] {
        let refused = here.refused(&root, "CreateKey", json!({ "KeySpec": spec, "KeyUsage": usage }));
        let message = format!("KeyUsage {usage} is not compatible with KeySpec {spec}");
        assert_eq!(refused, ("ValidationException".to_owned(), message));
    }
    let unsaid = here.refused(&root, "CreateKey", json!({ "KeySpec": "RSA_2048" }));
    assert_eq!(
        unsaid.1,
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
    );
    let refused = here.refused(
        &root,
        "CreateKey",
        json!({ "KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY" }),
    );
    assert_eq!(refused.0, "UnsupportedOperationException");
}

/// S8.25: the public key comes as `SubjectPublicKeyInfo`; a symmetric key has none.
#[test]
fn public_keys_are_downloaded_with_what_they_are_for() {
    let here = Here::new();
    let root = here.root();
    let created = rsa(&here, "ENCRYPT_DECRYPT");
    let algorithms = json!(["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]);
    assert_eq!(created["KeyMetadata"]["EncryptionAlgorithms"], algorithms);
    let key = arn(&created);
    let shown = here.ok("GetPublicKey", json!({ "KeyId": key }));
    assert_eq!(
        (
            &shown["KeyId"],
            &shown["KeySpec"],
            &shown["CustomerMasterKeySpec"],
            &shown["KeyUsage"]
        ),
        (
            &json!(key),
            &json!("RSA_2048"),
            &json!("RSA_2048"),
            &json!("ENCRYPT_DECRYPT")
        )
    );
    assert_eq!(shown["EncryptionAlgorithms"], algorithms);
    assert!(shown["SigningAlgorithms"].is_null());
    // SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING } (RFC 3279, section 2.3.1).
    let der = bytes(&shown["PublicKey"]);
    assert_eq!(der.len(), 294);
    assert_eq!(
        der[..19],
        [
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
            0x01, 0x05, 0x00
        ]
    );
    let refused = here.refused(&root, "GetPublicKey", json!({ "KeyId": here.key() }));
    assert_eq!(refused.0, "UnsupportedOperationException");
    here.ok("DisableKey", json!({ "KeyId": key }));
    let refused = here.refused(&root, "GetPublicKey", json!({ "KeyId": key }));
    assert_eq!(refused.0, "DisabledException");
}

#[test]
fn rsa_encrypts_up_to_its_limit_and_says_nothing_of_the_key() {
    let here = Here::new();
    let root = here.root();
    let key = arn(&rsa(&here, "ENCRYPT_DECRYPT"));
    for (algorithm, most) in [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)] {
        let asked = |length: usize| json!({ "KeyId": key, "EncryptionAlgorithm": algorithm, "Plaintext": b64(&vec![7; length]) });
        let made = here.ok("Encrypt", asked(most));
        assert_eq!(made["EncryptionAlgorithm"], algorithm);
        let blob = &made["CiphertextBlob"];
        let opened = here.ok(
            "Decrypt",
            json!({ "KeyId": key, "EncryptionAlgorithm": algorithm, "CiphertextBlob": blob }),
        );
        assert_eq!(bytes(&opened["Plaintext"]), vec![7; most]);
        assert!(opened["KeyMaterialId"].is_null());
        let message = format!(
            "Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {most} bytes."
        );
        let refused = here.refused(&root, "Encrypt", asked(most + 1));
        assert_eq!(refused, ("ValidationException".to_owned(), message));
        let unnamed = json!({ "EncryptionAlgorithm": algorithm, "CiphertextBlob": blob });
        assert_eq!(here.refused(&root, "Decrypt", unnamed).0, "ValidationException");
        for wrong in [b64(&[1; 256]), b64(b"x")] {
            let input = json!({ "KeyId": key, "EncryptionAlgorithm": algorithm, "CiphertextBlob": wrong });
            let refused = here.refused(&root, "Decrypt", input);
            assert_eq!(refused, ("InvalidCiphertextException".to_owned(), String::new()));
        }
    }
    let bound = json!({
        "KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "Plaintext": "aGk=",
        "EncryptionContext": { "a": "b" },
    });
    assert_eq!(here.refused(&root, "Encrypt", bound).0, "ValidationException");
    let unsaid = here.refused(&root, "Encrypt", json!({ "KeyId": key, "Plaintext": "aGk=" }));
    let message = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.";
    assert_eq!(
        unsaid,
        ("InvalidKeyUsageException".to_owned(), message.to_owned())
    );
}

/// S8.26: what asks for a symmetric key is refused a pair.
#[test]
fn a_pair_makes_no_data_keys_and_never_rotates() {
    let here = Here::new();
    let root = here.root();
    let key = arn(&rsa(&here, "ENCRYPT_DECRYPT"));
    for (operation, input) in [
        ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })),
        (
            "GenerateDataKeyPair",
            json!({ "KeyId": key, "KeyPairSpec": "ECC_NIST_P256" }),
        ),
    ] {
        let refused = here.refused(&root, operation, input);
        assert_eq!(refused.0, "InvalidKeyUsageException", "{operation}");
    }
    let refused = here.refused(&root, "EnableKeyRotation", json!({ "KeyId": key }));
    assert_eq!(refused.0, "UnsupportedOperationException");
    let signing = arn(&rsa(&here, "SIGN_VERIFY"));
    let input = json!({ "KeyId": signing, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1", "Plaintext": "aGk=" });
    let refused = here.refused(&root, "Encrypt", input);
    let message = format!("{signing} key usage is SIGN_VERIFY which is not valid for Encrypt.");
    assert_eq!(refused, ("InvalidKeyUsageException".to_owned(), message));
    // An alias moves only to a key for the same use.
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/pair", "TargetKeyId": key }),
    );
    for other in [signing, here.key()] {
        let input = json!({ "AliasName": "alias/pair", "TargetKeyId": other });
        assert_eq!(here.refused(&root, "UpdateAlias", input).0, "ValidationException");
    }
}

#[test]
fn re_encryption_moves_between_kinds() {
    let here = Here::new();
    let root = here.root();
    let (pair, symmetric) = (arn(&rsa(&here, "ENCRYPT_DECRYPT")), here.key());
    let blob = here.encrypt(&root, &symmetric, b"moved").unwrap();
    let out = here.ok(
        "ReEncrypt",
        json!({
            "CiphertextBlob": blob, "DestinationKeyId": pair,
            "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        }),
    );
    assert!(out["SourceKeyMaterialId"].is_string() && out["DestinationKeyMaterialId"].is_null());
    let back = here.ok(
        "ReEncrypt",
        json!({
            "CiphertextBlob": out["CiphertextBlob"], "SourceKeyId": pair, "DestinationKeyId": symmetric,
            "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        }),
    );
    assert_eq!(back["SourceEncryptionAlgorithm"], "RSAES_OAEP_SHA_256");
    let text = here
        .decrypt(&root, back["CiphertextBlob"].as_str().unwrap())
        .unwrap();
    assert_eq!(text, b"moved");
    let large = here.encrypt(&root, &symmetric, &[7; 191]).unwrap();
    let refused = here.refused(
        &root,
        "ReEncrypt",
        json!({
            "CiphertextBlob": large, "DestinationKeyId": pair,
            "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        }),
    );
    assert_eq!(refused.0, "ValidationException");
}
