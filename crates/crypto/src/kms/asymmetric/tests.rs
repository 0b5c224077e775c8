//! Key pairs by themselves; the published vectors are in `vectors`.

use super::*;
use crate::Error;
use crate::digest::{hex, unhex};

fn pair(spec: PairSpec) -> KeyPair {
    KeyPair::from_pkcs8(spec, &KeyPair::generate(spec).unwrap()).unwrap()
}

/// Kinds that are quick to make.
const QUICK: [PairSpec; 8] = [
    PairSpec::P256,
    PairSpec::P384,
    PairSpec::P521,
    PairSpec::P256K1,
    PairSpec::Ed25519,
    PairSpec::MlDsa44,
    PairSpec::MlDsa65,
    PairSpec::MlDsa87,
];

fn signs(pair: &KeyPair, algorithm: SigningAlgorithm) {
    let digest = match algorithm.hash() {
        Some(hash) => aws_lc_rs::digest::digest(hash, b"message").as_ref().to_vec(),
        None => Vec::new(),
    };
    let message = if algorithm == SigningAlgorithm::Ed25519Ph {
        Message::Digest(&digest)
    } else {
        Message::Raw(b"message")
    };
    let mut signature = pair.sign(algorithm, message).unwrap();
    let verifies = |message, signature: &[u8]| pair.public().verifies(algorithm, message, signature).unwrap();
    assert!(verifies(message, &signature));
    if algorithm.hash().is_some() {
        // What is signed as a digest verifies as the message, and the reverse.
        assert!(verifies(Message::Digest(&digest), &signature));
        let short = pair.sign(algorithm, Message::Digest(&digest[1..]));
        assert!(matches!(short, Err(Error::DigestLength { .. })));
    }
    if algorithm != SigningAlgorithm::Ed25519Ph {
        assert!(!verifies(Message::Raw(b"messagf"), &signature));
    }
    let last = signature.len() - 1;
    signature[last] ^= 1;
    assert!(!verifies(message, &signature));
    assert!(!verifies(message, &[]));
}

#[test]
fn every_pair_signs_with_each_of_its_algorithms_and_no_other() {
    for spec in QUICK.into_iter().chain([PairSpec::Rsa2048]) {
        let pair = pair(spec);
        for algorithm in SigningAlgorithm::ALL {
            if spec.signing_algorithms().contains(&algorithm) {
                signs(&pair, algorithm);
            } else {
                let refused = pair.sign(algorithm, Message::Raw(b"message"));
                assert!(
                    matches!(refused, Err(Error::MaterialUsage { .. })),
                    "{spec:?} {algorithm:?}"
                );
            }
        }
    }
}

#[test]
fn a_private_key_is_read_as_its_own_kind_only() {
    for spec in QUICK {
        let secret = KeyPair::generate(spec).unwrap();
        for other in PairSpec::ALL {
            let read = KeyPair::from_pkcs8(other, &secret);
            assert_eq!(read.is_ok(), other == spec, "{spec:?} as {other:?}");
        }
        let cut = crate::Secret::copy_of(&secret.expose()[1..]);
        assert!(KeyPair::from_pkcs8(spec, &cut).is_err());
    }
}

/// The limits of the KMS API Reference, `Encrypt`.
#[test]
fn oaep_encrypts_up_to_its_limit() {
    assert_eq!(EncryptionAlgorithm::OaepSha1.most(256), 214);
    assert_eq!(EncryptionAlgorithm::OaepSha256.most(256), 190);
    assert_eq!(EncryptionAlgorithm::OaepSha1.most(512), 470);
    assert_eq!(EncryptionAlgorithm::OaepSha256.most(512), 446);
    let pair = pair(PairSpec::Rsa2048);
    for algorithm in EncryptionAlgorithm::ALL {
        let most = algorithm.most(256);
        let mut blob = pair.public().encrypt(algorithm, &vec![7; most]).unwrap();
        assert!(pair.decrypt(algorithm, &blob).unwrap().matches(&vec![7; most]));
        let refused = pair.public().encrypt(algorithm, &vec![7; most + 1]);
        assert!(matches!(refused, Err(Error::PlaintextTooLong { .. })));
        let other = if algorithm == EncryptionAlgorithm::OaepSha1 {
            EncryptionAlgorithm::OaepSha256
        } else {
            EncryptionAlgorithm::OaepSha1
        };
        assert!(matches!(
            pair.decrypt(other, &blob),
            Err(Error::CiphertextInvalid)
        ));
        blob[100] ^= 1;
        assert!(matches!(
            pair.decrypt(algorithm, &blob),
            Err(Error::CiphertextInvalid)
        ));
        let short = pair.decrypt(algorithm, &blob[1..]);
        assert!(matches!(short, Err(Error::CiphertextInvalid)));
    }
}

#[test]
fn two_pairs_agree_and_strangers_do_not() {
    for spec in [PairSpec::P256, PairSpec::P384, PairSpec::P521] {
        let (alice, bob) = (pair(spec), pair(spec));
        let shared = alice.agree(bob.public().der()).unwrap();
        assert!(bob.agree(alice.public().der()).unwrap() == shared);
        let stranger = if spec == PairSpec::P256 {
            PairSpec::P384
        } else {
            PairSpec::P256
        };
        for wrong in [pair(stranger).public().der(), b"", b"x", &bob.public().der()[1..]] {
            assert!(matches!(alice.agree(wrong), Err(Error::PeerKey)));
        }
    }
    for spec in [PairSpec::P256K1, PairSpec::Ed25519] {
        let pair = pair(spec);
        let refused = pair.agree(pair.public().der());
        assert!(matches!(refused, Err(Error::MaterialUsage { .. })));
    }
}

/// RFC 8032, section 7.1, test 2: PKCS #8 around the seed gives the RFC's public key and signature.
#[test]
fn ed25519_agrees_with_rfc_8032() {
    let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    let pkcs8 = unhex(&format!("302e020100300506032b657004220420{seed}")).unwrap();
    let pair = KeyPair::from_pkcs8(PairSpec::Ed25519, &crate::Secret::new(pkcs8)).unwrap();
    let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    assert_eq!(
        hex(pair.public().der()),
        format!("302a300506032b6570032100{public}")
    );
    let signature = pair
        .sign(SigningAlgorithm::Ed25519, Message::Raw(&[0x72]))
        .unwrap();
    let right = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert_eq!(hex(&signature), right);
}

/// Ed25519ph separates its domain (RFC 8032, section 5.1): a signature of one kind never passes for the other.
#[test]
fn prehashed_signatures_are_their_own_kind() {
    let pair = pair(PairSpec::Ed25519);
    let digest = [9; 64];
    let ph = pair
        .sign(SigningAlgorithm::Ed25519Ph, Message::Digest(&digest))
        .unwrap();
    let pure = pair
        .sign(SigningAlgorithm::Ed25519, Message::Raw(&digest))
        .unwrap();
    let verifies =
        |algorithm, message, signature: &[u8]| pair.public().verifies(algorithm, message, signature).unwrap();
    assert!(verifies(
        SigningAlgorithm::Ed25519Ph,
        Message::Digest(&digest),
        &ph
    ));
    assert!(!verifies(
        SigningAlgorithm::Ed25519Ph,
        Message::Digest(&digest),
        &pure
    ));
    assert!(!verifies(SigningAlgorithm::Ed25519, Message::Raw(&digest), &ph));
    let raw = pair.sign(SigningAlgorithm::Ed25519Ph, Message::Raw(&digest));
    assert!(matches!(raw, Err(Error::DigestLength { .. })));
}
