//! What watches the cloud: the record of its calls, read back.
//!
//! Invariant: a service of this crate reads the ledger and never writes to it.

pub mod cloudtrail;
