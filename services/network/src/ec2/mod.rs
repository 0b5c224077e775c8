//! EC2: instances, which run something as a role and get its credentials from their metadata service (S1.13, S1.28).
//!
//! Here is what AWS's control plane knows of an instance: its image, its profile, its options and its state. The plane of instances
//! runs it (`Call::instance`), and asks here for the credentials of its role (`credentials`). Networks, security groups and volumes
//! are not built: what names one is refused.
//!
//! Read `instance` for the record, `launch` and `lifecycle` for what callers ask, `work` for what comes of it, `image` for what
//! instances are made of.
//!
//! Invariant: an instance's credentials are issued by STS to `ec2.amazonaws.com` because the role trusts it, and to nothing but the
//! instance's own metadata service.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

mod address;
pub mod attribute;
mod closure;
pub mod console;
pub mod credentials;
pub mod defaults;
pub mod describe;
mod disk;
mod fault;
mod filter;
pub mod image;
pub mod image_attribute;
pub mod image_content;
pub mod image_create;
pub mod instance;
pub mod key_pair;
pub mod launch;
pub mod lifecycle;
pub mod metadata;
mod naming;
mod page;
pub mod place;
pub mod profile;
mod refusal;
pub mod status;
pub mod tag;
pub mod token;
pub mod types;
mod user_data;
pub mod work;

/// How EC2's calls look in the trail. User data may hold secrets, and AWS's records leave it out too.
pub static TRAIL: TrailRules = TrailRules {
    drop: &["UserData", "KeyMaterial", "Output"],
    withheld: &[("ModifyInstanceAttribute", "value", ("attribute", "userData"))],
    ..TrailRules::new("ec2")
};

/// EC2's operations.
pub static OPERATIONS: &[Endpoint] = operations!["ec2";
    launch::{RunInstances},
    describe::{DescribeInstances},
    status::{DescribeInstanceStatus},
    lifecycle::{RebootInstances, StartInstances, StopInstances, TerminateInstances},
    metadata::{ModifyInstanceMetadataOptions},
    defaults::{GetInstanceMetadataDefaults, ModifyInstanceMetadataDefaults},
    attribute::{DescribeInstanceAttribute, ModifyInstanceAttribute},
    console::{GetConsoleOutput},
    profile::{
        AssociateIamInstanceProfile, DescribeIamInstanceProfileAssociations, DisassociateIamInstanceProfile,
        ReplaceIamInstanceProfileAssociation,
    },
    image::{DeregisterImage, DescribeImages},
    image_create::{CreateImage},
    image_attribute::{DescribeImageAttribute, ModifyImageAttribute, ResetImageAttribute},
    tag::{CreateTags, DeleteTags, DescribeTags},
    key_pair::{CreateKeyPair, DeleteKeyPair, DescribeKeyPairs, ImportKeyPair},
    place::{DescribeAvailabilityZones, DescribeRegions},
    types::{DescribeInstanceTypes},
];

/// What EC2 does when an account is closed.
pub static CLOSURE: pipeline::Closure = closure::CLOSURE;

/// What EC2 does later, and what comes of it.
pub static JOBS: &[JobKind] = work::JOBS;
