//! Signed calls to a server's control paths, by the root credentials in its data folder.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;
use wire::protocol::Parts;
use wire::sigv4::{self, PathStyle, Signer};

use crate::arguments::Server;
use crate::error::Error;
use crate::folder::{self, Folder, RootCredentials};

/// The control path of the cloud's clock.
pub(super) const CLOCK: &str = "/_ringwork/clock";
/// The control path that reads the whole ledger.
pub(super) const LEDGER: &str = "/_ringwork/ledger";

/// A server that may be running.
pub(super) struct Client {
    pub(super) endpoint: String,
    pub(super) credentials: RootCredentials,
}

impl Client {
    /// Reads where the server of a data folder listens and how to be its root user.
    pub(super) fn of(server: &Server) -> Result<Self, Error> {
        let folder = Folder::at(&server.data);
        let missing = || {
            let data = server.data.display();
            Error::Usage(format!(
                "{data} is not the data folder of a server that ran; start one, or name it with --data"
            ))
        };
        let endpoint = folder::read(&folder.endpoint())?.ok_or_else(missing)?;
        let credentials = folder.read_root_credentials()?.ok_or_else(missing)?;
        Ok(Self {
            endpoint: String::from_utf8_lossy(&endpoint).trim().to_owned(),
            credentials,
        })
    }

    /// Sends one request and reads its JSON.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: Vec<u8>,
    ) -> Result<T, Error> {
        let headers = self.sign(&method, path, query, &body)?;
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        let body = Bytes::from(body);
        // A clock that is moved answers when everything that fell due on the way is done, a ledger when all of it was read.
        let sent = if method == Method::POST && matches!(path, CLOCK | LEDGER) {
            planes::client::request_unhurried(&self.endpoint, None, method, &target, headers, body).await
        } else {
            planes::client::request(&self.endpoint, None, method, &target, headers, body).await
        };
        let (status, _, body) = sent.map_err(|source| Error::Unreachable {
            endpoint: self.endpoint.clone(),
            source,
        })?;
        if status != 200 {
            let parsed: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
            let message = parsed
                .as_ref()
                .and_then(|body| body.get("message"))
                .and_then(serde_json::Value::as_str);
            return Err(Error::Refused {
                message: message.unwrap_or("the answer cannot be read").to_owned(),
            });
        }
        serde_json::from_slice(&body).map_err(|error| Error::Refused {
            message: error.to_string(),
        })
    }

    fn sign(&self, method: &Method, path: &str, query: &str, body: &[u8]) -> Result<HeaderMap, Error> {
        let unusable = || Error::Usage(format!("the endpoint {} cannot be used", self.endpoint));
        let host = self
            .endpoint
            .split_once("://")
            .map(|(_, host)| host)
            .ok_or_else(unusable)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).map_err(|_| unusable())?);
        let signer = Signer {
            access_key_id: &self.credentials.access_key_id,
            secret_access_key: &self.credentials.secret_access_key,
            session_token: None,
            region: "us-east-1",
            service: "ringwork",
        };
        let parts = Parts {
            method: method.as_str(),
            path,
            query,
            headers: &headers,
            body,
        };
        let now = pipeline::Clock::system().wall().seconds();
        let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
        let signed = sigv4::sign_request(&signer, &parts, PathStyle::Normalised, now, sha256, hmac);
        let signed = signed.map_err(|_| unusable())?;
        headers.extend(signed.into_iter().map(|(name, value)| (Some(name), value)));
        Ok(headers)
    }
}
