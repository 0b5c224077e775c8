//! A key pair, open: it signs, decrypts and agrees.

use aws_lc_rs::agreement::{self, ParsedPublicKey, ParsedPublicKeyFormat, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::kem::DecapsulationKey;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaKeyPair,
};
use ed25519_dalek::{Digest as _, Sha512, SigningKey};
use zeroize::Zeroizing;

use super::kem::Kem;
use super::public::prehash_input;
use super::{EncryptionAlgorithm, Message, PairSpec, PublicKey, SigningAlgorithm};
use crate::{Error, Result, Secret};

/// A private key and its public half.
pub struct KeyPair {
    spec: PairSpec,
    private: Private,
    public: PublicKey,
}

enum Private {
    Rsa(Box<Rsa>),
    Ecdsa(Box<EcdsaKeyPair>, Option<Box<agreement::PrivateKey>>),
    Ed25519(Box<Ed25519KeyPair>),
    MlDsa(Box<PqdsaKeyPair>),
    MlKem(Kem, Box<DecapsulationKey>),
}

struct Rsa {
    sign: RsaKeyPair,
    decrypt: OaepPrivateDecryptingKey,
}

/// The library's kinds of pairs.
enum Kind {
    Rsa(KeySize),
    Ecdsa(
        &'static EcdsaSigningAlgorithm,
        Option<&'static agreement::Algorithm>,
    ),
    Ed25519,
    MlDsa(&'static PqdsaSigningAlgorithm),
    MlKem(Kem),
}

const fn kind(spec: PairSpec) -> Kind {
    use PairSpec as S;
    if let Some(kem) = Kem::of(spec) {
        return Kind::MlKem(kem);
    }
    match spec {
        S::Rsa2048 => Kind::Rsa(KeySize::Rsa2048),
        S::Rsa3072 => Kind::Rsa(KeySize::Rsa3072),
        S::Rsa4096 => Kind::Rsa(KeySize::Rsa4096),
        S::P256 => Kind::Ecdsa(
            &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            Some(&agreement::ECDH_P256),
        ),
        S::P384 => Kind::Ecdsa(
            &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            Some(&agreement::ECDH_P384),
        ),
        S::P521 => Kind::Ecdsa(
            &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
            Some(&agreement::ECDH_P521),
        ),
        S::P256K1 => Kind::Ecdsa(&signature::ECDSA_P256K1_SHA256_ASN1_SIGNING, None),
        S::Ed25519 => Kind::Ed25519,
        S::MlDsa44 => Kind::MlDsa(&signature::ML_DSA_44_SIGNING),
        S::MlDsa65 => Kind::MlDsa(&signature::ML_DSA_65_SIGNING),
        S::MlDsa87 | S::MlKem512 | S::MlKem768 | S::MlKem1024 => Kind::MlDsa(&signature::ML_DSA_87_SIGNING),
    }
}

fn refused<E>(attempt: &'static str) -> impl Fn(E) -> Error {
    move |_| Error::Library { attempt }
}

fn malformed<E>(_: E) -> Error {
    Error::MaterialMalformed
}

impl KeyPair {
    /// Makes a new private key, in PKCS #8.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn generate(spec: PairSpec) -> Result<Secret> {
        let bytes = match kind(spec) {
            Kind::Rsa(size) => {
                let made = RsaKeyPair::generate(size).map_err(refused("make an RSA key"))?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&made)
                    .map_err(refused("write an RSA key"))?
                    .as_ref()
                    .to_vec()
            }
            Kind::Ecdsa(algorithm, _) => EcdsaKeyPair::generate(algorithm)
                .and_then(|made| made.to_pkcs8v1())
                .map_err(refused("make an elliptic curve key"))?
                .as_ref()
                .to_vec(),
            Kind::Ed25519 => Ed25519KeyPair::generate()
                .and_then(|made| made.to_pkcs8v1())
                .map_err(refused("make an Ed25519 key"))?
                .as_ref()
                .to_vec(),
            Kind::MlKem(kem) => return kem.generate(),
            Kind::MlDsa(algorithm) => PqdsaKeyPair::generate(algorithm)
                .and_then(|made| made.to_pkcs8v1())
                .map_err(refused("make an ML-DSA key"))?
                .as_ref()
                .to_vec(),
        };
        Ok(Secret::new(bytes))
    }

    /// Opens a private key in PKCS #8.
    ///
    /// # Errors
    /// [`Error::MaterialMalformed`] if it is none, or one of another specification.
    pub fn from_pkcs8(spec: PairSpec, secret: &Secret) -> Result<Self> {
        let bytes = secret.expose();
        let (private, public) = match kind(spec) {
            Kind::Rsa(_) => {
                let sign = RsaKeyPair::from_pkcs8(bytes).map_err(malformed)?;
                if spec.modulus() != Some(sign.public_modulus_len()) {
                    return Err(Error::MaterialMalformed);
                }
                let decrypt = PrivateDecryptingKey::from_pkcs8(bytes).map_err(malformed)?;
                let decrypt = OaepPrivateDecryptingKey::new(decrypt).map_err(malformed)?;
                let public = der(sign.public_key())?;
                (Private::Rsa(Box::new(Rsa { sign, decrypt })), public)
            }
            Kind::Ecdsa(algorithm, agreement) => {
                let pair = EcdsaKeyPair::from_pkcs8(algorithm, bytes).map_err(malformed)?;
                let agreement = agreement
                    .map(|algorithm| agreement::PrivateKey::from_private_key_der(algorithm, bytes))
                    .transpose()
                    .map_err(malformed)?;
                let public = der(pair.public_key())?;
                (Private::Ecdsa(Box::new(pair), agreement.map(Box::new)), public)
            }
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(malformed)?;
                let public = der(pair.public_key())?;
                (Private::Ed25519(Box::new(pair)), public)
            }
            Kind::MlKem(kem) => {
                let (private, public) = kem.open(bytes)?;
                (Private::MlKem(kem, Box::new(private)), public)
            }
            Kind::MlDsa(algorithm) => {
                let pair = PqdsaKeyPair::from_pkcs8(algorithm, bytes).map_err(malformed)?;
                let public = der(pair.public_key())?;
                (Private::MlDsa(Box::new(pair)), public)
            }
        };
        let public = PublicKey::new(spec, public);
        Ok(Self {
            spec,
            private,
            public,
        })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs. ECDSA signatures are in DER, as KMS has them.
    ///
    /// # Errors
    /// [`Error::MaterialUsage`] for an algorithm that the key has not; [`Error::DigestLength`]; [`Error::Library`].
    pub fn sign(&self, algorithm: SigningAlgorithm, message: Message<'_>) -> Result<Vec<u8>> {
        if !self.spec.signing_algorithms().contains(&algorithm) {
            return Err(self.unable(algorithm.name()));
        }
        let random = SystemRandom::new();
        match &self.private {
            Private::Rsa(pair) => {
                let encoding = algorithm.rsa().ok_or_else(|| self.unable(algorithm.name()))?;
                let mut signature = vec![0; pair.sign.public_modulus_len()];
                let made = match message {
                    Message::Raw(message) => pair.sign.sign(encoding, &random, message, &mut signature),
                    Message::Digest(digest) => {
                        let digest = algorithm.import(digest)?;
                        pair.sign.sign_digest(encoding, &digest, &mut signature)
                    }
                };
                made.map_err(refused("sign with RSA"))?;
                Ok(signature)
            }
            Private::Ecdsa(pair, _) => {
                let made = match message {
                    Message::Raw(message) => pair.sign(&random, message),
                    Message::Digest(digest) => pair.sign_digest(&algorithm.import(digest)?),
                };
                let made = made.map_err(refused("sign with an elliptic curve key"))?;
                Ok(made.as_ref().to_vec())
            }
            Private::Ed25519(pair) => edwards(pair, algorithm, message),
            Private::MlKem(..) => Err(self.unable(algorithm.name())),
            Private::MlDsa(pair) => match message {
                Message::Raw(message) => {
                    let mut signature = vec![0; pair.algorithm().signature_len()];
                    let length = pair
                        .sign(message, &mut signature)
                        .map_err(refused("sign with ML-DSA"))?;
                    signature.truncate(length);
                    Ok(signature)
                }
                Message::Digest(digest) => Err(Error::DigestLength {
                    algorithm: algorithm.name(),
                    given: digest.len(),
                }),
            },
        }
    }

    /// Decrypts what was encrypted with OAEP and an empty label.
    ///
    /// # Errors
    /// [`Error::CiphertextInvalid`], whatever the cause; [`Error::MaterialUsage`] for other keys than RSA.
    pub fn decrypt(&self, algorithm: EncryptionAlgorithm, ciphertext: &[u8]) -> Result<Secret> {
        let Private::Rsa(pair) = &self.private else {
            return Err(self.unable("decrypt"));
        };
        if ciphertext.len() != pair.decrypt.key_size_bytes() {
            return Err(Error::CiphertextInvalid);
        }
        let mut room = Zeroizing::new(vec![0; pair.decrypt.min_output_size()]);
        let plaintext = pair
            .decrypt
            .decrypt(algorithm.oaep(), ciphertext, &mut room, None)
            .map_err(|_| Error::CiphertextInvalid)?;
        Ok(Secret::copy_of(plaintext))
    }

    /// The secret shared with the owner of another key: the x coordinate of the common point (NIST SP 800-56A, section 5.7.1.2).
    ///
    /// # Errors
    /// [`Error::PeerKey`] for what is no `SubjectPublicKeyInfo` of the same curve; [`Error::MaterialUsage`].
    pub fn agree(&self, peer: &[u8]) -> Result<Secret> {
        let Private::Ecdsa(_, Some(private)) = &self.private else {
            return Err(self.unable("agree on a secret"));
        };
        if !named_curve(self.spec, peer) {
            return Err(Error::PeerKey);
        }
        let peer = ParsedPublicKey::try_from(UnparsedPublicKey::new(private.algorithm(), peer))
            .map_err(|_| Error::PeerKey)?;
        if peer.format() != ParsedPublicKeyFormat::X509 {
            return Err(Error::PeerKey);
        }
        agreement::agree(private, peer, Error::PeerKey, |shared| {
            Ok(Secret::copy_of(shared))
        })
    }

    /// The secret that was encapsulated for this key. A ciphertext that was not made for it, or was changed, gives a secret that
    /// nobody else has, and no error (FIPS 203, section 6.3).
    ///
    /// # Errors
    /// [`Error::CiphertextInvalid`] for one of a wrong length; [`Error::MaterialUsage`] for other keys than ML-KEM.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret> {
        match &self.private {
            Private::MlKem(kem, private) => kem.decapsulate(private, ciphertext),
            _ => Err(self.unable("decapsulate a secret")),
        }
    }

    const fn unable(&self, attempt: &'static str) -> Error {
        Error::MaterialUsage {
            spec: self.spec.name(),
            attempt,
        }
    }
}

