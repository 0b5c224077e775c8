//! What needs a service-linked role: as long as there is any of it, the role is not deleted.
//!
//! Source: Organizations User Guide, "Using service-linked roles"; IAM User Guide, "Using service-linked roles for IAM Access Analyzer".
//! Invariant: a service that is not named here has nothing that needs its role.

use api::iam as model;
use pipeline::{Look, Resource as _, Result};
use serde::{Deserialize, Serialize};

use crate::accessanalyzer::analyzer;
use crate::iam::role::{Role, SERVICE_PATH};
use crate::organizations;
use crate::organizations::membership::membership;
use crate::organizations::organization::{FeatureSet, organization};

/// The region of what has none.
const GLOBAL: &str = "us-east-1";

/// What needs a role, in one region.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Usage {
    region: String,
    /// ARNs.
    resources: Vec<String>,
}

impl Usage {
    pub(super) fn shown(&self) -> model::RoleUsageType {
        model::RoleUsageType {
            region: Some(self.region.clone()),
            resources: Some(self.resources.clone()),
        }
    }
}

/// Everything that needs a role.
pub(super) fn of(look: &mut Look<'_>, role: &Role) -> Result<Vec<Usage>> {
    let service = role.path.strip_prefix(SERVICE_PATH);
    match service.map(|service| service.trim_end_matches('/')) {
        Some(organizations::SERVICE) => of_organizations(look, &role.account),
        Some(analyzer::SERVICE) => of_analyzers(look, &role.account),
        _ => Ok(Vec::new()),
    }
}

/// An organization needs it with all features alone.
fn of_organizations(look: &mut Look<'_>, account: &str) -> Result<Vec<Usage>> {
    let Some(member) = membership(look, account)? else {
        return Ok(Vec::new());
    };
    let held = organization(look, &member.management)?;
    let held = held.filter(|held| held.feature_set == FeatureSet::All);
    let usage = held.map(|held| Usage {
        region: GLOBAL.to_owned(),
        resources: vec![held.arn()],
    });
    Ok(usage.into_iter().collect())
}

fn of_analyzers(look: &mut Look<'_>, account: &str) -> Result<Vec<Usage>> {
    let mut usage: Vec<Usage> = Vec::new();
    for analyzer in analyzer::of_account(look, account)? {
        match usage.iter_mut().find(|held| held.region == analyzer.region) {
            Some(held) => held.resources.push(analyzer.arn()),
            None => usage.push(Usage {
                region: analyzer.region.clone(),
                resources: vec![analyzer.arn()],
            }),
        }
    }
    Ok(usage)
}
