//! Organizations: accounts under one management account, and the policies that bound what anybody in them may do.
//!
//! Invariant: the management account is bound by no service control policy; every member account is, its root user included.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

pub mod membership;
pub mod organization;
pub mod unit;

/// How the calls of Organizations look in the trail.
pub static TRAIL: TrailRules = TrailRules::new("organizations");

/// The operations of Organizations.
pub static OPERATIONS: &[Endpoint] = operations!["organizations";];

/// What Organizations does later.
pub static JOBS: &[JobKind] = &[];
