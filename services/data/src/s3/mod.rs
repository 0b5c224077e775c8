//! S3: buckets, and the objects in them. It protects everybody's logs, evidence and files.
//!
//! A bucket's row carries all that every request to it needs: its policy, who owns its objects, what it blocks from the public, how
//! it encrypts. Read `bucket` for the record and how requests name it, then `access` for who may reach it.
//!
//! Invariant: a bucket's name belongs to one account in the whole installation.

pub use metrics::storage::resume as resume_storage_metrics;
use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

pub mod access;
pub mod access_point;
pub mod acl;
pub mod acl_request;
pub mod bucket;
pub mod canonical;
pub mod configuration;
pub mod dependents;
pub mod emptiness;
pub mod encryption;
mod ended;
pub mod fault;
pub mod form;
pub mod inventory;
pub mod lifecycle;
pub mod listing;
pub mod locate;
pub mod log;
mod metrics;
pub mod multipart;
pub mod notification;
pub mod object;
mod payer;
pub mod replication;
pub mod report;
pub mod website;

/// How S3's calls look in the trail (S3 User Guide, "Amazon S3 CloudTrail events").
pub static TRAIL: TrailRules = TrailRules {
    drop: &["SSECustomerKey", "CopySourceSSECustomerKey", "MFA"],
    names_resources: true,
    event_names: &[("ListObjectsV2", "ListObjects")],
    data_events: DATA_EVENTS,
    follower: Some(ended::FOLLOWER),
    placed: Some(locate::owner),
    ..TrailRules::new("s3")
};

/// What is done in a bucket, or with an object.
const DATA_EVENTS: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectTagging",
    "RestoreObject",
    "UpdateObjectEncryption",
    "UploadPart",
    "UploadPartCopy",
];

/// S3's operations.
pub static OPERATIONS: &[Endpoint] = operations!["s3";
    bucket::{
        CreateBucket, DeleteBucket, DeleteBucketAnalyticsConfiguration, DeleteBucketCors, DeleteBucketEncryption,
        DeleteBucketIntelligentTieringConfiguration, DeleteBucketInventoryConfiguration, DeleteBucketLifecycle,
        DeleteBucketMetricsConfiguration, DeleteBucketOwnershipControls, DeleteBucketPolicy, DeleteBucketReplication,
        DeleteBucketTagging, DeleteBucketWebsite, DeletePublicAccessBlock, GetBucketAbac,
        GetBucketAccelerateConfiguration, GetBucketAcl, GetBucketAnalyticsConfiguration, GetBucketCors,
        GetBucketEncryption, GetBucketIntelligentTieringConfiguration, GetBucketInventoryConfiguration,
        GetBucketLifecycleConfiguration, GetBucketLocation, GetBucketLogging, GetBucketMetricsConfiguration,
        GetBucketNotificationConfiguration, GetBucketOwnershipControls, GetBucketPolicy, GetBucketPolicyStatus,
        GetBucketReplication, GetBucketRequestPayment, GetBucketTagging, GetBucketVersioning, GetBucketWebsite,
        GetObjectLockConfiguration, GetPublicAccessBlock, HeadBucket, ListBucketAnalyticsConfigurations,
        ListBucketIntelligentTieringConfigurations, ListBucketInventoryConfigurations, ListBucketMetricsConfigurations,
        ListBuckets, PutBucketAbac, PutBucketAccelerateConfiguration, PutBucketAcl,
        PutBucketCors, PutBucketEncryption, PutBucketInventoryConfiguration,
        PutBucketLifecycleConfiguration, PutBucketLogging, PutBucketMetricsConfiguration,
        PutBucketNotificationConfiguration, PutBucketOwnershipControls, PutBucketPolicy, PutBucketReplication,
        PutBucketRequestPayment, PutBucketTagging, PutBucketVersioning, PutBucketWebsite, PutObjectLockConfiguration,
        PutPublicAccessBlock,
    },
    object::{
        CopyObject, DeleteObject, DeleteObjectTagging, DeleteObjects, GetObject, GetObjectAcl, GetObjectAttributes, GetObjectLegalHold,
        GetObjectRetention, GetObjectTagging, HeadObject, PutObject, PutObjectAcl, PutObjectLegalHold, PutObjectRetention,
        PutObjectTagging, RestoreObject,
    },
    listing::{ListObjectVersions, ListObjects, ListObjectsV2},
    encryption::{UpdateObjectEncryption},
    multipart::{
        AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, ListMultipartUploads, ListParts, UploadPart,
        UploadPartCopy,
    },
];

/// What S3 does later.
pub static JOBS: &[JobKind] = &[
    encryption::ROTATED,
    lifecycle::JOB,
    log::DELIVERED,
    metrics::storage::JOB,
    notification::JOB,
    object::RESTORED,
    object::RESTORED_GONE,
    replication::JOB,
    report::JOB,
];
