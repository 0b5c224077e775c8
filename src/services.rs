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
        ],
        jobs: vec![
            identity::iam::JOBS,
            identity::organizations::JOBS,
            identity::accessanalyzer::JOBS,
            keys::kms::JOBS,
            keys::secretsmanager::JOBS,
            keys::ssm::JOBS,
        ],
        trails: vec![
            &identity::iam::TRAIL,
            &identity::sts::TRAIL,
            &identity::organizations::TRAIL,
            &identity::accessanalyzer::TRAIL,
            &keys::kms::TRAIL,
            &keys::secretsmanager::TRAIL,
            &keys::ssm::TRAIL,
        ],
        inventories: vec![
            &identity::accessanalyzer::inventory::ROLES,
            &keys::kms::inventory::KEYS,
            &keys::secretsmanager::inventory::SECRETS,
        ],
        observers: vec![&identity::accessanalyzer::scan::OBSERVER],
        readiness: vec![&keys::kms::managed::READINESS],
    }
}

/// The services' names for `/_ringwork/health`.
pub(crate) const NAMES: [&str; 8] = [
    "accessanalyzer",
    "cloudtrail",
    "iam",
    "kms",
    "organizations",
    "secretsmanager",
    "ssm",
    "sts",
];
