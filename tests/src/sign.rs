//! Signs the requests of the tests' client, in headers or in the query string.

use http::{HeaderMap, HeaderName, HeaderValue};
use wire::protocol::Parts;
use wire::sigv4::{
    PathStyle, Signer, basic_time, hex, parse, percent_encode, sign_request, signing_key, string_to_sign,
};

use crate::client::Request;

/// An access key as its holder keeps it.
#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Keys {
    /// Of the answer of `CreateAccessKey`, or of one of the answers of STS.
    pub fn of(answer: &serde_json::Value) -> Self {
        let shown = if answer["AccessKey"].is_object() {
            &answer["AccessKey"]
        } else {
            &answer["Credentials"]
        };
        let text = |name: &str| shown[name].as_str().map(str::to_owned);
        Self {
            id: text("AccessKeyId").unwrap(),
            secret: text("SecretAccessKey").unwrap(),
            token: text("SessionToken"),
        }
    }
}

const fn style(service: &str) -> PathStyle {
    match service.as_bytes() {
        b"s3" => PathStyle::Raw,
        _ => PathStyle::Normalised,
    }
}

fn parts(request: &Request) -> Parts<'_> {
    Parts {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &request.headers,
        body: &request.body,
    }
}

/// Signs in the headers, at a moment in Unix seconds. `service` is the signing name.
pub fn sign(request: &mut Request, keys: &Keys, region: &str, service: &str, at: i64) {
    let signer = Signer {
        access_key_id: &keys.id,
        secret_access_key: &keys.secret,
        session_token: keys.token.as_deref(),
        region,
        service,
    };
    let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
    let added = sign_request(&signer, &parts(request), style(service), at, sha256, hmac).unwrap();
    for (name, value) in added {
        request.headers.insert(name, value);
    }
}

/// Signs in the query string, for `life` seconds.
pub fn presign(request: &mut Request, keys: &Keys, region: &str, service: &str, at: i64, life: i64) {
    let time = basic_time(at);
    let scope = format!("{}/{region}/{service}/aws4_request", &time[..8]);
    let mut names: Vec<&str> = request.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let mut pairs = vec![
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("X-Amz-Credential", format!("{}/{scope}", keys.id)),
        ("X-Amz-Date", time.clone()),
        ("X-Amz-Expires", life.to_string()),
        ("X-Amz-SignedHeaders", names.join(";")),
    ];
    pairs.extend(keys.token.clone().map(|token| ("X-Amz-Security-Token", token)));
    let own: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", percent_encode(value)))
        .collect();
    let unsigned = [request.query.clone(), own.join("&")]
        .into_iter()
        .filter(|part| !part.is_empty());
    let unsigned = unsigned.collect::<Vec<_>>().join("&");
    request.query = format!("{unsigned}&X-Amz-Signature={}", "0".repeat(64));
    let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
    let signature = {
        let parts = parts(request);
        let claim = parse(&parts).ok().flatten().expect("a presigned request");
        let text = string_to_sign(&claim, &parts, style(service), sha256);
        let key = signing_key(&keys.secret, &time[..8], region, service, hmac);
        hex(&hmac(key.as_slice(), text.text.as_bytes()))
    };
    request.query = format!("{unsigned}&X-Amz-Signature={signature}");
}

/// Changes the last digit of the signature, wherever it is.
pub fn forge(request: &mut Request) {
    fn other(text: &str) -> String {
        let (rest, last) = text.split_at(text.len() - 1);
        format!("{rest}{}", if last == "0" { "1" } else { "0" })
    }
    if request.query.contains("X-Amz-Signature=") {
        request.query = other(&request.query);
        return;
    }
    let headers: &mut HeaderMap = &mut request.headers;
    let forged = other(headers["authorization"].to_str().unwrap());
    headers.insert("authorization", HeaderValue::from_str(&forged).unwrap());
}
