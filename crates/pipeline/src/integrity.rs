//! Whether a small body is the one that its sender digested: S3's `Content-MD5` and `x-amz-checksum-…` on bodies that are read whole.
//! Contents that are streamed are checked where they are taken in.
//!
//! Invariant: a digest that is said is checked; a body that fails is not decoded.
//!
//! Source: S3 User Guide, "Checking object integrity"; S3 API Reference, "Error responses".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::checksum::{Checksum, ChecksumSet, Summer};
use http::HeaderMap;
use wire::model::{Kind, Operation, Service};
use wire::{Document, Fault};

use crate::operation::Result;

/// Checks a request to S3.
pub(crate) fn check(
    service: &Service,
    operation: &Operation,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<()> {
    let shape = operation.input.and_then(|id| service.shape(id));
    let Some(Kind::Structure(structure)) = shape.map(|shape| &shape.kind).filter(|_| service.bare_errors)
    else {
        return Ok(());
    };
    let payload = structure.payload.and_then(|index| structure.members.get(index));
    if payload.is_some_and(|member| member.streaming) {
        return Ok(());
    }
    for checksum in Checksum::ALL {
        let name = checksum.header();
        // What completes an upload says the checksum of the object, not of the body.
        let of_object = structure
            .members
            .iter()
            .any(|member| member.name.starts_with("Checksum") && member.wire_name == Some(name));
        if of_object {
            continue;
        }
        let Some(said) = headers.get(name).and_then(|value| value.to_str().ok()) else {
            continue;
        };
        let wanted = STANDARD.decode(said.trim()).ok();
        let Some(wanted) = wanted.filter(|wanted| wanted.len() == checksum.width()) else {
            return Err(unreadable(checksum, said));
        };
        let mut summer = Summer::new(ChecksumSet::of(checksum));
        summer.update(body);
        let sums = summer.finish();
        let computed = sums.get(checksum).unwrap_or_default();
        if wanted != computed {
            return Err(different(checksum, said, computed));
        }
    }
    Ok(())
}

fn unreadable(checksum: Checksum, said: &str) -> Fault {
    if checksum == Checksum::Md5 {
        return Fault::plain("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
            .with("Content-MD5", Document::String(said.chars().take(128).collect()));
    }
    let message = format!("Value for {} header is invalid.", checksum.header());
    Fault::plain("InvalidRequest", 400, message)
}

fn different(checksum: Checksum, said: &str, computed: &[u8]) -> Fault {
    if checksum == Checksum::Md5 {
        let message = "The Content-MD5 you specified did not match what we received.";
        return Fault::plain("BadDigest", 400, message)
            .with("ExpectedDigest", Document::String(said.to_owned()))
            .with("CalculatedDigest", Document::String(STANDARD.encode(computed)));
    }
    let message = format!(
        "The {} you specified did not match the calculated checksum.",
        checksum.name()
    );
    Fault::plain("BadDigest", 400, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "content-md5";

    fn code(headers: &[(&'static str, &str)], body: &str) -> Option<String> {
        let service = api::models::service("s3").expect("S3");
        let operation = service.operation("PutBucketTagging").expect("an operation");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header"));
        }
        let fault = check(service, operation, &map, body.as_bytes()).err()?;
        match fault.code {
            wire::fault::Code::Plain { code, .. } => Some(code.into_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_said_digest_is_checked() {
        assert_eq!(code(&[], "hello"), None);
        assert_eq!(code(&[(MD5, "XUFAKrxLKna5cZ2REBfFkg==")], "hello"), None);
        let bad = code(&[(MD5, "XUFAKrxLKna5cZ2REBfFkg==")], "hellO");
        assert_eq!(bad.as_deref(), Some("BadDigest"));
        assert_eq!(
            code(&[(MD5, "XUFAKg==")], "hello").as_deref(),
            Some("InvalidDigest")
        );
        assert_eq!(code(&[("x-amz-checksum-crc32", "NhCmhg==")], "hello"), None);
        let bad = code(&[("x-amz-checksum-crc32", "NhCmhg==")], "hellO");
        assert_eq!(bad.as_deref(), Some("BadDigest"));
        let bad = code(&[("x-amz-checksum-crc32", "!")], "hello");
        assert_eq!(bad.as_deref(), Some("InvalidRequest"));
    }
}
