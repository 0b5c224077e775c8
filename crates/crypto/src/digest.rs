//! Digests, HMACs, hexadecimal text and comparison in constant time.

use aws_lc_rs::{constant_time, digest, hmac};

/// SHA-256 (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-384 (FIPS 180-4).
#[must_use]
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    fixed(digest::digest(&digest::SHA384, bytes).as_ref())
}

/// SHA-512 (FIPS 180-4).
#[must_use]
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    fixed(digest::digest(&digest::SHA512, bytes).as_ref())
}

/// SHA-1 (FIPS 180-4), for checksums and thumbprints that AWS's interfaces define so; never for new signatures.
#[must_use]
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    fixed(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref())
}

/// HMAC-SHA-256 (RFC 2104).
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    fixed(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref())
}

/// HMAC-SHA-1 (RFC 2104), for time-based one-time passwords (RFC 6238).
#[must_use]
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    fixed(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message).as_ref())
}

/// SHA-256 of bytes that come in pieces.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Begins.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Ends.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        fixed(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// Compares in time that depends on the lengths only.
#[must_use]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// Lower-case hexadecimal text.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = vec![0; bytes.len() * 2];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    // All of them are ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// The bytes of hexadecimal text of either case; `None` when it is something else.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn digit(character: u8) -> Option<u8> {
    char::from(character)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The library's digests have the length of their algorithm, which the signatures above repeat.
fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 examples: the message "abc".
    #[test]
    fn digests_agree_with_the_published_examples() {
        assert_eq!(
            hex(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            hex(&sha384(b"abc")),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
        );
        assert_eq!(
            hex(&sha512(b"abc")),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
    }

    /// RFC 4231, test case 2; RFC 2202, test case 2.
    #[test]
    fn hmacs_agree_with_the_rfc_vectors() {
        let message = b"what do ya want for nothing?";
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", message)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac_sha1(b"Jefe", message)),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
    }

    #[test]
    fn pieces_digest_to_the_same_as_the_whole() {
        let mut hasher = Sha256::default();
        hasher.update(b"a");
        hasher.update(b"");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), sha256(b"abc"));
    }

    #[test]
    fn hexadecimal_text_is_read_back_and_other_text_refused() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(unhex("009fFF").unwrap(), [0, 0x9f, 0xff]);
        assert_eq!(unhex("").unwrap(), [0_u8; 0]);
        for wrong in ["0", "0g", "é0", " 0", "0x"] {
            assert!(unhex(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn equality_needs_every_byte() {
        assert!(equal(b"", b"") && equal(b"ab", b"ab"));
        assert!(!equal(b"ab", b"aB") && !equal(b"ab", b"abc"));
    }
}
