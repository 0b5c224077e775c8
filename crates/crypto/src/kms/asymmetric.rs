//! Key pairs: RSA, elliptic curves, Edwards curves, ML-DSA and ML-KEM (S8.23, S8.27).
//!
//! Invariant: a private key leaves this module as [`Secret`](crate::Secret) in PKCS #8 only, to be sealed or encrypted; a public key
//! as `SubjectPublicKeyInfo`, which is all that others need to verify and to encrypt (S8.25).

mod algorithm;
mod kem;
mod pair;
mod public;
mod spec;

pub use algorithm::{EncryptionAlgorithm, SigningAlgorithm};
pub use pair::KeyPair;
pub use public::PublicKey;
pub use spec::PairSpec;

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The message itself.
    Raw(&'a [u8]),
    /// What the hash function of the algorithm made of it.
    Digest(&'a [u8]),
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
