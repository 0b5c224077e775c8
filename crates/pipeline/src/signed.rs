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
pub enum Way {
    /// The header `Authorization`.
    Header,
    /// The query: a presigned URL.
    Query,
    /// The fields of a form that a browser posts.
    Form,
}

impl Way {
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
    pub way: Way,
    pub version: SignatureVersion,
    /// When it was made, in Unix time; 0 where version 2 does not say it.
    pub at: i64,
    /// What a signed header says of the payload: its hash, or that it is not signed.
    pub payload: Option<String>,
}

impl Signed {
    /// A signature in the header or the query.
    pub(crate) fn of(claim: &Claim<'_>, headers: &HeaderMap) -> Self {
        let payload = headers
            .get("x-amz-content-sha256")
            .and_then(|value| value.to_str().ok());
        let way = if claim.presigned() {
            Way::Query
        } else {
            Way::Header
        };
        let (version, at) = match claim {
            Claim::V4(claim) => (SignatureVersion::V4, claim.timestamp.seconds),
            Claim::V2(claim) => match claim.when {
                When::Signed { seconds, .. } => (SignatureVersion::V2, seconds),
                When::Until { .. } => (SignatureVersion::V2, 0),
            },
        };
        Self {
            way,
            version,
            at,
            payload: payload.filter(|_| way == Way::Header).map(str::to_owned),
        }
    }

    /// The signature of a form's policy.
    pub(crate) fn of_form(claim: &FormClaim<'_>) -> Self {
        Self {
            way: Way::Form,
            version: if claim.scope.is_some() {
                SignatureVersion::V4
            } else {
                SignatureVersion::V2
            },
            at: claim.scope.as_ref().map_or(0, |(_, at)| at.seconds),
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
    context.insert("s3:authType", signed.way.name());
    context.insert("s3:signatureversion", signed.version.name());
    // Of what is signed and sent at once there is no age to ask for.
    if signed.way != Way::Header {
        let age = match signed.version {
            // Nothing that version 2 signs in a query or a form says when it was signed; AWS's value is always this.
            SignatureVersion::V2 => 0,
            SignatureVersion::V4 => wall.0.saturating_sub(signed.at.saturating_mul(1000)).max(0),
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

    fn keys(way: Way, version: SignatureVersion) -> Vec<(String, String)> {
        let request = RequestFacts {
            signed: Some(Signed {
                way,
                version,
                at: 1_000,
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
            keys(Way::Header, SignatureVersion::V4),
            told(&[
                ("s3:authType", "REST-HEADER"),
                ("s3:signatureversion", "AWS4-HMAC-SHA256"),
            ])
        );
        assert_eq!(
            keys(Way::Query, SignatureVersion::V4),
            told(&[
                ("s3:authType", "REST-QUERY-STRING"),
                ("s3:signatureversion", "AWS4-HMAC-SHA256"),
                ("s3:signatureAge", "250"),
            ])
        );
        assert_eq!(
            keys(Way::Form, SignatureVersion::V2),
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
