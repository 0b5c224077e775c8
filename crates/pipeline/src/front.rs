//! The boundary to the planes: a whole HTTP request in, a whole answer out.

use std::net::SocketAddr;

use bytes::Bytes;
use http::HeaderMap;

/// A request as it arrived, before anything is believed about it. The path and query are the client's bytes, since
/// the signature covers them.
pub struct Incoming {
    pub method: http::Method,
    /// Raw, percent-encoded, never normalised.
    pub path: String,
    /// Raw, without the question mark; empty when there is none.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peer: SocketAddr,
    /// What TLS agreed on; `None` for plaintext (loopback only).
    pub tls: Option<TlsFacts>,
}

/// CloudTrail's `tlsDetails`, but for the host header.
#[derive(Clone, Copy, Debug)]
pub struct TlsFacts {
    /// `TLSv1.3`
    pub version: &'static str,
    /// `TLS_AES_128_GCM_SHA256`
    pub cipher_suite: &'static str,
}

/// An answer, complete and recorded.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}
