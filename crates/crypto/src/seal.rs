//! The seal: everything secret at rest is encrypted under a data key, which a key file or a passphrase unwraps at start.
//!
//! Invariant: the data folder holds only the [`SealHeader`] and sealed values; neither yields anything without the opener, and a
//! sealed value opens only in the table and row that it was sealed for.

mod header;
mod keyfile;

use zeroize::Zeroizing;

use crate::cipher::{self, KEY, TAG};
use crate::octets::{Octets, push_prefixed};
use crate::{Error, Randomness as _, Result, Secret, SystemRandomness};

pub use header::SealHeader;
pub use keyfile::KeyFile;

/// The format of sealed values: version, nonce, ciphertext, tag.
const VERSION: u8 = 1;
/// Bytes of the nonce of a sealed value. Wide, since a data key may seal values for decades: 2^80 values keep the chance of a
/// repetition below 2^-32.
const NONCE: usize = 24;
const VALUE: &str = "ringwork/seal/value/1";
const DERIVED: &str = "ringwork/seal/derived/1";

/// What opens a seal at start.
pub enum Opener {
    /// A file outside the data folder.
    KeyFile(KeyFile),
    /// A passphrase of at least eight bytes, stretched with Argon2id.
    Passphrase(Secret),
}

/// The open seal. It has neither `Debug` nor `Clone`; share it behind an `Arc`.
pub struct Seal {
    data_key: Zeroizing<[u8; KEY]>,
}

impl Seal {
    /// Makes a new seal at the first start, and the key file too when the opener names one that does not exist yet (mode 0600).
    /// The header belongs in the data folder.
    ///
    /// # Errors
    /// As [`KeyFile`] and the passphrase give; [`Error::PassphraseTooShort`].
    pub fn create(opener: &Opener) -> Result<(Self, SealHeader)> {
        let seal = Self::ephemeral()?;
        let header = seal.reseal(opener)?;
        Ok((seal, header))
    }

    /// Opens the seal of an existing data folder. With a key file this takes well under a millisecond, with a passphrase about as long as
    /// 64 MiB of memory take to be filled three times.
    ///
    /// # Errors
    /// [`Error::SealOpenerKind`], [`Error::SealOpenerWrong`], [`Error::SealHeaderAltered`], and those of reading the key file.
    pub fn unlock(opener: &Opener, header: &SealHeader) -> Result<Self> {
        Ok(Self {
            data_key: header.unwrap_data_key(opener)?,
        })
    }

    /// Wraps the same data key for another opener (or a changed passphrase); no sealed value changes. The old header must then be
    /// overwritten, since the old opener still opens it.
    ///
    /// # Errors
    /// As [`Seal::create`].
    pub fn reseal(&self, opener: &Opener) -> Result<SealHeader> {
        SealHeader::wrap(opener, &self.data_key)
    }

    /// A seal that lives only in memory, for servers whose data do too.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn ephemeral() -> Result<Self> {
        let mut data_key = Zeroizing::new([0; KEY]);
        SystemRandomness.fill(data_key.as_mut())?;
        Ok(Self { data_key })
    }

    /// Seals a value for one row of one table. The result is 41 bytes longer than the plaintext.
    ///
    /// # Errors
    /// [`Error::Randomness`], [`Error::Library`].
    pub fn seal(&self, table: &str, key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let mut sealed = Vec::with_capacity(1 + NONCE + plaintext.len() + TAG);
        sealed.push(VERSION);
        cipher::encrypt::<NONCE>(
            self.data_key.as_ref(),
            VALUE,
            &place(table, key),
            plaintext,
            &mut sealed,
        )?;
        Ok(sealed)
    }

    /// Opens a value in the row that it was sealed for.
    ///
    /// # Errors
    /// [`Error::SealedTruncated`], [`Error::SealedVersion`], [`Error::SealedAltered`].
    pub fn open(&self, table: &str, key: &[u8], sealed: &[u8]) -> Result<Secret> {
        let truncated = || Error::SealedTruncated {
            table: table.to_owned(),
        };
        let mut octets = Octets::new(sealed);
        let version = octets.u8().ok_or_else(truncated)?;
        if version != VERSION {
            return Err(Error::SealedVersion {
                table: table.to_owned(),
                version,
            });
        }
        let body = octets.rest();
        if body.len() < NONCE + TAG {
            return Err(truncated());
        }
        cipher::decrypt::<NONCE>(self.data_key.as_ref(), VALUE, &place(table, key), body).ok_or_else(|| {
            Error::SealedAltered {
                table: table.to_owned(),
            }
        })
    }

    /// A key of 32 bytes for one purpose, the same as long as the data folder lives.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn derive(&self, label: &str) -> Result<Secret> {
        let derived = cipher::derive_key(self.data_key.as_ref(), DERIVED, label.as_bytes())?;
        Ok(Secret::copy_of(derived.as_ref()))
    }
}

