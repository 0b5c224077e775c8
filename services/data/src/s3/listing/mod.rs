//! The lists of a bucket: its objects in both forms, and its versions.
//!
//! `walk` goes through keys in the order of their bytes and rolls common prefixes up; `rows` says which rows it goes through.
//!
//! Invariant: the cost of a page is that of its lines.

mod objects;
mod on_list;
pub(crate) mod page;
mod rows;
mod versions;
pub(crate) mod walk;

pub use objects::{ListObjects, ListObjectsV2};
pub use versions::ListObjectVersions;

pub(crate) use rows::Under;
