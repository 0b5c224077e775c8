//! Data at rest: S3, its buckets and its objects.
//!
//! Invariant: nothing lies in clear, and nothing is read or changed but by a caller whom the policies allow.

pub mod s3;
pub mod s3control;
