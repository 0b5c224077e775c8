//! What a client of AWS does: composes and signs requests, and reads a few values of their answers.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use wire::protocol::Parts;
use wire::sigv4::{self, PathStyle, Signer};

use crate::process::Credentials;
use crate::{Result, while_doing};

const REGION: &str = "us-east-1";

/// Composes requests that one caller signs for one server.
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Credentials,
}

/// One request before it is signed.
struct Draft<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    service: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: &'a [u8],
}

impl Client {
    /// A call of a service that speaks the query protocol: `Action=GetUser&UserName=…`.
    pub(crate) fn query(&self, service: &str, version: &str, parameters: &str) -> Result<Vec<u8>> {
        let body = format!("{parameters}&Version={version}");
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.sign(&Draft {
            method: "POST",
            path: "/",
            query: "",
            service,
            headers: &headers,
            body: body.as_bytes(),
        })
    }

    pub(crate) fn iam(&self, parameters: &str) -> Result<Vec<u8>> {
        self.query("iam", "2010-05-08", parameters)
    }

    pub(crate) fn caller_identity(&self) -> Result<Vec<u8>> {
        self.query("sts", "2011-06-15", "Action=GetCallerIdentity")
    }

    /// A call of KMS, which speaks JSON.
    pub(crate) fn kms(&self, operation: &str, body: &str) -> Result<Vec<u8>> {
        self.json("kms", operation, body)
    }

    /// A call of a service that speaks JSON: KMS, Secrets Manager, Systems Manager.
    pub(crate) fn json(&self, service: &str, operation: &str, body: &str) -> Result<Vec<u8>> {
        let prefix = match service {
            "kms" => "TrentService",
            "ssm" => "AmazonSSM",
            other => other,
        };
        let target = format!("{prefix}.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        self.sign(&Draft {
            method: "POST",
            path: "/",
            query: "",
            service,
            headers: &headers,
            body: body.as_bytes(),
        })
    }

    /// A request to S3, by path.
    pub(crate) fn s3(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>> {
        self.sign(&Draft {
            method,
            path,
            query,
            service: "s3",
            headers,
            body,
        })
    }

    /// The server's own report.
    pub(crate) fn status(&self) -> Result<Vec<u8>> {
        self.sign(&Draft {
            method: "GET",
            path: "/_ringwork/status",
            query: "",
            service: "ringwork",
            headers: &[],
            body: b"",
        })
    }

    /// The request's bytes, with the headers that AWS's clients send.
    fn sign(&self, draft: &Draft<'_>) -> Result<Vec<u8>> {
        let host = self.address.to_string();
        let fixed = [
            ("host", host.as_str()),
            ("user-agent", "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 lang/python"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in fixed.iter().chain(draft.headers) {
            let value = HeaderValue::from_str(value).map_err(while_doing("compose a request"))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let Credentials {
            access_key_id,
            secret_access_key,
        } = &self.credentials;
        let signer = Signer {
            access_key_id,
            secret_access_key,
            session_token: None,
            region: REGION,
            service: draft.service,
        };
        let parts = Parts {
            method: draft.method,
            path: draft.path,
            query: draft.query,
            headers: &headers,
            body: draft.body,
        };
        let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
        let style = if draft.service == "s3" {
            PathStyle::Raw
        } else {
            PathStyle::Normalised
        };
        let signed = sigv4::sign_request(&signer, &parts, style, wall_seconds(), sha256, hmac);
        headers.extend(
            signed
                .map_err(while_doing("sign"))?
                .into_iter()
                .map(|(name, value)| (Some(name), value)),
        );
        let mark = if draft.query.is_empty() { "" } else { "?" };
        let (method, path, query) = (draft.method, draft.path, draft.query);
        let mut bytes = format!("{method} {path}{mark}{query} HTTP/1.1\r\n").into_bytes();
        for (name, value) in &headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", draft.body.len()).as_bytes());
        bytes.extend_from_slice(draft.body);
        Ok(bytes)
    }
}

fn wall_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

/// The text of the first XML element of a name.
pub(crate) fn element<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(value, _)| value)
}
