//! The primitives of KMS: key material, ciphertexts that name the key they need, MACs, and what key pairs do.
//!
//! Invariant: key material knows the key that it belongs to, so that it cannot encrypt under another key's name; and its bytes leave
//! this module only sealed.

mod asymmetric;
mod ciphertext;
mod key;
mod material;
mod wrapping;

pub use asymmetric::{EncryptionAlgorithm, KeyPair, Message, PairSpec, PublicKey, SigningAlgorithm};
pub use ciphertext::{CIPHERTEXT_MOST, Ciphertext, EncryptionContext, PLAINTEXT_MOST};
pub use key::{KeyReference, MaterialId};
pub use material::{KeyMaterial, MaterialSpec};
pub use wrapping::{WrappingAlgorithm, WrappingKey};
