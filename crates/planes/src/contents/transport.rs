//! How requests reach the store elsewhere: this project's own HTTP and TLS under the library's protocol.
//!
//! Invariant: an exchange ends within `EXCHANGE_TIME`, and its answer is whole and bounded before anyone sees it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Sockets;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For a request with its whole answer: a part of 8 MiB takes a slow line as long as this.
const EXCHANGE_TIME: Duration = Duration::from_secs(60);
/// Connections that nobody uses are closed after this.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Bytes of an answer; no more than half as many are ever asked for.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The transport, with the machine's authorities read once.
pub(super) struct Transport(Client<HttpsConnector<Sockets>, HttpRequestBody>);

impl std::fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Transport")
    }
}

/// Makes transports for the library.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let failed = |error: rustls::Error| object_store::Error::Generic {
            store: "contents",
            source: Box::new(error),
        };
        Ok(HttpClient::new(Transport::new().map_err(failed)?))
    }
}

impl Transport {
    fn new() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        // Some machines trust authorities whose certificates are malformed; these are left out.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut sockets = Sockets::new();
        sockets.set_connect_timeout(Some(CONNECT_TIME));
        sockets.set_nodelay(true);
        sockets.enforce_http(false);
        // Plain http was refused already, but for this machine itself.
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(sockets);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self(client))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.request(request).await.map_err(|error| {
            let kind = if error.is_connect() {
                HttpErrorKind::Connect
            } else {
                HttpErrorKind::Interrupted
            };
            HttpError::new(kind, error)
        })?;
        let (head, body) = answer.into_parts();
        let whole = Limited::new(body, ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(interrupted)?
            .to_bytes();
        let body = Full::new(whole).map_err(|never| match never {});
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }
}

fn interrupted(error: Box<dyn Error + Send + Sync>) -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, std::io::Error::other(error))
}

impl HttpService for Transport {
    fn call<'own, 'answer>(
        &'own self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'answer>>
    where
        'own: 'answer,
        Self: 'answer,
    {
        Box::pin(async move {
            let late = |error| HttpError::new(HttpErrorKind::Timeout, error);
            timeout(EXCHANGE_TIME, self.exchange(request))
                .await
                .map_err(late)?
        })
    }
}
