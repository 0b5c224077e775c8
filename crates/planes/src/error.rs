//! What can go wrong before a request is spoken: binding, certificates, and the client's way to a server.

use std::net::SocketAddr;

/// The result of opening a listener or of asking a server.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a listener could not be opened or a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no address to listen on was given")]
    NoAddress,
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the server's certificate or private key cannot be used")]
    Certificate(#[source] rustls::Error),
    #[error("`{endpoint}` is no endpoint: expected http://HOST[:PORT] or https://HOST[:PORT]")]
    Endpoint { endpoint: String },
    #[error("an https endpoint needs the certificate of the authority that signed the server's")]
    AuthorityMissing,
    #[error("the authority's certificate cannot be read")]
    Authority(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot connect to {endpoint}")]
    Connect {
        endpoint: String,
        source: std::io::Error,
    },
    #[error("the request cannot be written as HTTP")]
    Request(#[source] http::Error),
    #[error("the exchange with the server broke off")]
    Exchange(#[source] hyper::Error),
    #[error("the server's answer could not be received whole")]
    Reply(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer within {seconds} seconds")]
    TimedOut { seconds: u64 },
}
