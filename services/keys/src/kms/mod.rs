//! KMS: keys that never leave, and what may be done with them. It protects everything that others encrypt.
//!
//! A key's row carries its state, its policy and the id of its current material; the material itself lies sealed in a table of its
//! own. Every use reads the row first, so that disabling a key, changing its policy or revoking a grant counts from the next call on.
//!
//! Read `key` for the record and how requests name it, then `encryption` for its use.
//!
//! Invariant: key material is opened only for a caller whom the key's policy and grants allow, and only while the key is enabled.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

pub mod agreement;
pub mod alias;
mod context;
pub mod data_key;
pub mod data_key_pair;
pub mod deletion;
pub mod described;
pub mod encapsulation;
pub mod encryption;
pub mod grant;
pub mod imported;
pub mod inventory;
pub mod key;
pub mod listing;
pub mod mac;
pub mod managed;
mod material;
pub mod multi_region;
mod naming;
mod page;
pub mod policy;
mod principal;
pub mod public_key;
pub mod quota;
pub mod rotation;
mod scheme;
pub mod sign;
pub mod state;
pub mod tag;
pub mod usage;

/// How KMS's calls look in the trail (KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail").
pub static TRAIL: TrailRules = TrailRules {
    drop: &["GrantToken"],
    hides_denied: true,
    names_resources: true,
    subject: Some("keyId"),
    defaults: &[
        ("Encrypt", "encryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        ("Decrypt", "encryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        ("ReEncrypt", "sourceEncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        ("ReEncrypt", "destinationEncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        ("Sign", "messageType", "RAW"),
        ("Verify", "messageType", "RAW"),
    ],
    ..TrailRules::new("kms")
};

/// KMS's operations.
pub static OPERATIONS: &[Endpoint] = operations!["kms";
    key::{CreateKey, DescribeKey, ListKeys, UpdateKeyDescription},
    state::{DisableKey, EnableKey},
    usage::{GetKeyLastUsage},
    deletion::{CancelKeyDeletion, ScheduleKeyDeletion},
    policy::{GetKeyPolicy, ListKeyPolicies, PutKeyPolicy},
    tag::{ListResourceTags, TagResource, UntagResource},
    alias::{CreateAlias, DeleteAlias, ListAliases, UpdateAlias},
    encryption::{Decrypt, Encrypt, ReEncrypt},
    data_key::{GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom},
    data_key_pair::{GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext},
    mac::{GenerateMac, VerifyMac},
    sign::{Sign, Verify},
    public_key::{GetPublicKey},
    agreement::{DeriveSharedSecret},
    encapsulation::{Decapsulate, Encapsulate},
    rotation::{DisableKeyRotation, EnableKeyRotation, GetKeyRotationStatus, ListKeyRotations, RotateKeyOnDemand},
    imported::{DeleteImportedKeyMaterial, GetParametersForImport, ImportKeyMaterial},
    multi_region::{ReplicateKey, UpdatePrimaryRegion},
    grant::{CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant},
];

/// What KMS does later.
pub static JOBS: &[JobKind] = &[
    JobKind {
        name: deletion::JOB,
        service: "kms",
        event: "DeleteKey",
        run: deletion::delete_key,
    },
    JobKind {
        name: rotation::JOB,
        service: "kms",
        event: "RotateKey",
        run: rotation::rotate_key,
    },
    JobKind {
        name: imported::JOB,
        service: "kms",
        event: "DeleteExpiredKeyMaterial",
        run: imported::expire,
    },
];
