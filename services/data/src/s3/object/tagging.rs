//! The tags of an object, which policies can ask for (`s3:ExistingObjectTag/…`).

use api::s3 as model;
use pipeline::{Access, Call, Result};

use super::change::{self, Amended};
use super::on_object::on_object;
use super::tag_set::{self, TagSet};
use super::target::ObjectTarget;
use super::write::PUT_TAGS;

pub(crate) const GET_TAGS: Access = Access::read("s3:GetObjectTagging");
pub(crate) const GET_VERSION_TAGS: Access = Access::read("s3:GetObjectVersionTagging");
const PUT_VERSION_TAGS: Access = Access::tagging("s3:PutObjectVersionTagging");
const DELETE_TAGS: Access = Access::tagging("s3:DeleteObjectTagging");
const DELETE_VERSION_TAGS: Access = Access::tagging("s3:DeleteObjectVersionTagging");

on_object! {
    /// Shows an object's tags.
    GetObjectTagging(model::GetObjectTaggingRequest) -> model::GetObjectTaggingOutput,
    GET_TAGS, keys &["s3:ExistingObjectTag/<key>", "s3:versionid"], of_version GET_VERSION_TAGS, charged _charged;
    |call, object, input| {
        let version = object.object(call, "GET")?;
        Ok(model::GetObjectTaggingOutput {
            tag_set: tag_set::shown(&version.tags),
            version_id: object.shown_id(&version),
        })
    }
}

on_object! {
    /// Replaces an object's tags.
    PutObjectTagging(model::PutObjectTaggingRequest) -> model::PutObjectTaggingOutput,
    PUT_TAGS,
    keys &[
        "s3:ExistingObjectTag/<key>",
        "s3:RequestObjectTag/<key>",
        "s3:RequestObjectTagKeys",
        "s3:versionid",
    ],
    of_version PUT_VERSION_TAGS,
    set |input, context| {
        if let Ok(set) = tag_set::read(input.tagging.tag_set.clone()) {
            tag_set::requested(&set, context);
        }
    },
    charged _charged;
    |call, object, input| {
        let set = tag_set::read(input.tagging.tag_set)?;
        let version_id = replace(call, &object, set, "PUT")?;
        Ok(model::PutObjectTaggingOutput { version_id })
    }
}

on_object! {
    /// Removes all tags of an object.
    DeleteObjectTagging(model::DeleteObjectTaggingRequest) -> model::DeleteObjectTaggingOutput,
    DELETE_TAGS, keys &["s3:ExistingObjectTag/<key>", "s3:versionid"], of_version DELETE_VERSION_TAGS;
    |call, object, _input| {
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
