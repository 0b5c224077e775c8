//! Permissions that policies give and nobody uses: whole services, and single actions of services that are used. Pure.
//!
//! Invariant: what the policies' own wildcards cover counts as given; a service is named once.

use std::collections::{BTreeMap, BTreeSet};

use policy::Attached;
use serde_json::Value;

use crate::accessanalyzer::external::texts;
use crate::accessanalyzer::finding::UnusedService;

/// The actions of one statement.
pub(in crate::accessanalyzer) struct Actions {
    patterns: Vec<String>,
    negated: bool,
}

impl Actions {
    /// The actions of a statement; none if it is no Allow.
    pub(in crate::accessanalyzer) fn of(statement: &Value) -> Option<Self> {
        if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
            return None;
        }
        let named = statement.get("Action").map(|actions| (texts(actions), false));
        let others = || statement.get("NotAction").map(|actions| (texts(actions), true));
        let (patterns, negated) = named.or_else(others)?;
        Some(Self { patterns, negated })
    }

    /// Whether they cover an action.
    pub(in crate::accessanalyzer) fn cover(&self, action: &str) -> bool {
        self.patterns.iter().any(|pattern| fits(pattern, action)) != self.negated
    }

    /// The services that they name; `None` for all.
    fn services(&self) -> Option<BTreeSet<String>> {
        if self.negated {
            return None;
        }
        let names = self.patterns.iter().map(|pattern| {
            let (service, _) = pattern.split_once(':')?;
            (!service.contains(['*', '?'])).then(|| service.to_lowercase())
        });
        names.collect()
    }
}

/// Whether a pattern with `*` and `?` covers an action, compared without case.
fn fits(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut at, mut seen, mut star) = (0, 0, None);
    while let Some(letter) = action.get(seen) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if wanted == letter || *wanted == b'?' => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    at = place + 1;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == b'*')
}

/// The statements of a document.
pub(in crate::accessanalyzer) fn statements(document: &Value) -> Vec<&Value> {
    match document.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// What the policies give and was not used since `cutoff`. `known` are the actions that there are, `used` when each was last used.
pub(super) fn unused(
    policies: &[Attached],
    known: &[&str],
    used: &BTreeMap<String, i64>,
    cutoff: i64,
) -> Vec<UnusedService> {
    let documents = policies
        .iter()
        .filter_map(|attached| serde_json::from_str::<Value>(attached.policy.text()).ok());
    let documents: Vec<Value> = documents.collect();
    let given: Vec<Actions> = documents
        .iter()
        .flat_map(|document| statements(document))
        .filter_map(Actions::of)
        .collect();
    let service_of = |action: &str| action.split(':').next().unwrap_or_default().to_owned();
    let mut services: BTreeSet<String> = BTreeSet::new();
    for actions in &given {
        match actions.services() {
            Some(named) => services.extend(named),
            None => services.extend(known.iter().map(|action| service_of(action))),
        }
    }
    let mut found = Vec::new();
    for namespace in services {
        let of_service = |action: &str| service_of(action) == namespace;
        let last = used
            .iter()
            .filter(|(action, _)| of_service(action))
            .map(|(_, at)| *at)
            .max();
        if last.is_none_or(|at| at <= cutoff) {
            found.push(UnusedService {
                namespace,
                last,
                actions: Vec::new(),
            });
            continue;
        }
        let actions = known
            .iter()
            .filter(|action| of_service(action))
            .filter_map(|action| {
                let at = used.get(*action).copied();
                let idle = at.is_none_or(|at| at <= cutoff);
                (idle && given.iter().any(|actions| actions.cover(action)))
                    .then(|| ((*action).to_owned(), at))
            });
        let actions: Vec<_> = actions.collect();
        if !actions.is_empty() {
            found.push(UnusedService {
                namespace,
                last,
                actions,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policy::{Policy, PolicyKind};

    use super::*;

    fn of(action: &str, used: &[(&str, i64)]) -> Vec<(String, Vec<String>)> {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{action},"Resource":"*"}}]}}"#
        );
        let policy = Policy::parse(&text, PolicyKind::Identity).unwrap();
        let used = used
            .iter()
            .map(|(action, at)| ((*action).to_owned(), *at))
            .collect();
        let known = ["iam:GetUser", "iam:ListUsers", "kms:Decrypt", "kms:Encrypt"];
        let found = unused(&[Attached::new(Arc::new(policy), "p")], &known, &used, 100);
        let actions =
            |service: UnusedService| service.actions.into_iter().map(|(action, _)| action).collect();
        found
            .into_iter()
            .map(|service| (service.namespace.clone(), actions(service)))
            .collect()
    }

    fn pair(service: &str, actions: &[&str]) -> (String, Vec<String>) {
        let actions = actions.iter().map(|action| (*action).to_owned());
        (service.to_owned(), actions.collect())
    }

    #[test]
    fn a_service_that_is_not_used_is_told_whole_and_one_that_is_by_its_actions() {
        let used = [("kms:Decrypt", 101), ("iam:GetUser", 100)];
        assert_eq!(
            of(r#""*""#, &used),
            [pair("iam", &[]), pair("kms", &["kms:Encrypt"])]
        );
        assert_eq!(of(r#"["KMS:De*","s3:GetObject"]"#, &used), [pair("s3", &[])]);
        assert_eq!(of(r#""kms:decrypt""#, &used), []);
    }

    #[test]
    fn patterns_match_like_policies_do() {
        for (pattern, action, expected) in [
            ("iam:*User*", "iam:ListUsers", true),
            ("iam:?etUser", "iam:GetUser", true),
            ("iam:Get", "iam:GetUser", false),
            ("*", "x:y", true),
            ("iam:*Z", "iam:ListUsers", false),
        ] {
            assert_eq!(fits(pattern, action), expected, "{pattern}");
        }
    }
}
