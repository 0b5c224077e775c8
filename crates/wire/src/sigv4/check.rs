//! What must hold of a claim besides the signature: its time, its scope, its payload and the headers it covers.
//!
//! Invariant: each check is pure and says AWS's message; none of them needs the key.

use super::encoding::{basic_time, hex};
use super::{
    Claim, PRESIGNED_SECONDS_MAX, PathStyle, PayloadHash, Sha256, Streaming, StringToSign, WINDOW_SECONDS,
};
use crate::fault::Common;
use crate::protocol::Parts;
use crate::{Document, Fault};

/// What a service and operation accept as payload signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PayloadRule {
    pub style: PathStyle,
    /// `UNSIGNED-PAYLOAD` is accepted: the model's `unsigned payload`, and all of S3.
    pub unsigned: bool,
    /// Chunked payloads are accepted (S3). Their chunks are checked by `ChunkedDecoder`.
    pub streaming: bool,
}

/// Checks that the body is the one that was signed. A computed hash needs no check: it is in the string to sign.
///
/// Errors: `XAmzContentSHA256Mismatch` for S3, a wrong signature elsewhere; a kind of payload that is not accepted.
pub fn check_payload(claim: &Claim<'_>, body: &[u8], rule: PayloadRule, sha256: Sha256) -> Result<(), Fault> {
    match &claim.payload {
        PayloadHash::Literal(hash) => {
            let computed = hex(&sha256(body));
            if hash.eq_ignore_ascii_case(&computed) {
                return Ok(());
            }
            if rule.style == PathStyle::Raw {
                let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                return Err(Fault::plain("XAmzContentSHA256Mismatch", 400, message)
                    .with("ClientComputedContentSHA256", Document::String(hash.to_string()))
                    .with("S3ComputedContentSHA256", Document::String(computed)));
            }
            Err(Fault::common(Common::SignatureDoesNotMatch, MISMATCH))
        }
        _ => check_payload_kind(claim, rule),
    }
}

/// Checks that the kind of payload is accepted, for a body that is verified while it arrives.
pub fn check_payload_kind(claim: &Claim<'_>, rule: PayloadRule) -> Result<(), Fault> {
    match &claim.payload {
        PayloadHash::Literal(_) | PayloadHash::AbsentComputed => Ok(()),
        PayloadHash::Unsigned if rule.unsigned => Ok(()),
        PayloadHash::Streaming(Streaming::UnsignedTrailer) if rule.streaming && rule.unsigned => Ok(()),
        PayloadHash::Streaming(Streaming::Signed | Streaming::SignedTrailer) if rule.streaming => Ok(()),
        PayloadHash::Unsigned | PayloadHash::Streaming(_) => Err(Fault::common(
            Common::SignatureDoesNotMatch,
            "The payload of this operation must be signed: 'x-amz-content-sha256' must be the SHA-256 of the body.",
        )),
    }
}

/// Checks that the signature is neither too old nor too new, by the wall clock in Unix seconds.
pub fn check_time(claim: &Claim<'_>, now_unix_seconds: i64, style: PathStyle) -> Result<(), Fault> {
    let (signed, now) = (claim.timestamp.seconds, now_unix_seconds);
    let text = &claim.timestamp.text;
    let s3 = style == PathStyle::Raw;
    if signed > now.saturating_add(WINDOW_SECONDS) {
        if s3 && claim.presigned.is_some() {
            return Err(Fault::common(Common::AccessDenied, "Request is not valid yet"));
        }
        if s3 {
            return Err(skewed(text, now));
        }
        return Err(Fault::common(
            Common::RequestExpired,
            format!(
                "Signature not yet current: {text} is still later than {} ({} + 15 min.)",
                basic_time(now.saturating_add(WINDOW_SECONDS)),
                basic_time(now)
            ),
        ));
    }
    let life = match claim.presigned {
        None => WINDOW_SECONDS,
        Some(presigned) => match presigned.expires_seconds {
            Some(seconds) => seconds.min(PRESIGNED_SECONDS_MAX),
            None if s3 => {
                let message = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                               X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
                return Err(Fault::plain("AuthorizationQueryParametersError", 400, message));
            }
            None => WINDOW_SECONDS,
        },
    };
    if now.saturating_sub(signed) <= life {
        return Ok(());
    }
    match (s3, claim.presigned) {
        (true, None) => Err(skewed(text, now)),
        (true, Some(_)) => Err(Fault::common(Common::AccessDenied, "Request has expired")
            .with("X-Amz-Expires", Document::String(life.to_string()))
            .with("Expires", Document::String(extended(signed.saturating_add(life))))
            .with("ServerTime", Document::String(extended(now)))),
        (false, _) => {
            let span = if life % 60 == 0 {
                format!("{} min.", life / 60)
            } else {
                format!("{life} sec.")
            };
            Err(Fault::common(
                Common::RequestExpired,
                format!(
                    "Signature expired: {text} is now earlier than {} ({} - {span})",
                    basic_time(now.saturating_sub(life)),
                    basic_time(now)
                ),
            ))
        }
    }
}

