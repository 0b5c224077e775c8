//! Identities and what they may do: IAM, STS, Organizations and Access Analyzer, and the directory that they are to the pipeline.
//!
//! Invariant: only this crate knows secret access keys of callers, and only the pipeline receives them.

pub mod accessanalyzer;
pub mod iam;
pub mod organizations;
pub mod reach;
pub mod saml;
pub mod signin;
pub mod sts;

pub use iam::bootstrap::{RootCredentials, bootstrap};
pub use iam::directory::IdentityDirectory;
