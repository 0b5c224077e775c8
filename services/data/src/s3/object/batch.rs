//! The deletion of many objects at once: each is judged, and refused, for itself.

use std::collections::BTreeMap;

use api::s3 as model;
use pipeline::operation::Level;
use pipeline::{Access, Authorized, Call, EndedPart, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;

use super::delete::{BYPASS, DELETE, DELETE_VERSION, Gone, Wish, delete};
use super::metadata::expect_key;
use super::refusal;
use super::target::ObjectTarget;
use super::write::GET;
use crate::s3::bucket::{BucketTarget, mfa_delete};
use crate::s3::payer;
use crate::s3::{fault, locate};

/// Keys of one request.
const OBJECTS_MAX: usize = 1000;

/// Deletes many objects, or versions of them.
pub struct DeleteObjects;

impl Operation for DeleteObjects {
    type Input = model::DeleteObjectsRequest;
    type Output = model::DeleteObjectsOutput;
    type Target = BucketTarget;
    /// Nothing is asked for the bucket: every key is asked for by itself.
    const ACCESS: Access = Access {
        action: "s3:DeleteObject",
        level: Level::Write,
        open: true,
    };
    const CONDITIONS: &'static [&'static str] = &["s3:if-match", "s3:versionid"];
    const ALSO: &'static [Access] = &[DELETE_VERSION, BYPASS, GET];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        locate::entrance(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        bucket: Authorized<BucketTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, &bucket, input.request_payer)?;
        let objects = input.delete.objects;
        if objects.is_empty() || objects.len() > OBJECTS_MAX {
            return Err(fault::malformed_xml());
        }
        let versions = objects.iter().any(|object| named_version(object).is_some());
        if mfa_delete::is_on(&bucket) && (versions || input.mfa.is_some()) {
            mfa_delete::prove(call, &bucket, input.mfa.as_deref())?;
        }
        let quiet = input.delete.quiet == Some(true);
        let bypass = input.bypass_governance_retention == Some(true);
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        let logged = bucket.logging.is_some();
        for object in objects {
            let version = named_version(&object).map(str::to_owned);
            let ended = one(call, &bucket, &object, bypass);
            if logged {
                call.follow_part(told(&object, ended.as_ref()));
            }
            match ended {
                Ok(_) if quiet => {}
                Ok(gone) => deleted.push(model::DeletedObject {
                    delete_marker: gone.marker.then_some(true),
                    delete_marker_version_id: gone.version.filter(|_| gone.marker),
                    key: Some(object.key),
                    version_id: version,
                }),
                // Whether the store asks for another run is known to the pipeline; the answer is then thrown away.
                Err(refused) => errors.push(model::Error {
                    code: Some(refusal::code(&refused)),
                    key: Some(object.key),
                    message: Some(refused.message),
                    version_id: version,
                }),
            }
        }
        Ok(model::DeleteObjectsOutput {
            deleted: Some(deleted).filter(|deleted| !deleted.is_empty()),
            errors: Some(errors).filter(|errors| !errors.is_empty()),
            request_charged: charged,
        })
    }
}

/// How the deletion of one object ended, for the access log.
fn told(named: &model::ObjectIdentifier, ended: std::result::Result<&Gone, &Fault>) -> EndedPart {
    EndedPart {
        name: named.key.clone(),
        version: named_version(named).map(str::to_owned),
        status: match ended {
            Ok(_) => 204,
            Err(refused) => refusal::status(refused),
        },
        code: ended.err().map(refusal::code),
        size: None,
        tags: BTreeMap::new(),
    }
}

fn one(
    call: &mut Call<'_>,
    bucket: &BucketTarget,
    named: &model::ObjectIdentifier,
    bypass: bool,
) -> Result<Gone> {
    expect_key(&named.key)?;
    if named.size.is_some() || named.last_modified_time.is_some() {
        return Err(refusal::not_implemented("Size"));
    }
    let version = named_version(named);
    let object = ObjectTarget::of_key(bucket, &named.key);
    let mut context = Context::default();
    if let Some(tag) = &named.e_tag {
        context.insert("s3:if-match", tag.clone());
    }
    if let Some(id) = version {
        context.insert("s3:versionid", id.to_owned());
    }
    let access = if version.is_some() { DELETE_VERSION } else { DELETE };
    let object = call.authorize(access, Found::Here(object), context.clone())?;
    let wish = Wish {
        keys: &context,
        version,
        matches: named.e_tag.as_deref(),
        bypass,
    };
    delete(call, &object, wish)
}

/// An empty id names no version.
fn named_version(named: &model::ObjectIdentifier) -> Option<&str> {
    named.version_id.as_deref().filter(|id| !id.is_empty())
}
