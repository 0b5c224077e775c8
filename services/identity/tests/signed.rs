//! Whole signed requests, for what is decided before a handler runs.

use http::{HeaderMap, HeaderValue, Method};
use pipeline::testing::{BEGINNING, REGION};
use pipeline::{Answer, Incoming};
use serde_json::Value;
use wire::protocol::Parts;
use wire::sigv4::{PathStyle, Signer, sign_request};

use crate::scene::Scene;

/// A key as its holder keeps it.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl Keys {
    /// Of the answer of `CreateAccessKey`, or of one of STS's.
    pub(crate) fn of(answer: &Value) -> Self {
        let shown = if answer["AccessKey"].is_object() {
            &answer["AccessKey"]
        } else {
            &answer["Credentials"]
        };
        let text = |name: &str| shown[name].as_str().unwrap().to_owned();
        let token = shown["SessionToken"].as_str().map(str::to_owned);
        Self {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
            token,
        }
    }
}

/// Sends a query request of IAM or STS, signed if there are keys; the status and the body.
pub(crate) fn send(scene: &Scene, keys: Option<&Keys>, service: &str, operation: &str) -> (u16, String) {
    let answer = answer(scene, keys, service, operation);
    (
        answer.status,
        String::from_utf8(answer.body.at_hand().to_vec()).unwrap(),
    )
}

/// The status and the encoded authorization message of a refusal.
pub(crate) fn refusal(scene: &Scene, keys: &Keys, service: &str, operation: &str) -> (u16, String) {
    let answer = answer(scene, Some(keys), service, operation);
    let message = answer.headers["x-ringwork-authorization-message"]
        .to_str()
        .unwrap()
        .to_owned();
    (answer.status, message)
}

fn answer(scene: &Scene, keys: Option<&Keys>, service: &str, operation: &str) -> Answer {
    let version = if service == "iam" {
        "2010-05-08"
    } else {
        "2011-06-15"
    };
    let body = format!("Action={operation}&Version={version}");
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"),
    );
    if let Some(keys) = keys {
        let signer = Signer {
            access_key_id: &keys.id,
            secret_access_key: &keys.secret,
            session_token: keys.token.as_deref(),
            region: REGION,
            service,
        };
        let parts = Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let now = scene.cloud.gateway.clock().wall().seconds();
        let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
        for (name, value) in sign_request(&signer, &parts, PathStyle::Normalised, now, sha256, hmac).unwrap()
        {
            headers.insert(name, value);
        }
    }
    scene.cloud.serve(Incoming {
        method: Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers,
        body: pipeline::Body::Whole(body.into()),
        peer: "127.0.0.1:50000".parse().unwrap(),
        tls: None,
        standing: pipeline::front::Standing::default(),
    })
}

/// S1.14: a call without a signature is refused, and so is one that is signed with the wrong secret.
#[test]
fn an_unsigned_or_wrongly_signed_call_is_refused() {
    let scene = Scene::new();
    assert_eq!(scene.cloud.gateway.clock().wall().0, BEGINNING);
    let (status, body) = send(&scene, None, "sts", "GetCallerIdentity");
    assert!(
        status == 403 && body.contains("<Code>MissingAuthenticationToken</Code>"),
        "{body}"
    );
    scene.user("alice");
    let keys = Keys::of(&scene.root("CreateAccessKey", serde_json::json!({"UserName": "alice"})));
    let (status, body) = send(&scene, Some(&keys), "sts", "GetCallerIdentity");
    assert!(status == 200 && body.contains(":user/alice</Arn>"), "{body}");
    let forged = Keys {
        secret: keys.secret.chars().rev().collect(),
        ..keys.clone()
    };
    let (status, body) = send(&scene, Some(&forged), "sts", "GetCallerIdentity");
    assert!(
        status == 403 && body.contains("<Code>SignatureDoesNotMatch</Code>"),
        "{body}"
    );
    let unknown = Keys {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        ..keys
    };
    let (status, body) = send(&scene, Some(&unknown), "sts", "GetCallerIdentity");
    assert!(
        status == 403 && body.contains("<Code>InvalidClientTokenId</Code>"),
        "{body}"
    );
}
