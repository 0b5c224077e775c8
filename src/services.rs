//! Every service that this binary serves.

use pipeline::gateway::Tables;

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
            watch::cloudtrail::OPERATIONS,
            data::s3::OPERATIONS,
        ],
        jobs: vec![
            identity::iam::JOBS,
            identity::organizations::JOBS,
            identity::accessanalyzer::JOBS,
            keys::kms::JOBS,
            keys::secretsmanager::JOBS,
            keys::ssm::JOBS,
            data::s3::JOBS,
        ],
        trails: vec![
            &identity::iam::TRAIL,
            &identity::sts::TRAIL,
            &identity::organizations::TRAIL,
            &identity::accessanalyzer::TRAIL,
            &keys::kms::TRAIL,
            &keys::secretsmanager::TRAIL,
            &keys::ssm::TRAIL,
            &data::s3::TRAIL,
        ],
        inventories: vec![
            &identity::accessanalyzer::inventory::ROLES,
            &keys::kms::inventory::KEYS,
            &keys::secretsmanager::inventory::SECRETS,
            &data::s3::inventory::BUCKETS,
        ],
        providers: vec![&keys::kms::managed::PROVIDER],
        observers: vec![&identity::accessanalyzer::scan::OBSERVER],
    }
}

/// The services' names for `/_ringwork/health`.
pub(crate) const NAMES: [&str; 9] = [
    "accessanalyzer",
    "cloudtrail",
    "iam",
    "kms",
    "organizations",
    "s3",
    "secretsmanager",
    "ssm",
    "sts",
];
