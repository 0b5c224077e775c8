//! The record: per account and region one ordered, hash-chained stream of calls with their decisions.
//!
//! Invariant: a write's record commits with its state, a refusal's or a read's commits alone; no answer leaves before
//! its record is durable. Records of one flush share a batch (`chain`), whose index of attribute hashes lets a reader
//! pass over batches without opening them, and over long stretches without reading them (`scan`, `summary`).

pub mod chain;
pub mod record;
pub mod scan;
mod summary;

pub use chain::{LedgerChain, verify};
pub use record::Record;
pub use scan::{Attribute, Page, Query};

/// The stream of an account's region.
pub fn stream(account: &str, region: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(account.len() + region.len() + 1);
    name.extend_from_slice(account.as_bytes());
    name.push(b'/');
    name.extend_from_slice(region.as_bytes());
    name
}
