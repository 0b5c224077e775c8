//! S3 Control: what an account says of all of its buckets, its access points, and the tags of both.
//!
//! Invariant: an account speaks for itself; a request that names another one is refused.

use pipeline::{Endpoint, TrailRules, operations};

pub mod access_point;
pub mod account;
pub mod tag;

/// How S3 Control's calls look in the trail.
pub static TRAIL: TrailRules = TrailRules {
    names_resources: true,
    ..TrailRules::new("s3control")
};

/// S3 Control's operations.
pub static OPERATIONS: &[Endpoint] = operations!["s3control";
    access_point::{
        CreateAccessPoint, DeleteAccessPoint, DeleteAccessPointPolicy, GetAccessPoint, GetAccessPointPolicy,
        GetAccessPointPolicyStatus, ListAccessPoints, PutAccessPointPolicy,
    },
    account::{DeletePublicAccessBlock, GetPublicAccessBlock, PutPublicAccessBlock},
    tag::{ListTagsForResource, TagResource, UntagResource},
];
