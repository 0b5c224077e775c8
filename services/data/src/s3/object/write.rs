//! What every way to make an object shares: the put, the copy and the upload in parts.
//!
//! Invariant: nothing is written before everything that can be refused was; a condition holds in the transaction that writes.

use api::s3 as model;
use pipeline::identity::IdentityType;
use pipeline::{Access, Call, Checksum, Checksums, Operation, Result};
use policy::Context;
use wire::Fault;

use super::checksum::Kept;
use super::lock::{self, Lock};
use super::metadata::Metadata;
use super::precondition;
use super::refusal;
use super::tag_set::TagSet;
use super::target::ObjectTarget;
use super::{Body, Version, whole_second};
use crate::s3::acl::Acl;
use crate::s3::encryption::Applied;

/// What it takes to make an object.
pub(crate) const PUT: Access = Access::write("s3:PutObject");
/// What it takes to read one; a write on the condition of its tag asks for it too.
pub(crate) const GET: Access = Access::read("s3:GetObject");
pub(crate) const PUT_ACL: Access = Access::permissions("s3:PutObjectAcl");
pub(crate) const PUT_TAGS: Access = Access::tagging("s3:PutObjectTagging");
pub(crate) const PUT_RETENTION: Access = Access::write("s3:PutObjectRetention");
pub(crate) const PUT_HOLD: Access = Access::write("s3:PutObjectLegalHold");
/// What else a write may ask for.
pub(crate) const ALSO: &[Access] = &[GET, PUT_ACL, PUT_TAGS, PUT_RETENTION, PUT_HOLD];

/// Bytes of an object that is put at once, and of a part (S3 User Guide, "Amazon S3 multipart upload limits").
pub(crate) const PUT_BYTES_MAX: u64 = 5 << 30;

/// The condition keys that every write may set.
pub(crate) const CONDITIONS: &[&str] = &[
    "s3:ObjectCreationOperation",
    "s3:RequestObjectTag/<key>",
    "s3:RequestObjectTagKeys",
    "s3:if-match",
    "s3:if-none-match",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:x-amz-acl",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-object-annotation-directive",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
];

/// Sets the condition keys that the headers of a write, of any shape that has them, give.
macro_rules! conditions {
    ($input:expr, $context:expr) => {{
        let texts = [
            ("s3:x-amz-acl", $input.acl.map(|acl| acl.as_str().to_owned())),
            ("s3:x-amz-grant-full-control", $input.grant_full_control.clone()),
            ("s3:x-amz-grant-read", $input.grant_read.clone()),
            ("s3:x-amz-grant-read-acp", $input.grant_read_acp.clone()),
            ("s3:x-amz-grant-write-acp", $input.grant_write_acp.clone()),
            (
                "s3:x-amz-server-side-encryption",
                $input.server_side_encryption.map(|mode| mode.as_str().to_owned()),
            ),
            (
                "s3:x-amz-server-side-encryption-aws-kms-key-id",
                $input.sse_kms_key_id.clone(),
            ),
            (
                "s3:x-amz-server-side-encryption-customer-algorithm",
                $input.sse_customer_algorithm.clone(),
            ),
            (
                "s3:x-amz-storage-class",
                $input.storage_class.map(|class| class.as_str().to_owned()),
            ),
            (
                "s3:x-amz-website-redirect-location",
                $input.website_redirect_location.clone(),
            ),
            (
                "s3:object-lock-mode",
                $input.object_lock_mode.map(|mode| mode.as_str().to_owned()),
            ),
            (
                "s3:object-lock-legal-hold",
                $input
                    .object_lock_legal_hold_status
                    .map(|hold| hold.as_str().to_owned()),
            ),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                $context.insert(key, value);
            }
        }
        if let Ok(tags) = $crate::s3::object::tag_set::read_header($input.tagging.as_deref()) {
            $crate::s3::object::tag_set::requested(&tags, $context);
        }
    }};
}
pub(crate) use conditions;

/// What a request says of a new object, beside its bytes.
pub(crate) struct Draft {
    pub(crate) metadata: Metadata,
    pub(crate) tags: TagSet,
    pub(crate) class: model::StorageClass,
    pub(crate) lock: Lock,
    pub(crate) owner: String,
    pub(crate) acl: Option<Acl>,
    pub(crate) encryption: Applied,
}

