//! Keys and secrets: KMS, and the services that store what it encrypts.
//!
//! Invariant: plain key bytes exist in memory for the moment of use; what lies in a table is sealed or encrypted.

pub mod kms;
pub mod secretsmanager;
pub mod ssm;
