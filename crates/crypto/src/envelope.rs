//! Envelopes: a value encrypted under a data key that somebody else keeps (S8.6).
//!
//! Invariant: what was bound to a value when it was sealed must be given again to open it; a nonce is drawn for each value.

use crate::cipher::{self, KEY};
use crate::{Error, Result, Secret};

const LABEL: &str = "ringwork/envelope/1";
/// Bytes of the nonce.
const NONCE: usize = 16;

/// Encrypts a value under a data key of 32 bytes and binds it to `bound`.
///
/// # Errors
/// [`Error::Library`] for a key of another length, and when the library refuses.
pub fn seal(data_key: &Secret, bound: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
    let mut sealed = Vec::new();
    cipher::encrypt::<NONCE>(expect(data_key)?, LABEL, bound, plaintext, &mut sealed)?;
    Ok(sealed)
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`Error::CiphertextInvalid`] if it was altered, or made under another key or for another `bound`; [`Error::Library`] for a key
/// of another length.
pub fn open(data_key: &Secret, bound: &[u8], sealed: &[u8]) -> Result<Secret> {
    cipher::decrypt::<NONCE>(expect(data_key)?, LABEL, bound, sealed).ok_or(Error::CiphertextInvalid)
}

fn expect(data_key: &Secret) -> Result<&[u8]> {
    let key = data_key.expose();
    if key.len() == KEY {
        Ok(key)
    } else {
        Err(Error::Library {
            attempt: "use a data key of another length",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_with_its_key_and_its_bond_only() {
        let (key, other) = (Secret::new(vec![1; 32]), Secret::new(vec![2; 32]));
        let sealed = seal(&key, b"bound", b"value").unwrap();
        assert!(open(&key, b"bound", &sealed).unwrap().matches(b"value"));
        assert!(!sealed.windows(5).any(|window| window == b"value"));
        for (key, bound) in [(&other, &b"bound"[..]), (&key, b"other")] {
            assert!(matches!(open(key, bound, &sealed), Err(Error::CiphertextInvalid)));
        }
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(matches!(
                open(&key, b"bound", &altered),
                Err(Error::CiphertextInvalid)
            ));
        }
        let short = Secret::new(vec![1; 16]);
        assert!(seal(&short, b"", b"value").is_err() && open(&short, b"", &sealed).is_err());
    }
}
