//! Encrypt, Decrypt, ReEncrypt.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER, allow, b64, bytes, id};

/// S8.5: exactly 4,096 bytes; one more is refused by the model.
#[test]
fn a_key_encrypts_at_most_four_kibibytes() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    let most = vec![7; 4096];
    let blob = here.encrypt(&root, &key, &most).unwrap();
    assert_eq!(here.decrypt(&root, &blob).unwrap(), most);
    assert_eq!(
        here.encrypt(&root, &key, &[7; 4097]).unwrap_err().code,
        "ValidationException"
    );
}

/// S8.17, S8.18: the same key both ways; the ciphertext holds nothing of the plaintext.
#[test]
fn every_form_of_a_name_encrypts() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/orders", "TargetKeyId": key }),
    );
    let alias = key.replace(&format!("key/{}", id(&key)), "alias/orders");
    for name in [key.as_str(), id(&key), "alias/orders", &alias] {
        let answer = here.ok(
            "Encrypt",
            json!({ "KeyId": name, "Plaintext": b64(b"a secret text") }),
        );
        assert_eq!(answer["KeyId"], json!(key));
        assert_eq!(answer["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT");
        let blob = bytes(&answer["CiphertextBlob"]);
        assert!(!blob.windows(6).any(|window| window == b"secret"));
        let clear = here.ok("Decrypt", json!({ "CiphertextBlob": b64(&blob), "KeyId": name }));
        assert_eq!(
            (bytes(&clear["Plaintext"]), &clear["KeyId"]),
            (b"a secret text".to_vec(), &json!(key))
        );
        assert_eq!(here.decrypt(&root, &b64(&blob)).unwrap(), b"a secret text");
    }
}

#[test]
fn the_context_must_be_the_same() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    let context = json!({ "tenant": "blue", "table": "orders" });
    let input = json!({ "KeyId": key, "Plaintext": b64(b"text"), "EncryptionContext": context });
    let blob = here.ok("Encrypt", input)["CiphertextBlob"].clone();
    let with = |context: Value| {
        here.call(
            &root,
            "Decrypt",
            json!({ "CiphertextBlob": blob, "EncryptionContext": context }),
        )
    };
    assert!(with(context.clone()).is_ok());
    for wrong in [
        json!({}),
        json!({ "tenant": "blue" }),
        json!({ "Tenant": "blue", "table": "orders" }),
        json!({ "tenant": "red", "table": "orders" }),
    ] {
        let failure = with(wrong).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("InvalidCiphertextException", "")
        );
    }
    let ambiguous =
        json!({ "KeyId": key, "Plaintext": b64(b"text"), "EncryptionContext": { "a": "1", "A": "2" } });
    assert_eq!(here.refused(&root, "Encrypt", ambiguous).0, "ValidationException");
    let long =
        json!({ "KeyId": key, "Plaintext": b64(b"text"), "EncryptionContext": { "a": "x".repeat(8192) } });
    assert_eq!(here.refused(&root, "Encrypt", long).0, "ValidationException");
}

