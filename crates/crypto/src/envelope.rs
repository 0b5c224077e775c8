//! Values under data keys that another key protects: what services keep beside KMS's ciphertext of the data key.
//!
//! Invariant: a value opens only under its data key and for the thing that it was bound to.

use crate::cipher;
use crate::{Error, Result, Secret};

/// Tells these ciphertexts from all others that a key might be used for.
const LABEL: &str = "ringwork/envelope";
/// Bytes of the nonce.
const NONCE: usize = 16;

/// Encrypts a value under a data key of 32 bytes, bound to `subject` (an ARN).
///
/// # Errors
/// The library's.
pub fn seal(key: &Secret, subject: &[u8], value: &[u8]) -> Result<Vec<u8>> {
    let mut sealed = Vec::new();
    cipher::encrypt::<NONCE>(key.expose(), LABEL, subject, value, &mut sealed)?;
    Ok(sealed)
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`Error::CiphertextInvalid`] for another key, another subject, or bytes that were changed.
pub fn open(key: &Secret, subject: &[u8], sealed: &[u8]) -> Result<Secret> {
    cipher::decrypt::<NONCE>(key.expose(), LABEL, subject, sealed).ok_or(Error::CiphertextInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_under_its_key_for_its_subject_and_unchanged() {
        let (key, other) = (Secret::new(vec![7; 32]), Secret::new(vec![8; 32]));
        let sealed = seal(&key, b"a", b"value").unwrap();
        assert!(open(&key, b"a", &sealed).unwrap().matches(b"value"));
        assert!(open(&other, b"a", &sealed).is_err());
        assert!(open(&key, b"b", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open(&key, b"a", &changed).is_err(), "{place}");
        }
        assert!(open(&key, b"a", b"short").is_err());
    }
}
