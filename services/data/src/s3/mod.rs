//! S3: buckets, and the objects in them. It protects everybody's logs, evidence and files.
//!
//! A bucket's row carries all that every request to it needs: its policy, who owns its objects, what it blocks from the public, how
//! it encrypts. Read `bucket` for the record and how requests name it, then `access` for who may reach it.
//!
//! Invariant: a bucket's name belongs to one account in the whole installation.

use pipeline::{Endpoint, TrailRules, operations};

pub mod access;
pub mod acl;
pub mod bucket;
pub mod canonical;
pub mod emptiness;
pub mod fault;
pub mod locate;

/// How S3's calls look in the trail (S3 User Guide, "Amazon S3 CloudTrail events").
pub static TRAIL: TrailRules = TrailRules {
    drop: &["SSECustomerKey", "CopySourceSSECustomerKey"],
    names_resources: true,
    ..TrailRules::new("s3")
};

/// S3's operations.
pub static OPERATIONS: &[Endpoint] = operations!["s3";
    bucket::{CreateBucket, DeleteBucket, GetBucketLocation, HeadBucket, ListBuckets},
];