/// The row, as the cipher's additional data: unambiguous, whatever bytes table and key hold.
fn place(table: &str, key: &[u8]) -> Vec<u8> {
    let mut place = Vec::with_capacity(1 + 16 + table.len() + key.len());
    place.push(VERSION);
    push_prefixed(&mut place, table.as_bytes());
    push_prefixed(&mut place, key);
    place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_opens_only_in_its_row() {
        let seal = Seal::ephemeral().unwrap();
        let sealed = seal.seal("user", b"alice", b"text").unwrap();
        assert!(seal.open("user", b"alice", &sealed).unwrap().matches(b"text"));
        for (table, key) in [
            ("user", &b"bob"[..]),
            ("role", b"alice"),
            ("usera", b"lice"),
            ("", b"useralice"),
        ] {
            assert!(
                matches!(seal.open(table, key, &sealed), Err(Error::SealedAltered { .. })),
                "{table}"
            );
        }
        let other = Seal::ephemeral().unwrap();
        assert!(matches!(
            other.open("user", b"alice", &sealed),
            Err(Error::SealedAltered { .. })
        ));
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let seal = Seal::ephemeral().unwrap();
        let sealed = seal.seal("t", b"k", b"a secret value").unwrap();
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(seal.open("t", b"k", &altered).is_err(), "byte {place}");
            assert!(seal.open("t", b"k", &sealed[..place]).is_err(), "length {place}");
        }
        let mut longer = sealed.clone();
        longer.push(0);
        assert!(matches!(
            seal.open("t", b"k", &longer),
            Err(Error::SealedAltered { .. })
        ));
    }

    #[test]
    fn errors_tell_truncation_version_and_alteration_apart() {
        let seal = Seal::ephemeral().unwrap();
        assert!(matches!(
            seal.open("t", b"k", &[]),
            Err(Error::SealedTruncated { .. })
        ));
        assert!(matches!(
            seal.open("t", b"k", &[1; 40]),
            Err(Error::SealedTruncated { .. })
        ));
        assert!(matches!(
            seal.open("t", b"k", &[2; 41]),
            Err(Error::SealedVersion { version: 2, .. })
        ));
        assert!(matches!(
            seal.open("t", b"k", &[1; 41]),
            Err(Error::SealedAltered { .. })
        ));
    }

    #[test]
    fn derived_keys_differ_by_label_and_by_seal_and_stay_the_same() {
        let seal = Seal::ephemeral().unwrap();
        assert_eq!(seal.derive("a").unwrap(), seal.derive("a").unwrap());
        assert_ne!(seal.derive("a").unwrap(), seal.derive("b").unwrap());
        assert_ne!(
            seal.derive("a").unwrap(),
            Seal::ephemeral().unwrap().derive("a").unwrap()
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(table in ".*", key in proptest::collection::vec(any::<u8>(), 0..40), text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let seal = Seal::ephemeral().unwrap();
            let sealed = seal.seal(&table, &key, &text).unwrap();
            prop_assert_eq!(sealed.len(), text.len() + 41);
            prop_assert!(seal.open(&table, &key, &sealed).unwrap().matches(&text));
        }

        #[test]
        fn arbitrary_bytes_never_open_nor_panic(sealed in proptest::collection::vec(any::<u8>(), 0..120)) {
            prop_assert!(Seal::ephemeral().unwrap().open("t", b"k", &sealed).is_err());
        }
    }
}
