//! Every service that this binary serves.

use pipeline::gateway::Tables;
use pipeline::{Dependents, Quotas};

/// The tables of all services.
pub(crate) fn tables() -> Tables {
    Tables {
        operations: vec![
            identity::iam::OPERATIONS,
            identity::sts::OPERATIONS,
            identity::organizations::OPERATIONS,
            identity::accessanalyzer::OPERATIONS,
            keys::kms::OPERATIONS,
            keys::secretsmanager::OPERATIONS,
            keys::ssm::OPERATIONS,
            network::ec2::OPERATIONS,
            platform::lambda::OPERATIONS,
            platform::cloudformation::OPERATIONS,
            watch::cloudtrail::OPERATIONS,
            watch::cloudwatch::OPERATIONS,
            data::s3::OPERATIONS,
            data::s3control::OPERATIONS,
        ],
        jobs: vec![
            identity::iam::JOBS,
            identity::organizations::JOBS,
            identity::accessanalyzer::JOBS,
            identity::signin::JOBS,
            keys::kms::JOBS,
            keys::secretsmanager::JOBS,
            keys::ssm::JOBS,
            data::s3::JOBS,
            network::ec2::JOBS,
            platform::lambda::JOBS,
            platform::cloudformation::JOBS,
            watch::cloudwatch::JOBS,
        ],
        trails: vec![
            &identity::iam::TRAIL,
            &identity::sts::TRAIL,
            &identity::organizations::TRAIL,
            &identity::accessanalyzer::TRAIL,
            &keys::kms::TRAIL,
            &keys::secretsmanager::TRAIL,
            &keys::ssm::TRAIL,
            &network::ec2::TRAIL,
            &platform::lambda::TRAIL,
            &platform::cloudformation::TRAIL,
            &data::s3::TRAIL,
            &data::s3control::TRAIL,
            &watch::cloudwatch::TRAIL,
        ],
        inventories: vec![
            &identity::accessanalyzer::inventory::ROLES,
            &keys::kms::inventory::KEYS,
            &keys::secretsmanager::inventory::SECRETS,
            &data::s3::inventory::BUCKETS,
            &platform::lambda::inventory::FUNCTIONS,
        ],
        origins: vec![&data::s3::bucket::ORIGINS],
        forms: vec![&data::s3::form::FORMS],
        callbacks: vec![&platform::cloudformation::CALLBACKS],
        observers: vec![&identity::accessanalyzer::scan::OBSERVER],
        readiness: vec![&keys::kms::managed::READINESS],
        closures: vec![&network::ec2::CLOSURE],
        sites: Some(&data::s3::website::SITES),
        telemetry: Some(&watch::cloudwatch::SINK),
    }
}

/// What services keep encrypted under keys.
pub(crate) const fn dependents() -> [&'static Dependents; 4] {
    [
        &keys::secretsmanager::dependents::DEPENDENTS,
        &keys::ssm::dependents::DEPENDENTS,
        &data::s3::dependents::DEPENDENTS,
        &platform::lambda::dependents::DEPENDENTS,
    ]
}

/// The request quotas of the services that have some.
pub(crate) fn quotas() -> Vec<&'static Quotas> {
    vec![&keys::kms::quota::QUOTAS]
}

/// The services' names for `/_ringwork/health`.
pub(crate) const NAMES: [&str; 14] = [
    "accessanalyzer",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "ec2",
    "iam",
    "kms",
    "lambda",
    "organizations",
    "s3",
    "s3control",
    "secretsmanager",
    "ssm",
    "sts",
];
