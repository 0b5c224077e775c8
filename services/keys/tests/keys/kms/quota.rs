//! Request quotas.

use keys::kms::quota::QUOTAS;
use pipeline::Rates;
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER, allow, b64};

/// A cloud that enforces quotas, with these rates in place of AWS's.
fn limited(rates: &str) -> Here {
    Here::new().with_quotas(vec![&QUOTAS], Rates::parse(rates, &[&QUOTAS]).unwrap())
}

/// How many of twelve calls in one second pass; the others are throttled.
fn passed(here: &Here, operation: &str, input: &Value) -> usize {
    let mut passed = 0;
    for _ in 0..12 {
        match here.call(&here.root(), operation, input.clone()) {
            Ok(_) => passed += 1,
            Err(failure) => {
                assert_eq!(failure.code, "ThrottlingException", "{}", failure.message);
                assert_eq!(
                    failure.message,
                    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
                );
            }
        }
    }
    passed
}

#[test]
fn an_operation_has_the_quota_that_aws_gives_it_and_the_next_second_a_new_one() {
    let here = limited("");
    assert_eq!(passed(&here, "CreateKey", &json!({})), 5);
    // Others are not touched by it.
    assert_eq!(passed(&here, "ListKeys", &json!({})), 12);
    here.cloud.advance(1_000);
    assert_eq!(passed(&here, "CreateKey", &json!({})), 5);
}

#[test]
fn cryptographic_operations_share_a_quota_for_each_kind_of_key() {
    let here = limited("kms.symmetric=7,kms.ECC=3");
    let key = here.key();
    let pair = here.ok(
        "CreateKey",
        json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" }),
    );
    let pair = pair["KeyMetadata"]["Arn"].as_str().unwrap();
    here.cloud.advance(1_000);
    for _ in 0..4 {
        here.ok("Encrypt", json!({ "KeyId": key, "Plaintext": b64(b"x") }));
    }
    here.ok("GenerateRandom", json!({ "NumberOfBytes": 8 }));
    assert_eq!(
        passed(
            &here,
            "GenerateDataKey",
            &json!({ "KeyId": key, "KeySpec": "AES_256" })
        ),
        2
    );
    let sign = json!({ "KeyId": pair, "Message": b64(b"m"), "SigningAlgorithm": "ECDSA_SHA_256" });
    assert_eq!(passed(&here, "Sign", &sign), 3);
    let pair = json!({ "KeyId": key, "KeyPairSpec": "ECC_NIST_P256" });
    assert_eq!(passed(&here, "GenerateDataKeyPair", &pair), 12);
}

#[test]
fn the_account_that_calls_is_throttled_and_not_the_owner_of_the_key() {
    let here = limited("kms.symmetric=2");
    let guest = here.admin(OTHER, "guest");
    let key = here.key_with(&[allow(&guest, &["kms:Encrypt"])]);
    for _ in 0..2 {
        here.encrypt(&guest, &key, b"x").unwrap();
    }
    let failure = here.encrypt(&guest, &key, b"x").unwrap_err();
    assert_eq!(failure.code, "ThrottlingException");
    here.encrypt(&here.root(), &key, b"x").unwrap();
}

#[test]
fn services_spend_the_quota_of_those_they_call_for() {
    let here = limited("kms.symmetric=1");
    here.cloud
        .call(
            &here.root(),
            "ssm",
            "PutParameter",
            json!({ "Name": "p", "Value": "v", "Type": "SecureString" }),
        )
        .unwrap();
    let failure = here
        .cloud
        .call(
            &here.root(),
            "ssm",
            "GetParameter",
            json!({ "Name": "p", "WithDecryption": true }),
        )
        .unwrap_err();
    assert_eq!(failure.code, "ThrottlingException", "{}", failure.message);
    here.cloud.advance(1_000);
    here.cloud
        .call(
            &here.root(),
            "ssm",
            "GetParameter",
            json!({ "Name": "p", "WithDecryption": true }),
        )
        .unwrap();
}

#[test]
fn every_operation_of_kms_has_a_quota_and_every_quota_an_operation() {
    let shared = [
        "Decapsulate",
        "Decrypt",
        "Encapsulate",
        "DeriveSharedSecret",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GenerateRandom",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
    ];
    let groups = ["symmetric", "RSA", "ECC", "ML-DSA", "ML-KEM"];
    for endpoint in keys::kms::OPERATIONS {
        let own = QUOTAS.all.iter().any(|quota| quota.name == endpoint.name);
        assert!(own != shared.contains(&endpoint.name), "{}", endpoint.name);
    }
    for quota in QUOTAS.all {
        let known = groups.contains(&quota.name)
            || quota.name.contains('_')
            || keys::kms::OPERATIONS
                .iter()
                .any(|endpoint| endpoint.name == quota.name);
        assert!(known, "{}", quota.name);
    }
}
