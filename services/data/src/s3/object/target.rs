//! From the names in a request to the object that it means, and what an object is to policies.
//!
//! Invariant: that a key or version is not there is told only to who may list the bucket; all others are refused.

use std::sync::Arc;

use pipeline::{Access, Authorized, Call, Found, Look, Resource, ResourcePolicies, Result, Way};
use policy::Context;
use wire::{Document, Fault, Timestamp};

use super::Version;
use super::history::Slot;
use super::lock;
use super::refusal;
use super::version_id::{self, NULL};
use crate::s3::access_point::AccessPoint;
use crate::s3::bucket::{Bucket, BucketTarget, Versioning};
use crate::s3::{access, locate};

/// What it takes to learn which keys there are.
pub(crate) const LIST: Access = Access::list("s3:ListBucket");

/// An object as a request named it. It need not be there.
#[derive(Clone)]
pub struct ObjectTarget {
    bucket: Arc<Bucket>,
    /// The access point that the request named instead of the bucket.
    point: Option<Arc<AccessPoint>>,
    key: String,
    /// The version id that the request gave.
    asked: Option<String>,
    version: Option<Arc<Version>>,
    /// Until when the request wants the object to be kept, and when it is asked.
    until: Option<(Timestamp, Timestamp)>,
    /// The bucket's owner decides, whoever owns the object.
    of_bucket: bool,
}

/// The object of a request that makes or removes one: only its name counts.
pub(crate) fn named(
    look: &mut Look<'_>,
    bucket: &str,
    key: &str,
    expected_owner: Option<&str>,
) -> Result<Found<ObjectTarget>> {
    Ok(match locate::entrance(look, bucket, expected_owner)? {
        Found::Here(found) => Found::Here(ObjectTarget::of_key(&found, key)),
        Found::Absent { arn, fault } => absent(&arn, key, fault),
    })
}

/// The object of a request that reads or changes one: the newest version, or the one that the request names.
pub(crate) fn found(
    look: &mut Look<'_>,
    (bucket, key): (&str, &str),
    version: Option<&str>,
    expected_owner: Option<&str>,
) -> Result<Found<ObjectTarget>> {
    Ok(match locate::entrance(look, bucket, expected_owner)? {
        Found::Here(found) => Found::Here(ObjectTarget::look_up(look, &found, key, version)?),
        Found::Absent { arn, fault } => absent(&arn, key, fault),
    })
}

