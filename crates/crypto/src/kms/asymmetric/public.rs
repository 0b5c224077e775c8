//! The half that everybody may have: it verifies and encrypts.

use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use ed25519_dalek::{Digest as _, Sha512, Signature, VerifyingKey};

use super::kem::Kem;
use super::{EncryptionAlgorithm, Message, PairSpec, SigningAlgorithm};
use crate::{Error, Result, Secret};

/// The prefix of an Ed25519 key in `SubjectPublicKeyInfo` (RFC 8410, section 4).
const ED25519: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A public key of a specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spec: PairSpec,
    der: Vec<u8>,
}

impl PublicKey {
    /// A key by its `SubjectPublicKeyInfo`, which is looked at only when it is used.
    #[must_use]
    pub const fn new(spec: PairSpec, der: Vec<u8>) -> Self {
        Self { spec, der }
    }

    /// The `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether `signature` is the key's own of the message by the algorithm.
    ///
    /// # Errors
    /// [`Error::MaterialUsage`] for an algorithm that the key has not; [`Error::DigestLength`].
    pub fn verifies(
        &self,
        algorithm: SigningAlgorithm,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<bool> {
        if algorithm == SigningAlgorithm::Ed25519Ph && self.spec == PairSpec::Ed25519 {
            return self.verifies_prehashed(message, signature);
        }
        let verification = self.verification(algorithm).ok_or(Error::MaterialUsage {
            spec: self.spec.name(),
            attempt: algorithm.name(),
        })?;
        let key = UnparsedPublicKey::new(verification, &self.der);
        let verified = match message {
            Message::Raw(message) => key.verify(message, signature),
            Message::Digest(digest) => key.verify_digest(&algorithm.import(digest)?, signature),
        };
        Ok(verified.is_ok())
    }

    /// Ed25519ph over the digest that was given, which is hashed once more (KMS API Reference, `Sign`, `MessageType`).
    fn verifies_prehashed(&self, message: Message<'_>, signature: &[u8]) -> Result<bool> {
        let message = prehash_input(message)?;
        let key = self
            .der
            .strip_prefix(ED25519)
            .and_then(|point| <&[u8; 32]>::try_from(point).ok());
        let key = key.and_then(|point| VerifyingKey::from_bytes(point).ok());
        let (Some(key), Ok(signature)) = (key, Signature::from_slice(signature)) else {
            return Ok(false);
        };
        let prehashed = Sha512::new_with_prefix(message);
        Ok(key.verify_prehashed(prehashed, None, &signature).is_ok())
    }

    /// Encrypts with OAEP and an empty label.
    ///
    /// # Errors
    /// [`Error::PlaintextTooLong`]; [`Error::MaterialUsage`] for other keys than RSA; [`Error::Library`].
    pub fn encrypt(&self, algorithm: EncryptionAlgorithm, plaintext: &[u8]) -> Result<Vec<u8>> {
        let modulus = self.spec.modulus().ok_or(Error::MaterialUsage {
            spec: self.spec.name(),
            attempt: "encrypt",
        })?;
        let limit = algorithm.most(modulus);
        if plaintext.len() > limit {
            return Err(Error::PlaintextTooLong {
                limit,
                given: plaintext.len(),
            });
        }
        let refused = Error::Library {
            attempt: "encrypt with RSA",
        };
        let key = PublicEncryptingKey::from_der(&self.der).ok();
        let key = key.and_then(|key| OaepPublicEncryptingKey::new(key).ok());
        let mut blob = vec![0; modulus];
        let encrypted = key.and_then(|key| {
            let made = key.encrypt(algorithm.oaep(), plaintext, &mut blob, None);
            made.ok().map(|made| made.len())
        });
        let length = encrypted.ok_or(refused)?;
        blob.truncate(length);
        Ok(blob)
    }

    /// A new secret for the holder of the private key: its ciphertext, and itself.
    ///
    /// # Errors
    /// [`Error::MaterialUsage`] for other keys than ML-KEM; [`Error::Library`].
    pub fn encapsulate(&self) -> Result<(Vec<u8>, Secret)> {
        let kem = Kem::of(self.spec).ok_or(Error::MaterialUsage {
            spec: self.spec.name(),
            attempt: "encapsulate a secret",
        })?;
        kem.encapsulate(&self.der)
    }

    fn verification(&self, algorithm: SigningAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
        use PairSpec as S;
        use SigningAlgorithm as A;
        Some(match (self.spec, algorithm) {
            (S::P256, A::EcdsaSha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (S::P384, A::EcdsaSha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (S::P521, A::EcdsaSha512) => &signature::ECDSA_P521_SHA512_ASN1,
            (S::P256K1, A::EcdsaSha256) => &signature::ECDSA_P256K1_SHA256_ASN1,
            (S::Ed25519, A::Ed25519) => &signature::ED25519,
            (S::MlDsa44, A::MlDsa) => &signature::ML_DSA_44,
            (S::MlDsa65, A::MlDsa) => &signature::ML_DSA_65,
            (S::MlDsa87, A::MlDsa) => &signature::ML_DSA_87,
            (spec, algorithm) if spec.modulus().is_some() => match algorithm {
                A::PssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
                A::PssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
                A::PssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
                A::Pkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                A::Pkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                A::Pkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// What Ed25519ph hashes: only digests are taken, so that what was meant to be signed purely never is signed so.
pub(super) fn prehash_input(message: Message<'_>) -> Result<&[u8]> {
    match message {
        Message::Digest(digest) => {
            SigningAlgorithm::Ed25519Ph.import(digest)?;
            Ok(digest)
        }
        Message::Raw(message) => Err(Error::DigestLength {
            algorithm: SigningAlgorithm::Ed25519Ph.name(),
            given: message.len(),
        }),
    }
}
