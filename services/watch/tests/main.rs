//! CloudTrail and CloudWatch through the pipeline: one binary for all nouns.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

mod events;
mod identities;
mod key_use;
mod lookups;
mod metric_data;
mod metrics;
mod real_shapes;
mod scene;
