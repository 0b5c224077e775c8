//! Large contents in an S3-compatible object store elsewhere, instead of files in the data folder. What lies there is sealed: the
//! other store learns sizes and times, nothing else.
//!
//! Invariant: one prefix belongs to one data folder. Its owner's mark is written once, under a condition, and looked for at every start,
//! because a sweep deletes whatever no row of this installation names.

mod blobs;
mod place;
#[cfg(test)]
mod tests;
mod transport;

pub use blobs::RemoteBlobs;
pub use place::{ContentsError, ContentsPlace};
