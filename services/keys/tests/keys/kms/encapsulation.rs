//! Encapsulate and Decapsulate.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::cloud::{Here, allow, arn, b64, bytes};

fn lattice(here: &Here, spec: &str) -> String {
    arn(&here.ok(
        "CreateKey",
        json!({ "KeySpec": spec, "KeyUsage": "ENCAPSULATE_DECAPSULATE" }),
    ))
}

fn encapsulate(key: &str) -> Value {
    json!({ "KeyId": key, "EncapsulationAlgorithm": "ML_KEM" })
}

fn decapsulate(key: &str, blob: &[u8]) -> Value {
    json!({ "KeyId": key, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": b64(blob) })
}

/// S8.23: ML-KEM, in its three sizes.
#[test]
fn a_secret_is_shared_through_its_ciphertext() {
    let here = Here::new();
    for (spec, public, blob) in [
        ("ML_KEM_512", 800, 768),
        ("ML_KEM_768", 1184, 1088),
        ("ML_KEM_1024", 1568, 1568),
    ] {
        let key = lattice(&here, spec);
        let made = here.ok("Encapsulate", encapsulate(&key));
        let (ciphertext, secret) = (
            bytes(&made["SharedSecretCiphertextBlob"]),
            bytes(&made["SharedSecret"]),
        );
        assert_eq!(
            (ciphertext.len(), secret.len(), &made["KeyId"]),
            (blob, 32, &json!(key))
        );
        let opened = here.ok("Decapsulate", decapsulate(&key, &ciphertext));
        assert_eq!(
            (bytes(&opened["SharedSecret"]), &opened["EncapsulationAlgorithm"]),
            (secret.clone(), &json!("ML_KEM"))
        );
        // Changed ciphertexts and other keys give secrets of their own, and no error.
        let mut altered = ciphertext.clone();
        altered[0] ^= 1;
        assert_ne!(
            bytes(&here.ok("Decapsulate", decapsulate(&key, &altered))["SharedSecret"]),
            secret
        );
        let other = lattice(&here, spec);
        assert_ne!(
            bytes(&here.ok("Decapsulate", decapsulate(&other, &ciphertext))["SharedSecret"]),
            secret
        );
        let short = here.refused(&here.root(), "Decapsulate", decapsulate(&key, &ciphertext[1..]));
        assert_eq!(short.0, "InvalidCiphertextException");
        let shown = here.ok("GetPublicKey", json!({ "KeyId": key }));
        assert_eq!(shown["EncapsulationAlgorithms"], json!(["ML_KEM"]));
        // RFC 9935: a header of twenty-two bytes, and the raw key.
        assert_eq!(bytes(&shown["PublicKey"]).len(), 22 + public);
        let described = here.ok("DescribeKey", json!({ "KeyId": key }));
        assert_eq!(
            described["KeyMetadata"]["EncapsulationAlgorithms"],
            json!(["ML_KEM"])
        );
    }
}

#[test]
fn only_such_keys_encapsulate_and_they_do_nothing_else() {
    let here = Here::new();
    let (key, symmetric) = (lattice(&here, "ML_KEM_768"), here.key());
    let root = here.root();
    assert_eq!(
        here.refused(&root, "Encapsulate", encapsulate(&symmetric)).0,
        "InvalidKeyUsageException"
    );
    let plain = json!({ "KeyId": key, "Plaintext": b64(b"x") });
    assert_eq!(
        here.refused(&root, "Encrypt", plain).0,
        "InvalidKeyUsageException"
    );
    let wrong = json!({ "KeySpec": "ML_KEM_768", "KeyUsage": "SIGN_VERIFY" });
    assert_eq!(here.refused(&root, "CreateKey", wrong).0, "ValidationException");
    let external =
        json!({ "KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE", "Origin": "EXTERNAL" });
    let (code, message) = here.refused(&root, "CreateKey", external);
    assert_eq!(code, "UnsupportedOperationException");
    assert!(message.contains("import of material"), "{message}");
    here.ok("DisableKey", json!({ "KeyId": key }));
    assert_eq!(
        here.refused(&root, "Encapsulate", encapsulate(&key)).0,
        "DisabledException"
    );
}

#[test]
fn policies_and_grants_tell_the_two_sides_apart() {
    let here = Here::new();
    let (sender, receiver) = (
        here.user(ACCOUNT, "sender", &json!([])),
        here.user(ACCOUNT, "receiver", &json!([])),
    );
    let rules = [
        allow(&here.root(), &["kms:*"]),
        allow(&sender, &["kms:Encapsulate"]),
    ];
    let policy = crate::cloud::policy(&rules);
    let key = arn(&here.ok(
        "CreateKey",
        json!({ "KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE", "Policy": policy }),
    ));
    let made = here.call(&sender, "Encapsulate", encapsulate(&key)).unwrap();
    let opening = decapsulate(&key, &bytes(&made["SharedSecretCiphertextBlob"]));
    assert!(here.denied(&sender, "Decapsulate", opening.clone()));
    assert!(here.denied(&receiver, "Decapsulate", opening.clone()));
    here.ok(
        "CreateGrant",
        json!({ "KeyId": key, "GranteePrincipal": &*receiver.arn, "Operations": ["Decapsulate"] }),
    );
    let opened = here.call(&receiver, "Decapsulate", opening).unwrap();
    assert_eq!(opened["SharedSecret"], made["SharedSecret"]);
    assert_eq!(
        here.ok("GetKeyLastUsage", json!({ "KeyId": key }))["KeyLastUsage"]["Operation"],
        "Decapsulate"
    );
}

/// A data key pair of the kind, whose private half comes back by `Decrypt`.
#[test]
fn data_key_pairs_of_the_kind_are_made() {
    let here = Here::new();
    let made = here.ok(
        "GenerateDataKeyPair",
        json!({ "KeyId": here.key(), "KeyPairSpec": "ML_KEM_512" }),
    );
    let opened = here
        .decrypt(&here.root(), made["PrivateKeyCiphertextBlob"].as_str().unwrap())
        .unwrap();
    assert_eq!(opened, bytes(&made["PrivateKeyPlaintext"]));
    assert!(opened.len() > 1632 && bytes(&made["PublicKey"]).len() == 822);
}
