//! The bucket: its record, how requests name it, and its making and end.
//!
//! A bucket's row holds what every request needs; configurations that few requests need have rows of their own
//! (`configuration`), and the bucket's row says which of them there are.
//!
//! Invariant: the row stands under the name alone, so that a name has one owner in the whole installation; a second row,
//! under the account, is there exactly as long, and lists read it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use ::policy::Context;
use api::s3 as model;
use pipeline::{Authorized, Call, Look, Resource, ResourcePolicies, Result, Way};
use serde::{Deserialize, Serialize};
use store::Table;

use super::access::{self, Kept};
use super::access_point::AccessPoint;
use super::acl::{Acl, Grantee};

mod acl;
mod cors;
mod create;
mod delete;
mod encryption;
mod head;
mod lifecycle;
mod list;
mod logging;
mod metrics;
pub(crate) mod mfa_delete;
pub(crate) mod name;
mod notification;
mod on_bucket;
pub(crate) mod policy;
mod public_block;
mod replication;
mod reports;
mod settings;
pub mod tagging;
mod versioning;
mod website;

pub use acl::*;
pub use cors::*;
pub use create::CreateBucket;
pub use delete::DeleteBucket;
pub use encryption::*;
pub use head::{GetBucketLocation, HeadBucket};
pub use lifecycle::*;
pub use list::ListBuckets;
pub use logging::*;
pub use metrics::*;
pub use notification::*;
pub use policy::*;
pub use public_block::*;
pub use replication::*;
pub use reports::*;
pub use settings::*;
pub use tagging::{DeleteBucketTagging, GetBucketTagging, PutBucketTagging};
pub use versioning::*;
pub use website::*;

/// Whether a bucket keeps older versions of its objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Versioning {
    /// Versions were never kept.
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// Who owns what is written into a bucket (S3 User Guide, "Controlling ownership of objects").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket's owner owns everything, and no access control list counts.
    #[default]
    BucketOwnerEnforced,
    /// The bucket's owner owns what is written with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// Whoever wrote an object owns it.
    ObjectWriter,
}

impl From<model::ObjectOwnership> for Ownership {
    fn from(ownership: model::ObjectOwnership) -> Self {
        match ownership {
            model::ObjectOwnership::BucketOwnerEnforced => Self::BucketOwnerEnforced,
            model::ObjectOwnership::BucketOwnerPreferred => Self::BucketOwnerPreferred,
            model::ObjectOwnership::ObjectWriter => Self::ObjectWriter,
        }
    }
}

impl From<Ownership> for model::ObjectOwnership {
    fn from(ownership: Ownership) -> Self {
        match ownership {
            Ownership::BucketOwnerEnforced => Self::BucketOwnerEnforced,
            Ownership::BucketOwnerPreferred => Self::BucketOwnerPreferred,
            Ownership::ObjectWriter => Self::ObjectWriter,
        }
    }
}

/// What a bucket or an account keeps from the public.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    pub block_public_acls: bool,
    pub ignore_public_acls: bool,
    pub block_public_policy: bool,
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four, which new buckets have since April 2023.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    /// What either blocks.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }
}

/// How objects are encrypted whose request does not say.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum DefaultEncryption {
    /// `AES256`: under the installation's own keys (SSE-S3).
    #[default]
    S3,
    /// `aws:kms`; `None` is `alias/aws/s3`.
    Kms { key: Option<String> },
    /// `aws:kms:dsse`: two layers.
    Dsse { key: Option<String> },
}

/// A bucket's encryption settings.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Encryption {
    pub default: DefaultEncryption,
    /// Objects under KMS share a key of the bucket (`BucketKeyEnabled`).
    pub bucket_key: bool,
    /// Keys of customers (SSE-C) are refused: the setting of new buckets since April 2026.
    pub blocks_customer_keys: bool,
}

/// How long objects are locked whose request does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// `COMPLIANCE`, else `GOVERNANCE`.
    pub compliance: bool,
    pub span: Span,
}

/// A length of time in the units of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Span {
    Days(i32),
    Years(i32),
}

/// Object lock, which once enabled stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ObjectLock {
    pub default: Option<DefaultRetention>,
}

/// Where a bucket's access logs go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Logging {
    /// The name of the bucket that gets them.
    pub target: String,
    pub prefix: String,
    pub format: LogKeys,
    /// Grants on the logs, for targets whose access control lists count.
    #[serde(default)]
    pub grants: Vec<LogGrant>,
}

/// A grant on the logs that a bucket writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogGrant {
    pub grantee: Grantee,
    /// `FULL_CONTROL`, `READ` or `WRITE`.
    pub permission: String,
}

/// How keys of access logs are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LogKeys {
    /// `[prefix]YYYY-mm-DD-HH-MM-SS-UniqueString`, where the request did not name a format.
    Unsaid,
    Simple,
    /// `[prefix]account/region/bucket/YYYY/MM/DD/…`, by the time of the event, else of the delivery.
    Partitioned {
        by_event: bool,
    },
}

/// A configuration that lies in a row of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Configured {
    Accelerate,
    Analytics,
    Cors,
    IntelligentTiering,
    Inventory,
    Lifecycle,
    Metrics,
    Notification,
    Replication,
    Website,
}

