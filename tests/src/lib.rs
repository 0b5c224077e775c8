//! What the tests of the whole house share: a cloud with every service, a client of its own for every protocol, and the
//! smallest input of any operation, made from its shape.
//!
//! Invariant: nothing here names an operation of a service but to set the scene; what holds for all is looped over tables.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "support for tests, which fail by panicking"
)]

pub mod client;
pub mod engine;
mod function;
mod furnish;
mod instance;
pub mod plane;
pub mod runner;
pub mod said;
pub mod sample;
pub mod sign;
pub mod world;
