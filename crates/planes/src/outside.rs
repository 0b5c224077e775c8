//! The way out: pages of the places that operations ask for, over https and nothing else.
//!
//! Invariant: a page comes whole, within `FETCH_TIME` and `PAGE_BYTES_MAX`, from the very place that was asked for: no redirect is
//! followed. A place is believed by an authority that the machine trusts, or by a thumbprint that the asker gave; its host name and
//! dates are checked in both cases.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crypto::{certificate, digest};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use parking_lot::Mutex;
use pipeline::outside::{Fetch, Fetched, Outside, Page, Trust, Unreached};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::client::converse;
use crate::error::Error;

/// Time for a whole fetch, with the wait for a free slot. Callers wait for it.
const FETCH_TIME: Duration = Duration::from_secs(5);
/// Bytes of a page. Stops a place from filling the memory.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// Fetches at a time. Stops callers without credentials from using this machine against another.
const FETCHES_MAX: usize = 16;

/// The way out over sockets.
pub struct Https {
    provider: Arc<CryptoProvider>,
    /// The machine's authorities, read when they are needed first; `None` if there are none.
    authorities: OnceCell<Option<Arc<WebPkiServerVerifier>>>,
    slots: Semaphore,
}

impl Default for Https {
    fn default() -> Self {
        Self {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            authorities: OnceCell::new(),
            slots: Semaphore::new(FETCHES_MAX),
        }
    }
}

impl Outside for Https {
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Pin<Box<dyn Future<Output = Fetched> + Send + 'a>> {
        Box::pin(async move {
            timeout(FETCH_TIME, self.fetch_now(fetch))
                .await
                .unwrap_or(Err(Unreached::Silent))
        })
    }
}

impl Https {
    async fn fetch_now(&self, fetch: &Fetch) -> Fetched {
        let _slot = self.slots.acquire().await.map_err(|_| Unreached::Refused)?;
        let place = Place::parse(&fetch.url).ok_or(Unreached::Address)?;
        let belief = Arc::new(Belief {
            provider: Arc::clone(&self.provider),
            authorities: self.authorities().await,
            trust: fetch.trust.clone(),
            seen: Mutex::new(None),
        });
        let config = self.config(&belief).map_err(|_| Unreached::Refused)?;
        let stream = TcpStream::connect((place.host.as_str(), place.port))
            .await
            .map_err(|_| Unreached::Silent)?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(place.name.clone(), stream)
            .await
            .map_err(|error| refused_by(&error))?;
        let seen = belief.seen.lock().take().ok_or(Unreached::Untrusted)?;
        let answer = converse(stream, place.request()?, PAGE_BYTES_MAX).await;
        let (status, headers, body) = answer.map_err(|error| match error {
            Error::Reply(source) if source.is::<http_body_util::LengthLimitError>() => Unreached::TooLong,
            _ => Unreached::Silent,
        })?;
        if status != 200 {
            return Err(Unreached::Status(status));
        }
        Ok(Page {
            body,
            max_age: max_age(&headers),
            thumbprint: seen.thumbprint,
            by_thumbprint: seen.by_thumbprint,
        })
    }

    async fn authorities(&self) -> Option<Arc<WebPkiServerVerifier>> {
        let provider = Arc::clone(&self.provider);
        let read = || async {
            let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            let mut roots = RootCertStore::empty();
            // Some machines trust authorities whose certificates are malformed; these are left out.
            roots.add_parsable_certificates(read.ok()?.certs);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .ok()
        };
        self.authorities.get_or_init(read).await.clone()
    }

