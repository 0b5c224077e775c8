//! The message of an event.
//!
//! Source: S3 User Guide, "Event message structure".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::identity::IdentityType;
use pipeline::{Call, Result};
use serde_json::{Map, Value, json};
use wire::Timestamp;

use crate::s3::bucket::{Bucket, Versioning};
use crate::s3::object::Version;
use crate::s3::object::history::Slot;

/// AWS's version of the structure: the one with `objectRetentionEventData`.
const VERSION: &str = "2.6";
/// The entity tag of a delete marker's message: the MD5 of nothing.
const MD5_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// What an event says of its object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// Size and entity tag, without a place in the order.
    Changed,
    Made,
    Marked,
    /// Neither size nor tag: it is gone.
    Removed,
}

/// Something that happened to a version.
pub(crate) struct Event<'a> {
    /// `ObjectCreated:Put`
    pub(crate) name: &'static str,
    version: &'a Version,
    shows: Shows,
    /// What only some types have, under its name.
    details: Option<(&'static str, Value)>,
}

impl<'a> Event<'a> {
    const fn new(name: &'static str, version: &'a Version, shows: Shows) -> Self {
        Self {
            name,
            version,
            shows,
            details: None,
        }
    }

    /// Something about a version that stays.
    pub(crate) const fn of(name: &'static str, version: &'a Version) -> Self {
        Self::new(name, version, Shows::Changed)
    }

    /// A version was made.
    pub(crate) const fn made(name: &'static str, version: &'a Version) -> Self {
        Self::new(name, version, Shows::Made)
    }

    /// A delete marker was made.
    pub(crate) const fn marked(name: &'static str, version: &'a Version) -> Self {
        Self::new(name, version, Shows::Marked)
    }

    /// A version was removed for good.
    pub(crate) const fn removed(name: &'static str, version: &'a Version) -> Self {
        Self::new(name, version, Shows::Removed)
    }

    /// The same with what only its type has.
    pub(crate) fn with(self, details: Option<(&'static str, Value)>) -> Self {
        Self { details, ..self }
    }

    /// The message for one configuration.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn message(&self, call: &mut Call<'_>, slot: Slot<'_>, id: &str) -> Result<Value> {
        let bucket = slot.bucket;
        let mut object = Map::new();
        object.insert("key".to_owned(), encoded(slot.key).into());
        match self.shows {
            Shows::Changed | Shows::Made => {
                object.insert("size".to_owned(), self.version.size.into());
                object.insert("eTag".to_owned(), self.version.etag.clone().into());
            }
            Shows::Marked => {
                object.insert("eTag".to_owned(), MD5_OF_NOTHING.into());
            }
            Shows::Removed => {}
        }
        if bucket.versioning != Versioning::Never {
            object.insert("versionId".to_owned(), self.version.shown_id().into());
        }
        if self.shows != Shows::Changed {
            object.insert("sequencer".to_owned(), self.sequencer(call, slot)?.into());
        }
        let request = &call.request.id;
        let mut record = json!({
            "eventVersion": VERSION,
            "eventSource": "aws:s3",
            "awsRegion": bucket.region,
            "eventTime": time(call.now),
            "eventName": self.name,
            "userIdentity": {"principalId": principal(call)},
            "requestParameters": {"sourceIPAddress": call.request.source_ip},
            "responseElements": {"x-amz-request-id": request, "x-amz-id-2": STANDARD.encode(request)},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": id,
                "bucket": {"name": bucket.name, "ownerIdentity": {"principalId": customer(bucket)}, "arn": bucket.arn()},
                "object": object,
            },
        });
        if let (Some((name, details)), Some(members)) = (&self.details, record.as_object_mut()) {
            members.insert((*name).to_owned(), details.clone());
        }
        Ok(json!({"Records": [record]}))
    }

    /// A number in hexadecimal that grows from one event of a key to the next.
    fn sequencer(&self, call: &mut Call<'_>, slot: Slot<'_>) -> Result<String> {
        if self.shows != Shows::Removed {
            return Ok(format!("{:017X}0", self.version.sequence));
        }
        // After what was there, and before whatever comes next.
        let newest = slot.newest(call)?.map_or(0, |newest| newest.sequence);
        let now = u64::try_from(call.now.0).unwrap_or_default();
        let last = newest.max(self.version.sequence).max(now);
        Ok(format!("{last:017X}8"))
    }
}

/// `2026-11-22T00:36:56.789Z`
pub(crate) fn time(at: Timestamp) -> String {
    let whole = at.iso8601();
    let seconds = whole.strip_suffix('Z').unwrap_or(&whole);
    format!("{seconds}.{:03}Z", at.0.rem_euclid(1000))
}

/// Whoever caused the event, by unique id.
fn principal(call: &Call<'_>) -> String {
    let identity = call.identity;
    match identity.kind {
        IdentityType::AwsService => identity.user_id.to_string(),
        IdentityType::Unknown => "Anonymous".to_owned(),
        _ => format!("AWS:{}", identity.user_id),
    }
}

/// The bucket's owner as a customer. AWS keeps this for old clients alone; here it is made of the account's number.
fn customer(bucket: &Bucket) -> String {
    let digest = crypto::digest::sha256(format!("ringwork customer {}", bucket.account).as_bytes());
    let letters = digest.iter().take(13).map(|byte| {
        let place = usize::from(byte % 32);
        char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
                .get(place)
                .copied()
                .unwrap_or(b'A'),
        )
    });
    std::iter::once('A').chain(letters).collect()
}

/// A key as in a form, with its slashes.
fn encoded(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'*' | b'/' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            other => {
                use std::fmt::Write as _;
                let _infallible = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_in_forms() {
        assert_eq!(encoded("red flower.jpg"), "red+flower.jpg");
        assert_eq!(encoded("a/b+ä&=~"), "a/b%2B%C3%A4%26%3D%7E");
    }

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(time(Timestamp(1_795_305_600_007)), "2026-11-22T00:00:00.007Z");
    }
}
