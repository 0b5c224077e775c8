//! The client side: signs a request of our own (command line, control calls, tests).
//!
//! Invariant: what is signed here is what `string_to_sign` rebuilds, since both share the canonical request.
//!
//! Source: IAM User Guide, "Create a signed AWS API request", steps 4 and 5.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::canonical::canonical_request;
use super::encoding::{basic_time, hex};
use super::{ALGORITHM, HmacSha256, PathStyle, Sha256};
use crate::protocol::Parts;

/// Who signs, and for what. No `Debug`: it holds the secret.
pub struct Signer<'a> {
    pub access_key_id: &'a str,
    pub secret_access_key: &'a str,
    pub session_token: Option<&'a str>,
    pub region: &'a str,
    pub service: &'a str,
}

/// Derives the key that signs for one day, region and service. The caller wipes it.
pub fn signing_key(
    secret_access_key: &str,
    date: &str,
    region: &str,
    service: &str,
    hmac: HmacSha256,
) -> zeroize::Zeroizing<[u8; 32]> {
    let mut root = zeroize::Zeroizing::new(Vec::with_capacity(4 + secret_access_key.len()));
    root.extend_from_slice(b"AWS4");
    root.extend_from_slice(secret_access_key.as_bytes());
    let mut key = zeroize::Zeroizing::new(hmac(&root, date.as_bytes()));
    for message in [region, service, "aws4_request"] {
        *key = hmac(key.as_slice(), message.as_bytes());
    }
    key
}

/// Signs every header of the request, which must have a `host`. Returns the headers to add: `x-amz-date`, the session
/// token, for S3 `x-amz-content-sha256`, and `authorization`.
///
/// Errors: a value that cannot be a header.
pub fn sign_request(
    signer: &Signer<'_>,
    parts: &Parts<'_>,
    style: PathStyle,
    now_unix_seconds: i64,
    sha256: Sha256,
    hmac: HmacSha256,
) -> Result<Vec<(HeaderName, HeaderValue)>, http::Error> {
    let time = basic_time(now_unix_seconds);
    let day = time.get(..8).unwrap_or_default();
    let payload = hex(&sha256(parts.body));
    let mut added = vec![(
        HeaderName::from_static("x-amz-date"),
        HeaderValue::from_str(&time)?,
    )];
    if style == PathStyle::Raw {
        added.push((
            HeaderName::from_static("x-amz-content-sha256"),
            HeaderValue::from_str(&payload)?,
        ));
    }
    if let Some(token) = signer.session_token {
        added.push((
            HeaderName::from_static("x-amz-security-token"),
            HeaderValue::from_str(token)?,
        ));
    }
    let mut headers: HeaderMap = parts.headers.clone();
    headers.remove(http::header::AUTHORIZATION);
    for (name, value) in &added {
        headers.insert(name.clone(), value.clone());
    }
    let mut names: Vec<&str> = headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| signable(name))
        .collect();
    names.sort_unstable();
    let signed_headers = names.join(";");
    let signed = Parts {
        headers: &headers,
        ..*parts
    };
    let canonical = canonical_request(&signed, &signed_headers, &payload, style);
    let scope = format!("{day}/{}/{}/aws4_request", signer.region, signer.service);
    let text = format!(
        "{ALGORITHM}\n{time}\n{scope}\n{}",
        hex(&sha256(canonical.as_bytes()))
    );
    let key = signing_key(signer.secret_access_key, day, signer.region, signer.service, hmac);
    let signature = hex(&hmac(key.as_slice(), text.as_bytes()));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={signature}",
        signer.access_key_id
    );
    let mut value = HeaderValue::from_str(&authorization)?;
    value.set_sensitive(true);
    added.push((http::header::AUTHORIZATION, value));
    Ok(added)
}

/// Headers that the transport or a proxy may change on the way are not signed.
fn signable(name: &str) -> bool {
    !matches!(
        name,
        "authorization" | "connection" | "expect" | "transfer-encoding" | "user-agent" | "x-amzn-trace-id"
    )
}
