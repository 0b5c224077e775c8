//! Bad input: whatever is wrong with a blob, the answer is the right error, and the same for every cause that only the key knows.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER, b64, bytes};

/// The refusals of a ciphertext that tell nothing but that it is none.
const INVALID: (&str, &str) = ("InvalidCiphertextException", "");

fn told(here: &Here, operation: &str, input: Value) -> (String, String) {
    here.refused(&here.root(), operation, input)
}

fn is(told: &(String, String), expected: (&str, &str)) -> bool {
    (told.0.as_str(), told.1.as_str()) == expected
}

/// Every cut and every flipped bit of a blob, with its key named and without.
#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let here = Here::new();
    let key = here.key();
    let context = json!({ "tenant": "blue" });
    let input = json!({ "KeyId": key, "Plaintext": b64(b"text"), "EncryptionContext": context });
    let blob = bytes(&here.ok("Encrypt", input)["CiphertextBlob"]);
    let open = |blob: &[u8], named: bool| {
        let mut input = json!({ "CiphertextBlob": b64(blob), "EncryptionContext": context });
        if named {
            input["KeyId"] = json!(key);
        }
        told(&here, "Decrypt", input)
    };
    for length in 1..blob.len() {
        assert!(is(&open(&blob[..length], true), INVALID), "cut at {length}");
        assert!(is(&open(&blob[..length], false), INVALID), "cut at {length}");
    }
    let mut longer = blob.clone();
    longer.push(0);
    assert!(is(&open(&longer, true), INVALID));
    let (mut sealed, mut foreign) = (0, 0);
    for place in 0..blob.len() {
        for bit in 0..8 {
            let mut altered = blob.clone();
            altered[place] ^= 1 << bit;
            let told = open(&altered, true);
            // A blob that names another key is no blob of the key that the request names; anything else is just invalid.
            match told.0.as_str() {
                "InvalidCiphertextException" => {
                    assert!(is(&told, INVALID), "{told:?}");
                    sealed += 1;
                }
                code => {
                    assert_eq!(code, "IncorrectKeyException", "bit {bit} of {place}");
                    foreign += 1;
                }
            }
        }
    }
    assert!(sealed > 8 * 32 && foreign > 0, "{sealed} and {foreign}");
    // The material that is named by the blob, the nonce, the text, the tag and the context fail alike.
    let wrong =
        json!({ "CiphertextBlob": b64(&blob), "KeyId": key, "EncryptionContext": { "tenant": "red" } });
    assert!(is(&told(&here, "Decrypt", wrong), INVALID));
    assert!(is(
        &told(&here, "Decrypt", json!({ "CiphertextBlob": b64(&blob) })),
        INVALID
    ));
    let again = json!({ "CiphertextBlob": b64(&blob[..blob.len() - 1]), "DestinationKeyId": key, "SourceEncryptionContext": context });
    assert!(is(&told(&here, "ReEncrypt", again), INVALID));
}

/// What a refusal costs: rows looked at, and openings of what is sealed or encrypted.
fn work(here: &Here, input: &Value) -> (u64, u64) {
    let looked = || {
        let done = here.cloud.gateway.store().statistics();
        (done.engine_reads + done.cache_hits, crypto::testing::openings())
    };
    let (rows, openings) = looked();
    assert!(is(&told(here, "Decrypt", input.clone()), INVALID), "{input}");
    let now = looked();
    (now.0 - rows, now.1 - openings)
}