/// The same with the condition keys of a date up to which the object is to be kept.
pub(crate) fn retained(
    found: Found<ObjectTarget>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Found<ObjectTarget> {
    match found {
        Found::Here(mut target) => {
            target.until = until.map(|until| (until, now));
            Found::Here(target)
        }
        absent => absent,
    }
}

/// The same where the bucket's owner decides, whoever owns the object: a bucket's owner restores what is archived in it, as it deletes
/// what is there (S3 User Guide, "Bucket and object ownership").
pub(crate) fn of_bucket(found: Found<ObjectTarget>) -> Found<ObjectTarget> {
    match found {
        Found::Here(mut target) => {
            target.of_bucket = true;
            Found::Here(target)
        }
        absent => absent,
    }
}

/// `within` is the ARN of the bucket, or of the access point.
pub(crate) fn absent(within: &str, key: &str, fault: Fault) -> Found<ObjectTarget> {
    let object = if within.contains(":accesspoint/") {
        "object/"
    } else {
        ""
    };
    let arn = format!("{within}/{object}{key}");
    Found::Absent { arn, fault }
}

impl ObjectTarget {
    /// A key of a bucket that is at hand, whatever is there.
    pub(crate) fn of_key(bucket: &BucketTarget, key: &str) -> Self {
        Self {
            bucket: bucket.shared(),
            point: bucket.point().cloned(),
            key: key.to_owned(),
            asked: None,
            version: None,
            until: None,
            of_bucket: false,
        }
    }

    /// The same key with the newest version that is there.
    pub(crate) fn with_newest(&self, look: &mut Look<'_>) -> Result<Self> {
        let version = self.slot().newest(look)?;
        Ok(Self {
            bucket: Arc::clone(&self.bucket),
            asked: None,
            version,
            until: None,
            ..self.clone()
        })
    }

    /// An object of a bucket that is at hand.
    pub(crate) fn look_up(
        look: &mut Look<'_>,
        bucket: &BucketTarget,
        key: &str,
        version: Option<&str>,
    ) -> Result<Self> {
        // An empty id means the newest version, as AWS has it.
        let asked = version.filter(|version| !version.is_empty());
        let point = bucket.point().cloned();
        let bucket = bucket.shared();
        let slot = Slot::new(&bucket, key);
        let found = match asked {
            Some(id) => slot.version(look, id)?,
            None => slot.newest(look)?,
        };
        Ok(Self {
            key: key.to_owned(),
            asked: asked.map(str::to_owned),
            version: found,
            point,
            bucket,
            until: None,
            of_bucket: false,
        })
    }

    pub(crate) fn bucket(&self) -> &Arc<Bucket> {
        &self.bucket
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn slot(&self) -> Slot<'_> {
        Slot::new(&self.bucket, &self.key)
    }

    /// The version that was found, if any; it may be a delete marker.
    pub(crate) const fn version(&self) -> Option<&Arc<Version>> {
        self.version.as_ref()
    }

    /// The version id that the request gave.
    pub(crate) fn asked(&self) -> Option<&str> {
        self.asked.as_deref()
    }

    /// The id of a version as answers show it: not in buckets that never had versions.
    pub(crate) fn shown_id(&self, version: &Version) -> Option<String> {
        (self.bucket.versioning != Versioning::Never).then(|| version.shown_id())
    }

    /// The object itself; `method` is the request's, for the refusal of what a delete marker cannot do.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion` and `MethodNotAllowed`, to who may list the bucket; `AccessDenied` to others.
    pub(crate) fn object(&self, call: &mut Call<'_>, method: &str) -> Result<Arc<Version>> {
        let Some(version) = &self.version else {
            return Err(self.missing(call)?);
        };
        if !version.is_marker() {
            return Ok(Arc::clone(version));
        }
        let text = Document::String;
        let fault = match &self.asked {
            None => self.missing(call)?,
            Some(_) => refusal::method_not_allowed(method).with("allow", text("DELETE".to_owned())),
        };
        Err(fault
            .with("x-amz-delete-marker", text("true".to_owned()))
            .with("x-amz-version-id", text(version.shown_id())))
    }

    /// What is said of an object that is not there.
    pub(crate) fn missing(&self, call: &mut Call<'_>) -> Result<Fault> {
        if let Some(id) = &self.asked
            && id != NULL
            && version_id::sequence(id).is_none()
        {
            return Ok(refusal::invalid_argument(
                "Invalid version id specified",
                "versionId",
                id,
            ));
        }
        let within = match &self.point {
            Some(point) => BucketTarget::through(Arc::clone(&self.bucket), Arc::clone(point)),
            None => BucketTarget::new(Arc::clone(&self.bucket)),
        };
        if !call.would_admit(LIST, &within)? {
            return Ok(refusal::denied());
        }
        Ok(match &self.asked {
            Some(id) => refusal::no_such_version(&self.key, id),
            None => refusal::no_such_key(&self.key),
        })
    }

    /// Asks for another action on the same object, declared in `Operation::ALSO`.
    pub(crate) fn also(&self, call: &mut Call<'_>, access: Access, context: Context) -> Result<()> {
        let _granted: Authorized<Self> = call.authorize(access, Found::Here(self.clone()), context)?;
        Ok(())
    }
}

impl Resource for ObjectTarget {
    const TYPE: &'static str = "AWS::S3::Object";

    fn arn(&self) -> String {
        self.bucket.object_arn(&self.key)
    }

    fn account(&self) -> &str {
        match &self.version {
            // What another account wrote and kept for itself is not the bucket's owner's.
            Some(version) if self.bucket.has_acls() && !version.is_marker() && !self.of_bucket => {
                &version.owner
            }
            _ => &self.bucket.account,
        }
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let version = self.version.as_ref().filter(|_| !self.of_bucket);
        match version.and_then(|version| version.acl.as_ref()) {
            Some(acl) => access::of_object(look, &self.bucket, &self.key, acl),
            None => access::of_bucket(look, &self.bucket),
        }
    }

    fn conditions(&self, context: &mut Context) {
        access::conditions(&self.bucket, context);
        if let Some(version) = &self.version {
            for (key, value) in &version.tags {
                context.insert(format!("s3:ExistingObjectTag/{key}"), value.clone());
            }
        }
        if let Some(id) = &self.asked {
            context.insert("s3:versionid", id.clone());
        }
        if let Some((until, now)) = self.until {
            lock::retain_until(until, now, context);
        }
        if let Some(point) = &self.point {
            point.conditions(context);
        }
    }

    fn way(&self, look: &mut Look<'_>) -> Result<Option<Way>> {
        let way = self.point.as_ref().map(|point| point.way(look, Some(&self.key)));
        way.transpose()
    }
}

/// The action on the newest version, or the one on a version that is named: only that is asked for then.
pub(crate) fn of_version(version: Option<&String>, newest: Access, named: Access) -> Access {
    match version {
        Some(id) if !id.is_empty() => named,
        _ => newest,
    }
}
