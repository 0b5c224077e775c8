//! Public keys out of X.509 certificates, and the signatures that outside parties make with them.
//!
//! Invariant: a scheme is tried only with a key of its kind, so that a key of one kind is never read as another. The certificate is a
//! carrier of its key: neither its dates nor its issuer are judged here.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::der::{BIT_STRING, Element, INTEGER, OBJECT_IDENTIFIER, Reader, SEQUENCE};

/// rsaEncryption (RFC 8017, appendix C).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-ecPublicKey (RFC 5480, section 2.1.1).
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// The named curves of RFC 5480, section 2.1.1.1.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
/// Bits of an RSA modulus that AWS takes (IAM User Guide, "Troubleshoot SAML federation with IAM").
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;
/// Context tags of a certificate's body (RFC 5280, section 4.1).
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// How a message is signed. ECDSA signatures are `r` and `s` side by side, as XML Signature and JWS have them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each variant is the name of the scheme")]
pub enum SignatureScheme {
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Rsa,
    P256,
    P384,
    P521,
}

/// A public key that signatures are verified with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    kind: Kind,
    /// `RSAPublicKey` (RFC 8017), or the point of the curve.
    bytes: Vec<u8>,
}

impl PublicKey {
    /// The key of a certificate in DER; `None` if it is no certificate, repeats an extension, or holds a key of another kind or size.
    #[must_use]
    pub fn from_certificate(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let mut certificate = outer.expect(SEQUENCE)?.open(SEQUENCE)?;
        let mut body = certificate.expect(SEQUENCE)?.open(SEQUENCE)?;
        certificate.expect(SEQUENCE)?;
        certificate.expect(BIT_STRING)?;
        if !outer.is_empty() || !certificate.is_empty() {
            return None;
        }
        let mut serial = body.next()?;
        if serial.tag == VERSION {
            serial = body.next()?;
        }
        if serial.tag != INTEGER {
            return None;
        }
        // The signature's algorithm, the issuer, the validity, the subject.
        for _ in 0..4 {
            body.expect(SEQUENCE)?;
        }
        let key = Self::from_info(body.expect(SEQUENCE)?)?;
        while let Some(optional) = body.next() {
            if optional.tag == EXTENSIONS && repeats(optional)? {
                return None;
            }
        }
        body.is_empty().then_some(key)
    }

    /// From `SubjectPublicKeyInfo`.
    fn from_info(info: Element<'_>) -> Option<Self> {
        let mut info = info.open(SEQUENCE)?;
        let mut algorithm = info.expect(SEQUENCE)?.open(SEQUENCE)?;
        let bytes = info.next()?.bits()?;
        let kind = match algorithm.expect(OBJECT_IDENTIFIER)?.content {
            RSA => Kind::Rsa,
            EC => match algorithm.expect(OBJECT_IDENTIFIER)?.content {
                P256 => Kind::P256,
                P384 => Kind::P384,
                P521 => Kind::P521,
                _ => return None,
            },
            _ => return None,
        };
        let sound = match kind {
            Kind::Rsa => rsa_bits(bytes).is_some_and(|bits| RSA_BITS.contains(&bits)),
            Kind::P256 => bytes.len() == 65,
            Kind::P384 => bytes.len() == 97,
            Kind::P521 => bytes.len() == 133,
        };
        sound.then(|| Self {
            kind,
            bytes: bytes.to_vec(),
        })
    }

    /// Whether `signature` is the key's signature of `message` by `scheme`.
    #[must_use]
    pub fn verifies(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
        let Some(algorithm) = self.algorithm(scheme) else {
            return false;
        };
        UnparsedPublicKey::new(algorithm, &self.bytes)
            .verify(message, signature)
            .is_ok()
    }

    fn algorithm(&self, scheme: SignatureScheme) -> Option<&'static dyn VerificationAlgorithm> {
        use SignatureScheme as Scheme;
        Some(match (self.kind, scheme) {
            // AWS takes keys from 1024 bits on; the library calls the shorter ones legacy.
            (Kind::Rsa, Scheme::RsaPkcs1Sha256) => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            (Kind::Rsa, Scheme::RsaPkcs1Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, Scheme::RsaPkcs1Sha512) => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            (Kind::P256, Scheme::EcdsaSha256) => &signature::ECDSA_P256_SHA256_FIXED,
            (Kind::P384, Scheme::EcdsaSha384) => &signature::ECDSA_P384_SHA384_FIXED,
            (Kind::P521, Scheme::EcdsaSha256) => &signature::ECDSA_P521_SHA256_FIXED,
            (Kind::P521, Scheme::EcdsaSha384) => &signature::ECDSA_P521_SHA384_FIXED,
            (Kind::P521, Scheme::EcdsaSha512) => &signature::ECDSA_P521_SHA512_FIXED,
            _ => return None,
        })
    }
}

/// Whether the certificate has an extension twice (RFC 5280, section 4.2 forbids it).
fn repeats(extensions: Element<'_>) -> Option<bool> {
    let mut list = extensions.open(EXTENSIONS)?.expect(SEQUENCE)?.open(SEQUENCE)?;
    let mut seen = Vec::new();
    while !list.is_empty() {
        let id = list
            .expect(SEQUENCE)?
            .open(SEQUENCE)?
            .expect(OBJECT_IDENTIFIER)?
            .content;
        if seen.contains(&id) {
            return Some(true);
        }
        seen.push(id);
    }
    Some(false)
}

/// Bits of the modulus of an `RSAPublicKey`.
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut parts = Reader(key).expect(SEQUENCE)?.open(SEQUENCE)?;
    let modulus = parts.expect(INTEGER)?.content;
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let significant = modulus.get(start..)?;
    let leading = usize::try_from(significant.first()?.leading_zeros()).ok()?;
    Some(significant.len() * 8 - leading)
}

#[cfg(test)]
mod tests {
    use super::super::Authority;
    use super::*;
    use crate::testing::SigningCertificate;

    const NOW: i64 = 1_795_305_600;

    #[test]
    fn a_certificate_gives_its_key_and_the_key_verifies_its_own_schemes_only() {
        for (made, scheme) in [
            (SigningCertificate::rsa(), SignatureScheme::RsaPkcs1Sha256),
            (SigningCertificate::ecdsa(), SignatureScheme::EcdsaSha256),
        ] {
            let key = PublicKey::from_certificate(made.der()).unwrap();
            let signature = made.sign(b"message");
            assert!(key.verifies(scheme, b"message", &signature));
            assert!(!key.verifies(scheme, b"messagf", &signature));
            for other in [
                SignatureScheme::RsaPkcs1Sha256,
                SignatureScheme::RsaPkcs1Sha512,
                SignatureScheme::EcdsaSha256,
                SignatureScheme::EcdsaSha384,
            ] {
                assert_eq!(key.verifies(other, b"message", &signature), other == scheme);
            }
        }
    }

    #[test]
    fn broken_certificates_are_refused() {
        let authority = Authority::create(NOW).unwrap();
        let der = authority.certificate_der();
        assert!(PublicKey::from_certificate(der).is_some());
        for end in 0..der.len() {
            assert!(PublicKey::from_certificate(&der[..end]).is_none(), "{end}");
        }
        let longer = [der, &[0]].concat();
        assert!(PublicKey::from_certificate(&longer).is_none());
    }
}
