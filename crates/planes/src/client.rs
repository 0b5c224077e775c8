//! A small HTTP/1.1 client for the command line: one request, one answer, over TCP or over TLS with a given authority.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{Error, Result};

/// Time for the whole exchange. Stops a server that has stalled from hanging a command for ever.
const EXCHANGE_TIME: Duration = Duration::from_secs(60);
/// Bytes of an answer. Stops a wrong endpoint from filling the memory.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// Sends one request and receives the whole answer. `endpoint` is `http://HOST[:PORT]` or `https://HOST[:PORT]`; `path`
/// holds the query too and is sent as it is; `authority_pem` is what signed an https server's certificate, in PEM. The
/// `host` header is made from the endpoint unless `headers` bring one (a signed request does).
///
/// # Errors
/// When the endpoint or the authority cannot be used, or when there is no whole answer in time.
pub async fn request(
    endpoint: &str,
    authority_pem: Option<&[u8]>,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(u16, HeaderMap, Bytes)> {
    let exchange = request_unhurried(endpoint, authority_pem, method, path, headers, body);
    timeout(EXCHANGE_TIME, exchange)
        .await
        .unwrap_or(Err(Error::TimedOut {
            seconds: EXCHANGE_TIME.as_secs(),
        }))
}

/// The same without a limit of time: for a peer that answers when it has something to say.
///
/// # Errors
/// As `request`.
pub async fn request_unhurried(
    endpoint: &str,
    authority_pem: Option<&[u8]>,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(u16, HeaderMap, Bytes)> {
    let place = Place::parse(endpoint)?;
    let request = compose(&place, method, path, headers, body)?;
    let stream = TcpStream::connect((place.host.as_str(), place.port))
        .await
        .map_err(|source| place.unreached(source))?;
    let _ = stream.set_nodelay(true);
    if !place.tls {
        return converse(stream, request, REPLY_BYTES_MAX).await;
    }
    let name = ServerName::try_from(place.host.clone()).map_err(|_| place.unusable())?;
    let connector = TlsConnector::from(trusting(authority_pem)?);
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|source| place.unreached(source))?;
    converse(stream, request, REPLY_BYTES_MAX).await
}

struct Place {
    endpoint: String,
    tls: bool,
    authority: String,
    host: String,
    port: u16,
}

impl Place {
    fn parse(endpoint: &str) -> Result<Self> {
        let unusable = || Error::Endpoint {
            endpoint: endpoint.to_owned(),
        };
        let uri: Uri = endpoint.parse().map_err(|_| unusable())?;
        let authority = uri.authority().ok_or_else(unusable)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(unusable()),
        };
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(unusable());
        }
        Ok(Self {
            endpoint: endpoint.to_owned(),
            tls,
            authority: authority.as_str().to_owned(),
            host: authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        })
    }

    fn unusable(&self) -> Error {
        Error::Endpoint {
            endpoint: self.endpoint.clone(),
        }
    }

    fn unreached(&self, source: std::io::Error) -> Error {
        Error::Connect {
            endpoint: self.endpoint.clone(),
            source,
        }
    }
}

fn compose(
    place: &Place,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(Full::new(body))
        .map_err(Error::Request)?;
    let host = HeaderValue::from_str(&place.authority).map_err(|_| place.unusable())?;
    *request.headers_mut() = headers;
    request.headers_mut().entry(header::HOST).or_insert(host);
    Ok(request)
}

fn trusting(authority_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| Error::Authority(error);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority_pem.ok_or(Error::AuthorityMissing)?) {
        let certificate = certificate.map_err(|error| unreadable(error.into()))?;
        roots.add(certificate).map_err(|error| unreadable(error.into()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("there is no certificate in it".into()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| unreadable(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Sends a request over a stream of its own and receives the whole answer, of at most `bytes_max` bytes.
pub(crate) async fn converse<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> Result<(u16, HeaderMap, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(Error::Exchange)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(Error::Exchange)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, bytes_max)
            .collect()
            .await
            .map_err(Error::Reply)?
            .to_bytes();
        Ok((parts.status.as_u16(), parts.headers, body))
    };
    // The connection must be driven for the exchange to go on; it may end first, with the answer already handed over.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        _ended = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_a_scheme_and_a_host() {
        let place = Place::parse("https://[::1]:4566").unwrap();
        assert_eq!((place.tls, place.host.as_str(), place.port), (true, "::1", 4566));
        assert_eq!(Place::parse("http://localhost/").unwrap().port, 80);
        for wrong in [
            "localhost:4566",
            "ftp://h",
            "http://u@h",
            "http://h/path",
            "http://h?x",
            "",
        ] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
    }
}
