//! The service through the pipeline: one binary for all nouns.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

mod access_keys;
mod attachments;
mod federation;
mod incarnation;
mod instance_profiles;
mod linked_roles;
mod mfa;
mod organization_policies;
mod organizations;
mod passwords;
mod policies;
mod reach;
mod report;
mod roles;
mod scene;
mod server_certificates;
mod service_credentials;
mod sessions;
mod signed;
mod signing_certificates;
mod simulation;
mod ssh_keys;
mod users;