/// Whether a `SubjectPublicKeyInfo` names the curve (RFC 5480, section 2.1.1). The library also takes one that spells its curve out,
/// and does not judge all of what is spelled.
fn named_curve(spec: PairSpec, der: &[u8]) -> bool {
    let algorithm: &[u8] = match spec {
        PairSpec::P256 => &[
            0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07,
        ],
        PairSpec::P384 => &[
            0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
            0x00, 0x22,
        ],
        PairSpec::P521 => &[
            0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
            0x00, 0x23,
        ],
        _ => return false,
    };
    // Behind the outer header, whose length takes one byte or two.
    let inner = match der {
        [0x30, 0x81, _, inner @ ..] | [0x30, _, inner @ ..] => inner,
        _ => return false,
    };
    inner.starts_with(algorithm)
}

fn edwards(pair: &Ed25519KeyPair, algorithm: SigningAlgorithm, message: Message<'_>) -> Result<Vec<u8>> {
    match (algorithm, message) {
        (SigningAlgorithm::Ed25519, Message::Raw(message)) => {
            let made = pair.try_sign(message).map_err(refused("sign with Ed25519"))?;
            Ok(made.as_ref().to_vec())
        }
        (SigningAlgorithm::Ed25519, Message::Digest(digest)) => Err(Error::DigestLength {
            algorithm: algorithm.name(),
            given: digest.len(),
        }),
        (_, message) => {
            let message = prehash_input(message)?;
            let seed = pair.seed().map_err(refused("read an Ed25519 key"))?;
            let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(refused("read an Ed25519 key"))?;
            let bytes = <[u8; 32]>::try_from(seed.as_ref()).map(Zeroizing::new);
            let key = SigningKey::from_bytes(&*bytes.map_err(malformed)?);
            let made = key
                .sign_prehashed(Sha512::new_with_prefix(message), None)
                .map_err(refused("sign with Ed25519ph"))?;
            Ok(made.to_bytes().to_vec())
        }
    }
}

fn der(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Result<Vec<u8>> {
    let written = key.as_der().map_err(refused("write a public key"))?;
    Ok(written.as_ref().to_vec())
}
