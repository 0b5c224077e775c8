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
mod issuer;
mod last_accessed;
mod linked_roles;
mod mfa;
mod oidc;
mod organization_policies;
mod organizations;
mod outbound;
mod passwords;
mod policies;
mod policy_generation;
mod reach;
mod report;
mod roles;
mod saml;
mod scene;
mod server_certificates;
mod service_credentials;
mod sessions;
mod signed;
mod signin;
mod signin_by_broker;
mod signing_certificates;
mod simulation;
mod ssh_keys;
mod unused_access;
mod users;
mod validate_policy;
mod web_identity;
mod work;
