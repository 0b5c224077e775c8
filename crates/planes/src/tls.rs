//! TLS 1.2 and 1.3 for the AWS endpoint: certificates by server name, ALPN, and the facts that CloudTrail records.

use std::collections::HashMap;
use std::sync::Arc;

use pipeline::TlsFacts;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ProtocolVersion, ServerConfig, ServerConnection};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A certificate with its key, as the listener is given it. It prints nothing, since it holds a private key.
pub struct TlsMaterial {
    /// The server's own certificate first, then those up to the authority, in DER.
    pub certificate_chain_der: Vec<Vec<u8>>,
    /// PKCS#8, SEC1 or PKCS#1, in DER.
    pub private_key_der: Zeroizing<Vec<u8>>,
}

/// Makes the server's TLS configuration: `standard` for every name, `named` for those that have their own certificate
/// (exact, or `*.` for one label).
pub(crate) fn server_config(
    standard: TlsMaterial,
    named: Vec<(String, TlsMaterial)>,
) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificates = Certificates {
        standard: certified(standard, &provider)?,
        named: named
            .into_iter()
            .map(|(name, material)| Ok((name.to_ascii_lowercase(), certified(material, &provider)?)))
            .collect::<Result<_>>()?,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(Error::Certificate)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // No early data: it can be replayed (RFC 8446, section 8), and a signature stays fresh for minutes.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn certified(material: TlsMaterial, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>> {
    let chain = material
        .certificate_chain_der
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let key = PrivateKeyDer::try_from(material.private_key_der.as_slice())
        .map_err(|reason| Error::Certificate(rustls::Error::General(reason.to_owned())))?
        .clone_key();
    CertifiedKey::from_der(chain, key, provider)
        .map(Arc::new)
        .map_err(Error::Certificate)
}

struct Certificates {
    standard: Arc<CertifiedKey>,
    named: HashMap<String, Arc<CertifiedKey>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    fn of(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.to_ascii_lowercase();
        self.named
            .get(&name)
            .or_else(|| {
                name.split_once('.')
                    .and_then(|(_, parent)| self.named.get(&format!("*.{parent}")))
            })
            .unwrap_or(&self.standard)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(match hello.server_name() {
            Some(name) if !self.named.is_empty() => self.of(name),
            _ => &self.standard,
        }))
    }
}

/// What the handshake agreed on, in the words of CloudTrail's `tlsDetails` (IANA's names; the library has its own for
/// TLS 1.3). `None` before the handshake's end.
pub(crate) fn facts(connection: &ServerConnection) -> Option<TlsFacts> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => return None,
    };
    Some(TlsFacts {
        version,
        cipher_suite: iana_name(connection.negotiated_cipher_suite()?.suite())?,
    })
}

fn iana_name(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_that_is_offered_has_its_iana_name() {
        for suite in aws_lc_rs::default_provider().cipher_suites {
            assert!(
                iana_name(suite.suite()).is_some_and(|name| name.starts_with("TLS_")),
                "{suite:?}"
            );
        }
    }
}
