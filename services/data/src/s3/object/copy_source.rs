//! The source of a copy: its name in a header, the second permission, and the conditions on it.

use std::sync::Arc;

use api::s3 as model;
use pipeline::{Access, Call, Found, Result};
use policy::Context;
use wire::Timestamp;

use super::get::GET_VERSION;
use super::precondition::{Conditions, Verdict};
use super::target::{self, ObjectTarget};
use super::write::{GET, PUT_BYTES_MAX};
use super::{Version, refusal};
use crate::s3::bucket::{BUCKETS, Bucket};
use crate::s3::encryption::{Customer, Opener};
use crate::s3::locate;
use crate::s3::log;
use crate::s3::metrics;
use crate::s3::payer;

/// What a request says of its source, beside the name.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) matches: Option<String>,
    pub(crate) none_match: Option<String>,
    pub(crate) modified_since: Option<Timestamp>,
    pub(crate) unmodified_since: Option<Timestamp>,
    pub(crate) expected_owner: Option<String>,
    pub(crate) customer: Customer,
    pub(crate) payer: Option<model::RequestPayer>,
}

/// Reads what a request of either shape says of its source.
macro_rules! asked {
    ($input:expr) => {
        $crate::s3::object::copy_source::Asked {
            matches: $input.copy_source_if_match.take(),
            none_match: $input.copy_source_if_none_match.take(),
            modified_since: $input.copy_source_if_modified_since,
            unmodified_since: $input.copy_source_if_unmodified_since,
            expected_owner: $input.expected_source_bucket_owner.take(),
            payer: $input.request_payer,
            customer: $crate::s3::encryption::Customer {
                algorithm: $input.copy_source_sse_customer_algorithm.take(),
                key: $input
                    .copy_source_sse_customer_key
                    .take()
                    .map(|key| crypto::Secret::new(key.into_bytes())),
                key_md5: $input.copy_source_sse_customer_key_md5.take(),
            },
        }
    };
}
pub(crate) use asked;

/// A source that the caller may read, and how it is opened.
pub(crate) struct CopySource {
    pub(crate) object: ObjectTarget,
    pub(crate) version: Arc<Version>,
    pub(crate) opener: Opener,
    /// Whoever copies pays for reading it.
    pub(crate) charged: Option<model::RequestCharged>,
}

/// Finds the source and asks for the permission to read it.
///
/// # Errors
/// What is wrong with the name, the permission, the conditions or the object's state.
pub(crate) fn admit(call: &mut Call<'_>, header: &str, asked: &Asked) -> Result<CopySource> {
    let name = parse(header)?;
    let mut reached = call.get(&BUCKETS, name.bucket.as_str())?;
    let admitted = judge(call, &name, asked, &mut reached);
    if let Some(bucket) = reached.filter(|bucket| bucket.logging.is_some()) {
        let read = admitted.as_ref().map(|source| source.version.size);
        log::read_by_copy(call, &bucket, &name.key, (name.version, read));
    }
    admitted
}

