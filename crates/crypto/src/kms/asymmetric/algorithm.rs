//! What key pairs sign and encrypt with, by AWS's names, and the library's words for them.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm};
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding,
};

use crate::{Error, Result};

/// How a message is signed (KMS API Reference, `Sign`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the name of the scheme")]
pub enum SigningAlgorithm {
    PssSha256,
    PssSha384,
    PssSha512,
    Pkcs1Sha256,
    Pkcs1Sha384,
    Pkcs1Sha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    Ed25519,
    Ed25519Ph,
    MlDsa,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::PssSha256,
        Self::PssSha384,
        Self::PssSha512,
        Self::Pkcs1Sha256,
        Self::Pkcs1Sha384,
        Self::Pkcs1Sha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
        Self::Ed25519Ph,
        Self::MlDsa,
    ];

    /// AWS's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PssSha256 => "RSASSA_PSS_SHA_256",
            Self::PssSha384 => "RSASSA_PSS_SHA_384",
            Self::PssSha512 => "RSASSA_PSS_SHA_512",
            Self::Pkcs1Sha256 => "RSASSA_PKCS1_V1_5_SHA_256",
            Self::Pkcs1Sha384 => "RSASSA_PKCS1_V1_5_SHA_384",
            Self::Pkcs1Sha512 => "RSASSA_PKCS1_V1_5_SHA_512",
            Self::EcdsaSha256 => "ECDSA_SHA_256",
            Self::EcdsaSha384 => "ECDSA_SHA_384",
            Self::EcdsaSha512 => "ECDSA_SHA_512",
            Self::Ed25519 => "ED25519_SHA_512",
            Self::Ed25519Ph => "ED25519_PH_SHA_512",
            Self::MlDsa => "ML_DSA_SHAKE_256",
        }
    }

    /// The algorithm of AWS's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The hash function that makes the digest; `None` where a digest is not what is signed.
    pub(super) fn hash(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::PssSha256 | Self::Pkcs1Sha256 | Self::EcdsaSha256 => Some(&digest::SHA256),
            Self::PssSha384 | Self::Pkcs1Sha384 | Self::EcdsaSha384 => Some(&digest::SHA384),
            Self::PssSha512 | Self::Pkcs1Sha512 | Self::EcdsaSha512 | Self::Ed25519Ph => {
                Some(&digest::SHA512)
            }
            Self::Ed25519 | Self::MlDsa => None,
        }
    }

    /// A digest that came from outside.
    ///
    /// # Errors
    /// [`Error::DigestLength`], also where a digest cannot be signed.
    pub(super) fn import(self, given: &[u8]) -> Result<Digest> {
        let wrong = Error::DigestLength {
            algorithm: self.name(),
            given: given.len(),
        };
        let Some(hash) = self.hash() else {
            return Err(wrong);
        };
        Digest::import_less_safe(given, hash).map_err(|_| wrong)
    }

    pub(super) fn rsa(self) -> Option<&'static dyn RsaEncoding> {
        Some(match self {
            Self::PssSha256 => &RSA_PSS_SHA256,
            Self::PssSha384 => &RSA_PSS_SHA384,
            Self::PssSha512 => &RSA_PSS_SHA512,
            Self::Pkcs1Sha256 => &RSA_PKCS1_SHA256,
            Self::Pkcs1Sha384 => &RSA_PKCS1_SHA384,
            Self::Pkcs1Sha512 => &RSA_PKCS1_SHA512,
            _ => return None,
        })
    }
}

/// How RSA encrypts (KMS Developer Guide, "RSA key specs").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the name of the scheme")]
pub enum EncryptionAlgorithm {
    OaepSha1,
    OaepSha256,
}

impl EncryptionAlgorithm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OaepSha1, Self::OaepSha256];

    /// AWS's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OaepSha1 => "RSAES_OAEP_SHA_1",
            Self::OaepSha256 => "RSAES_OAEP_SHA_256",
        }
    }

    /// The algorithm of AWS's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The greatest plaintext in bytes under a modulus of `modulus` bytes (RFC 8017, section 7.1.1).
    #[must_use]
    pub const fn most(self, modulus: usize) -> usize {
        let hash = match self {
            Self::OaepSha1 => 20,
            Self::OaepSha256 => 32,
        };
        modulus.saturating_sub(2 * hash + 2)
    }

    pub(super) const fn oaep(self) -> &'static OaepAlgorithm {
        match self {
            Self::OaepSha1 => &OAEP_SHA1_MGF1SHA1,
            Self::OaepSha256 => &OAEP_SHA256_MGF1SHA256,
        }
    }
}
