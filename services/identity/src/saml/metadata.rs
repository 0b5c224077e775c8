//! The metadata of an identity provider: its name, how long the document is good, and the certificates that it signs with.
//!
//! Source: SAML 2.0 Metadata, section 2; IAM User Guide, "Troubleshoot SAML federation with IAM" (certificates are carriers of keys:
//! their dates are not judged, keys below 1024 bits and repeated extensions are refused).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::certificate::PublicKey;
use wire::Timestamp;

use super::tree::{self, Element};
use super::{DSIG, METADATA, base64};

/// Certificates that a provider may sign with.
const CERTIFICATES_MAX: usize = 20;

/// What a metadata document says.
#[derive(Debug)]
pub struct Metadata {
    /// The issuer of its assertions.
    pub entity_id: String,
    /// When the document ceases to hold, in milliseconds since the epoch.
    pub valid_until: Option<i64>,
    /// Certificates in DER, in Base64.
    pub certificates: Vec<String>,
}

/// The keys that a provider signs with.
pub struct SigningKeys(pub(super) Vec<PublicKey>);

impl SigningKeys {
    /// The keys of certificates as `Metadata` lists them; what is none is left out.
    pub fn of(certificates: &[String]) -> Self {
        let keys = certificates
            .iter()
            .filter_map(|text| PublicKey::from_certificate(&base64(text)?));
        Self(keys.collect())
    }
}

impl Metadata {
    /// Reads a document; `None` if it does not describe one identity provider with a key that can be used.
    pub fn read(text: &str) -> Option<Self> {
        let root = tree::parse(text).filter(|root| root.is(METADATA, "EntityDescriptor"))?;
        let entity_id = root.attribute("entityID")?.trim_ascii().to_owned();
        let mut read = Self {
            entity_id: (!entity_id.is_empty()).then_some(entity_id)?,
            valid_until: None,
            certificates: Vec::new(),
        };
        read.until(&root)?;
        for descriptor in root.named(METADATA, "IDPSSODescriptor") {
            read.until(descriptor)?;
            for key in descriptor.named(METADATA, "KeyDescriptor") {
                if key.attribute("use").is_none_or(|purpose| purpose == "signing") {
                    read.key(key)?;
                }
            }
        }
        let usable = (1..=CERTIFICATES_MAX).contains(&read.certificates.len());
        usable.then_some(read)
    }

    fn until(&mut self, element: &Element) -> Option<()> {
        if let Some(text) = element.attribute("validUntil") {
            let until = Timestamp::from_iso8601(text)?.0;
            self.valid_until = Some(self.valid_until.map_or(until, |known| known.min(until)));
        }
        Some(())
    }

    fn key(&mut self, key: &Element) -> Option<()> {
        let infos = key.named(DSIG, "KeyInfo");
        let held = infos.flat_map(|info| info.named(DSIG, "X509Data"));
        for certificate in held.flat_map(|held| held.named(DSIG, "X509Certificate")) {
            let der = base64(&certificate.text()?)?;
            PublicKey::from_certificate(&der)?;
            let text = STANDARD.encode(der);
            if !self.certificates.contains(&text) {
                self.certificates.push(text);
            }
        }
        Some(())
    }
}
