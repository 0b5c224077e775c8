//! What holds of every operation, by looping over the tables: no operation has a test of its own here.
//!
//! Exceptions are listed with a reason in `exceptions`, and a list only ever shrinks: an entry that is not needed fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod constraints;
mod credentials;
mod exceptions;
mod permissions;
mod records;
mod reference;
mod resources;
mod unbuilt;
