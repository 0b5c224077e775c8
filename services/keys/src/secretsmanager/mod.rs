//! Secrets Manager: passwords and keys of others, kept as versions that staging labels name (S11).
//!
//! A secret's row carries its metadata, its resource policy and its versions with their labels; the values lie in a table of their own,
//! each encrypted under a data key of its own that KMS made for the caller (`envelope`).
//!
//! Read `secret` for the record and how it looks to policies, then `value` for its use.
//!
//! Invariant: a value is in clear only between KMS's answer and the caller's; whoever reads it was allowed the secret and the key.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

pub mod batch;
pub mod create;
pub mod cross_account;
pub mod deletion;
pub mod dependents;
pub mod describe;
mod envelope;
mod filter;
pub mod inventory;
pub mod list;
mod naming;
mod page;
pub mod password;
pub mod place;
pub mod policy;
pub mod policy_list;
pub mod replica;
pub mod rotation;
pub mod secret;
pub mod tag;
pub mod update;
pub mod value;
pub mod version;

/// How Secrets Manager's calls look in the trail.
pub static TRAIL: TrailRules = TrailRules {
    names_resources: false,
    ..TrailRules::new("secretsmanager")
};

/// Secrets Manager's operations.
pub static OPERATIONS: &[Endpoint] = operations!["secretsmanager";
    create::{CreateSecret},
    describe::{DescribeSecret},
    update::{UpdateSecret},
    list::{ListSecrets},
    value::{GetSecretValue, PutSecretValue},
    batch::{BatchGetSecretValue},
    version::{ListSecretVersionIds, UpdateSecretVersionStage},
    deletion::{DeleteSecret, RestoreSecret},
    replica::{RemoveRegionsFromReplication, ReplicateSecretToRegions, StopReplicationToReplica},
    cross_account::{AssociateCrossAccountReplica, DisassociateCrossAccountReplica},
    rotation::{CancelRotateSecret, RotateSecret},
    password::{GetRandomPassword},
    tag::{TagResource, UntagResource},
    policy::{DeleteResourcePolicy, GetResourcePolicy, PutResourcePolicy, ValidateResourcePolicy},
    policy_list::{ListResourcePolicies},
];

/// What Secrets Manager does later.
pub static JOBS: &[JobKind] = &[
    JobKind {
        name: deletion::JOB,
        service: "secretsmanager",
        event: "EndSecretVersionDelete",
        run: deletion::end,
    },
    JobKind {
        name: rotation::WINDOW_JOB,
        service: "secretsmanager",
        event: "",
        run: rotation::window_opens,
    },
    JobKind {
        name: rotation::STEP_JOB,
        service: "secretsmanager",
        event: "",
        run: rotation::step,
    },
];
