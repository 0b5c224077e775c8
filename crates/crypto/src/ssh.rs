//! SSH public keys of RSA, in the two encodings that IAM knows: the line of `authorized_keys` (RFC 4253, section 6.6) and PEM (RFC 8017, RFC 5280).
//!
//! Invariant: a key that was read encodes to the same bytes in either form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::certificate::{rsa_from_pem, rsa_to_pem};
use crate::digest;

const KIND: &str = "ssh-rsa";
/// Bits of a modulus that IAM takes (IAM API Reference, `UploadSSHPublicKey`), and the most that a body of 16 KiB could sensibly hold.
const BITS: std::ops::RangeInclusive<usize> = 2048..=16_384;

/// Why a text is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SshKeyError {
    /// Neither `ssh-rsa` nor PEM.
    Encoding,
    /// In a known encoding, but malformed, or of a size that is not taken.
    Key,
}

/// An RSA public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SshPublicKey {
    /// Big-endian, without leading zeros.
    pub(crate) exponent: Vec<u8>,
    pub(crate) modulus: Vec<u8>,
}

impl SshPublicKey {
    /// Reads either encoding.
    ///
    /// # Errors
    /// [`SshKeyError`].
    pub fn read(text: &str) -> Result<Self, SshKeyError> {
        let text = text.trim();
        let key = if text.starts_with("-----BEGIN ") {
            rsa_from_pem(text).ok_or(SshKeyError::Key)?
        } else {
            let mut words = text.split_ascii_whitespace();
            if words.next() != Some(KIND) {
                return Err(SshKeyError::Encoding);
            }
            words.next().and_then(Self::from_line).ok_or(SshKeyError::Key)?
        };
        if BITS.contains(&key.bits()) && key.exponent.last().is_some_and(|last| last % 2 == 1) {
            Ok(key)
        } else {
            Err(SshKeyError::Key)
        }
    }

    fn from_line(body: &str) -> Option<Self> {
        let blob = STANDARD.decode(body).ok()?;
        let (kind, rest) = take(&blob)?;
        let (exponent, rest) = take(rest)?;
        let (modulus, rest) = take(rest)?;
        (kind == KIND.as_bytes() && rest.is_empty()).then_some(())?;
        Some(Self {
            exponent: positive(exponent)?,
            modulus: positive(modulus)?,
        })
    }

    fn bits(&self) -> usize {
        let leading = self.modulus.first().map_or(0, |first| first.leading_zeros());
        self.modulus.len() * 8 - usize::try_from(leading).unwrap_or(0)
    }

    /// The wire form of RFC 4253.
    fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(self.modulus.len() + 64);
        for part in [KIND.as_bytes(), &signed(&self.exponent), &signed(&self.modulus)] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            blob.extend(length.to_be_bytes());
            blob.extend(part);
        }
        blob
    }

    /// The line of `authorized_keys`, without a comment.
    #[must_use]
    pub fn openssh(&self) -> String {
        format!("{KIND} {}", STANDARD.encode(self.blob()))
    }

    /// `SubjectPublicKeyInfo` in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        rsa_to_pem(self)
    }

    /// MD5 of the wire form in pairs of digits with colons between, as IAM shows it. It names a key, and proves nothing.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Md5::digest(self.blob());
        let pairs: Vec<String> = digest.iter().map(|byte| digest::hex(&[*byte])).collect();
        pairs.join(":")
    }
}

/// A string of RFC 4251, section 5, and what is behind it.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// The number of a positive signed integer, without leading zeros.
pub(crate) fn positive(integer: &[u8]) -> Option<Vec<u8>> {
    let first = *integer.first()?;
    let start = integer.iter().position(|byte| *byte != 0)?;
    (first < 0x80).then(|| integer.get(start..).map(<[u8]>::to_vec))?
}

/// A number as a positive signed integer.
pub(crate) fn signed(number: &[u8]) -> Vec<u8> {
    let zero = number.first().is_some_and(|first| *first >= 0x80);
    let mut integer = Vec::with_capacity(number.len() + 1);
    integer.extend(zero.then_some(0));
    integer.extend(number);
    integer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the example in the IAM API Reference, `UploadSSHPublicKey`.
    const EXAMPLE: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCy75ak72GGaoZNy0cjUERIn+mrga0C30kmkiwOeN4H6YtvCdUksVppjPOhm485WFRzvIcxaMEuZ9ISAkp8AfefybxH0PdQWhELSu0pHaMnADAU7dOn3CCerO8+0sycbu4ES4P+cdK1qet3ptsG/zeQNLLmOK5zjIRa1MAS3KnwLwHEVPEe4JD+xfghuO0nwzUgpneGNwk7m7qihYLFnNCFdeU8OeIr9Fmc75g5olHm6ZoC/bccAHurHkfcDpanJTLNfLR5Oj14CZSsRP4kNdm+oe5+IPM78w4J9v4pXU4mizYDE21G4gUDVxOrs0X66lMihX6ArVgmEK+NK5GQgn9z jane@example.com";

    #[test]
    fn the_documented_key_has_the_documented_fingerprint() {
        let key = SshPublicKey::read(EXAMPLE).unwrap();
        assert_eq!(
            key.fingerprint(),
            "7a:1d:ea:9e:b0:80:ac:f8:ec:d8:dc:e6:a7:2c:fc:51"
        );
        assert_eq!(format!("{} jane@example.com", key.openssh()), EXAMPLE);
    }

    #[test]
    fn a_key_goes_through_pem_unchanged() {
        let key = SshPublicKey::read(EXAMPLE).unwrap();
        assert!(
            key.pem()
                .starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A")
        );
        assert_eq!(SshPublicKey::read(&key.pem()).unwrap(), key);
    }

    #[test]
    fn other_texts_are_refused_each_for_its_reason() {
        use SshKeyError::{Encoding, Key};
        let (line, _) = EXAMPLE.rsplit_once(' ').unwrap();
        let cut = line.get(..line.len() - 4).unwrap();
        for (text, why) in [
            ("", Encoding),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", Encoding),
            ("ssh-rsa", Key),
            ("ssh-rsa AAAA", Key),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAwEAAQ==", Key),
            (cut, Key),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", Key),
        ] {
            assert_eq!(SshPublicKey::read(text), Err(why), "{text}");
        }
    }
}
