//! Certificates and private keys as people bring them in PEM: how long they last, who signed them, and whether they belong together.
//!
//! Invariant: a private key is read, compared and forgotten; only its public part stays.

use aws_lc_rs::signature::{
    self, EcdsaKeyPair, KeyPair as _, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use time::{Date, Month, PrimitiveDateTime, Time};

use super::der::{BIT_STRING, Element, INTEGER, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use super::pem;
use crate::{Secret, digest};

/// ASN.1 universal tags of times (RFC 5280, section 4.1.2.5).
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// Context tag of a certificate's version.
const VERSION: u8 = 0xa0;

/// An X.509 certificate whose structure was read.
#[derive(Clone)]
pub struct UploadedCertificate {
    der: Vec<u8>,
    not_before: i64,
    not_after: i64,
    /// Names in DER.
    issuer: Vec<u8>,
    subject: Vec<u8>,
    /// The public key's bytes: `RSAPublicKey`, or the point of a curve.
    key: Vec<u8>,
    /// What is signed, by which algorithm (the content of its identifier), and the signature.
    signed: (Vec<u8>, Vec<u8>, Vec<u8>),
}

impl UploadedCertificate {
    /// The one certificate in a PEM text; `None` if there is none, more than one, or one that cannot be read.
    #[must_use]
    pub fn from_pem(text: &str) -> Option<Self> {
        let mut all = Self::all_from_pem(text)?;
        let only = all.pop()?;
        all.is_empty().then_some(only)
    }

    /// All certificates in a PEM text, in their order; `None` if there is none or one cannot be read.
    #[must_use]
    pub fn all_from_pem(text: &str) -> Option<Vec<Self>> {
        let blocks = pem::decode_all(text, &[pem::CERTIFICATE]).ok()?;
        let all: Option<Vec<Self>> = blocks.iter().map(|der| Self::from_der(der.expose())).collect();
        all.filter(|all| !all.is_empty())
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let whole = outer.expect(SEQUENCE)?;
        let mut certificate = whole.open(SEQUENCE)?;
        let start = certificate.0;
        let body = certificate.expect(SEQUENCE)?;
        let signed = start.get(..start.len() - certificate.0.len())?;
        let algorithm = certificate
            .expect(SEQUENCE)?
            .open(SEQUENCE)?
            .expect(OBJECT_IDENTIFIER)?;
        let signature = certificate.expect(BIT_STRING)?.bits()?;
        if !outer.is_empty() || !certificate.is_empty() {
            return None;
        }
        let mut body = body.open(SEQUENCE)?;
        let mut serial = body.next()?;
        if serial.tag == VERSION {
            serial = body.next()?;
        }
        if serial.tag != INTEGER {
            return None;
        }
        body.expect(SEQUENCE)?;
        let issuer = body.expect(SEQUENCE)?;
        let mut validity = body.expect(SEQUENCE)?.open(SEQUENCE)?;
        let (not_before, not_after) = (seconds(validity.next()?)?, seconds(validity.next()?)?);
        let subject = body.expect(SEQUENCE)?;
        let mut info = body.expect(SEQUENCE)?.open(SEQUENCE)?;
        info.expect(SEQUENCE)?;
        let key = info.expect(BIT_STRING)?.bits()?;
        Some(Self {
            der: der.to_vec(),
            not_before,
            not_after,
            issuer: issuer.content.to_vec(),
            subject: subject.content.to_vec(),
            key: key.to_vec(),
            signed: (signed.to_vec(), algorithm.content.to_vec(), signature.to_vec()),
        })
    }

    /// When it begins to be valid, in seconds since 1970.
    #[must_use]
    pub const fn not_before(&self) -> i64 {
        self.not_before
    }

    /// When it ends to be valid, in seconds since 1970.
    #[must_use]
    pub const fn not_after(&self) -> i64 {
        self.not_after
    }

    /// SHA-256 of its DER, in hexadecimal text: the same for the same certificate, however its PEM is broken into lines.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        digest::hex(&digest::sha256(&self.der))
    }

    /// Whether the private key is the one of this certificate.
    #[must_use]
    pub fn belongs_to(&self, key: &UploadedKey) -> bool {
        self.key == key.public
    }

    /// Whether `issuer` signed it: by its name, and by a signature that its key verifies.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let (message, algorithm, signature) = &self.signed;
        let verified = algorithm_of(algorithm, issuer.key.len()).is_some_and(|algorithm| {
            UnparsedPublicKey::new(algorithm, &issuer.key)
                .verify(message, signature)
                .is_ok()
        });
        self.issuer == issuer.subject && verified
    }
}

