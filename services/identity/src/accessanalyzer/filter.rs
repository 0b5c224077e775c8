//! Filters of findings, in archive rules and in lists: each key with what its value must be, all of them together.
//!
//! Source: IAM User Guide, "IAM Access Analyzer filter keys".

use std::collections::BTreeMap;

use api::accessanalyzer as model;
use pipeline::Result;
use serde::{Deserialize, Serialize};

use super::fault::invalid;

/// Keys that archive rules and lists know.
const KEYS: [&str; 10] = [
    "resource",
    "resourceType",
    "resourceOwnerAccount",
    "isPublic",
    "findingType",
    "resourceControlPolicyRestriction",
    "serviceControlPolicyRestriction",
    "error",
    "principal.AWS",
    "principal.Federated",
];
/// Keys that lists know beside them.
const LISTED: [&str; 2] = ["status", "id"];
/// Keys that previews know beside them.
const PREVIEWED: [&str; 5] = [
    "status",
    "id",
    "changeType",
    "existingFindingId",
    "existingFindingStatus",
];

/// One key's criterion.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Criterion {
    eq: Option<Vec<String>>,
    neq: Option<Vec<String>>,
    contains: Option<Vec<String>>,
    exists: Option<bool>,
}

/// All criteria, by key.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Filter(BTreeMap<String, Criterion>);

impl Filter {
    /// Reads the filter of an archive rule.
    pub(super) fn of_rule(given: BTreeMap<String, model::Criterion>) -> Result<Self> {
        if given.is_empty() {
            return Err(invalid("An archive rule needs at least one criterion."));
        }
        Self::read(given, &[])
    }

    /// Reads the filter of a list.
    pub(super) fn of_list(given: Option<BTreeMap<String, model::Criterion>>) -> Result<Self> {
        Self::read(given.unwrap_or_default(), &LISTED)
    }

    /// Reads the filter of the findings of a preview.
    pub(super) fn of_preview(given: Option<BTreeMap<String, model::Criterion>>) -> Result<Self> {
        Self::read(given.unwrap_or_default(), &PREVIEWED)
    }

    fn read(given: BTreeMap<String, model::Criterion>, more: &[&str]) -> Result<Self> {
        let mut criteria = BTreeMap::new();
        for (key, criterion) in given {
            let known = KEYS.contains(&key.as_str())
                || more.contains(&key.as_str())
                || key
                    .strip_prefix("condition.")
                    .is_some_and(|name| name.contains(':'));
            if !known {
                return Err(invalid(format!("Invalid filter key: {key}")));
            }
            let criterion = Criterion {
                eq: criterion.eq,
                neq: criterion.neq,
                contains: criterion.contains,
                exists: criterion.exists,
            };
            if criterion == Criterion::default() {
                return Err(invalid(format!("The filter key {key} has no criterion.")));
            }
            criteria.insert(key, criterion);
        }
        Ok(Self(criteria))
    }

    /// As answers show it.
    pub(super) fn shown(&self) -> BTreeMap<String, model::Criterion> {
        let shown = |criterion: &Criterion| model::Criterion {
            contains: criterion.contains.clone(),
            eq: criterion.eq.clone(),
            exists: criterion.exists,
            neq: criterion.neq.clone(),
        };
        self.0
            .iter()
            .map(|(key, criterion)| (key.clone(), shown(criterion)))
            .collect()
    }

    /// Whether something fits, whose values of a key `of` tells.
    pub(super) fn fits(&self, of: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(key, criterion)| criterion.fits(&of(key)))
    }

    /// The filter as text, to tell lists apart.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Criterion {
    fn fits(&self, values: &[String]) -> bool {
        let any = |wanted: &Vec<String>, same: fn(&str, &str) -> bool| {
            wanted
                .iter()
                .any(|wanted| values.iter().any(|value| same(value, wanted)))
        };
        let equal: fn(&str, &str) -> bool = |value, wanted| value == wanted;
        self.eq.as_ref().is_none_or(|wanted| any(wanted, equal))
            && self.neq.as_ref().is_none_or(|wanted| !any(wanted, equal))
            && self
                .contains
                .as_ref()
                .is_none_or(|wanted| any(wanted, |value, wanted| value.contains(wanted)))
            && self.exists.is_none_or(|exists| exists != values.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(criterion: model::Criterion) -> bool {
        let given = [("resource".to_owned(), criterion)].into();
        let filter = Filter::of_rule(given).ok().unwrap();
        filter.fits(|_| vec!["arn:aws:iam::1:role/a".to_owned()])
    }

    #[test]
    fn values_of_a_criterion_are_alternatives_and_criteria_conditions() {
        let list = |text: &str| Some(vec!["other".to_owned(), text.to_owned()]);
        let plain = model::Criterion::default;
        assert!(fits(model::Criterion {
            eq: list("arn:aws:iam::1:role/a"),
            exists: Some(true),
            ..plain()
        }));
        assert!(!fits(model::Criterion {
            neq: list("arn:aws:iam::1:role/a"),
            ..plain()
        }));
        assert!(fits(model::Criterion {
            contains: list("role/"),
            neq: list("x"),
            ..plain()
        }));
        assert!(!fits(model::Criterion {
            contains: list("role/"),
            exists: Some(false),
            ..plain()
        }));
    }
}
