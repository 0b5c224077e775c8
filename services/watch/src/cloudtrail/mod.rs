//! CloudTrail: the record of every call, as its users read it (S12.1).
//!
//! Nothing is written here. The pipeline records each call with its decision before the answer leaves; this service reads
//! that ledger and shows it in CloudTrail's words.
//!
//! Invariant: an account sees the records of its own trail and of no other.

use pipeline::{Endpoint, operations};

pub mod event;
pub mod lookup;

/// CloudTrail's operations.
pub static OPERATIONS: &[Endpoint] = operations!["cloudtrail"; lookup::{LookupEvents}];
