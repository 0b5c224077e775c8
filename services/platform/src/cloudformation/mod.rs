//! CloudFormation: resources as a template describes them, made and changed together or not at all (S10.10, S11.5, S36.4).
//!
//! `template` reads the language; `resource_type` says how each type of resource is made by calls of the services; `stack`, `resource`,
//! `event` and `change_set` are the records; `work` brings an operation about, one resource to a job. Read `stack`, then `work`.
//!
//! Invariant: a stack's resources are made by the operations of their services, as the stack's caller or the role that was handed to
//! it, and by nothing else.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

mod actor;
pub mod body;
mod callback;
pub mod cancel;
mod change;
pub mod change_set;
mod condition;
pub mod create;
pub mod delete;
pub mod describe;
mod evaluation;
pub mod event;
pub mod export;
mod fault;
mod hidden;
mod nesting;
mod order;
mod page;
pub mod protection;
pub mod resource;
pub mod resource_type;
mod retention;
mod signal;
pub mod stack;
pub mod stack_policy;
mod submission;
pub mod template;
pub mod update;
mod work;

pub use callback::CALLBACKS;

/// The service's principal.
pub(crate) const PRINCIPAL: &str = "cloudformation.amazonaws.com";

/// How CloudFormation's calls look in the trail. Templates and the values of parameters may hold anything, so the trail holds neither.
pub static TRAIL: TrailRules = TrailRules {
    drop: &[
        "TemplateBody",
        "StackPolicyBody",
        "StackPolicyDuringUpdateBody",
        "ParameterValue",
        "ResolvedValue",
    ],
    names_resources: true,
    ..TrailRules::new("cloudformation")
};

/// CloudFormation's operations.
pub static OPERATIONS: &[Endpoint] = operations!["cloudformation";
    create::{CreateStack},
    update::{UpdateStack},
    delete::{DeleteStack},
    cancel::{CancelUpdateStack, ContinueUpdateRollback},
    describe::{DescribeStacks, ListStacks},
    event::{DescribeStackEvents},
    resource::{DescribeStackResource, DescribeStackResources, ListStackResources},
    body::{GetTemplate, GetTemplateSummary, ValidateTemplate},
    stack_policy::{GetStackPolicy, SetStackPolicy},
    protection::{UpdateTerminationProtection},
    export::{ListExports, ListImports},
    change_set::{CreateChangeSet, DeleteChangeSet, DescribeChangeSet, ExecuteChangeSet, ListChangeSets},
];

/// What CloudFormation does later: the steps of a stack's operation, and the end of what is known of a deleted one.
pub static JOBS: &[JobKind] = &[
    JobKind {
        name: work::JOB,
        service: "cloudformation",
        event: "",
        run: work::step,
    },
    JobKind {
        name: retention::JOB,
        service: "cloudformation",
        event: "",
        run: retention::run,
    },
];
