//! Systems Manager's Parameter Store: settings and secrets by name, with versions, in a hierarchy.
//!
//! A parameter's row carries its newest version, so that reading it is one look-up; older versions lie in a table of their own.
//! The value of a `SecureString` is encrypted by KMS in the caller's name: whoever may not use the key cannot read it either.
//!
//! Read `parameter` for the records and `name` for how requests name them, then `put`.
//!
//! Invariant: the value of a `SecureString` lies in no table, record or job but as KMS's ciphertext.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};
use wire::redact::Sensitive;

pub mod delete;
pub mod dependents;
pub mod describe;
mod filter;
pub mod history;
mod image;
pub mod label;
mod name;
mod page;
pub mod parameter;
pub mod path;
mod plan;
mod policies;
mod public;
pub mod put;
pub mod read;
mod reference;
mod scan;
pub mod secure;
pub mod setting;
pub mod sharing;
pub mod tag;

/// How Parameter Store's calls look in the trail (Systems Manager User Guide, "Logging AWS Systems Manager API calls with AWS
/// CloudTrail").
pub static TRAIL: TrailRules = TrailRules {
    sensitive: Sensitive::Mark,
    names_resources: true,
    ..TrailRules::new("ssm")
};

/// Systems Manager's operations.
pub static OPERATIONS: &[Endpoint] = operations!["ssm";
    put::{PutParameter},
    read::{GetParameter, GetParameters},
    path::{GetParametersByPath},
    history::{GetParameterHistory},
    delete::{DeleteParameter, DeleteParameters},
    describe::{DescribeParameters},
    label::{LabelParameterVersion, UnlabelParameterVersion},
    tag::{AddTagsToResource, ListTagsForResource, RemoveTagsFromResource},
    sharing::{DeleteResourcePolicy, GetResourcePolicies, PutResourcePolicy},
    setting::{GetServiceSetting, ResetServiceSetting, UpdateServiceSetting},
];

/// What parameter policies do later, and how the validation of an image's id ends.
pub static JOBS: &[JobKind] = &[
    JobKind {
        name: image::VALIDATION,
        service: "ssm",
        event: "ParameterStoreChange",
        run: image::settle,
    },
    JobKind {
        name: plan::EXPIRATION,
        service: "ssm",
        event: "Expiration",
        run: plan::expire,
    },
    JobKind {
        name: plan::EXPIRATION_NOTIFICATION,
        service: "ssm",
        event: "ExpirationNotification",
        run: plan::notify,
    },
    JobKind {
        name: plan::NO_CHANGE_NOTIFICATION,
        service: "ssm",
        event: "NoChangeNotification",
        run: plan::notify,
    },
];
