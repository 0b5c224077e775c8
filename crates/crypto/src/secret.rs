//! The container for key bytes, passwords and plaintexts: it does not print, compares in constant time and is wiped when dropped.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Error, Result, digest};

/// Secret bytes. `Debug` shows only that there is something; there is no `Display` and no serialisation.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes over without copying them, so that no second copy stays behind.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Copies the bytes; the caller's copy stays the caller's duty.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The bytes, for the moment of use.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, for the moment of use.
    ///
    /// # Errors
    /// [`Error::SecretNotText`] when they are not UTF-8.
    pub fn expose_text(&self) -> Result<&str> {
        std::str::from_utf8(&self.0).map_err(|_| Error::SecretNotText)
    }

    /// The length in bytes, which is not secret.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with given bytes in time that depends on the lengths only.
    #[must_use]
    pub fn matches(&self, given: &[u8]) -> bool {
        digest::equal(&self.0, given)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::copy_of(text.as_bytes())
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(std::mem::take(&mut *bytes))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_content() {
        let shown = format!("{:?}", Secret::from("hunter2"));
        assert_eq!(shown, "Secret(..)");
    }

    #[test]
    fn equality_looks_at_content_and_length() {
        let secret = Secret::from("abc");
        assert_eq!(secret, Secret::from(String::from("abc")));
        assert_ne!(secret, Secret::from("abd"));
        assert_ne!(secret, Secret::from("abcd"));
        assert!(secret.matches(b"abc") && !secret.matches(b""));
    }

    #[test]
    fn text_is_given_only_when_it_is_text() {
        assert_eq!(Secret::from("é").expose_text().unwrap(), "é");
        assert!(matches!(
            Secret::new(vec![0xff]).expose_text(),
            Err(Error::SecretNotText)
        ));
    }
}