/// A bucket.
#[derive(Clone, Serialize, Deserialize)]
pub struct Bucket {
    pub name: String,
    pub account: String,
    pub region: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    #[serde(default)]
    pub versioning: Versioning,
    /// Whether versions go for good only with a code; `None` if that was never said.
    #[serde(default)]
    pub mfa_delete: Option<bool>,
    #[serde(default)]
    pub ownership: Ownership,
    /// The setting was deleted, so that nothing shows it.
    #[serde(default)]
    pub ownership_unsaid: bool,
    /// `None` where the setting was deleted.
    #[serde(default)]
    pub public_access_block: Option<PublicAccessBlock>,
    #[serde(default)]
    pub encryption: Encryption,
    #[serde(default)]
    pub object_lock: Option<ObjectLock>,
    #[serde(default)]
    pub acl: Acl,
    /// The bucket policy, with unique ids for users and roles.
    #[serde(default)]
    pub policy: Option<String>,
    /// The ARN that each of those ids was given by.
    #[serde(default)]
    pub policy_names: BTreeMap<String, String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub logging: Option<Logging>,
    /// Whoever asks pays (`RequestPayment`).
    #[serde(default)]
    pub requester_pays: bool,
    /// Tags count for policies (`GetBucketAbac`).
    #[serde(default)]
    pub abac: bool,
    /// Which objects are too small to move by themselves.
    #[serde(default)]
    pub least_moved: LeastMoved,
    #[serde(default)]
    pub configured: BTreeSet<Configured>,
    #[serde(skip)]
    pub(crate) kept: Kept,
}

store::record!(Bucket, 1);

/// By name.
pub static BUCKETS: Table<String, Bucket> = Table::new(0x0301, "s3.buckets");

/// A bucket as its owner's list shows it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Owned {
    pub region: String,
    /// Milliseconds since the epoch.
    pub created: i64,
}

store::record!(Owned, 1);

/// By account and name.
pub static OWNED: Table<(String, String), Owned> = Table::new(0x0302, "s3.owned");

impl Bucket {
    /// A new bucket of the calling account, as AWS's defaults make it.
    pub(crate) fn new(look: &Look<'_>, name: &str, region: &str) -> Self {
        Self {
            name: name.to_owned(),
            account: look.account().to_owned(),
            region: region.to_owned(),
            created: look.now.0,
            versioning: Versioning::Never,
            mfa_delete: None,
            ownership: Ownership::BucketOwnerEnforced,
            ownership_unsaid: false,
            public_access_block: Some(PublicAccessBlock::ALL),
            encryption: Encryption {
                blocks_customer_keys: true,
                ..Encryption::default()
            },
            object_lock: None,
            acl: Acl::private(look.account()),
            policy: None,
            policy_names: BTreeMap::new(),
            tags: BTreeMap::new(),
            logging: None,
            requester_pays: false,
            abac: false,
            least_moved: LeastMoved::default(),
            configured: BTreeSet::new(),
            kept: Kept::default(),
        }
    }

    /// `arn:aws:s3:::NAME`
    pub fn arn(&self) -> String {
        arn(&self.name)
    }

    /// `arn:aws:s3:::NAME/KEY`
    pub fn object_arn(&self, key: &str) -> String {
        format!("arn:aws:s3:::{}/{key}", self.name)
    }

    /// Whether access control lists count.
    pub fn has_acls(&self) -> bool {
        self.ownership != Ownership::BucketOwnerEnforced
    }

    /// Writes the row.
    pub(crate) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let name = self.name.clone();
        call.put(&BUCKETS, &name, self)
    }
}

/// `arn:aws:s3:::NAME`
pub fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// A bucket as a request named it.
#[derive(Clone)]
pub struct BucketTarget {
    bucket: Arc<Bucket>,
    /// The access point that the request named instead.
    point: Option<Arc<AccessPoint>>,
}

impl BucketTarget {
    pub(crate) const fn new(bucket: Arc<Bucket>) -> Self {
        Self { bucket, point: None }
    }

    /// A bucket that is reached through an access point.
    pub(crate) fn through(bucket: Arc<Bucket>, point: Arc<AccessPoint>) -> Self {
        Self {
            bucket: point.seen(bucket),
            point: Some(point),
        }
    }

    /// The access point that the request came through.
    pub(crate) const fn point(&self) -> Option<&Arc<AccessPoint>> {
        self.point.as_ref()
    }

    /// The row, to be kept.
    pub fn shared(&self) -> Arc<Bucket> {
        Arc::clone(&self.bucket)
    }
}

/// The row of a bucket that was granted, to be changed.
pub(crate) fn to_change(bucket: &Authorized<BucketTarget>) -> Bucket {
    (*bucket.bucket).clone()
}

impl Deref for BucketTarget {
    type Target = Bucket;

    fn deref(&self) -> &Bucket {
        &self.bucket
    }
}

impl Resource for BucketTarget {
    const TYPE: &'static str = "AWS::S3::Bucket";

    fn arn(&self) -> String {
        self.bucket.arn()
    }

    fn account(&self) -> &str {
        &self.bucket.account
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        access::of_bucket(look, &self.bucket)
    }

    fn conditions(&self, context: &mut Context) {
        access::conditions(&self.bucket, context);
        if let Some(point) = &self.point {
            point.conditions(context);
        }
    }

    fn way(&self, look: &mut Look<'_>) -> Result<Option<Way>> {
        let way = self.point.as_ref().map(|point| point.way(look, None));
        way.transpose()
    }
}
