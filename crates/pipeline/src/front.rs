//! The boundary to the planes: an HTTP request in, an answer out. Bodies are whole, or streams where they may be large.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

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
    /// A stream only where `Gateway::streams` said so.
    pub body: Body<Box<dyn Arriving>>,
    pub peer: SocketAddr,
    /// What TLS agreed on; `None` for plaintext (loopback only).
    pub tls: Option<TlsFacts>,
    /// Of the connection on which it came.
    pub standing: Standing,
}

/// Whether somebody proved on a connection who they are. Shared by its requests.
#[derive(Clone, Default)]
pub struct Standing(Arc<AtomicBool>);

impl Standing {
    /// A signature was verified.
    pub fn prove(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_proven(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The peer that an address stands for. A host on IPv6 usually owns its whole /64 (RFC 6177), so a single address there would be no
/// bound at all.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)))
        }
        other => other,
    }
}

/// A body, all of it at hand or coming piece by piece.
pub enum Body<S> {
    Whole(Bytes),
    Stream(S),
}

impl<S> Body<S> {
    /// The bytes of a whole body; none of a stream.
    pub fn at_hand(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Stream(_) => &[],
        }
    }
}

impl<S> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

/// Why a body that was arriving does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupted {
    /// The client sends more slowly than is borne with.
    TooSlow,
    /// The client broke off, or its framing is wrong.
    Broken,
}

/// A request's body on its way in. Nothing is read, and no client that waits for `100 Continue` is told to go on, before the first
/// `next`. Dropping it leaves the rest unread.
pub trait Arriving: Send + Sync {
    /// The next bytes; `None` at the end.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Option<Bytes>, Interrupted>> + Send + '_>>;
}

/// An answer's body on its way out.
pub trait Departing: Send {
    /// All of its bytes, those that are gone included.
    fn size(&self) -> u64;

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When what was stored is damaged: the connection is broken off, so that nobody takes the part for the whole.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Damaged>>>;
}

/// Stored bytes that do not open.
#[derive(Debug, thiserror::Error)]
#[error("the answer's body is damaged where it is stored")]
pub struct Damaged;

/// CloudTrail's `tlsDetails`, but for the host header.
#[derive(Clone, Copy, Debug)]
pub struct TlsFacts {
    /// `TLSv1.3`
    pub version: &'static str,
    /// `TLS_AES_128_GCM_SHA256`
    pub cipher_suite: &'static str,
}

/// An answer, recorded. What streams is complete where it is stored.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Body<Box<dyn Departing>>,
}

impl Answer {
    /// Bytes of the body.
    pub(crate) fn size(&self) -> u64 {
        match &self.body {
            Body::Whole(bytes) => bytes.len() as u64,
            Body::Stream(stream) => stream.size(),
        }
    }
}