    fn config(&self, belief: &Arc<Belief>) -> Result<ClientConfig, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(belief) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would show no certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

fn refused_by(error: &std::io::Error) -> Unreached {
    let source = error
        .get_ref()
        .and_then(|source| source.downcast_ref::<rustls::Error>());
    match source {
        Some(rustls::Error::InvalidCertificate(_)) => Unreached::Untrusted,
        _ => Unreached::Silent,
    }
}

/// `max-age` of `Cache-Control`; 0 if the page is not to be kept.
fn max_age(headers: &HeaderMap) -> Option<u64> {
    let control = headers.get(header::CACHE_CONTROL)?.to_str().ok()?;
    let mut directives = control
        .split(',')
        .map(|directive| directive.trim().to_ascii_lowercase());
    if directives
        .clone()
        .any(|directive| directive == "no-store" || directive == "no-cache")
    {
        return Some(0);
    }
    directives.find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}

/// An address in parts.
struct Place {
    host: String,
    port: u16,
    name: ServerName<'static>,
    authority: HeaderValue,
    path: String,
}

impl Place {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
            return None;
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Some(Self {
            name: ServerName::try_from(host.clone()).ok()?,
            port: authority.port_u16().unwrap_or(443),
            authority: HeaderValue::from_str(authority.as_str()).ok()?,
            path: uri
                .path_and_query()
                .map_or("/", http::uri::PathAndQuery::as_str)
                .to_owned(),
            host,
        })
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, Unreached> {
        Request::builder()
            .method(Method::GET)
            .uri(&self.path)
            .header(header::HOST, &self.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "ringwork")
            .body(Full::new(Bytes::new()))
            .map_err(|_| Unreached::Address)
    }
}

/// What was seen of a place that is believed.
#[derive(Debug)]
struct Seen {
    thumbprint: String,
    by_thumbprint: bool,
}

/// Decides whether a place is what it says, for one connection.
#[derive(Debug)]
struct Belief {
    provider: Arc<CryptoProvider>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    trust: Trust,
    seen: Mutex<Option<Seen>>,
}

impl Belief {
    /// A certificate of the served chain, other than the place's own, as the one authority.
    fn is_signed_under(
        &self,
        anchor: &CertificateDer<'_>,
        (end_entity, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        if roots.add(anchor.clone().into_owned()).is_err() || !is_current(anchor, now) {
            return false;
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .is_ok_and(|verifier| {
                verifier
                    .verify_server_cert(end_entity, intermediates, name, &[], now)
                    .is_ok()
            })
    }
}

fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    digest::hex(&digest::sha1(certificate))
}

/// The name and the dates of a place's own certificate.
fn fits(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> bool {
    ParsedCertificate::try_from(certificate)
        .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok())
        && is_current(certificate, now)
}

fn is_current(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    certificate::period(certificate).is_some_and(|period| period.contains(&now))
}

impl ServerCertVerifier for Belief {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let vouched = self.authorities.as_ref().is_some_and(|authorities| {
            authorities
                .verify_server_cert(end_entity, intermediates, name, ocsp, now)
                .is_ok()
        });
        let known = match &self.trust {
            Trust::FirstUse => fits(end_entity, name, now),
            Trust::AuthoritiesOr(thumbprints) => {
                let listed = |certificate: &CertificateDer<'_>| {
                    let shown = thumbprint(certificate);
                    thumbprints
                        .iter()
                        .any(|thumbprint| thumbprint.eq_ignore_ascii_case(&shown))
                };
                let chain = (end_entity, intermediates);
                listed(end_entity) && fits(end_entity, name, now)
                    || intermediates.iter().any(|certificate| {
                        listed(certificate) && self.is_signed_under(certificate, chain, name, now)
                    })
            }
        };
        if !vouched && !known {
            return Err(CertificateError::UnknownIssuer.into());
        }
        *self.seen.lock() = Some(Seen {
            thumbprint: thumbprint(intermediates.last().unwrap_or(end_entity)),
            by_thumbprint: !vouched,
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_addresses_are_fetched() {
        let place = Place::parse("https://[::1]:8443/a/b?c=d").unwrap();
        assert_eq!(
            (place.host.as_str(), place.port, place.path.as_str()),
            ("::1", 8443, "/a/b?c=d")
        );
        assert_eq!(Place::parse("https://id.example").unwrap().port, 443);
        for wrong in [
            "http://id.example/",
            "id.example",
            "https://u@id.example/",
            "file:///etc",
            "",
        ] {
            assert!(Place::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn pages_say_how_long_they_are_good() {
        let said = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, value.parse().unwrap());
            max_age(&headers)
        };
        assert_eq!(max_age(&HeaderMap::new()), None);
        assert_eq!(said("public, max-age=600"), Some(600));
        assert_eq!(said("Max-Age=\"60\""), Some(60));
        assert_eq!(said("max-age=600, no-store"), Some(0));
        assert_eq!(said("max-age=soon"), None);
    }
}
