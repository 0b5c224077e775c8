//! The canonical request and the string to sign: the exact text that a signature covers.
//!
//! Invariant: two requests that a service could read differently have different canonical requests, as far as their
//! signed headers go. The text is built in one pass over the request, into one buffer.
//!
//! Source: IAM User Guide, "Create a signed AWS API request", steps 1 to 3.

use http::HeaderMap;

use super::encoding::{decode_bytes, encode_into, escape, hex};
use super::{ALGORITHM, Claim, PathStyle, PayloadHash, Sha256};
use crate::protocol::Parts;

/// What the signature must cover.
pub struct StringToSign {
    pub canonical_request: String,
    /// The string to sign: algorithm, time, scope, and the hash of the canonical request.
    pub text: String,
}

/// Builds the text that the claim's signature must cover. HTTP/2's `:authority` is expected as `host` header.
pub fn string_to_sign(
    claim: &Claim<'_>,
    parts: &Parts<'_>,
    style: PathStyle,
    sha256: Sha256,
) -> StringToSign {
    let payload = match &claim.payload {
        PayloadHash::Literal(hash) => hash.to_string(),
        PayloadHash::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
        PayloadHash::Streaming(kind) => kind.as_str().to_owned(),
        // S3's presigned requests leave the payload out, since whoever presigns does not have it.
        PayloadHash::AbsentComputed if claim.presigned.is_some() && style == PathStyle::Raw => {
            "UNSIGNED-PAYLOAD".to_owned()
        }
        PayloadHash::AbsentComputed => hex(&sha256(parts.body)),
    };
    let canonical_request = canonical_request(parts, &claim.signed_headers, &payload, style);
    let scope = &claim.scope;
    let text = format!(
        "{ALGORITHM}\n{}\n{}/{}/{}/aws4_request\n{}",
        claim.timestamp.text,
        scope.date,
        scope.region,
        scope.service,
        hex(&sha256(canonical_request.as_bytes()))
    );
    StringToSign {
        canonical_request,
        text,
    }
}

pub(super) fn canonical_request(
    parts: &Parts<'_>,
    signed_headers: &str,
    payload: &str,
    style: PathStyle,
) -> String {
    let mut out = String::with_capacity(512 + parts.path.len() + parts.query.len() * 2);
    out.push_str(parts.method);
    out.push('\n');
    match style {
        PathStyle::Normalised => normalised_path(&mut out, parts.path),
        PathStyle::Raw => raw_path(&mut out, parts.path),
    }
    out.push('\n');
    canonical_query(&mut out, parts.query);
    out.push('\n');
    for name in signed_headers.split(';') {
        canonical_header(&mut out, name, parts.headers);
    }
    out.push('\n');
    out.push_str(signed_headers);
    out.push('\n');
    out.push_str(payload);
    out
}

/// Empty and dot segments go, then each segment is encoded once more (so that `%` becomes `%25`).
fn normalised_path(out: &mut String, path: &str) {
    let mut segments: Vec<&str> = Vec::with_capacity(8);
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    out.push('/');
    let mut first = true;
    for segment in &segments {
        if !first {
            out.push('/');
        }
        first = false;
        encode_into(out, segment.as_bytes(), |_| false);
    }
    if path.ends_with('/') && !segments.is_empty() {
        out.push('/');
    }
}

/// The path encoded exactly once, whatever the client left unencoded. An encoded slash stays one, since it belongs to
/// a name.
fn raw_path(out: &mut String, path: &str) {
    if path.is_empty() {
        out.push('/');
        return;
    }
    let mut first = true;
    for segment in path.split('/') {
        if !first {
            out.push('/');
        }
        first = false;
        encode_into(out, &decode_bytes(segment, false), |_| false);
    }
}

/// Parameters decoded, encoded as AWS does, and sorted by name, then value. The signature itself is left out.
fn canonical_query(out: &mut String, query: &str) {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (mut encoded_name, mut encoded_value) = (
            String::with_capacity(name.len()),
            String::with_capacity(value.len()),
        );
        encode_into(&mut encoded_name, &decode_bytes(name, true), |_| false);
        if encoded_name == "X-Amz-Signature" {
            continue;
        }
        encode_into(&mut encoded_value, &decode_bytes(value, true), |_| false);
        pairs.push((encoded_name, encoded_value));
    }
    pairs.sort_unstable();
    let mut first = true;
    for (name, value) in &pairs {
        if !first {
            out.push('&');
        }
        first = false;
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
}

/// `name:value` with runs of spaces folded, values of a repeated header joined by commas in their order.
fn canonical_header(out: &mut String, name: &str, headers: &HeaderMap) {
    out.push_str(name);
    out.push(':');
    let lookup = if name == ":authority" { "host" } else { name };
    let mut first = true;
    for value in headers.get_all(lookup) {
        if !first {
            out.push(',');
        }
        first = false;
        fold_into(out, value.as_bytes());
    }
    out.push('\n');
}

fn fold_into(out: &mut String, value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let mut space = false;
    for letter in text.trim_matches([' ', '\t', '\r', '\n']).chars() {
        if matches!(letter, ' ' | '\t' | '\r' | '\n') {
            space = true;
            continue;
        }
        if space {
            out.push(' ');
            space = false;
        }
        if letter.is_ascii_control() {
            // Cannot come through an HTTP parser; escaped so that no line of the text can be forged.
            escape(out, u8::try_from(u32::from(letter)).unwrap_or(0));
        } else {
            out.push(letter);
        }
    }
}