/// Whether the caller may have what a name denotes, as it is. Tells which bucket was `reached`, also of what is refused.
fn judge(
    call: &mut Call<'_>,
    name: &Name,
    asked: &Asked,
    reached: &mut Option<Arc<Bucket>>,
) -> Result<CopySource> {
    let access = if name.version.is_some() { GET_VERSION } else { GET };
    let found = match locate::source(call, &name.bucket, asked.expected_owner.as_deref())? {
        Found::Here(bucket) => {
            *reached = Some(bucket.shared());
            let version = name.version.as_deref();
            Found::Here(ObjectTarget::look_up(call, &bucket, &name.key, version)?)
        }
        Found::Absent { arn, fault } => target::absent(&arn, &name.key, fault),
    };
    let object = call.authorize(access, found, Context::default())?.into_inner();
    let charged = payer::charge(call, object.bucket(), asked.payer)?;
    if name.version.is_some() && object.version().is_some_and(|version| version.is_marker()) {
        return Err(refusal::invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ));
    }
    let version = object.object(call, "GET")?;
    let conditions = Conditions {
        matches: asked.matches.as_deref(),
        none_match: asked.none_match.as_deref(),
        modified_since: asked.modified_since,
        unmodified_since: asked.unmodified_since,
    };
    match conditions.judge(version.state()) {
        Verdict::Proceed => {}
        Verdict::Failed("If-Match") => {
            return Err(refusal::precondition_failed("x-amz-copy-source-If-Match"));
        }
        Verdict::Failed(_) => {
            return Err(refusal::precondition_failed(
                "x-amz-copy-source-If-Unmodified-Since",
            ));
        }
        // Of a copy's source there is nothing that a client could have already.
        Verdict::NotModified => {
            return Err(refusal::precondition_failed("x-amz-copy-source-If-None-Match"));
        }
    }
    if !version.is_readable(call.now) {
        return Err(api::s3::fault::object_not_in_active_tier_error(
            "The source object of the COPY action is not in the active tier and is only stored in Amazon S3 Glacier.",
        ));
    }
    let opener = Opener::of(
        call,
        &version.encryption,
        object.bucket(),
        object.key(),
        &asked.customer,
    )?;
    metrics::note_source(call, object.bucket(), object.key())?;
    Ok(CopySource {
        object,
        version,
        opener,
        charged,
    })
}

impl CopySource {
    /// Asks for another action on the source.
    pub(crate) fn also(&self, call: &mut Call<'_>, newest: Access, named: Access) -> Result<()> {
        let access = if self.object.asked().is_some() {
            named
        } else {
            newest
        };
        self.object.also(call, access, Context::default())
    }

    /// Refuses sources that are too large to be copied at once.
    pub(crate) fn expect_size(&self) -> Result<()> {
        if self.version.size > PUT_BYTES_MAX {
            return Err(refusal::invalid_request(format!(
                "The specified copy source is larger than the maximum allowable size for a copy source: {PUT_BYTES_MAX}"
            )));
        }
        Ok(())
    }
}

#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Name {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// Reads `x-amz-copy-source`: `bucket/key`, escaped, with `?versionId=` behind it.
pub(crate) fn parse(header: &str) -> Result<Name> {
    let invalid = || {
        refusal::invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            "x-amz-copy-source",
            header,
        )
    };
    let (path, version) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (header, None),
    };
    let path = decoded(path).ok_or_else(invalid)?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    // The ARN of an access point has a slash of its own.
    let split = if path.starts_with("arn:") {
        path.split_once("/object/")
    } else {
        path.split_once('/')
    };
    let (bucket, key) = split.ok_or_else(invalid)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(invalid());
    }
    Ok(Name {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: version.and_then(decoded).filter(|version| !version.is_empty()),
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            out.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_names_bucket_key_and_perhaps_a_version() {
        let name = |bucket: &str, key: &str, version: Option<&str>| Name {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.map(str::to_owned),
        };
        assert_eq!(parse("b/k").ok(), Some(name("b", "k", None)));
        assert_eq!(parse("/b/a%20b/c+d").ok(), Some(name("b", "a b/c+d", None)));
        assert_eq!(parse("b/k?versionId=v.1").ok(), Some(name("b", "k", Some("v.1"))));
        let arn = "arn:aws:s3:eu-central-1:111122223333:accesspoint/my-ap";
        for escaped in [arn.to_owned(), arn.replace(':', "%3A")] {
            let header = format!("{escaped}/object/a/object/b");
            assert_eq!(parse(&header).ok(), Some(name(arn, "a/object/b", None)));
        }
        assert!(parse(arn).is_err());
        assert_eq!(
            parse("b%2Fk%3FversionId=x").ok(),
            Some(name("b", "k?versionId=x", None))
        );
        for header in ["", "b", "b/", "/", "/b/", "b/%zz", "b/%ff"] {
            assert!(parse(header).is_err(), "{header}");
        }
    }
}
