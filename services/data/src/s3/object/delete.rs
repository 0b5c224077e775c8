//! The deletion of an object, or of one version for good.
//!
//! Invariant: where versions are kept, nothing is lost unless the request names the version; what a lock protects is not lost at all.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::change::{self, By};
use super::history::Slot;
use super::lock::{Guard, Lock};
use super::metadata::Metadata;
use super::refusal;
use super::tag_set::TagSet;
use super::target::{self, ObjectTarget};
use super::version_id::{self, NULL};
use super::write::{self, GET};
use super::{Body, Version, precondition, whole_second};
use crate::s3::bucket::{Versioning, mfa_delete};
use crate::s3::encryption::Applied;
use crate::s3::metrics;
use crate::s3::multipart;
use crate::s3::payer;

/// What it takes to delete an object, or to mark it as deleted.
pub(crate) const DELETE: Access = Access::write("s3:DeleteObject");
/// What it takes to delete one version for good.
pub(crate) const DELETE_VERSION: Access = Access::write("s3:DeleteObjectVersion");
/// What it takes to delete what governance protects.
pub(crate) const BYPASS: Access = Access::permissions("s3:BypassGovernanceRetention");

/// Deletes an object, or one version of it.
pub struct DeleteObject;

impl Operation for DeleteObject {
    type Input = model::DeleteObjectRequest;
    type Output = model::DeleteObjectOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = DELETE;
    const CONDITIONS: &'static [&'static str] = &["s3:if-match", "s3:versionid"];
    const ALSO: &'static [Access] = &[DELETE_VERSION, BYPASS, GET];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), DELETE, DELETE_VERSION)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        target::named(
            look,
            &input.bucket,
            &input.key,
            input.expected_bucket_owner.as_deref(),
        )
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(tag) = &input.if_match {
            context.insert("s3:if-match", tag.clone());
        }
        if let Some(id) = &input.version_id {
            context.insert("s3:versionid", id.clone());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
            return Err(refusal::not_implemented("x-amz-if-match-size"));
        }
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let keys = write::keys::<Self>(&input);
        let wish = Wish {
            keys: &keys,
            version: input.version_id.as_deref().filter(|id| !id.is_empty()),
            matches: input.if_match.as_deref(),
            bypass: input.bypass_governance_retention == Some(true),
        };
        if wish.version.is_some() && mfa_delete::is_on(object.bucket()) {
            mfa_delete::prove(call, object.bucket(), input.mfa.as_deref())?;
        }
        metrics::note_tags(call, &object, wish.version)?;
        let gone = delete(call, &object, wish)?;
        Ok(model::DeleteObjectOutput {
            delete_marker: gone.marker.then_some(true),
            version_id: gone.version,
            request_charged: charged,
        })
    }
}

/// What is to be deleted, and when.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The condition keys of the request, for every other permission that it needs.
    pub(crate) keys: &'a Context,
    pub(crate) version: Option<&'a str>,
    pub(crate) matches: Option<&'a str>,
    pub(crate) bypass: bool,
}

/// What became of it.
pub(crate) struct Gone {
    /// A delete marker was made, or one was removed.
    pub(crate) marker: bool,
    /// The id of what was made or removed.
    pub(crate) version: Option<String>,
}

/// Deletes what the caller was granted to delete.
pub(crate) fn delete(call: &mut Call<'_>, object: &ObjectTarget, wish: Wish<'_>) -> Result<Gone> {
    expect_match(call, object, wish.matches)?;
    let slot = object.slot();
    let Some(id) = wish.version else {
        return mark(call, slot, By::Request);
    };
    if id != NULL && version_id::sequence(id).is_none() {
        return Err(refusal::invalid_argument(
            "Invalid version id specified",
            "versionId",
            id,
        ));
    }
    let mut gone = Gone {
        marker: false,
        version: (slot.bucket.versioning != Versioning::Never).then(|| id.to_owned()),
    };
    let Some(version) = slot.version(call, id)? else {
        return Ok(gone);
    };
    match version.lock.guard(call.now) {
        Guard::None => {}
        Guard::Governance if wish.bypass => object.also(call, BYPASS, wish.keys.clone())?,
        Guard::Governance | Guard::Absolute => return Err(refusal::locked()),
    }
    let was_newest = slot
        .newest(call)?
        .is_some_and(|newest| newest.sequence == version.sequence);
    change::remove(call, slot, By::Request, &version)?;
    if was_newest && !version.is_marker() {
        multipart::note_deletion(call, &slot.bucket.name, slot.key)?;
    }
    gone.marker = version.is_marker();
    Ok(gone)
}

/// Deletes the newest version, or lays a delete marker over it.
pub(crate) fn mark(call: &mut Call<'_>, slot: Slot<'_>, by: By) -> Result<Gone> {
    multipart::note_deletion(call, &slot.bucket.name, slot.key)?;
    if slot.bucket.versioning == Versioning::Never {
        if let Some(version) = slot.newest(call)? {
            change::remove(call, slot, by, &version)?;
        }
        return Ok(Gone {
            marker: false,
            version: None,
        });
    }
    let marker = marker(call, slot)?;
    let version = Some(marker.shown_id());
    change::mark(call, slot, by, marker)?;
    Ok(Gone {
        marker: true,
        version,
    })
}

/// A delete marker that is to be the newest of its key.
pub(crate) fn marker(call: &mut Call<'_>, slot: Slot<'_>) -> Result<Version> {
    let (sequence, id) = slot.next(call)?;
    Ok(Version {
        sequence,
        id,
        modified: whole_second(call.now),
        size: 0,
        etag: String::new(),
        checksum: None,
        class: model::StorageClass::Standard.as_str().to_owned(),
        owner: slot.bucket.account.clone(),
        metadata: Metadata::default(),
        tags: TagSet::new(),
        acl: None,
        lock: Lock::default(),
        encryption: Applied::default(),
        body: Body::None,
        restoration: None,
        replication: None,
    })
}

/// Refuses a deletion whose condition does not hold (S3 User Guide, "How to perform conditional deletes").
fn expect_match(call: &mut Call<'_>, object: &ObjectTarget, tag: Option<&str>) -> Result<()> {
    let Some(tag) = tag else { return Ok(()) };
    let there = object.with_newest(call)?;
    // Whether something is there may be asked with the permission to delete it, what is there only with the one to read it.
    let any = precondition::bare(tag) == "*";
    if !any {
        there.also(call, GET, Context::default())?;
    }
    match there.version() {
        None if any => Err(refusal::no_such_key(object.key())),
        None => Err(there.missing(call)?),
        Some(newest) if !newest.is_marker() && precondition::names(tag, &newest.etag) => Ok(()),
        Some(_) => Err(refusal::precondition_failed("If-Match")),
    }
}
