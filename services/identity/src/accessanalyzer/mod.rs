//! Access Analyzer: who can reach what from outside, what is granted and never used, and whether a policy says what was meant.
//!
//! Invariant: an analysis reads policies and the ledger; it changes nothing but its own analyzers, findings and rules.

pub mod check;
pub mod validate;

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

/// How the calls of Access Analyzer look in the trail.
pub static TRAIL: TrailRules = TrailRules::new("accessanalyzer");

/// The operations of Access Analyzer.
pub static OPERATIONS: &[Endpoint] = operations![
    "accessanalyzer";
    check::{CheckAccessNotGranted, CheckNoNewAccess, CheckNoPublicAccess},
    validate::{ValidatePolicy},
];

/// What Access Analyzer does later.
pub static JOBS: &[JobKind] = &[];