/// A decryption that fails takes the same work whatever is wrong with the blob, as far as the blob does not say it in clear: which of them
/// it was shows neither in the answer nor in its time.
#[test]
fn every_refusal_of_a_blob_takes_the_same_work() {
    let here = Here::new();
    let key = here.key();
    let context = json!({ "tenant": "blue" });
    let encrypted = || {
        let input = json!({ "KeyId": key, "Plaintext": b64(b"text"), "EncryptionContext": context });
        bytes(&here.ok("Encrypt", input)["CiphertextBlob"])
    };
    let old = encrypted();
    here.ok("RotateKeyOnDemand", json!({ "KeyId": key }));
    here.cloud.advance(86_400_000);
    let blob = encrypted();
    let asked = |blob: &[u8], tenant: &str| json!({ "CiphertextBlob": b64(blob), "KeyId": key, "EncryptionContext": { "tenant": tenant } });
    let differs = |left: &[u8], right: &[u8]| left.iter().zip(right).position(|(left, right)| left != right);
    let material = differs(&old, &blob).unwrap();
    let flipped = |blob: &[u8], place: usize| {
        let mut altered = blob.to_vec();
        altered[place] ^= 1;
        altered
    };
    let last = blob.len() - 1;
    // Everything that the first answers leave in caches is there.
    for input in [
        asked(&blob, "red"),
        asked(&old, "red"),
        asked(&flipped(&blob, material), "blue"),
    ] {
        work(&here, &input);
    }
    let mut marked = blob.clone();
    marked[0] = 0xff;
    let current = [
        asked(&blob, "red"),
        asked(&flipped(&blob, last), "blue"),
        asked(&flipped(&blob, last - 17), "blue"),
        asked(&marked, "blue"),
        asked(&blob[..8], "blue"),
        asked(&blob[..last], "blue"),
        asked(&vec![7; 6000], "blue"),
    ];
    let costs: Vec<_> = current.iter().map(|input| work(&here, input)).collect();
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    assert!(costs[0].1 > 0);
    // A blob says in clear which generation of the material it needs. Whether the key had that generation, it does not learn.
    let older = [
        asked(&old, "red"),
        asked(&flipped(&old, last), "blue"),
        asked(&flipped(&blob, material), "blue"),
        asked(&flipped(&old, material + 31), "blue"),
    ];
    let costs: Vec<_> = older.iter().map(|input| work(&here, input)).collect();
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

/// Whether a key of another account exists cannot be told from what is said of a blob that names it.
#[test]
fn foreign_blobs_tell_nothing_of_their_keys() {
    let here = Here::new();
    let guest = here.admin(OTHER, "guest");
    let theirs = here.call(&guest, "CreateKey", json!({})).unwrap();
    let theirs = theirs["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let blob = bytes(&json!(here.encrypt(&guest, &theirs, b"text").unwrap()));
    let asked = |blob: &[u8]| told(&here, "Decrypt", json!({ "CiphertextBlob": b64(blob) }));
    let (code, message) = asked(&blob);
    assert_eq!(code, "AccessDeniedException");
    // The same blob with the id of a key that there is not: the refusal differs in that id alone.
    let id = theirs.rsplit('/').next().unwrap();
    let packed: Vec<u8> = id
        .replace('-', "")
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let place = blob.windows(16).position(|window| window == packed).unwrap();
    let mut missing = blob.clone();
    missing[place] ^= 0x10;
    let (missing_code, missing_message) = asked(&missing);
    let other = |text: &str| text.split("key/").next().unwrap_or_default().to_owned();
    assert_eq!((missing_code, other(&missing_message)), (code, other(&message)));
    // A blob of the caller's own account that names no key is refused without saying whether there ever was one.
    let own = here.encrypt(&here.root(), &here.key(), b"text").unwrap();
    let mut own = bytes(&json!(own));
    own[place] ^= 0x10;
    let (code, message) = asked(&own);
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("does not exist, does not exist in this region, or you are not allowed"));
}

/// Types, usages and algorithms that do not go together.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_key_of_the_wrong_kind_says_what_is_wrong() {
    let here = Here::new();
    let make = |spec: &str, usage: &str| {
        let made = here.ok("CreateKey", json!({ "KeySpec": spec, "KeyUsage": usage }));
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    };
    let (symmetric, mac, signer) = (
        here.key(),
        make("HMAC_256", "GENERATE_VERIFY_MAC"),
        make("ECC_NIST_P256", "SIGN_VERIFY"),
    );
    let agreeing = make("ECC_NIST_P256", "KEY_AGREEMENT");
    let blob = here.encrypt(&here.root(), &symmetric, b"x").unwrap();
    let m = b64(b"m");
    let cases = [
        (
            "Encrypt",
            json!({ "KeyId": mac, "Plaintext": m }),
            "InvalidKeyUsageException",
        ),
        (
            "Encrypt",
            json!({ "KeyId": signer, "Plaintext": m }),
            "InvalidKeyUsageException",
        ),
        (
            "Decrypt",
            json!({ "KeyId": signer, "CiphertextBlob": blob }),
            "InvalidKeyUsageException",
        ),
        (
            "Decrypt",
            json!({ "KeyId": mac, "CiphertextBlob": blob }),
            "IncorrectKeyException",
        ),
        (
            "GenerateDataKey",
            json!({ "KeyId": signer, "KeySpec": "AES_256" }),
            "InvalidKeyUsageException",
        ),
        (
            "Sign",
            json!({ "KeyId": symmetric, "Message": m, "SigningAlgorithm": "ECDSA_SHA_256" }),
            "InvalidKeyUsageException",
        ),
        (
            "Sign",
            json!({ "KeyId": signer, "Message": m, "SigningAlgorithm": "ECDSA_SHA_384" }),
            "InvalidKeyUsageException",
        ),
        (
            "Sign",
            json!({ "KeyId": agreeing, "Message": m, "SigningAlgorithm": "ECDSA_SHA_256" }),
            "InvalidKeyUsageException",
        ),
        (
            "Sign",
            json!({ "KeyId": signer, "Message": m, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256" }),
            "ValidationException",
        ),
        (
            "Sign",
            json!({ "KeyId": signer, "Message": m, "MessageType": "EXTERNAL_MU", "SigningAlgorithm": "ECDSA_SHA_256" }),
            "ValidationException",
        ),
        (
            "Verify",
            json!({ "KeyId": signer, "Message": m, "Signature": b64(b"no signature"), "SigningAlgorithm": "ECDSA_SHA_256" }),
            "KMSInvalidSignatureException",
        ),
        (
            "GenerateMac",
            json!({ "KeyId": symmetric, "Message": m, "MacAlgorithm": "HMAC_SHA_256" }),
            "InvalidKeyUsageException",
        ),
        (
            "GenerateMac",
            json!({ "KeyId": mac, "Message": m, "MacAlgorithm": "HMAC_SHA_512" }),
            "InvalidKeyUsageException",
        ),
        (
            "VerifyMac",
            json!({ "KeyId": mac, "Message": m, "Mac": b64(&[0; 32]), "MacAlgorithm": "HMAC_SHA_256" }),
            "KMSInvalidMacException",
        ),
        (
            "VerifyMac",
            json!({ "KeyId": mac, "Message": m, "Mac": b64(&[0; 8]), "MacAlgorithm": "HMAC_SHA_256" }),
            "KMSInvalidMacException",
        ),
        (
            "DeriveSharedSecret",
            json!({ "KeyId": signer, "KeyAgreementAlgorithm": "ECDH", "PublicKey": m }),
            "InvalidKeyUsageException",
        ),
        (
            "DeriveSharedSecret",
            json!({ "KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH", "PublicKey": m }),
            "ValidationException",
        ),
        (
            "GetPublicKey",
            json!({ "KeyId": symmetric }),
            "UnsupportedOperationException",
        ),
        (
            "CreateKey",
            json!({ "KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY" }),
            "UnsupportedOperationException",
        ),
        (
            "CreateKey",
            json!({ "Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1234567890abcdef0" }),
            "UnsupportedOperationException",
        ),
    ];
    for (operation, input, code) in cases {
        let told = told(&here, operation, input.clone());
        assert_eq!(told.0, code, "{operation} {input}: {}", told.1);
    }
}

/// What each state of a key refuses (KMS Developer Guide, "Key states of AWS KMS keys").
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_state_refuses_what_aws_says() {
    let here = Here::new();
    let key = here.key();
    let blob = here.encrypt(&here.root(), &key, b"x").unwrap();
    let uses = |key: &str| {
        [
            ("Encrypt", json!({ "KeyId": key, "Plaintext": b64(b"x") })),
            ("Decrypt", json!({ "CiphertextBlob": blob })),
            (
                "ReEncrypt",
                json!({ "CiphertextBlob": blob, "DestinationKeyId": key }),
            ),
            ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })),
            (
                "GenerateDataKeyWithoutPlaintext",
                json!({ "KeyId": key, "KeySpec": "AES_256" }),
            ),
            (
                "GenerateDataKeyPair",
                json!({ "KeyId": key, "KeyPairSpec": "ECC_NIST_P256" }),
            ),
        ]
    };
    here.ok("DisableKey", json!({ "KeyId": key }));
    for (operation, input) in uses(&key) {
        assert_eq!(
            told(&here, operation, input).0,
            "DisabledException",
            "{operation}"
        );
    }
    here.ok("EnableKey", json!({ "KeyId": key }));
    here.ok(
        "ScheduleKeyDeletion",
        json!({ "KeyId": key, "PendingWindowInDays": 7 }),
    );
    for (operation, input) in uses(&key) {
        assert_eq!(
            told(&here, operation, input).0,
            "KMSInvalidStateException",
            "{operation}"
        );
    }
    let arn = key.clone();
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    for (operation, input) in [
        ("EnableKey", json!({ "KeyId": arn })),
        ("DisableKey", json!({ "KeyId": arn })),
        ("ScheduleKeyDeletion", json!({ "KeyId": arn })),
        ("EnableKeyRotation", json!({ "KeyId": arn })),
        ("RotateKeyOnDemand", json!({ "KeyId": arn })),
        (
            "UpdateKeyDescription",
            json!({ "KeyId": arn, "Description": "d" }),
        ),
        (
            "CreateGrant",
            json!({ "KeyId": arn, "GranteePrincipal": root, "Operations": ["Decrypt"] }),
        ),
        (
            "CreateAlias",
            json!({ "AliasName": "alias/x", "TargetKeyId": arn }),
        ),
        (
            "TagResource",
            json!({ "KeyId": arn, "Tags": [{ "TagKey": "a", "TagValue": "b" }] }),
        ),
    ] {
        assert_eq!(
            told(&here, operation, input).0,
            "KMSInvalidStateException",
            "{operation}"
        );
    }
    // What only looks still works.
    for operation in [
        "DescribeKey",
        "GetKeyPolicy",
        "ListResourceTags",
        "GetKeyRotationStatus",
        "GetKeyLastUsage",
    ] {
        here.ok(operation, json!({ "KeyId": arn }));
    }
    here.cloud.advance(8 * 86_400_000);
    let gone = told(&here, "Decrypt", json!({ "CiphertextBlob": blob, "KeyId": key }));
    assert_eq!(gone.0, "NotFoundException");
}

