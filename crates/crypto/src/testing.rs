//! A repeatable source of randomness, an outside signer and an owner of key material for tests; they exist only in tests and under the feature `test-support`.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};

use crate::{Randomness, Result, digest};

thread_local! {
    static OPENINGS: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has tried to open something that was sealed or encrypted under a symmetric key.
#[must_use]
pub fn openings() -> u64 {
    OPENINGS.get()
}

pub(crate) fn count_opening() {
    OPENINGS.set(OPENINGS.get() + 1);
}

/// Wraps key material as its owner does for `RSAES_OAEP_SHA_256`; `None` if the public key is none.
#[must_use]
pub fn wrapped(public_der: &[u8], material: &[u8]) -> Option<Vec<u8>> {
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(public_der).ok()?).ok()?;
    let mut out = vec![0; key.ciphertext_size()];
    let wrapped = key
        .encrypt(&OAEP_SHA256_MGF1SHA256, material, &mut out, None)
        .ok()?;
    Some(wrapped.to_vec())
}

/// The same for `RSA_AES_KEY_WRAP_SHA_256`: a one-time key is wrapped, and wraps the material (RFC 5649).
#[must_use]
pub fn wrapped_twice(public_der: &[u8], material: &[u8]) -> Option<Vec<u8>> {
    const ONE_TIME: [u8; 32] = [0x5a; 32];
    let first = wrapped(public_der, &ONE_TIME)?;
    let kek = AesKek::new(&AES_256, &ONE_TIME).ok()?;
    let mut room = vec![0; material.len() + 15];
    let rest = kek.wrap_with_padding(material, &mut room).ok()?;
    Some([first.as_slice(), &*rest].concat())
}

/// A self-signed certificate with its private key, as an identity provider has one to sign with.
pub struct SigningCertificate {
    der: Vec<u8>,
    key: Signer,
}

enum Signer {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

#[expect(clippy::expect_used, reason = "a test that cannot make its keys must fail")]
impl SigningCertificate {
    /// RSA of 2048 bits.
    ///
    /// # Panics
    /// If the library makes no key.
    #[must_use]
    pub fn rsa() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
        let key = RsaKeyPair::from_pkcs8(pair.serialized_der()).expect("the key reads back");
        Self::of(&pair, Signer::Rsa(key))
    }

    /// ECDSA on P-256.
    ///
    /// # Panics
    /// If the library makes no key.
    #[must_use]
    pub fn ecdsa() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.serialized_der())
            .expect("the key reads back");
        Self::of(&pair, Signer::Ecdsa(key))
    }

    fn of(pair: &KeyPair, key: Signer) -> Self {
        let certificate = CertificateParams::default()
            .self_signed(pair)
            .expect("a certificate");
        Self {
            der: certificate.der().to_vec(),
            key,
        }
    }

    /// The certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Signs with SHA-256; ECDSA gives `r` and `s` side by side.
    ///
    /// # Panics
    /// If the library signs nothing.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
            Signer::Ecdsa(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
        }
    }
}

/// SHA-256 over a seed and a counter: the same seed gives the same bytes in the same order.
pub struct Deterministic {
    seed: u64,
    blocks: AtomicU64,
}

impl Deterministic {
    /// Begins at the first block of the seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            blocks: AtomicU64::new(0),
        }
    }
}

impl Randomness for Deterministic {
    fn fill(&self, destination: &mut [u8]) -> Result<()> {
        for part in destination.chunks_mut(32) {
            let block = self.blocks.fetch_add(1, Ordering::Relaxed);
            let input = [self.seed.to_be_bytes(), block.to_be_bytes()].concat();
            part.iter_mut()
                .zip(digest::sha256(&input))
                .for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| {
            let source = Deterministic::new(seed);
            let mut bytes = [0; 70];
            source.fill(&mut bytes).unwrap();
            let mut more = [0; 3];
            source.fill(&mut more).unwrap();
            (bytes, more)
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
