//! The instance metadata service, as one instance sees it at 169.254.169.254.
//!
//! Invariant: nothing is answered but to a token of this run of this instance where tokens are required; credentials are asked for at
//! the moment of the request and kept no longer than the answer.
//!
//! Source: Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata", "Access instance metadata for an EC2
//! instance", "Configure the Instance Metadata Service options"; checklist S1.13.

mod page;
mod token;
mod tree;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use crypto::Secret;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::Full;
use parking_lot::RwLock;
use pipeline::instances::{Attendant, Delivery, InstanceRef, Metadata};
use tokio::sync::watch;

use self::page::{error, text};
use self::token::Tokens;
use self::tree::{Found, Tree};

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
/// Seconds that a token may be asked for.
const TTL_MAX: u64 = 21_600;

/// The versions of the tree that are listed; all show the same.
const VERSIONS: [&str; 29] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-09-24",
    "2024-04-11",
    "latest",
];

/// The service of one run of an instance.
pub(super) struct Service {
    instance: InstanceRef,
    metadata: RwLock<Arc<Metadata>>,
    user_data: Option<Secret>,
    tokens: Tokens,
    attendant: Arc<dyn Attendant>,
    ended: watch::Receiver<bool>,
}

impl Service {
    /// # Errors
    /// The host's, which has no randomness.
    pub(super) fn new(
        instance: InstanceRef,
        metadata: Metadata,
        user_data: Option<Secret>,
        attendant: Arc<dyn Attendant>,
        ended: watch::Receiver<bool>,
    ) -> crypto::Result<Self> {
        Ok(Self {
            instance,
            metadata: RwLock::new(Arc::new(metadata)),
            user_data,
            tokens: Tokens::new()?,
            attendant,
            ended,
        })
    }

    pub(super) fn update(&self, metadata: Metadata) {
        *self.metadata.write() = Arc::new(metadata);
    }

    /// Done when the run has ended.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    pub(super) async fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        let metadata = Arc::clone(&self.metadata.read());
        if !metadata.options.enabled {
            return error(StatusCode::FORBIDDEN);
        }
        let mut segments = request.uri.path().split('/').filter(|part| !part.is_empty());
        let version = segments.next();
        let segments: Vec<&str> = segments.collect();
        if version == Some("latest") && segments == ["api", "token"] {
            return self.token(&request.method, &request.headers);
        }
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return error(StatusCode::METHOD_NOT_ALLOWED);
        }
        let delivery = match request.headers.get(TOKEN) {
            Some(token) if self.tokens.prove(token.as_bytes()) => Delivery::V2,
            None if !metadata.options.tokens_required => Delivery::V1,
            _ => return error(StatusCode::UNAUTHORIZED),
        };
        let Some(version) = version else {
            return text(VERSIONS.join("\n").into());
        };
        if !VERSIONS.contains(&version) {
            return error(StatusCode::NOT_FOUND);
        }
        let tree = Tree {
            instance: &self.instance,
            metadata: &metadata,
            user_data: self.user_data.as_ref(),
            attendant: &*self.attendant,
            delivery,
        };
        match tree.find(&segments).await {
            Found::Text(bytes) => text(bytes),
            Found::Binary(bytes) => page::binary(bytes),
            Found::Json(bytes) => page::json(bytes),
            Found::Nothing => error(StatusCode::NOT_FOUND),
            Found::Failed => error(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// A session of IMDSv2. A request that was forwarded gets none: a proxy that lets anybody in adds that header.
    fn token(&self, method: &Method, headers: &HeaderMap) -> Response<Full<Bytes>> {
        if method != Method::PUT {
            return error(StatusCode::METHOD_NOT_ALLOWED);
        }
        if headers.contains_key("x-forwarded-for") {
            return error(StatusCode::FORBIDDEN);
        }
        let seconds = headers
            .get(TTL)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
            .filter(|seconds| (1..=TTL_MAX).contains(seconds));
        match seconds {
            Some(seconds) => page::token(self.tokens.make(seconds), seconds),
            None => error(StatusCode::BAD_REQUEST),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
