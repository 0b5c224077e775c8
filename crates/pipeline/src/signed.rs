//! How a request was signed and what it came over, as the policies of S3 ask for it.
//!
//! Invariant: it is told only of a signature that was verified.
//!
//! Source: S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys"; Service Authorization Reference,
//! "Condition keys for Amazon S3".

use policy::Context;
use wire::Timestamp;

use crate::call::{RequestFacts, SignatureVersion, SignedIn};

/// Sets the condition keys that every request to S3 has. Signatures are made by the wall's time, so their age counts by it.
pub(crate) fn conditions(request: &RequestFacts, wall: Timestamp, context: &mut Context) {
    if let Some(version) = request.tls.and_then(|tls| tls.version.strip_prefix("TLSv")) {
        context.insert("s3:TlsVersion", version);
    }
    let Some(signed) = &request.signed else { return };
    let place = match signed.place {
        SignedIn::Header => "REST-HEADER",
        SignedIn::Query => "REST-QUERY-STRING",
        SignedIn::Form => "POST",
    };
    context.insert("s3:authType", place);
    let version = match signed.version {
        SignatureVersion::V2 => "AWS",
        SignatureVersion::V4 => wire::sigv4::ALGORITHM,
    };
    context.insert("s3:signatureversion", version);
    if signed.place == SignedIn::Header {
        // What is signed and sent at once has no age to ask for; what is presigned does not say in a header what its payload is.
        if let Some(payload) = &request.payload {
            context.insert("s3:x-amz-content-sha256", payload.clone());
        }
        return;
    }
    let age = match (signed.version, signed.at) {
        (SignatureVersion::V4, Some(at)) => wall.0.saturating_sub(at.0).max(0),
        _ => 0,
    };
    context.insert("s3:signatureAge", age.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Signed;

    fn keys(place: SignedIn, version: SignatureVersion) -> Vec<(String, String)> {
        let request = RequestFacts {
            signed: Some(Signed {
                place,
                version,
                at: Some(Timestamp(1_000_000)),
            }),
            payload: Some("UNSIGNED-PAYLOAD".to_owned()),
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
                ("s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
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