#[test]
fn another_key_or_no_ciphertext_is_refused() {
    let here = Here::new();
    let (root, key, other) = (here.root(), here.key(), here.key());
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    let wrong = here.refused(
        &root,
        "Decrypt",
        json!({ "CiphertextBlob": blob, "KeyId": other }),
    );
    let message = "The key ID in the request does not identify a CMK that can perform this operation.";
    assert_eq!(wrong, ("IncorrectKeyException".to_owned(), message.to_owned()));
    let mut altered = bytes(&json!(blob));
    *altered.last_mut().unwrap() ^= 1;
    for blob in [b64(&altered), b64(b"nonsense")] {
        assert_eq!(
            here.refused(&root, "Decrypt", json!({ "CiphertextBlob": blob }))
                .0,
            "InvalidCiphertextException"
        );
    }
    let algorithm =
        json!({ "KeyId": key, "Plaintext": b64(b"x"), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256" });
    let refused = here.refused(&root, "Encrypt", algorithm);
    let message = "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.";
    assert_eq!(
        refused,
        ("InvalidKeyUsageException".to_owned(), message.to_owned())
    );
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    let eve = here.user(ACCOUNT, "eve", &json!([]));
    let input = json!({ "KeyId": key, "Plaintext": b64(b"text"), "DryRun": true });
    assert_eq!(
        here.refused(&root, "Encrypt", input.clone()).0,
        "DryRunOperationException"
    );
    assert!(here.denied(&eve, "Encrypt", input));
    let ignoring = json!({ "KeyId": key, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"] });
    assert_eq!(
        here.refused(&root, "Decrypt", ignoring).0,
        "DryRunOperationException"
    );
    let not_dry = json!({ "KeyId": key, "DryRunModifiers": ["IGNORE_CIPHERTEXT"] });
    assert_eq!(here.refused(&root, "Decrypt", not_dry).0, "ValidationException");
    // An empty list modifies nothing.
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    let plain = json!({ "CiphertextBlob": blob, "DryRunModifiers": [] });
    assert_eq!(here.ok("Decrypt", plain)["Plaintext"], b64(b"text"));
    let again = json!({ "CiphertextBlob": blob, "DestinationKeyId": key, "DryRunModifiers": [] });
    assert_eq!(here.ok("ReEncrypt", again)["SourceKeyId"], key);
}

/// S8.57: a policy can let one system only encrypt and another only decrypt.
#[test]
fn a_policy_separates_encryption_from_decryption() {
    let here = Here::new();
    let writer = here.user(ACCOUNT, "writer", &json!([]));
    let reader = here.user(ACCOUNT, "reader", &json!([]));
    let key = here.key_with(&[allow(&writer, &["kms:Encrypt"]), allow(&reader, &["kms:Decrypt"])]);
    let blob = here.encrypt(&writer, &key, b"text").unwrap();
    assert_eq!(here.decrypt(&reader, &blob).unwrap(), b"text");
    assert!(here.denied(&writer, "Decrypt", json!({ "CiphertextBlob": blob })));
    assert!(here.denied(
        &reader,
        "Encrypt",
        json!({ "KeyId": key, "Plaintext": "dGV4dA==" })
    ));
}

/// S8.56: conditions on the encryption context and on the alias in the request decide.
#[test]
fn conditions_see_context_and_alias() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let mut statement = allow(&ann, &["kms:Encrypt"]);
    statement["Condition"] = json!({ "StringEquals": {
        "kms:EncryptionContext:tenant": "blue", "kms:RequestAlias": "alias/orders", "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    } });
    let key = here.key_with(&[statement]);
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/orders", "TargetKeyId": key }),
    );
    let input = |name: &str, tenant: &str| json!({ "KeyId": name, "Plaintext": "dGV4dA==", "EncryptionContext": { "tenant": tenant } });
    assert!(!here.denied(&ann, "Encrypt", input("alias/orders", "blue")));
    assert!(here.denied(&ann, "Encrypt", input("alias/orders", "red")));
    assert!(here.denied(&ann, "Encrypt", input(&key, "blue")));
}

#[test]
fn re_encryption_asks_both_keys() {
    let here = Here::new();
    let root = here.root();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let from = here.key_with(&[allow(&ann, &["kms:ReEncryptFrom"])]);
    let to = here.key_with(&[allow(&ann, &["kms:ReEncryptTo"])]);
    let blob = here.encrypt(&root, &from, b"text").unwrap();
    let input = |to: &str| json!({ "CiphertextBlob": blob, "DestinationKeyId": to, "DestinationEncryptionContext": { "a": "b" } });
    let answer = here.call(&ann, "ReEncrypt", input(&to)).unwrap();
    assert_eq!(
        (&answer["SourceKeyId"], &answer["KeyId"]),
        (&json!(from), &json!(to))
    );
    let clear = here.ok(
        "Decrypt",
        json!({ "CiphertextBlob": answer["CiphertextBlob"], "EncryptionContext": { "a": "b" } }),
    );
    assert_eq!(
        (bytes(&clear["Plaintext"]), &clear["KeyId"]),
        (b"text".to_vec(), &json!(to))
    );
    assert!(here.denied(&ann, "ReEncrypt", input(&from)));
    let back = json!({ "CiphertextBlob": answer["CiphertextBlob"], "SourceEncryptionContext": { "a": "b" }, "DestinationKeyId": to });
    assert!(here.denied(&ann, "ReEncrypt", back));
}

/// Between accounts both sides must allow: the key's policy and the caller's own IAM policies (S8.44).
#[test]
fn a_key_of_another_account_needs_both_sides() {
    let here = Here::new();
    let key = here.key_with(&[json!({
        "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{OTHER}:root") }, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*",
    })]);
    let bare = here.user(OTHER, "bare", &json!([]));
    let able = here.user(OTHER, "able", &json!([{ "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"], "Resource": key }]));
    assert!(here.denied(&bare, "Encrypt", json!({ "KeyId": key, "Plaintext": "dGV4dA==" })));
    let blob = here.encrypt(&able, &key, b"text").unwrap();
    assert_eq!(here.decrypt(&able, &blob).unwrap(), b"text");
    assert!(here.denied(
        &able,
        "GenerateDataKey",
        json!({ "KeyId": key, "KeySpec": "AES_256" })
    ));
}
