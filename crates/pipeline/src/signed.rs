//! How a request was signed, as far as policies ask for it.
//!
//! Invariant: it is told only of a signature that was verified.
//!
//! Source: S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys"; Service Authorization Reference,
//! "Condition keys for Amazon S3".

use http::HeaderMap;
use policy::Context;
use wire::Timestamp;
use wire::signature::{Claim, FormClaim};
use wire::sigv2::When;

use crate::call::RequestFacts;

/// Where the signature of a request stood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignedIn {
    /// The header `Authorization`.
    Header,
    /// The query: a presigned URL.
    Query,
    /// The fields of a form that a browser posts.
    Form,
}

impl SignedIn {
    /// The value of `s3:authType`.
    const fn name(self) -> &'static str {
        match self {
            Self::Header => "REST-HEADER",
            Self::Query => "REST-QUERY-STRING",
            Self::Form => "POST",
        }
    }
}

/// The version of a signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureVersion {
    V2,
    V4,
}

impl SignatureVersion {
    /// The value of `s3:signatureversion`.
    const fn name(self) -> &'static str {
        match self {
            Self::V2 => "AWS",
            Self::V4 => wire::sigv4::ALGORITHM,
        }
    }
}

/// A signature that was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    pub place: SignedIn,
    pub version: SignatureVersion,
    /// When it says it was made, by the sender's clock. Presigned requests and forms of version 2 do not say.
    pub at: Option<Timestamp>,
    /// What a signed header says of the payload: its hash, or that it is not signed.
    pub payload: Option<String>,
}

impl Signed {
    /// How a claim stands in its request.
    pub(crate) fn of(claim: &Claim<'_>, headers: &HeaderMap) -> Self {
        let at = |seconds: i64| Some(Timestamp(seconds.saturating_mul(1000)));
        let place = if claim.presigned() {
            SignedIn::Query
        } else {
            SignedIn::Header
        };
        match claim {
            Claim::V4(claim) => {
                let payload = headers
                    .get("x-amz-content-sha256")
                    .and_then(|value| value.to_str().ok());
                Self {
                    place,
                    version: SignatureVersion::V4,
                    at: at(claim.timestamp.seconds),
                    payload: payload.filter(|_| place == SignedIn::Header).map(str::to_owned),
                }
            }
            Claim::V2(claim) => Self {
                place,
                version: SignatureVersion::V2,
                at: match claim.when {
                    When::Signed { seconds, .. } => at(seconds),
                    When::Until { .. } => None,
                },
                payload: None,
            },
        }
    }

    /// How a form's claim stands in it.
    pub(crate) fn of_form(claim: &FormClaim<'_>) -> Self {
        let at = claim.scope.as_ref().map(|(_, at)| at.seconds);
        Self {
            place: SignedIn::Form,
            version: if at.is_some() {
                SignatureVersion::V4
            } else {
                SignatureVersion::V2
            },
            at: at.map(|seconds| Timestamp(seconds.saturating_mul(1000))),
            payload: None,
        }
    }
}

/// Sets the condition keys that every request to S3 has. Signatures are made by the wall's time, so their age counts by it.
pub(crate) fn conditions(request: &RequestFacts, wall: Timestamp, context: &mut Context) {
    if let Some(version) = request.tls.and_then(|tls| tls.version.strip_prefix("TLSv")) {
        context.insert("s3:TlsVersion", version);
    }
    let Some(signed) = &request.signed else { return };
    context.insert("s3:authType", signed.place.name());
    context.insert("s3:signatureversion", signed.version.name());
    // Of what is signed and sent at once there is no age to ask for.
    if signed.place != SignedIn::Header {
        let age = match (signed.version, signed.at) {
            (SignatureVersion::V4, Some(at)) => wall.0.saturating_sub(at.0).max(0),
            _ => 0,
        };
        context.insert("s3:signatureAge", age.to_string());
    }
    if let Some(payload) = &signed.payload {
        context.insert("s3:x-amz-content-sha256", payload.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(place: SignedIn, version: SignatureVersion) -> Vec<(String, String)> {
        let request = RequestFacts {
            signed: Some(Signed {
                place,
                version,
                at: Some(Timestamp(1_000_000)),
                payload: None,
            }),
            ..RequestFacts::default()
        };
        let mut context = Context::default();
        conditions(&request, Timestamp(1_000_250), &mut context);
        let keys = context.iter();
        keys.map(|(key, values)| (key.to_owned(), values.concat()))
            .collect()
    }

    fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn each_way_and_version_has_its_name() {
        assert_eq!(
            keys(SignedIn::Header, SignatureVersion::V4),
            told(&[
                ("s3:authType", "REST-HEADER"),
                ("s3:signatureversion", "AWS4-HMAC-SHA256"),
            ])
        );
        assert_eq!(
            keys(SignedIn::Query, SignatureVersion::V4),
            told(&[
                ("s3:authType", "REST-QUERY-STRING"),
                ("s3:signatureversion", "AWS4-HMAC-SHA256"),
                ("s3:signatureAge", "250"),
            ])
        );
        assert_eq!(
            keys(SignedIn::Form, SignatureVersion::V2),
            told(&[
                ("s3:authType", "POST"),
                ("s3:signatureversion", "AWS"),
                ("s3:signatureAge", "0"),
            ])
        );
    }

    #[test]
    fn who_signs_nothing_has_no_way_to_tell() {
        let mut context = Context::default();
        conditions(&RequestFacts::default(), Timestamp(0), &mut context);
        assert_eq!(context.iter().count(), 0);
    }
}