/// The bytes of a new object, as they were stored.
pub(crate) struct Stored {
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) checksum: Option<Kept>,
    pub(crate) body: Body,
}

impl Draft {
    /// The version that comes of it.
    pub(crate) fn version(
        self,
        call: &Call<'_>,
        (sequence, id): (u64, Option<String>),
        stored: Stored,
    ) -> Version {
        Version {
            sequence,
            id,
            modified: whole_second(call.now),
            size: stored.size,
            etag: stored.etag,
            checksum: stored.checksum,
            class: self.class.as_str().to_owned(),
            owner: self.owner,
            metadata: self.metadata,
            tags: self.tags,
            acl: self.acl,
            lock: self.lock,
            encryption: self.encryption,
            body: stored.body,
            restoration: None,
            replication: None,
        }
    }
}

/// A write on conditions.
#[derive(Default)]
pub(crate) struct OnCondition {
    pub(crate) matches: Option<String>,
    pub(crate) none_match: Option<String>,
}

impl OnCondition {
    /// Sets the condition keys by which policies enforce conditional writes.
    pub(crate) fn keys(&self, context: &mut Context) {
        if let Some(tag) = &self.matches {
            context.insert("s3:if-match", tag.clone());
        }
        if let Some(tag) = &self.none_match {
            context.insert("s3:if-none-match", tag.clone());
        }
    }

    /// Refuses a write whose condition does not hold (S3 User Guide, "How to prevent object overwrites with conditional writes").
    pub(crate) fn expect(&self, call: &mut Call<'_>, target: &ObjectTarget) -> Result<()> {
        if self.matches.is_none() && self.none_match.is_none() {
            return Ok(());
        }
        if self.matches.is_some() && self.none_match.is_some() {
            return Err(refusal::not_implemented("If-None-Match"));
        }
        if let Some(tag) = &self.none_match {
            if precondition::bare(tag) != "*" {
                return Err(refusal::not_implemented("If-None-Match"));
            }
            let newest = target.slot().newest(call)?;
            return match newest.filter(|newest| !newest.is_marker()) {
                None => Ok(()),
                Some(_) => Err(refusal::precondition_failed("If-None-Match")),
            };
        }
        let Some(tag) = &self.matches else { return Ok(()) };
        // Who asks what is there must be allowed to read it, as it is: by its tags, its owner and its list.
        let there = target.with_newest(call)?;
        there.also(call, GET, Context::default())?;
        let Some(newest) = there.version().filter(|newest| !newest.is_marker()) else {
            return Err(there.missing(call)?);
        };
        if precondition::names(tag, &newest.etag) {
            Ok(())
        } else {
            Err(refusal::precondition_failed("If-Match"))
        }
    }
}

/// The condition keys that a request gives, for every other permission that it needs: what policies say of a header holds for each of
/// them. Taken before members of the input are.
pub(crate) fn keys<O: Operation>(input: &O::Input) -> Context {
    let mut context = Context::default();
    O::conditions(input, &mut context);
    context
}

/// Asks for what the parts of a write need beside `s3:PutObject`, under the request's own `keys`.
pub(crate) fn authorize_parts(
    call: &mut Call<'_>,
    target: &ObjectTarget,
    keys: &Context,
    has_acl: bool,
    has_tags: bool,
    asked: &lock::Asked,
) -> Result<()> {
    // Services that deliver give the bucket's owner full control; the policies that AWS documents for them allow the put alone.
    let delivers = call.identity.kind == IdentityType::AwsService;
    let mut also = |wanted: bool, access: Access| {
        if wanted {
            target.also(call, access, keys.clone())
        } else {
            Ok(())
        }
    };
    also(has_acl && !delivers, PUT_ACL)?;
    also(has_tags, PUT_TAGS)?;
    also(asked.mode.is_some() || asked.until.is_some(), PUT_RETENTION)?;
    also(asked.hold.is_some(), PUT_HOLD)
}

/// The entity tag of one content: the MD5 of its bytes, or a random one where that would tell of them.
pub(crate) fn etag(call: &Call<'_>, applied: &Applied, digests: &Checksums) -> Result<String> {
    if !applied.tells_md5() {
        return crypto::random::hex(call.random(), 16).map_err(Fault::internal);
    }
    let md5 = digests.get(Checksum::Md5);
    let md5 = md5.ok_or_else(|| Fault::internal("a digest was not computed"))?;
    Ok(crypto::digest::hex(md5))
}
