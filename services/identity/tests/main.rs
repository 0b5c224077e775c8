//! The service through the pipeline: one binary for all nouns.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

mod access_keys;
mod access_previews;
mod analyzers;
mod attachments;
mod federation;
mod incarnation;
mod instance_profiles;
mod mfa;
mod passwords;
mod policies;
mod policy_generation;
mod report;
mod roles;
mod scene;
mod sessions;
mod signed;
mod simulation;
mod unused_access;
mod users;
