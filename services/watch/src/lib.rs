//! What watches the cloud: the record of its calls, read back, and the numbers that it and its users measure.
//!
//! Invariant: a service of this crate reads the ledger and never writes to it.

pub mod cloudtrail;
pub mod cloudwatch;
