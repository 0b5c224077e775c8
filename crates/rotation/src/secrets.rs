//! Secrets Manager as a client sees it: signed calls with the role's credentials.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use wire::protocol::Parts;
use wire::sigv4::{self, PathStyle, Signer};

use crate::environment::Environment;
use crate::error::{Error, Result};

const SECRETS_MANAGER: &str = "Secrets Manager";

/// The client.
pub(crate) struct Secrets(Environment);

impl Secrets {
    pub(crate) const fn new(environment: Environment) -> Self {
        Self(environment)
    }

    /// `DescribeSecret`
    pub(crate) async fn describe(&self, arn: &str) -> Result<Value> {
        self.call("DescribeSecret", &json!({ "SecretId": arn })).await
    }

    /// The text of the version that bears a label, and is a given one if one is named.
    pub(crate) async fn value(&self, arn: &str, stage: &str, version: Option<&str>) -> Result<String> {
        let mut input = json!({ "SecretId": arn, "VersionStage": stage });
        if let (Some(version), Some(members)) = (version, input.as_object_mut()) {
            members.insert("VersionId".to_owned(), json!(version));
        }
        let answer = self.call("GetSecretValue", &input).await?;
        let text = answer.get("SecretString").and_then(Value::as_str);
        text.map(str::to_owned).ok_or(Error::Answer(SECRETS_MANAGER))
    }

    /// A new password that a connection string can bear, unless the function's variables say otherwise.
    pub(crate) async fn random_password(&self, excluded: &str) -> Result<String> {
        let wanted = &self.0.passwords;
        let input = json!({
            "ExcludeCharacters": wanted.exclude_characters.as_deref().unwrap_or(excluded),
            "PasswordLength": wanted.length.unwrap_or(32),
            "ExcludeNumbers": wanted.exclude_numbers,
            "ExcludePunctuation": wanted.exclude_punctuation,
            "ExcludeUppercase": wanted.exclude_uppercase,
            "ExcludeLowercase": wanted.exclude_lowercase,
            "RequireEachIncludedType": wanted.require_each.unwrap_or(true),
        });
        let answer = self.call("GetRandomPassword", &input).await?;
        let password = answer.get("RandomPassword").and_then(Value::as_str);
        password.map(str::to_owned).ok_or(Error::Answer(SECRETS_MANAGER))
    }

    /// Puts the value of a version that stays pending.
    pub(crate) async fn put(&self, arn: &str, version: &str, token: Option<&str>, text: &str) -> Result<()> {
        let mut input = json!({ "SecretId": arn, "ClientRequestToken": version, "SecretString": text,
            "VersionStages": ["AWSPENDING"] });
        if let (Some(token), Some(members)) = (token, input.as_object_mut()) {
            members.insert("RotationToken".to_owned(), json!(token));
        }
        self.call("PutSecretValue", &input).await.map(drop)
    }

    /// Makes a version current in place of another.
    pub(crate) async fn make_current(&self, arn: &str, version: &str, from: Option<&str>) -> Result<()> {
        let mut input = json!({ "SecretId": arn, "VersionStage": "AWSCURRENT", "MoveToVersionId": version });
        if let (Some(from), Some(members)) = (from, input.as_object_mut()) {
            members.insert("RemoveFromVersionId".to_owned(), json!(from));
        }
        self.call("UpdateSecretVersionStage", &input).await.map(drop)
    }

    async fn call(&self, operation: &'static str, input: &Value) -> Result<Value> {
        let body = input.to_string();
        let headers = self.sign(operation, body.as_bytes())?;
        let endpoint = self.0.endpoint.trim_end_matches('/');
        let authority = self.0.authority.as_deref();
        let sent =
            planes::client::request(endpoint, authority, Method::POST, "/", headers, Bytes::from(body));
        let (status, _, answer) = sent.await.map_err(|source| Error::Exchange {
            to: SECRETS_MANAGER,
            source,
        })?;
        let answer: Value = if answer.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer).map_err(|_| Error::Answer(SECRETS_MANAGER))?
        };
        if status == 200 {
            return Ok(answer);
        }
        let text = |names: [&str; 2]| {
            let found = names
                .iter()
                .find_map(|name| answer.get(*name).and_then(Value::as_str));
            found.unwrap_or_default().to_owned()
        };
        let code = text(["__type", "code"]);
        Err(Error::Secrets {
            operation,
            code: code.rsplit('#').next().unwrap_or_default().to_owned(),
            message: text(["message", "Message"]),
        })
    }

    fn sign(&self, operation: &str, body: &[u8]) -> Result<HeaderMap> {
        let unusable = |_| Error::Signature;
        let host = self.0.endpoint.split_once("://").ok_or(Error::Signature)?.1;
        let host = host.trim_end_matches('/');
        let target = format!("secretsmanager.{operation}");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).map_err(unusable)?);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-amz-json-1.1"),
        );
        headers.insert("x-amz-target", HeaderValue::from_str(&target).map_err(unusable)?);
        let signer = Signer {
            access_key_id: &self.0.access_key_id,
            secret_access_key: &self.0.secret_access_key,
            session_token: self.0.session_token.as_deref(),
            region: &self.0.region,
            service: "secretsmanager",
        };
        let parts = Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body,
        };
        let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
        let signed = sigv4::sign_request(
            &signer,
            &parts,
            PathStyle::Normalised,
            (self.0.now)(),
            sha256,
            hmac,
        );
        let signed = signed.map_err(|_| Error::Signature)?;
        headers.extend(signed.into_iter().map(|(name, value)| (Some(name), value)));
        Ok(headers)
    }
}
