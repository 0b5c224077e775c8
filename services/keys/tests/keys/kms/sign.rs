//! Signatures by key pairs.

use serde_json::{Value, json};

use crate::cloud::{Here, allow, arn, b64, bytes};

fn pair(here: &Here, spec: &str, usage: &str) -> Value {
    here.ok("CreateKey", json!({ "KeySpec": spec, "KeyUsage": usage }))
}

fn input(key: &str, algorithm: &str, kind: &str, message: &[u8]) -> Value {
    json!({ "KeyId": key, "SigningAlgorithm": algorithm, "MessageType": kind, "Message": b64(message) })
}

fn with(mut input: Value, signature: &[u8]) -> Value {
    input["Signature"] = b64(signature).into();
    input
}

/// S8.23, S8.27: every kind of pair signs by each of its algorithms; what was changed is refused by a fault.
#[test]
fn every_pair_signs_and_verifies() {
    let here = Here::new();
    let root = here.root();
    for (spec, algorithms) in [
        (
            "RSA_2048",
            &[
                "RSASSA_PKCS1_V1_5_SHA_256",
                "RSASSA_PKCS1_V1_5_SHA_384",
                "RSASSA_PKCS1_V1_5_SHA_512",
                "RSASSA_PSS_SHA_256",
                "RSASSA_PSS_SHA_384",
                "RSASSA_PSS_SHA_512",
            ][..],
        ),
        ("ECC_NIST_P256", &["ECDSA_SHA_256"]),
        ("ECC_NIST_P384", &["ECDSA_SHA_384"]),
        ("ECC_NIST_P521", &["ECDSA_SHA_512"]),
        ("ECC_SECG_P256K1", &["ECDSA_SHA_256"]),
        (
            "ECC_NIST_EDWARDS25519",
            &["ED25519_SHA_512", "ED25519_PH_SHA_512"],
        ),
        ("ML_DSA_44", &["ML_DSA_SHAKE_256"]),
        ("ML_DSA_65", &["ML_DSA_SHAKE_256"]),
        ("ML_DSA_87", &["ML_DSA_SHAKE_256"]),
    ] {
        let created = pair(&here, spec, "SIGN_VERIFY");
        let shown = &created["KeyMetadata"];
        assert_eq!(shown["SigningAlgorithms"], json!(algorithms));
        assert!(shown["EncryptionAlgorithms"].is_null() && shown["CurrentKeyMaterialId"].is_null());
        let key = arn(&created);
        for algorithm in algorithms {
            let kind = if algorithm.contains("_PH_") {
                "DIGEST"
            } else {
                "RAW"
            };
            let message = [5; 64];
            let signed = here.ok("Sign", input(&key, algorithm, kind, &message));
            assert_eq!(
                (&signed["KeyId"], &signed["SigningAlgorithm"]),
                (&json!(key), &json!(algorithm))
            );
            let mut signature = bytes(&signed["Signature"]);
            let right = with(input(&key, algorithm, kind, &message), &signature);
            assert_eq!(here.ok("Verify", right)["SignatureValid"], true);
            let other = with(input(&key, algorithm, kind, &[6; 64]), &signature);
            assert_eq!(
                here.refused(&root, "Verify", other).0,
                "KMSInvalidSignatureException"
            );
            signature[0] ^= 1;
            let changed = with(input(&key, algorithm, kind, &message), &signature);
            assert_eq!(
                here.refused(&root, "Verify", changed).0,
                "KMSInvalidSignatureException"
            );
        }
    }
}

