//! The certificate authority of one installation, and the server certificates that it signs.
//!
//! Invariant: private keys leave as [`Secret`] only. Time is passed in, in seconds since 1970.

mod der;
mod jwk;
mod pem;
mod period;
mod public_key;
mod rsa;
mod uploaded;

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType, SerialNumber,
};
use time::OffsetDateTime;
use zeroize::Zeroize as _;

use crate::{Error, Randomness as _, Result, Secret, SystemRandomness, digest};

pub use jwk::Curve;
pub use period::period;
pub use public_key::{PublicKey, SignatureScheme};
pub(crate) use rsa::{rsa_from_pem, rsa_to_pem};
pub use uploaded::{UploadedCertificate, UploadedKey};

const DAY: i64 = 24 * 60 * 60;
/// The authority lasts ten years.
const AUTHORITY_DAYS: i64 = 3652;
/// Servers' certificates last 397 days: the most that clients of public authorities accept, and some apply it to private ones as well.
const SERVER_DAYS: i64 = 397;
/// Certificates begin a day early, for clients whose clocks are behind.
const EARLY_DAYS: i64 = 1;
/// The names under which a server is always reached. Several verifiers ignore `*.localhost` (a wildcard directly below a top-level name), so
/// callers that need names below `localhost` pass a longer one too, such as `*.s3.localhost`.
const LOCAL_NAMES: [&str; 4] = ["localhost", "*.localhost", "127.0.0.1", "::1"];

/// A certificate authority: ECDSA on P-256, ten years, allowed to sign servers' certificates but no further authorities.
pub struct Authority {
    key: KeyPair,
    der: Vec<u8>,
}

/// A server's certificate with its chain and private key, as a TLS library takes them.
pub struct ServerCertificate {
    chain: Vec<Vec<u8>>,
    key: Secret,
}

