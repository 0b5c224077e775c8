//! The promises of the pipeline, through a whole cloud: what is answered is durable, what is recorded is true.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail by panicking"
)]

mod bearers;
mod clocks;
mod concurrency;
mod conditions;
mod durability;
mod errands;
mod identifiers;
mod invocations;
mod jobs;
mod nothing;
mod panics;
mod principals;
mod remembered;
mod secrets;
mod why;
