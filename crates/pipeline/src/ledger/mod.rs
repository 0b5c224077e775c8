//! The record: per account and region one ordered, hash-chained stream of calls with their decisions.
//!
//! Invariant: a write's record commits with its state, a refusal's or a read's commits alone; no answer leaves before
//! its record is durable. Records of one flush share a batch (`chain`), whose index of attribute hashes lets a reader
//! pass over batches without opening them, and over long stretches without reading them (`scan`, `summary`); `verify` reads them all.

pub mod chain;
pub mod record;
pub mod scan;
mod summary;
pub mod verify;

pub use chain::LedgerChain;
pub use record::Record;
pub use scan::{Attribute, Page, Query};
pub use verify::{Followed, verify};

use crate::call::Look;
use crate::operation::Result;

/// The regions in which an account's trail has begun, a page of them at a time.
///
/// # Errors
/// The store's, as a fault.
pub fn regions(look: &mut Look<'_>, account: &str) -> Result<Vec<String>> {
    let prefix = stream(account, "");
    let (mut regions, mut after): (Vec<String>, Option<Vec<u8>>) = (Vec::new(), None);
    loop {
        let names = look.streams(after.as_deref().or(Some(&prefix)))?;
        let (mut ended, known) = (names.is_empty(), regions.len());
        for name in &names {
            match name.strip_prefix(prefix.as_slice()) {
                Some(region) => regions.push(String::from_utf8_lossy(region).into_owned()),
                None => ended = true,
            }
        }
        if ended || regions.len() == known {
            return Ok(regions);
        }
        after = names.last().cloned();
    }
}

/// The stream of an account's region.
pub fn stream(account: &str, region: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(account.len() + region.len() + 1);
    name.extend_from_slice(account.as_bytes());
    name.push(b'/');
    name.extend_from_slice(region.as_bytes());
    name
}
