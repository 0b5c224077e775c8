//! Public keys from the numbers that a JSON Web Key holds (RFC 7518, section 6).
//!
//! Invariant: a key is made only if its numbers have the size that its kind calls for.

use super::der::{INTEGER, Reader, SEQUENCE};
use super::public_key::{Kind, PublicKey, rsa_bits};

/// Bits of an RSA modulus that JWS asks for at least (RFC 7518, section 3.3).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A curve, by the name that `crv` gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each variant is the name of the curve")]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl PublicKey {
    /// An RSA key of its modulus and exponent, big-endian; `None` if it is too short or too long.
    #[must_use]
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let mut numbers = integer(modulus)?;
        numbers.extend(integer(exponent)?);
        Self::from_rsa_der(&element(SEQUENCE, &numbers)?)
    }

    /// An RSA key in DER (`RSAPublicKey`, RFC 8017).
    pub(crate) fn from_rsa_der(bytes: &[u8]) -> Option<Self> {
        rsa_bits(bytes)
            .is_some_and(|bits| RSA_BITS.contains(&bits))
            .then(|| Self::new(Kind::Rsa, bytes.to_vec()))
    }

    /// A key on a curve, of its coordinates; `None` if they have not the length of the curve's field.
    #[must_use]
    pub fn from_point(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        let (kind, length) = match curve {
            Curve::P256 => (Kind::P256, 32),
            Curve::P384 => (Kind::P384, 48),
            Curve::P521 => (Kind::P521, 66),
        };
        if x.len() != length || y.len() != length {
            return None;
        }
        // An uncompressed point (SEC 1, section 2.3.3).
        Some(Self::new(kind, [&[4], x, y].concat()))
    }

    /// The numbers of the key, big-endian: modulus and exponent, or the coordinates of the point.
    #[must_use]
    pub fn numbers(&self) -> Option<(&[u8], &[u8])> {
        if self.kind() != Kind::Rsa {
            let (_, point) = self.bytes().split_first()?;
            return point.split_at_checked(point.len() / 2);
        }
        let mut parts = Reader(self.bytes()).expect(SEQUENCE)?.open(SEQUENCE)?;
        let mut number = || {
            let content = parts.expect(INTEGER)?.content;
            Some(content.strip_prefix(&[0]).unwrap_or(content))
        };
        Some((number()?, number()?))
    }
}

/// A positive INTEGER in DER.
fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let significant = number.get(zeros..).filter(|rest| !rest.is_empty())?;
    let mut content = Vec::with_capacity(significant.len() + 1);
    if significant.first().is_some_and(|byte| byte & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(significant);
    element(INTEGER, &content)
}

fn element(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![tag];
    let length = u16::try_from(content.len()).ok()?.to_be_bytes();
    match length {
        [0, low @ 0..=0x7f] => bytes.push(low),
        [0, low] => bytes.extend([0x81, low]),
        [high, low] => bytes.extend([0x82, high, low]),
    }
    bytes.extend_from_slice(content);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::SignatureScheme;
    use crate::testing::SigningCertificate;

    #[test]
    fn keys_verify_from_their_numbers() {
        for (made, scheme) in [
            (SigningCertificate::rsa(), SignatureScheme::RsaPkcs1Sha256),
            (SigningCertificate::ecdsa(), SignatureScheme::EcdsaSha256),
        ] {
            let certified = PublicKey::from_certificate(made.der()).unwrap();
            let (first, second) = certified.numbers().unwrap();
            let public = if scheme == SignatureScheme::RsaPkcs1Sha256 {
                PublicKey::from_rsa(first, second)
            } else {
                PublicKey::from_point(Curve::P256, first, second)
            };
            let public = public.unwrap();
            assert_eq!(public, certified);
            let signature = made.sign(b"message");
            assert!(public.verifies(scheme, b"message", &signature));
            assert!(!public.verifies(scheme, b"another", &signature));
            assert!(!public.verifies(SignatureScheme::RsaPkcs1Sha384, b"message", &signature));
            assert!(!public.verifies(SignatureScheme::EcdsaSha384, b"message", &signature));
        }
    }

    #[test]
    fn numbers_of_the_wrong_size_are_no_keys() {
        assert!(PublicKey::from_rsa(&[255; 256], &[1, 0, 1]).is_some());
        assert_eq!(PublicKey::from_rsa(&[255; 128], &[1, 0, 1]), None);
        assert_eq!(PublicKey::from_rsa(&[255; 1025], &[1, 0, 1]), None);
        assert_eq!(PublicKey::from_rsa(&[255; 70_000], &[1, 0, 1]), None);
        assert_eq!(PublicKey::from_rsa(&[], &[1, 0, 1]), None);
        assert_eq!(PublicKey::from_rsa(&[255; 256], &[]), None);
        assert_eq!(PublicKey::from_point(Curve::P256, &[1; 48], &[1; 48]), None);
        // A point that is not on the curve verifies nothing.
        let off = PublicKey::from_point(Curve::P256, &[7; 32], &[7; 32]).unwrap();
        assert!(!off.verifies(SignatureScheme::EcdsaSha256, b"message", &[1; 64]));
    }
}
