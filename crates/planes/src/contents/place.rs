//! Where the store elsewhere is, and who may write to it: a JSON file of the administrator.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::transport::Connector;

/// A request that the other store could not answer is sent again, for as long as this.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const RETRIES: usize = 4;

/// Why contents cannot lie there. The words are for the administrator.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    #[error("it is not the JSON object that is wanted here: {0}")]
    Malformed(String),
    #[error("plain http is for loopback addresses only: {0}")]
    Plaintext(String),
    #[error("the prefix belongs to another Ringwork")]
    Foreign,
    #[error("the store there cannot be reached")]
    Unreachable(#[source] object_store::Error),
    #[error("its runtime cannot be started")]
    Runtime(#[source] std::io::Error),
}

/// A bucket, a prefix in it, and credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentsPlace {
    bucket: String,
    /// Without slashes at its ends; may be empty.
    #[serde(default)]
    prefix: String,
    /// `https://…`; AWS's own of the region if it is left out.
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default = "default_region")]
    region: String,
    access_key_id: String,
    #[serde(deserialize_with = "hidden")]
    secret_access_key: Zeroizing<String>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

fn hidden<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

impl std::fmt::Debug for ContentsPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ContentsPlace")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl ContentsPlace {
    /// Reads the administrator's file.
    ///
    /// # Errors
    /// [`ContentsError::Malformed`], which never quotes a value, and [`ContentsError::Plaintext`].
    pub fn parse(json: &[u8]) -> Result<Self, ContentsError> {
        let place: Self = serde_json::from_slice(json)
            // The parser's words may hold what it found.
            .map_err(|error| {
                ContentsError::Malformed(format!(
                    "line {}, column {} (bucket, prefix, endpoint, region, access_key_id, secret_access_key)",
                    error.line(),
                    error.column()
                ))
            })?;
        let slashes = place.prefix.starts_with('/') || place.prefix.ends_with('/');
        if place.bucket.is_empty() || slashes || Path::parse(&place.prefix).is_err() {
            return Err(ContentsError::Malformed("bucket or prefix".to_owned()));
        }
        if let Some(endpoint) = &place.endpoint {
            check_endpoint(endpoint)?;
        }
        Ok(place)
    }

    /// What names the place: the endpoint, the bucket and the prefix.
    #[must_use]
    pub fn name(&self) -> String {
        let endpoint = self.endpoint.as_deref().unwrap_or("https://s3.amazonaws.com");
        format!(
            "{}/{}/{}",
            endpoint.trim_end_matches('/'),
            self.bucket,
            self.prefix
        )
    }

    pub(super) fn prefix(&self) -> Path {
        Path::from(self.prefix.as_str())
    }

    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>, ContentsError> {
        let plain = self
            .endpoint
            .as_deref()
            .is_some_and(|endpoint| endpoint.starts_with("http:"));
        let options = ClientOptions::new().with_allow_http(plain);
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(&self.access_key_id)
            .with_secret_access_key(self.secret_access_key.as_str())
            .with_client_options(options)
            .with_http_connector(Connector)
            .with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        let store = builder.build().map_err(ContentsError::Unreachable)?;
        Ok(Arc::new(store))
    }
}

/// https, or plain http on this machine.
fn check_endpoint(endpoint: &str) -> Result<(), ContentsError> {
    let malformed = || ContentsError::Malformed("endpoint".to_owned());
    let uri: http::Uri = endpoint.parse().map_err(|_| malformed())?;
    let host = uri.host().ok_or_else(malformed)?;
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if here => Ok(()),
        Some("http") => Err(ContentsError::Plaintext(endpoint.to_owned())),
        _ => Err(malformed()),
    }
}
