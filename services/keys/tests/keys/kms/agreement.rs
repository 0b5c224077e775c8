//! Shared secrets.

use serde_json::json;

use crate::cloud::{Here, arn, b64, bytes};

#[test]
fn both_parties_derive_the_same_secret() {
    let here = Here::new();
    let root = here.root();
    let mut strangers = None;
    for (spec, length) in [
        ("ECC_NIST_P256", 32),
        ("ECC_NIST_P384", 48),
        ("ECC_NIST_P521", 66),
    ] {
        let make = || {
            let created = here.ok(
                "CreateKey",
                json!({ "KeySpec": spec, "KeyUsage": "KEY_AGREEMENT" }),
            );
            assert_eq!(created["KeyMetadata"]["KeyAgreementAlgorithms"], json!(["ECDH"]));
            assert!(created["KeyMetadata"]["SigningAlgorithms"].is_null());
            let key = arn(&created);
            let public = here.ok("GetPublicKey", json!({ "KeyId": key }))["PublicKey"].clone();
            (key, public)
        };
        let ((alice, alices), (bob, bobs)) = (make(), make());
        let derive = |key: &str, public: &serde_json::Value| json!({ "KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public });
        let derived = here.ok("DeriveSharedSecret", derive(&alice, &bobs));
        let shared = bytes(&derived["SharedSecret"]);
        assert_eq!(shared.len(), length);
        assert_eq!(derived["KeyOrigin"], "AWS_KMS");
        let again = here.ok("DeriveSharedSecret", derive(&bob, &alices));
        assert_eq!(bytes(&again["SharedSecret"]), shared);
        for wrong in strangers.iter().chain([&json!(b64(b"x"))]) {
            let refused = here.refused(&root, "DeriveSharedSecret", derive(&alice, wrong));
            assert_eq!(refused.0, "ValidationException");
        }
        let mut tried = derive(&alice, &bobs);
        tried["DryRun"] = true.into();
        assert_eq!(
            here.refused(&root, "DeriveSharedSecret", tried).0,
            "DryRunOperationException"
        );
        let all = serde_json::to_string(
            &here
                .cloud
                .records(pipeline::testing::ACCOUNT, pipeline::testing::REGION),
        );
        assert!(!all.unwrap().contains(&b64(&shared)));
        strangers = Some(bobs);
    }
}

/// The condition key `kms:KeyAgreementAlgorithm`, and the use of a key.
#[test]
fn only_agreement_keys_agree_and_only_for_those_who_may() {
    let here = Here::new();
    let root = here.root();
    let key = arn(&here.ok(
        "CreateKey",
        json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT" }),
    ));
    let public = here.ok("GetPublicKey", json!({ "KeyId": key }))["PublicKey"].clone();
    let derive = |key: &str| json!({ "KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public });
    let signing = arn(&here.ok(
        "CreateKey",
        json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" }),
    ));
    assert_eq!(
        here.refused(&root, "DeriveSharedSecret", derive(&signing)).1,
        format!("{signing} key usage is SIGN_VERIFY which is not valid for DeriveSharedSecret.")
    );
    let mut attested = derive(&key);
    attested["Recipient"] =
        json!({ "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "AAAA" });
    assert_eq!(
        here.refused(&root, "DeriveSharedSecret", attested).0,
        "NotImplemented"
    );
    let user = |name: &str, algorithm: &str| {
        let statement = json!([{
            "Effect": "Allow", "Action": "kms:DeriveSharedSecret", "Resource": "*",
            "Condition": { "StringEquals": { "kms:KeyAgreementAlgorithm": algorithm } },
        }]);
        here.user(pipeline::testing::ACCOUNT, name, &statement)
    };
    assert!(!here.denied(&user("right", "ECDH"), "DeriveSharedSecret", derive(&key)));
    assert!(here.denied(&user("wrong", "OTHER"), "DeriveSharedSecret", derive(&key)));
}
