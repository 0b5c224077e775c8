//! Keys: making, naming, describing, disabling.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::json;

use crate::cloud::{Here, OTHER, arn, b64, id};

/// S8.33, S8.34: metadata and material come with the key; S8.17: a symmetric key is AES-256.
#[test]
fn a_new_key_is_described_as_aws_does() {
    let here = Here::new();
    let created = here.ok("CreateKey", json!({ "Description": "orders" }));
    let shown = &created["KeyMetadata"];
    let key = arn(&created);
    assert_eq!(
        key,
        format!(
            "arn:aws:kms:{REGION}:{ACCOUNT}:key/{}",
            shown["KeyId"].as_str().unwrap()
        )
    );
    let expected = json!({
        "AWSAccountId": ACCOUNT, "Arn": key, "CreationDate": shown["CreationDate"],
        "CurrentKeyMaterialId": shown["CurrentKeyMaterialId"], "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "orders", "Enabled": true, "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": id(&key), "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT", "MultiRegion": false, "Origin": "AWS_KMS",
    });
    assert_eq!(*shown, expected);
    assert_eq!(shown["CreationDate"].as_f64(), Some(1_795_305_600.0));
    assert_eq!(shown["CurrentKeyMaterialId"].as_str().unwrap().len(), 64);
    assert_eq!(here.ok("DescribeKey", json!({ "KeyId": id(&key) })), created);
    let text = here.encrypt(&here.root(), &key, b"text").unwrap();
    assert_eq!(here.decrypt(&here.root(), &text).unwrap(), b"text");
}

/// S8.1, S8.2: a key is known in its own region alone, by id and by ARN.
#[test]
fn a_key_lives_in_one_region() {
    let here = Here::new();
    let key = here.key();
    let root = here.root();
    let elsewhere = |name: &str| {
        let failure = here
            .cloud
            .call_in("us-west-2", &root, "kms", "DescribeKey", json!({ "KeyId": name }))
            .unwrap_err();
        (failure.code, failure.message)
    };
    let absent = format!(
        "Key 'arn:aws:kms:us-west-2:{ACCOUNT}:key/{}' does not exist",
        id(&key)
    );
    assert_eq!(elsewhere(id(&key)), ("NotFoundException".to_owned(), absent));
    assert_eq!(
        elsewhere(&key),
        ("NotFoundException".to_owned(), format!("Invalid arn {REGION}"))
    );
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    let refused = here
        .cloud
        .call_in(
            "us-west-2",
            &root,
            "kms",
            "Decrypt",
            json!({ "CiphertextBlob": blob }),
        )
        .unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    let listed = here
        .cloud
        .call_in("us-west-2", &root, "kms", "ListKeys", json!({}))
        .unwrap();
    assert_eq!(listed["Keys"], json!([]));
}

#[test]
fn names_that_lead_nowhere_are_answered_as_aws_does() {
    let here = Here::new();
    let root = here.root();
    let describe = |name: &str| here.refused(&root, "DescribeKey", json!({ "KeyId": name }));
    let not_found = |message: String| ("NotFoundException".to_owned(), message);
    let none = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{none}");
    assert_eq!(describe(none), not_found(format!("Key '{key}' does not exist")));
    assert_eq!(describe(&key), not_found(format!("Key '{key}' does not exist")));
    assert_eq!(
        describe("fake-key-id"),
        not_found("Invalid keyId 'fake-key-id'".to_owned())
    );
    assert_eq!(
        describe("134f2428cec14b25a1ae9048164dba47").1,
        "Invalid keyId '134f2428cec14b25a1ae9048164dba47'"
    );
    let alias = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/none");
    assert_eq!(
        describe("alias/none"),
        not_found(format!("Alias {alias} is not found."))
    );
    assert_eq!(describe("arn:aws:s3:::bucket").0, "InvalidArnException");
}

/// A caller without permission learns nothing of what exists, neither at home nor in another account.
#[test]
fn absence_and_refusal_look_the_same_to_strangers() {
    let here = Here::new();
    let key = here.key();
    let none = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let missing = key.replace(id(&key), none);
    for stranger in [
        here.user(ACCOUNT, "eve", &json!([])),
        here.user(OTHER, "mallory", &json!([])),
        here.admin(OTHER, "trudy"),
    ] {
        let (code, message) = here.refused(&stranger, "DescribeKey", json!({ "KeyId": key }));
        assert_eq!(code, "AccessDeniedException");
        let absent = here.refused(&stranger, "DescribeKey", json!({ "KeyId": missing }));
        assert_eq!(absent, (code, message.replace(id(&key), none)));
    }
}

