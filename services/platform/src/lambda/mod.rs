//! Lambda: code that runs on demand, as a role and as nobody else (S36.3).
//!
//! Here is what AWS's control plane knows of a function, and what it takes to run one: who may invoke it, which version, with which
//! environment, under which limits. `Call::run_function` runs it; the code itself never meets this crate but as a sealed zip.
//!
//! Read `function` for the record, `invoke` for its use, `invoke::event` for what is invoked without anyone waiting.
//!
//! Invariant: a function runs with credentials that STS issued to `lambda.amazonaws.com` because the role trusts it, and with nothing of
//! the caller's.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

pub mod account;
pub mod alias;
pub mod code;
pub mod concurrency;
pub mod create;
pub mod delete;
pub mod dependents;
mod environment;
pub mod event_invoke;
mod fault;
pub mod function;
pub mod get;
pub mod inventory;
pub mod invoke;
pub mod layer;
pub mod list;
mod naming;
mod page;
pub mod permission;
pub mod recursion;
mod role;
pub mod runtime;
mod settings;
pub mod tag;
pub mod update;
pub mod usage;
pub mod version;

/// How Lambda's calls look in the trail (Lambda Developer Guide, "Logging AWS Lambda API calls using AWS CloudTrail").
pub static TRAIL: TrailRules = TrailRules {
    drop: &[
        "Environment",
        "ZipFile",
        "Payload",
        "ClientContext",
        "Location",
        "LogResult",
    ],
    event_names: &[
        ("AddLayerVersionPermission", "AddLayerVersionPermission20181031"),
        ("AddPermission", "AddPermission20150331v2"),
        ("CreateAlias", "CreateAlias20150331"),
        ("CreateFunction", "CreateFunction20150331"),
        ("DeleteAlias", "DeleteAlias20150331"),
        ("DeleteFunction", "DeleteFunction20150331"),
        ("DeleteFunctionConcurrency", "DeleteFunctionConcurrency20171031"),
        ("DeleteLayerVersion", "DeleteLayerVersion20181031"),
        ("GetAlias", "GetAlias20150331"),
        ("GetFunction", "GetFunction20150331v2"),
        ("GetFunctionConfiguration", "GetFunctionConfiguration20150331v2"),
        ("GetLayerVersion", "GetLayerVersion20181031"),
        ("GetLayerVersionByArn", "GetLayerVersionByArn20181031"),
        ("GetLayerVersionPolicy", "GetLayerVersionPolicy20181031"),
        ("GetPolicy", "GetPolicy20150331v2"),
        ("ListAliases", "ListAliases20150331"),
        ("ListFunctions", "ListFunctions20150331"),
        ("ListLayerVersions", "ListLayerVersions20181031"),
        ("ListLayers", "ListLayers20181031"),
        ("ListTags", "ListTags20170331"),
        ("ListVersionsByFunction", "ListVersionsByFunction20150331"),
        ("PublishLayerVersion", "PublishLayerVersion20181031"),
        ("PublishVersion", "PublishVersion20150331"),
        ("PutFunctionConcurrency", "PutFunctionConcurrency20171031"),
        (
            "RemoveLayerVersionPermission",
            "RemoveLayerVersionPermission20181031",
        ),
        ("RemovePermission", "RemovePermission20150331v2"),
        ("TagResource", "TagResource20170331v2"),
        ("UntagResource", "UntagResource20170331v2"),
        ("UpdateAlias", "UpdateAlias20150331"),
        ("UpdateFunctionCode", "UpdateFunctionCode20150331v2"),
        (
            "UpdateFunctionConfiguration",
            "UpdateFunctionConfiguration20150331v2",
        ),
    ],
    data_events: &["Invoke", invoke::event::EVENT],
    names_resources: true,
    ..TrailRules::new("lambda")
};

/// Lambda's operations.
pub static OPERATIONS: &[Endpoint] = operations!["lambda";
    create::{CreateFunction},
    update::{UpdateFunctionCode, UpdateFunctionConfiguration},
    get::{GetFunction, GetFunctionCodeSigningConfig, GetFunctionConfiguration},
    list::{ListFunctions},
    delete::{DeleteFunction},
    version::{ListVersionsByFunction, PublishVersion},
    alias::{CreateAlias, DeleteAlias, GetAlias, ListAliases, UpdateAlias},
    permission::{AddPermission, GetPolicy, RemovePermission},
    concurrency::{DeleteFunctionConcurrency, GetFunctionConcurrency, PutFunctionConcurrency},
    event_invoke::{
        DeleteFunctionEventInvokeConfig, GetFunctionEventInvokeConfig, ListFunctionEventInvokeConfigs,
        PutFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig,
    },
    runtime::{GetRuntimeManagementConfig, PutRuntimeManagementConfig},
    account::{GetAccountSettings},
    tag::{ListTags, TagResource, UntagResource},
    invoke::{Invoke},
    layer::{
        AddLayerVersionPermission, DeleteLayerVersion, GetLayerVersion, GetLayerVersionByArn, GetLayerVersionPolicy, ListLayerVersions,
        ListLayers, PublishLayerVersion, RemoveLayerVersionPermission,
    },
    recursion::{GetFunctionRecursionConfig, PutFunctionRecursionConfig},
];

/// What Lambda does later.
pub static JOBS: &[JobKind] = &[JobKind {
    name: invoke::event::JOB,
    service: "lambda",
    event: invoke::event::EVENT,
    run: invoke::event::run,
}];