/// S3's refusal of a signature of another time, as the request wrote it.
pub(crate) fn skewed(signed: &str, now: i64) -> Fault {
    let message = "The difference between the request time and the current time is too large.";
    Fault::plain("RequestTimeTooSkewed", 403, message)
        .with("RequestTime", Document::String(signed.to_owned()))
        .with("ServerTime", Document::String(extended(now)))
        .with(
            "MaxAllowedSkewMilliseconds",
            Document::String((WINDOW_SECONDS * 1000).to_string()),
        )
}

/// `2015-08-30T12:36:00Z`
pub(crate) fn extended(seconds: i64) -> String {
    let basic = basic_time(seconds);
    let part = |range: std::ops::Range<usize>| basic.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4),
        part(4..6),
        part(6..8),
        part(9..11),
        part(11..13),
        part(13..15)
    )
}

/// Checks that the credential was scoped to one of the service's signing names and regions. An empty list of regions
/// accepts any region.
pub fn check_scope(claim: &Claim<'_>, services: &[&str], regions: &[&str]) -> Result<(), Fault> {
    let mut message = String::new();
    if !regions.is_empty() && !regions.contains(&claim.scope.region.as_ref()) {
        message.push_str("Credential should be scoped to a valid region. ");
    }
    if !services.contains(&claim.scope.service.as_ref()) {
        message.push_str("Credential should be scoped to correct service: ");
        message.push_str(
            &services
                .iter()
                .map(|name| format!("'{name}'"))
                .collect::<Vec<_>>()
                .join(" or "),
        );
        message.push_str(". ");
    }
    if message.is_empty() {
        Ok(())
    } else {
        Err(Fault::common(Common::SignatureDoesNotMatch, message))
    }
}

/// S3 demands that every `x-amz-*` header is signed; elsewhere `parse` has checked what must be.
pub fn check_signed_headers(claim: &Claim<'_>, parts: &Parts<'_>, style: PathStyle) -> Result<(), Fault> {
    if style == PathStyle::Normalised {
        return Ok(());
    }
    let mut unsigned: Vec<&str> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && !claim.signs(name))
        // Browsers and content networks add these; they steer nothing.
        .filter(|name| !matches!(*name, "x-amz-user-agent" | "x-amz-cf-id"))
        // The hash is a line of the canonical request anyway.
        .filter(|name| *name != "x-amz-content-sha256")
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    unsigned.sort_unstable();
    let message = "There were headers present in the request which were not signed";
    Err(Fault::common(Common::AccessDenied, message)
        .with("HeadersNotSigned", Document::String(unsigned.join(", "))))
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

/// AWS's text for a wrong signature, with what should have been signed.
pub fn mismatch_message(canonical_request: &str, string_to_sign: &str) -> String {
    format!(
        "{MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical_request}'\n\nThe \
         String-to-Sign should have been\n'{string_to_sign}'\n"
    )
}

/// S3's refusal of a wrong signature: what should have been signed stands beside the message.
pub fn signature_mismatch_of_objects(claim: &Claim<'_>, should: &StringToSign) -> Fault {
    let message = "The request signature we calculated does not match the signature you provided. Check your key and signing \
                   method.";
    Fault::common(Common::SignatureDoesNotMatch, message)
        .with(
            "AWSAccessKeyId",
            Document::String(claim.access_key_id.to_string()),
        )
        .with("StringToSign", Document::String(should.text.clone()))
        .with("SignatureProvided", Document::String(claim.signature.to_string()))
        .with("StringToSignBytes", Document::String(spaced_hex(&should.text)))
        .with(
            "CanonicalRequest",
            Document::String(should.canonical_request.clone()),
        )
        .with(
            "CanonicalRequestBytes",
            Document::String(spaced_hex(&should.canonical_request)),
        )
}

/// `47 45 54`
pub(crate) fn spaced_hex(text: &str) -> String {
    let pairs: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

/// S3's refusal of a scope that names another region than the endpoint's.
pub fn wrong_region(said: &str, expected: &str) -> Fault {
    let message = format!(
        "The authorization header is malformed; the region '{said}' is wrong; expecting '{expected}'"
    );
    Fault::common(Common::IncompleteSignature, message).with("Region", Document::String(expected.to_owned()))
}

/// The refusal of a wrong signature, with AWS's text.
pub fn signature_mismatch(canonical_request: &str, string_to_sign: &str) -> Fault {
    Fault::common(
        Common::SignatureDoesNotMatch,
        mismatch_message(canonical_request, string_to_sign),
    )
}