#[test]
fn what_is_not_built_says_so() {
    let here = Here::new();
    let root = here.root();
    for input in [
        json!({ "KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE", "Origin": "EXTERNAL" }),
        json!({ "Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1234567890abcdef0" }),
    ] {
        let (code, message) = here.refused(&root, "CreateKey", input);
        assert_eq!(code, "UnsupportedOperationException");
        assert!(
            message.ends_with("is not implemented by this version of Ringwork."),
            "{message}"
        );
    }
    let key = here.key();
    let recipient =
        json!({ "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b64(b"document") });
    let input = json!({ "KeyId": key, "KeySpec": "AES_256", "Recipient": recipient });
    assert_eq!(here.refused(&root, "GenerateDataKey", input).0, "NotImplemented");
}

#[test]
fn a_usage_that_does_not_fit_the_spec_is_refused() {
    let here = Here::new();
    let root = here.root();
    for input in [
        json!({ "KeyUsage": "GENERATE_VERIFY_MAC" }),
        json!({ "KeySpec": "HMAC_256" }),
        json!({ "KeySpec": "HMAC_256", "KeyUsage": "ENCRYPT_DECRYPT" }),
        json!({ "KeySpec": "HMAC_256", "CustomerMasterKeySpec": "HMAC_384", "KeyUsage": "GENERATE_VERIFY_MAC" }),
    ] {
        assert_eq!(
            here.refused(&root, "CreateKey", input.clone()).0,
            "ValidationException",
            "{input}"
        );
    }
}

#[test]
fn lists_come_in_pages() {
    let here = Here::new();
    let mut keys: Vec<String> = (0..5).map(|_| here.key()).collect();
    keys.sort();
    let mut listed = Vec::new();
    let mut marker = json!(null);
    for page in 0..3 {
        let answer = here.ok("ListKeys", json!({ "Limit": 2, "Marker": marker }));
        assert_eq!(answer["Truncated"], json!(page < 2));
        listed.extend(
            answer["Keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["KeyArn"].as_str().unwrap().to_owned()),
        );
        marker = answer["NextMarker"].clone();
    }
    assert_eq!(listed, keys);
    assert!(marker.is_null());
    // Other accounts share keys through Resource Access Manager alone, which is not here.
    let shared = json!({ "ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"] });
    assert_eq!(
        here.ok("ListKeys", shared),
        json!({ "Keys": [], "Truncated": false })
    );
    let both = json!({ "ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM", "SELF"] });
    assert_eq!(here.ok("ListKeys", both)["Keys"].as_array().unwrap().len(), 5);
    let foreign = here.ok("ListKeys", json!({ "Limit": 1 }))["NextMarker"].clone();
    let elsewhere = json!({ "Marker": foreign, "ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"] });
    assert_eq!(
        here.refused(&here.root(), "ListKeys", elsewhere).0,
        "InvalidMarkerException"
    );
    assert_eq!(
        here.refused(&here.root(), "ListAliases", json!({ "Marker": foreign }))
            .0,
        "InvalidMarkerException"
    );
    assert_eq!(
        here.refused(&here.root(), "ListKeys", json!({ "Marker": "nonsense" }))
            .0,
        "InvalidMarkerException"
    );
}

/// S8.15: disabling stops every use at once, and enabling gives it back.
#[test]
fn a_disabled_key_does_nothing() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    here.ok("DisableKey", json!({ "KeyId": key }));
    assert_eq!(here.state(&key), "Disabled");
    let disabled = ("DisabledException".to_owned(), format!("{key} is disabled."));
    assert_eq!(
        here.refused(&root, "Encrypt", json!({ "KeyId": key, "Plaintext": "dGV4dA==" })),
        disabled
    );
    assert_eq!(
        here.refused(&root, "Decrypt", json!({ "CiphertextBlob": blob })),
        disabled
    );
    assert_eq!(
        here.refused(
            &root,
            "GenerateDataKey",
            json!({ "KeyId": key, "KeySpec": "AES_256" })
        ),
        disabled
    );
    assert_eq!(
        here.refused(&root, "EnableKeyRotation", json!({ "KeyId": key })),
        disabled
    );
    here.ok(
        "UpdateKeyDescription",
        json!({ "KeyId": key, "Description": "off" }),
    );
    here.ok("EnableKey", json!({ "KeyId": key }));
    assert_eq!(here.decrypt(&root, &blob).unwrap(), b"text");
    assert_eq!(
        here.ok("DescribeKey", json!({ "KeyId": key }))["KeyMetadata"]["Description"],
        "off"
    );
}

#[test]
fn management_takes_neither_aliases_nor_keys_of_other_accounts() {
    let here = Here::new();
    let key = here.key();
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/a", "TargetKeyId": key }),
    );
    let refused = here.refused(&here.root(), "DisableKey", json!({ "KeyId": "alias/a" }));
    assert_eq!(
        refused,
        (
            "NotFoundException".to_owned(),
            "Invalid keyId 'alias/a'".to_owned()
        )
    );
    let open = here.key_with(&[
        json!({ "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": "kms:*", "Resource": "*" }),
    ]);
    let foreign = here.admin(OTHER, "trudy");
    assert!(here.denied(&foreign, "DisableKey", json!({ "KeyId": open })));
    assert!(!here.denied(&foreign, "DescribeKey", json!({ "KeyId": open })));
}
