//! Keys, ciphers, digests, certificates and randomness: the only user of the cryptographic library and the only holder of key bytes.
//!
//! Invariant: key bytes leave this crate sealed, or as a [`Secret`] that neither prints nor compares in variable time and is wiped
//! when dropped. Nonces are always drawn here, never passed in. Bytes from outside never cause a panic.

pub mod certificate;
pub mod checksum;
mod cipher;
pub mod content;
pub mod digest;
pub mod envelope;
mod error;
pub mod issuer;
pub mod kms;
mod octets;
pub mod password;
pub mod random;
pub mod seal;
mod secret;
pub mod signature;
mod ssh;
mod ssh_pair;
#[cfg(any(test, feature = "test-support"))]
pub mod testing;
pub mod token;
pub mod totp;

pub use error::{Error, Result};
pub use random::{IdPrefix, Randomness, SystemRandomness};
pub use seal::{KeyFile, Opener, Seal, SealHeader};
pub use secret::Secret;
pub use ssh::{SshKeyError, SshPublicKey};
pub use ssh_pair::{SshImported, SshKind, SshPair};
pub use token::TokenKey;
