//! The role of a configuration, assumed by S3 for a bucket.

use bytes::Bytes;
use crypto::Secret;
use pipeline::{Call, Result};
use wire::{Document, Fault};

use super::BY;
use crate::s3::bucket::Bucket;

/// Credentials of the role.
pub(super) struct Session {
    pub(super) access_key_id: String,
    pub(super) token: Secret,
}

impl Session {
    /// As the pipeline takes them.
    pub(super) fn credential(&self) -> (&str, &Secret) {
        (&self.access_key_id, &self.token)
    }
}

/// Assumes the role: its trust policy judges S3, which names the bucket as its cause.
///
/// # Errors
/// STS's refusals.
pub(super) fn assume(call: &mut Call<'_>, bucket: &Bucket, role: &str) -> Result<Session> {
    let input = Document::Structure(vec![
        ("RoleArn", Document::String(role.to_owned())),
        ("RoleSessionName", Document::String("s3-replication".to_owned())),
    ]);
    let cause = (bucket.arn(), bucket.account.clone());
    let answer = call.deliver_as_service(
        BY,
        (&cause.0, &cause.1),
        "sts",
        "AssumeRole",
        (input, Bytes::new()),
    )?;
    let issued = answer.member("Credentials");
    let text = |member: &str| {
        let found = issued
            .and_then(|issued| issued.member(member))
            .and_then(Document::as_str);
        found.ok_or_else(|| Fault::internal(format!("STS answered without {member}")))
    };
    Ok(Session {
        access_key_id: text("AccessKeyId")?.to_owned(),
        token: Secret::copy_of(text("SessionToken")?.as_bytes()),
    })
}