impl Authority {
    /// Makes an authority with a new key, valid from `now` (less a day).
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::CertificateTime`].
    pub fn create(now: i64) -> Result<Self> {
        let key = new_key()?;
        let mut params = authority_params(&key);
        (params.not_before, params.not_after) = validity(now, AUTHORITY_DAYS)?;
        params.serial_number = Some(serial_number()?);
        let certificate = params
            .self_signed(&key)
            .map_err(failed("signing the authority's certificate"))?;
        Ok(Self {
            key,
            der: certificate.der().to_vec(),
        })
    }

    /// Reads an authority that [`Authority::create`] made.
    ///
    /// # Errors
    /// [`Error::Pem`], [`Error::Certificate`]; [`Error::CertificateKeyMismatch`] when certificate and key do not belong together.
    pub fn from_pem(certificate_pem: &str, key_pem: &Secret) -> Result<Self> {
        let der = pem::decode_first(certificate_pem, &[pem::CERTIFICATE])?;
        let key = pem::decode_first(key_pem.expose_text()?, &[pem::PRIVATE_KEY])?;
        let key = KeyPair::try_from(key.expose()).map_err(failed("reading the authority's private key"))?;
        // The name follows from the key; a certificate that has both is the one that was made with this key.
        let holds = |part: &[u8]| der.expose().windows(part.len()).any(|window| window == part);
        if !holds(&key.subject_public_key_info()) || !holds(common_name(&key).as_bytes()) {
            return Err(Error::CertificateKeyMismatch);
        }
        Ok(Self {
            key,
            der: der.expose().to_vec(),
        })
    }

    /// The certificate for clients' trust stores (`AWS_CA_BUNDLE`), in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, &self.der)
    }

    /// The certificate in DER.
    #[must_use]
    pub fn certificate_der(&self) -> &[u8] {
        &self.der
    }

    /// The private key in PEM (PKCS #8), to be sealed.
    #[must_use]
    pub fn key_pem(&self) -> Secret {
        Secret::from(pem::encode(pem::PRIVATE_KEY, self.key.serialized_der()))
    }

    /// Makes a server's certificate with a new key for `localhost`, `*.localhost`, `127.0.0.1`, `::1` and the given host names (a leading
    /// `*.` matches one label) and IP addresses. It lasts 397 days from `now` (less a day).
    ///
    /// # Errors
    /// [`Error::CertificateName`], [`Error::CertificateTime`], [`Error::Certificate`].
    pub fn issue(&self, names: &[String], now: i64) -> Result<ServerCertificate> {
        let mut key = new_key()?;
        let mut params = CertificateParams::default();
        for name in LOCAL_NAMES.into_iter().chain(names.iter().map(String::as_str)) {
            let name = alternative_name(name)?;
            if !params.subject_alt_names.contains(&name) {
                params.subject_alt_names.push(name);
            }
        }
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::CommonName, "Ringwork");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number()?);
        (params.not_before, params.not_after) = validity(now, SERVER_DAYS)?;
        let issuer = Issuer::new(authority_params(&self.key), &self.key);
        let certificate = params
            .signed_by(&key, &issuer)
            .map_err(failed("signing the server's certificate"));
        let secret = Secret::copy_of(key.serialized_der());
        key.zeroize();
        Ok(ServerCertificate {
            chain: vec![certificate?.der().to_vec(), self.der.clone()],
            key: secret,
        })
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl ServerCertificate {
    /// Reads a certificate chain (the server's first) and its private key, as an operator brings them. Whether they belong together is
    /// told by the TLS library, which knows all kinds of keys.
    ///
    /// # Errors
    /// [`Error::Pem`], [`Error::SecretNotText`].
    pub fn from_pem(chain_pem: &str, key_pem: &Secret) -> Result<Self> {
        let chain: Vec<_> = pem::decode_all(chain_pem, &[pem::CERTIFICATE])?
            .iter()
            .map(|der| der.expose().to_vec())
            .collect();
        if chain.is_empty() {
            return Err(Error::Pem {
                expected: pem::CERTIFICATE,
            });
        }
        Ok(Self {
            chain,
            key: pem::decode_first(key_pem.expose_text()?, &pem::PRIVATE_KEYS)?,
        })
    }

    /// The chain in DER, the server's certificate first.
    #[must_use]
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The chain in PEM, the server's certificate first.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain
            .iter()
            .map(|der| pem::encode(pem::CERTIFICATE, der))
            .collect()
    }

    /// The private key in DER: PKCS #8 when it was made here, otherwise as it was brought.
    #[must_use]
    pub fn key_der(&self) -> &Secret {
        &self.key
    }
}

fn failed(attempt: &'static str) -> impl Fn(rcgen::Error) -> Error {
    move |source| Error::Certificate { attempt, source }
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed("making a key pair"))
}

/// All of the authority's certificate that its signatures refer to follows from its key, so that nothing needs to be read back from it.
fn authority_params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = Default::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name(key));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The name tells installations apart in a trust store that holds several.
fn common_name(key: &KeyPair) -> String {
    let mut fingerprint = digest::hex(&digest::sha256(&key.subject_public_key_info()));
    fingerprint.truncate(16);
    format!("Ringwork authority {fingerprint}")
}

/// Random and positive, at most 20 octets (RFC 5280, section 4.1.2.2).
fn serial_number() -> Result<SerialNumber> {
    let mut serial = [0; 16];
    SystemRandomness.fill(&mut serial)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(SerialNumber::from_slice(&serial))
}

fn validity(now: i64, days: i64) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let refused = Error::CertificateTime { unix_seconds: now };
    let at = |offset_days: i64| {
        let seconds = now.checked_add(offset_days * DAY)?;
        // RFC 5280, section 4.1.2.5: GeneralizedTime has four digits for the year.
        OffsetDateTime::from_unix_timestamp(seconds)
            .ok()
            .filter(|time| (1950..=9999).contains(&time.year()))
    };
    at(-EARLY_DAYS).zip(at(days - EARLY_DAYS)).ok_or(refused)
}

fn alternative_name(name: &str) -> Result<SanType> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || Error::CertificateName {
        name: name.to_owned(),
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    let fits = !host.is_empty() && name.len() <= 253 && host.split('.').all(is_label);
    if !fits {
        return Err(refused());
    }
    name.to_ascii_lowercase()
        .try_into()
        .map(SanType::DnsName)
        .map_err(|_| refused())
}

/// A label of a host name (RFC 1123, section 2.1).
fn is_label(label: &str) -> bool {
    let inner = label
        .bytes()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == b'-');
    (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests;
