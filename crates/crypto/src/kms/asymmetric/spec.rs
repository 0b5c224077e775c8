//! The specifications of key pairs (KMS Developer Guide, "Key spec reference").

use super::{EncryptionAlgorithm, SigningAlgorithm};

/// What kind of pair a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the name of the kind")]
pub enum PairSpec {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
    P521,
    P256K1,
    Ed25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
    MlKem512,
    MlKem768,
    MlKem1024,
}

impl PairSpec {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::P256K1,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
        Self::MlKem512,
        Self::MlKem768,
        Self::MlKem1024,
    ];

    /// AWS's name of the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA_2048",
            Self::Rsa3072 => "RSA_3072",
            Self::Rsa4096 => "RSA_4096",
            Self::P256 => "ECC_NIST_P256",
            Self::P384 => "ECC_NIST_P384",
            Self::P521 => "ECC_NIST_P521",
            Self::P256K1 => "ECC_SECG_P256K1",
            Self::Ed25519 => "ECC_NIST_EDWARDS25519",
            Self::MlDsa44 => "ML_DSA_44",
            Self::MlDsa65 => "ML_DSA_65",
            Self::MlDsa87 => "ML_DSA_87",
            Self::MlKem512 => "ML_KEM_512",
            Self::MlKem768 => "ML_KEM_768",
            Self::MlKem1024 => "ML_KEM_1024",
        }
    }

    /// The specification of AWS's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spec| spec.name() == name)
    }

    /// Its number in sealed material.
    pub(in crate::kms) const fn tag(self) -> u8 {
        match self {
            Self::Rsa2048 => 16,
            Self::Rsa3072 => 17,
            Self::Rsa4096 => 18,
            Self::P256 => 19,
            Self::P384 => 20,
            Self::P521 => 21,
            Self::P256K1 => 22,
            Self::Ed25519 => 23,
            Self::MlDsa44 => 24,
            Self::MlDsa65 => 25,
            Self::MlDsa87 => 26,
            Self::MlKem512 => 27,
            Self::MlKem768 => 28,
            Self::MlKem1024 => 29,
        }
    }

    /// The length of an RSA modulus in bytes; `None` for other kinds.
    #[must_use]
    pub const fn modulus(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(256),
            Self::Rsa3072 => Some(384),
            Self::Rsa4096 => Some(512),
            _ => None,
        }
    }

    /// Whether two such pairs can agree on a secret: the NIST curves.
    #[must_use]
    pub const fn agrees(self) -> bool {
        matches!(self, Self::P256 | Self::P384 | Self::P521)
    }

    /// Whether a secret can be encapsulated for the pair: ML-KEM.
    #[must_use]
    pub const fn encapsulates(self) -> bool {
        matches!(self, Self::MlKem512 | Self::MlKem768 | Self::MlKem1024)
    }

    /// What the pair can encrypt with: RSA only.
    #[must_use]
    pub const fn encryption_algorithms(self) -> &'static [EncryptionAlgorithm] {
        match self.modulus() {
            Some(_) => &EncryptionAlgorithm::ALL,
            None => &[],
        }
    }

    /// What the pair can sign with. A curve has the hash function of its strength.
    #[must_use]
    pub const fn signing_algorithms(self) -> &'static [SigningAlgorithm] {
        use SigningAlgorithm as A;
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[
                A::Pkcs1Sha256,
                A::Pkcs1Sha384,
                A::Pkcs1Sha512,
                A::PssSha256,
                A::PssSha384,
                A::PssSha512,
            ],
            Self::P256 | Self::P256K1 => &[A::EcdsaSha256],
            Self::P384 => &[A::EcdsaSha384],
            Self::P521 => &[A::EcdsaSha512],
            Self::Ed25519 => &[A::Ed25519, A::Ed25519Ph],
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &[A::MlDsa],
            Self::MlKem512 | Self::MlKem768 | Self::MlKem1024 => &[],
        }
    }
}
