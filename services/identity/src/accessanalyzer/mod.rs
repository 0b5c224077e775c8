//! Access Analyzer: who can reach what from outside, what is granted and never used, and whether a policy says what was meant.
//!
//! An analyzer watches an account in one region. Jobs look at the policies of every resource that a service publishes
//! (`pipeline::inventory`) soon after a change and once a day, or at what users and roles did by the ledger, and keep findings.
//!
//! Invariant: an analysis reads policies and the ledger; it changes nothing but its own analyzers, findings and rules.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

pub mod activity;
pub mod analyzer;
pub mod archive_rule;
pub mod check;
pub mod external;
mod fault;
mod filter;
pub mod finding;
pub mod generation;
pub mod inventory;
mod page;
pub mod preview;
pub mod recommendation;
pub mod resource;
pub mod scan;
pub mod tag;
pub mod unused;
pub mod validate;
mod zone;

/// How the calls of Access Analyzer look in the trail.
pub static TRAIL: TrailRules = TrailRules::new("accessanalyzer");

/// The operations of Access Analyzer.
pub static OPERATIONS: &[Endpoint] = operations!["accessanalyzer";
    analyzer::{CreateAnalyzer, DeleteAnalyzer, GetAnalyzer, ListAnalyzers, UpdateAnalyzer},
    archive_rule::{
        ApplyArchiveRule, CreateArchiveRule, DeleteArchiveRule, GetArchiveRule, ListArchiveRules, UpdateArchiveRule,
    },
    finding::{GetFinding, GetFindingV2, GetFindingsStatistics, ListFindings, ListFindingsV2, UpdateFindings},
    preview::{CreateAccessPreview, GetAccessPreview, ListAccessPreviewFindings, ListAccessPreviews},
    resource::{GetAnalyzedResource, ListAnalyzedResources, StartResourceScan},
    generation::{CancelPolicyGeneration, GetGeneratedPolicy, ListPolicyGenerations, StartPolicyGeneration},
    recommendation::{GenerateFindingRecommendation, GetFindingRecommendation},
    tag::{ListTagsForResource, TagResource, UntagResource},
    check::{CheckAccessNotGranted, CheckNoNewAccess, CheckNoPublicAccess},
    validate::{ValidatePolicy},
];

/// What Access Analyzer does later.
pub static JOBS: &[JobKind] = &[
    JobKind {
        name: scan::JOB,
        service: "access-analyzer",
        event: "ScanResources",
        run: scan::run,
    },
    JobKind {
        name: scan::ONE,
        service: "access-analyzer",
        event: "ScanResource",
        run: scan::run_one,
    },
    JobKind {
        name: generation::JOB,
        service: "access-analyzer",
        event: "GeneratePolicy",
        run: generation::run,
    },
];
