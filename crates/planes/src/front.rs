//! What stands behind a listener. The pipeline is the front of the AWS endpoint; a benchmark may put a fixed answer there.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pipeline::{Answer, Incoming};
use serde::Serialize;

/// Answers requests. One front serves all connections at once.
pub trait Front: Send + Sync + 'static {
    /// Answers a request. On HTTP/1.1 the future runs to its end even if the client has stopped sending; it is dropped
    /// when the connection breaks, when the client resets an HTTP/2 stream, or when a stop runs out of patience. A panic
    /// becomes a 500 and the connection lives on.
    fn serve(&self, request: Incoming) -> impl Future<Output = Answer> + Send;

    /// Whether the body of a request with this head may be handed on as a stream. Asked only of bodies that are long, or do not say
    /// how long they are.
    fn streams(&self, _head: &Head<'_>) -> bool {
        false
    }

    /// How the server is, for `/_ringwork/health` and `/_ringwork/ready`. Must not block.
    fn health(&self) -> Health;

    /// Words a refusal that the listener makes itself, before there is a whole request (too large, too slow, malformed).
    fn refuse(&self, status: StatusCode, reason: &'static str) -> Answer {
        plain(status, reason)
    }
}

/// What is known of a request before its body.
pub struct Head<'a> {
    pub method: &'a str,
    /// Raw, percent-encoded.
    pub path: &'a str,
    /// Raw, without the question mark.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
}

/// How the server is.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    pub version: &'static str,
    pub store_open: bool,
    pub seal_open: bool,
    /// Service by service, in AWS's names, in a word such as `available`.
    pub services: BTreeMap<&'static str, &'static str>,
}

impl Health {
    /// Whether calls can be answered: the store and the seal are both open.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.store_open && self.seal_open
    }
}

/// An answer in plain text, for what has no protocol yet.
#[must_use]
pub fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    Answer {
        status: status.as_u16(),
        headers,
        body: Bytes::from_static(text.as_bytes()).into(),
    }
}