/// Every operation that AWS lets be tried is tried without effect: it says so, and what it would do is not done.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_dry_run_tells_that_it_would_have_worked() {
    let here = Here::new();
    let make = |spec: &str, usage: &str| {
        let made = here.ok("CreateKey", json!({ "KeySpec": spec, "KeyUsage": usage }));
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    };
    let (key, mac) = (here.key(), make("HMAC_256", "GENERATE_VERIFY_MAC"));
    let (signer, agreeing) = (
        make("ECC_NIST_P256", "SIGN_VERIFY"),
        make("ECC_NIST_P256", "KEY_AGREEMENT"),
    );
    let lattice = make("ML_KEM_512", "ENCAPSULATE_DECAPSULATE");
    let m = b64(b"m");
    let blob = here.encrypt(&here.root(), &key, b"x").unwrap();
    let signed = here.ok(
        "Sign",
        json!({ "KeyId": signer, "Message": m, "SigningAlgorithm": "ECDSA_SHA_256" }),
    );
    let maced = here.ok(
        "GenerateMac",
        json!({ "KeyId": mac, "Message": m, "MacAlgorithm": "HMAC_SHA_256" }),
    );
    let peer = here.ok(
        "GetPublicKey",
        json!({ "KeyId": make("ECC_NIST_P256", "KEY_AGREEMENT") }),
    );
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let grant = json!({ "KeyId": key, "GranteePrincipal": root, "RetiringPrincipal": root, "Operations": ["Decrypt"] });
    let granted = here.ok("CreateGrant", grant.clone());
    let model = api::models::service("kms").unwrap();
    let mut tried = 0;
    for (operation, input) in [
        ("Encrypt", json!({ "KeyId": key, "Plaintext": m })),
        ("Decrypt", json!({ "CiphertextBlob": blob })),
        (
            "ReEncrypt",
            json!({ "CiphertextBlob": blob, "DestinationKeyId": key }),
        ),
        ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })),
        (
            "GenerateDataKeyWithoutPlaintext",
            json!({ "KeyId": key, "KeySpec": "AES_256" }),
        ),
        (
            "GenerateDataKeyPair",
            json!({ "KeyId": key, "KeyPairSpec": "ECC_NIST_P256" }),
        ),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            json!({ "KeyId": key, "KeyPairSpec": "ECC_NIST_P256" }),
        ),
        (
            "Sign",
            json!({ "KeyId": signer, "Message": m, "SigningAlgorithm": "ECDSA_SHA_256" }),
        ),
        (
            "Verify",
            json!({ "KeyId": signer, "Message": m, "SigningAlgorithm": "ECDSA_SHA_256", "Signature": signed["Signature"] }),
        ),
        (
            "GenerateMac",
            json!({ "KeyId": mac, "Message": m, "MacAlgorithm": "HMAC_SHA_256" }),
        ),
        (
            "VerifyMac",
            json!({ "KeyId": mac, "Message": m, "MacAlgorithm": "HMAC_SHA_256", "Mac": maced["Mac"] }),
        ),
        (
            "DeriveSharedSecret",
            json!({ "KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer["PublicKey"] }),
        ),
        (
            "Encapsulate",
            json!({ "KeyId": lattice, "EncapsulationAlgorithm": "ML_KEM" }),
        ),
        (
            "Decapsulate",
            json!({ "KeyId": lattice, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": b64(&[7; 768]) }),
        ),
        ("CreateGrant", grant),
        (
            "RetireGrant",
            json!({ "KeyId": key, "GrantId": granted["GrantId"] }),
        ),
        (
            "RevokeGrant",
            json!({ "KeyId": key, "GrantId": granted["GrantId"] }),
        ),
    ] {
        let mut dry = input;
        dry["DryRun"] = json!(true);
        let told = told(&here, operation, dry);
        assert_eq!(told.0, "DryRunOperationException", "{operation}: {}", told.1);
        tried += 1;
    }
    let grants = here.ok("ListGrants", json!({ "KeyId": key }));
    assert_eq!(grants["Grants"].as_array().unwrap().len(), 1);
    let able = keys::kms::OPERATIONS.iter().filter(|endpoint| {
        let shape = model.operation(endpoint.name).and_then(|operation| operation.input);
        let shape = shape.and_then(|id| model.shape(id)).map(|shape| &shape.kind);
        matches!(shape, Some(wire::model::Kind::Structure(structure)) if structure.members.iter().any(|member| member.name == "DryRun"))
    });
    assert_eq!(
        tried,
        able.count(),
        "an operation that can be tried is not tried here"
    );
}

/// An enclave's attestation is refused for what it is: not built.
#[test]
fn a_recipient_is_refused_with_the_truth() {
    let here = Here::new();
    let key = here.key();
    let blob = here.encrypt(&here.root(), &key, b"x").unwrap();
    let recipient =
        json!({ "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b64(b"document") });
    for (operation, mut input) in [
        ("Decrypt", json!({ "CiphertextBlob": blob })),
        ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })),
        (
            "GenerateDataKeyPair",
            json!({ "KeyId": key, "KeyPairSpec": "ECC_NIST_P256" }),
        ),
        ("GenerateRandom", json!({ "NumberOfBytes": 8 })),
    ] {
        input["Recipient"] = recipient.clone();
        let told = told(&here, operation, input);
        assert!(
            told.1.contains("Recipient is not implemented"),
            "{operation}: {told:?}"
        );
    }
}
