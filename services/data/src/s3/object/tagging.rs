//! The tags of an object, which policies can ask for (`s3:ExistingObjectTag/…`).

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::change::{self, Amended};
use super::tag_set::{self, TagSet};
use super::target::{self, ObjectTarget};
use super::write::PUT_TAGS;

pub(crate) const GET_TAGS: Access = Access::read("s3:GetObjectTagging");
pub(crate) const GET_VERSION_TAGS: Access = Access::read("s3:GetObjectVersionTagging");
const PUT_VERSION_TAGS: Access = Access::tagging("s3:PutObjectVersionTagging");
const DELETE_TAGS: Access = Access::tagging("s3:DeleteObjectTagging");
const DELETE_VERSION_TAGS: Access = Access::tagging("s3:DeleteObjectVersionTagging");

/// Shows an object's tags.
pub struct GetObjectTagging;

impl Operation for GetObjectTagging {
    type Input = model::GetObjectTaggingRequest;
    type Output = model::GetObjectTaggingOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = GET_TAGS;
    const CONDITIONS: &'static [&'static str] = &["s3:ExistingObjectTag/<key>", "s3:versionid"];
    const ALSO: &'static [Access] = &[GET_VERSION_TAGS];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), GET_TAGS, GET_VERSION_TAGS)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let version = object.object(call, "GET")?;
        Ok(model::GetObjectTaggingOutput {
            tag_set: tag_set::shown(&version.tags),
            version_id: object.shown_id(&version),
        })
    }
}

/// Replaces an object's tags.
pub struct PutObjectTagging;

impl Operation for PutObjectTagging {
    type Input = model::PutObjectTaggingRequest;
    type Output = model::PutObjectTaggingOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = PUT_TAGS;
    const CONDITIONS: &'static [&'static str] = &[
        "s3:ExistingObjectTag/<key>",
        "s3:RequestObjectTag/<key>",
        "s3:RequestObjectTagKeys",
        "s3:versionid",
    ];
    const ALSO: &'static [Access] = &[PUT_VERSION_TAGS];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), PUT_TAGS, PUT_VERSION_TAGS)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Ok(set) = tag_set::read(input.tagging.tag_set.clone()) {
            tag_set::requested(&set, context);
        }
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let set = tag_set::read(input.tagging.tag_set)?;
        let version_id = replace(call, &object, set, "PUT")?;
        Ok(model::PutObjectTaggingOutput { version_id })
    }
}

/// Removes all tags of an object.
pub struct DeleteObjectTagging;

impl Operation for DeleteObjectTagging {
    type Input = model::DeleteObjectTaggingRequest;
    type Output = model::DeleteObjectTaggingOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = DELETE_TAGS;
    const CONDITIONS: &'static [&'static str] = &["s3:ExistingObjectTag/<key>", "s3:versionid"];
    const ALSO: &'static [Access] = &[DELETE_VERSION_TAGS];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), DELETE_TAGS, DELETE_VERSION_TAGS)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let version_id = replace(call, &object, TagSet::new(), "DELETE")?;
        Ok(model::DeleteObjectTaggingOutput { version_id })
    }
}

fn replace(call: &mut Call<'_>, object: &ObjectTarget, set: TagSet, method: &str) -> Result<Option<String>> {
    let version = object.object(call, method)?;
    let shown = object.shown_id(&version);
    let mut version = (*version).clone();
    version.tags = set;
    let amended = if method == "PUT" {
        Amended::TagsPut
    } else {
        Amended::TagsDeleted
    };
    change::amend(call, object.slot(), amended, version)?;
    Ok(shown)
}