#[test]
fn messages_are_raw_or_digests_of_the_right_length() {
    let here = Here::new();
    let root = here.root();
    let curve = arn(&pair(&here, "ECC_NIST_P256", "SIGN_VERIFY"));
    let edwards = arn(&pair(&here, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY"));
    let lattice = arn(&pair(&here, "ML_DSA_44", "SIGN_VERIFY"));
    let refused = |key: &str, algorithm: &str, kind: &str, message: &[u8]| {
        here.refused(&root, "Sign", input(key, algorithm, kind, message))
    };
    // The digest of "abc" (FIPS 180-4): signed as a digest, it verifies as the message.
    let digest = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0,
        0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];
    let signed = here.ok("Sign", input(&curve, "ECDSA_SHA_256", "DIGEST", &digest));
    let raw = with(
        input(&curve, "ECDSA_SHA_256", "RAW", b"abc"),
        &bytes(&signed["Signature"]),
    );
    assert_eq!(here.ok("Verify", raw)["SignatureValid"], true);
    let validation = |message: &str| ("ValidationException".to_owned(), message.to_owned());
    assert_eq!(
        refused(&curve, "ECDSA_SHA_256", "DIGEST", b"abc"),
        validation("Digest is invalid length for algorithm ECDSA_SHA_256.")
    );
    assert_eq!(
        refused(&lattice, "ML_DSA_SHAKE_256", "DIGEST", &[1; 64]),
        validation("Message type DIGEST is incompatible with key spec ML_DSA_44.")
    );
    assert_eq!(
        refused(&lattice, "ML_DSA_SHAKE_256", "EXTERNAL_MU", &[1; 63]).0,
        "ValidationException"
    );
    assert_eq!(
        refused(&lattice, "ML_DSA_SHAKE_256", "EXTERNAL_MU", &[1; 64]).0,
        "NotImplemented"
    );
    assert_eq!(
        refused(&curve, "ECDSA_SHA_256", "EXTERNAL_MU", &[1; 64]).0,
        "ValidationException"
    );
    assert_eq!(
        refused(&edwards, "ED25519_SHA_512", "DIGEST", &[1; 64]).0,
        "ValidationException"
    );
    assert_eq!(
        refused(&edwards, "ED25519_PH_SHA_512", "RAW", &[1; 64]).0,
        "ValidationException"
    );
    assert_eq!(
        refused(&edwards, "ED25519_PH_SHA_512", "DIGEST", &[1; 32]).0,
        "ValidationException"
    );
    here.ok("Sign", input(&curve, "ECDSA_SHA_256", "RAW", &[1; 4096]));
    assert_eq!(
        refused(&curve, "ECDSA_SHA_256", "RAW", &[1; 4097]).0,
        "ValidationException"
    );
}

#[test]
fn a_key_signs_only_for_what_it_is_and_when_it_may() {
    let here = Here::new();
    let root = here.root();
    let curve = arn(&pair(&here, "ECC_NIST_P256", "SIGN_VERIFY"));
    let asked = |key: &str, algorithm: &str| input(key, algorithm, "RAW", b"x");
    assert_eq!(
        here.refused(&root, "Sign", asked(&curve, "ECDSA_SHA_384")),
        (
            "InvalidKeyUsageException".to_owned(),
            "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.".to_owned()
        )
    );
    let symmetric = here.key();
    assert_eq!(
        here.refused(&root, "Sign", asked(&symmetric, "ECDSA_SHA_256")).1,
        format!("{symmetric} key usage is ENCRYPT_DECRYPT which is not valid for Sign.")
    );
    let agreeing = arn(&pair(&here, "ECC_NIST_P256", "KEY_AGREEMENT"));
    let refused = here.refused(&root, "Sign", asked(&agreeing, "ECDSA_SHA_256"));
    assert_eq!(refused.0, "InvalidKeyUsageException");
    let mut tried = asked(&curve, "ECDSA_SHA_256");
    tried["DryRun"] = true.into();
    assert_eq!(here.refused(&root, "Sign", tried).0, "DryRunOperationException");
    here.ok("DisableKey", json!({ "KeyId": curve }));
    let disabled = here.refused(&root, "Sign", asked(&curve, "ECDSA_SHA_256"));
    assert_eq!(disabled.0, "DisabledException");
    here.ok("ScheduleKeyDeletion", json!({ "KeyId": curve }));
    let going = here.refused(&root, "Sign", asked(&curve, "ECDSA_SHA_256"));
    assert_eq!(going.0, "KMSInvalidStateException");
}

/// The condition keys `kms:SigningAlgorithm` and `kms:MessageType`, and grants of `Sign`.
#[test]
fn policies_and_grants_say_who_signs_and_how() {
    let here = Here::new();
    let statement = json!([{
        "Effect": "Allow", "Action": "kms:Sign", "Resource": "*",
        "Condition": { "StringEquals": { "kms:SigningAlgorithm": "RSASSA_PSS_SHA_256", "kms:MessageType": "RAW" } },
    }]);
    let signer = here.user(pipeline::testing::ACCOUNT, "signer", &statement);
    let rsa = arn(&pair(&here, "RSA_2048", "SIGN_VERIFY"));
    let denied = |algorithm: &str, kind: &str, message: &[u8]| {
        here.denied(&signer, "Sign", input(&rsa, algorithm, kind, message))
    };
    assert!(!denied("RSASSA_PSS_SHA_256", "RAW", b"x"));
    assert!(denied("RSASSA_PSS_SHA_384", "RAW", b"x"));
    assert!(denied("RSASSA_PSS_SHA_256", "DIGEST", &[1; 32]));
    let unnamed = json!({ "KeyId": rsa, "SigningAlgorithm": "RSASSA_PSS_SHA_256", "Message": b64(b"x") });
    assert!(!here.denied(&signer, "Sign", unnamed));

    let nobody = here.user(pipeline::testing::ACCOUNT, "nobody", &json!([]));
    let asked = input(&rsa, "RSASSA_PSS_SHA_256", "RAW", b"x");
    assert!(here.denied(&nobody, "Sign", asked.clone()));
    let grant = |operation: &str| json!({ "KeyId": rsa, "GranteePrincipal": &*nobody.arn, "Operations": [operation] });
    for wrong in ["Encrypt", "GenerateDataKey", "GenerateMac", "DeriveSharedSecret"] {
        let refused = here.refused(&here.root(), "CreateGrant", grant(wrong));
        assert_eq!(refused.0, "ValidationException", "{wrong}");
    }
    here.ok("CreateGrant", grant("Sign"));
    assert!(!here.denied(&nobody, "Sign", asked.clone()));
    assert!(here.denied(&nobody, "GetPublicKey", json!({ "KeyId": rsa })));
    here.ok("CreateGrant", grant("GetPublicKey"));
    assert!(!here.denied(&nobody, "GetPublicKey", json!({ "KeyId": rsa })));
    // A key policy may say the same of its own key.
    let other = here.user(pipeline::testing::ACCOUNT, "other", &json!([]));
    let own = json!({
        "Effect": "Allow", "Principal": { "AWS": here.root().arn }, "Action": "kms:*", "Resource": "*",
    });
    let policy = crate::cloud::policy(&[own, allow(&other, &["kms:Verify"])]);
    here.ok(
        "PutKeyPolicy",
        json!({ "KeyId": rsa, "PolicyName": "default", "Policy": policy }),
    );
    let signature = bytes(&here.ok("Sign", asked.clone())["Signature"]);
    assert!(!here.denied(&other, "Verify", with(asked.clone(), &signature)));
    assert!(here.denied(&other, "Sign", asked));
}

/// S8.10: the record names key, algorithm and kind of message, and nothing that was signed.
#[test]
fn signing_is_recorded_without_the_message() {
    let here = Here::new();
    let key = arn(&pair(&here, "ECC_NIST_P256", "SIGN_VERIFY"));
    let message = b64(b"a message that nobody reads in the trail");
    let asked = json!({ "KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256", "Message": message });
    let signed = here.ok("Sign", asked.clone());
    let mut verified = asked;
    verified["Signature"] = signed["Signature"].clone();
    here.ok("Verify", verified);
    let records = here
        .cloud
        .records(pipeline::testing::ACCOUNT, pipeline::testing::REGION);
    for operation in ["Sign", "Verify"] {
        let record = records
            .iter()
            .find(|record| record.operation == operation)
            .unwrap();
        let request = record.request.as_ref().unwrap();
        assert!(record.read_only && record.response.is_none(), "{operation}");
        assert_eq!(
            (
                &request["keyId"],
                &request["signingAlgorithm"],
                &request["messageType"]
            ),
            (&json!(key), &json!("ECDSA_SHA_256"), &json!("RAW"))
        );
    }
    let all = serde_json::to_string(&records).unwrap();
    assert!(!all.contains(&message) && !all.contains(signed["Signature"].as_str().unwrap()));
}
