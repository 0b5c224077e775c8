//! The platform that other services build on: functions.
//!
//! Invariant: what runs for a customer runs with the permissions of the customer's role and with no others.

pub mod lambda;