/// The library's name for a signature's algorithm (RFC 4055, section 5; RFC 5758, section 3.2); the curve is told by the length of its points.
fn algorithm_of(identifier: &[u8], key_bytes: usize) -> Option<&'static dyn VerificationAlgorithm> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    let (last, family) = identifier.split_last()?;
    Some(match (family, last, key_bytes) {
        (RSA, 5, _) => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (RSA, 11, _) => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (RSA, 12, _) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA, 13, _) => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        (ECDSA, 2, 65) => &signature::ECDSA_P256_SHA256_ASN1,
        (ECDSA, 3, 65) => &signature::ECDSA_P256_SHA384_ASN1,
        (ECDSA, 2, 97) => &signature::ECDSA_P384_SHA256_ASN1,
        (ECDSA, 3, 97) => &signature::ECDSA_P384_SHA384_ASN1,
        (ECDSA, 2, 133) => &signature::ECDSA_P521_SHA256_ASN1,
        (ECDSA, 3, 133) => &signature::ECDSA_P521_SHA384_ASN1,
        (ECDSA, 4, 133) => &signature::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}

/// Seconds since 1970 of a time in `Z`, to the second, as RFC 5280 demands.
fn seconds(time: Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(time.content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match (time.tag, text.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i32 = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (GENERALIZED_TIME, 14) => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let mut rest = rest;
    let mut part = || {
        let (two, behind) = rest.split_at_checked(2)?;
        rest = behind;
        number::<u8>(two)
    };
    let (month, day) = (Month::try_from(part()?).ok()?, part()?);
    let time = Time::from_hms(part()?, part()?, part()?).ok()?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    let all = digits.bytes().all(|digit| digit.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}

/// The public part of a private key that was read: RSA from 2048 bits on, or ECDSA on P-256, P-384 or P-521.
pub struct UploadedKey {
    public: Vec<u8>,
}

impl UploadedKey {
    /// Reads the first private key of a PEM text, in PKCS #8, PKCS #1 or SEC 1, without encryption.
    #[must_use]
    pub fn from_pem(text: &Secret) -> Option<Self> {
        let text = text.expose_text().ok()?;
        // Keys in the older form say in their head that they are encrypted.
        if text.contains("ENCRYPTED") {
            return None;
        }
        let der = pem::decode_first(text, &pem::PRIVATE_KEYS).ok()?;
        let der = der.expose();
        let rsa = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        if let Ok(pair) = rsa {
            return Some(Self {
                public: pair.public_key().as_ref().to_vec(),
            });
        }
        let curves = [
            &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        ];
        let pair = curves
            .into_iter()
            .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())?;
        Some(Self {
            public: pair.public_key().as_ref().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Authority;
    use super::*;

    const NOW: i64 = 1_795_305_600;

    fn issued() -> (UploadedCertificate, UploadedCertificate, Secret) {
        let authority = Authority::create(NOW).unwrap();
        let made = authority.issue(&[], NOW).unwrap();
        let mut chain = UploadedCertificate::all_from_pem(&made.chain_pem()).unwrap();
        let (issuer, own) = (chain.pop().unwrap(), chain.pop().unwrap());
        let key = Secret::from(pem::encode(pem::PRIVATE_KEY, made.key_der().expose()));
        (own, issuer, key)
    }

    #[test]
    fn a_certificate_tells_its_dates_its_issuer_and_its_key() {
        let (own, issuer, key) = issued();
        assert_eq!(
            (own.not_before(), own.not_after()),
            (NOW - 86_400, NOW + 396 * 86_400)
        );
        assert!(own.is_signed_by(&issuer) && issuer.is_signed_by(&issuer));
        assert!(!own.is_signed_by(&own));
        let key = UploadedKey::from_pem(&key).unwrap();
        assert!(own.belongs_to(&key) && !issuer.belongs_to(&key));
        assert_ne!(own.fingerprint(), issuer.fingerprint());
    }

    #[test]
    fn an_issuer_of_the_same_name_with_another_key_did_not_sign() {
        let (own, mut issuer, _) = issued();
        let (_, other, _) = issued();
        issuer.key = other.key;
        assert!(!own.is_signed_by(&issuer));
    }

    #[test]
    fn broken_text_is_no_certificate_and_no_key() {
        let authority = Authority::create(NOW).unwrap();
        let der = authority.certificate_der();
        for end in 0..der.len() {
            assert!(UploadedCertificate::from_der(&der[..end]).is_none(), "{end}");
        }
        let two = format!("{0}{0}", authority.certificate_pem());
        assert!(UploadedCertificate::from_pem(&two).is_none());
        assert!(UploadedCertificate::all_from_pem("").is_none());
        for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            assert!(UploadedKey::from_pem(&Secret::from(text)).is_none());
        }
    }

    #[test]
    fn both_kinds_of_time_are_read_and_odd_ones_refused() {
        let read = |tag, text: &str| {
            seconds(Element {
                tag,
                content: text.as_bytes(),
            })
        };
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        for odd in [
            "7001010000Z",
            "700101000000",
            "701301000000Z",
            "+00101000000Z",
            "7001010000é",
        ] {
            assert_eq!(read(UTC_TIME, odd), None, "{odd}");
        }
    }
}
