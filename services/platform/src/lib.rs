//! The platform that other services build on: functions, and stacks of resources.
//!
//! Invariant: what runs for a customer runs with the permissions of the customer's role and with no others.

pub mod cloudformation;
pub mod lambda;
