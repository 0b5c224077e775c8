//! Lambda and CloudFormation through the pipeline, with the real directory and KMS, and a runner that runs nothing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod alias;
mod event;
mod function;
mod invoke;
mod layer;
mod permission;
mod scene;
mod stack;
mod stack_caller;
mod stack_change;
mod stack_custom;
mod stack_nested;
mod stack_permission;
mod stack_type;
mod stack_wait;
