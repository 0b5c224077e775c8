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
mod issuer;
mod mfa;
mod oidc;
mod outbound;
mod passwords;
mod policies;
mod report;
mod roles;
mod saml;
mod scene;
mod sessions;
mod signed;
mod simulation;
mod users;
mod web_identity;
