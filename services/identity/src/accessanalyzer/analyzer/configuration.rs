//! What an analyzer of unused access goes by: how many days count as unused, and whom it leaves out.

use std::collections::BTreeMap;

use api::accessanalyzer as model;
use pipeline::Result;
use serde::{Deserialize, Serialize};

use crate::accessanalyzer::fault::invalid;

/// Days, unless the configuration says otherwise.
const AGE_DAYS_DEFAULT: i32 = 90;

/// The configuration of an analyzer of unused access.
#[derive(Clone, Serialize, Deserialize)]
pub struct UnusedAccess {
    /// From 1 to 365.
    pub age_days: i32,
    pub exclusions: Vec<Exclusion>,
}

/// Whom an analyzer leaves out: those of an account and, if tags are told, with one of these sets of tags.
#[derive(Clone, Serialize, Deserialize)]
pub struct Exclusion {
    pub accounts: Vec<String>,
    pub tags: Vec<BTreeMap<String, String>>,
}

impl UnusedAccess {
    /// Reads the configuration of a request.
    pub(super) fn read(configuration: Option<model::AnalyzerConfiguration>) -> Result<Self> {
        let configuration = configuration.unwrap_or_default();
        if configuration.internal_access.is_some() {
            return Err(invalid(
                "The configuration internalAccess does not fit an analyzer of unused access.",
            ));
        }
        let given = configuration.unused_access.unwrap_or_default();
        let age_days = given.unused_access_age.unwrap_or(AGE_DAYS_DEFAULT);
        if !(1..=365).contains(&age_days) {
            return Err(invalid("unusedAccessAge must be between 1 and 365 days."));
        }
        let rule = given.analysis_rule.and_then(|rule| rule.exclusions);
        let exclusions = rule.into_iter().flatten().map(|criteria| Exclusion {
            accounts: criteria.account_ids.unwrap_or_default(),
            tags: criteria.resource_tags.unwrap_or_default(),
        });
        Ok(Self {
            age_days,
            exclusions: exclusions.collect(),
        })
    }

    /// Whether an identity of an account, with these tags, is left out.
    pub fn excludes(&self, account: &str, tags: &[(String, String)]) -> bool {
        let borne = |wanted: &BTreeMap<String, String>| {
            wanted
                .iter()
                .all(|(key, value)| tags.iter().any(|(held, of)| held == key && of == value))
        };
        self.exclusions.iter().any(|exclusion| {
            let named = exclusion.accounts.iter().any(|named| named == account);
            let tagged = exclusion.tags.iter().any(borne);
            match (exclusion.accounts.is_empty(), exclusion.tags.is_empty()) {
                (true, true) => false,
                (false, true) => named,
                (true, false) => tagged,
                (false, false) => named && tagged,
            }
        })
    }

    pub(super) fn shown(&self) -> model::AnalyzerConfiguration {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let exclusions: Vec<_> = self
            .exclusions
            .iter()
            .map(|exclusion| model::AnalysisRuleCriteria {
                account_ids: some(&exclusion.accounts),
                resource_tags: (!exclusion.tags.is_empty()).then(|| exclusion.tags.clone()),
            })
            .collect();
        model::AnalyzerConfiguration {
            internal_access: None,
            unused_access: Some(model::UnusedAccessConfiguration {
                analysis_rule: (!exclusions.is_empty()).then_some(model::AnalysisRule {
                    exclusions: Some(exclusions),
                }),
                unused_access_age: Some(self.age_days),
            }),
        }
    }
}
