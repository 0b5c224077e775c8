//! Public keys from the numbers that a JSON Web Key holds (RFC 7518, section 6).
//!
//! Invariant: a key is made only if its numbers have the size that its kind calls for.

use super::public_key::{Kind, PublicKey, rsa_bits};

/// Bits of an RSA modulus that JWS asks for at least (RFC 7518, section 3.3).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

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
        let bytes = element(SEQUENCE, &numbers)?;
        rsa_bits(&bytes)
            .is_some_and(|bits| RSA_BITS.contains(&bits))
            .then(|| Self::new(Kind::Rsa, bytes))
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
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA384,
    };

    #[test]
    fn rsa_keys_verify_from_their_numbers() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let key = pair.public_key();
        let numbers = (key.modulus(), key.exponent());
        let modulus = numbers.0.big_endian_without_leading_zero();
        let exponent = numbers.1.big_endian_without_leading_zero();
        let public = PublicKey::from_rsa(modulus, exponent).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA384,
            &SystemRandom::new(),
            b"message",
            &mut signature,
        )
        .unwrap();
        assert!(public.verifies(SignatureScheme::RsaPkcs1Sha384, b"message", &signature));
        assert!(!public.verifies(SignatureScheme::RsaPkcs1Sha256, b"message", &signature));
        assert!(!public.verifies(SignatureScheme::EcdsaSha384, b"message", &signature));
        assert!(!public.verifies(SignatureScheme::RsaPkcs1Sha384, b"another", &signature));
        assert_eq!(PublicKey::from_rsa(&modulus[..128], exponent), None);
        assert_eq!(PublicKey::from_rsa(&[], exponent), None);
        assert_eq!(PublicKey::from_rsa(&vec![255; 70_000], exponent), None);
    }

    #[test]
    fn points_verify_from_their_coordinates() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
        let public = PublicKey::from_point(Curve::P384, x, y).unwrap();
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        assert!(public.verifies(SignatureScheme::EcdsaSha384, b"message", signature.as_ref()));
        assert!(!public.verifies(SignatureScheme::EcdsaSha384, b"messagf", signature.as_ref()));
        assert_eq!(PublicKey::from_point(Curve::P256, x, y), None);
        // A point that is not on the curve verifies nothing.
        let off = PublicKey::from_point(Curve::P384, x, x).unwrap();
        assert!(!off.verifies(SignatureScheme::EcdsaSha384, b"message", signature.as_ref()));
    }
}
