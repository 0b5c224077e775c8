//! Conditions on tags of resources, where the service does not tell of tags.
//!
//! Source: IAM User Guide, "IAM policy validation check reference", on unsupported tag condition keys.

use std::collections::BTreeSet;

use super::{
    Check, Issue, starts_folded,
    statement::{Condition, Statement},
};
use crate::reference;

const KEY: &str = "aws:ResourceTag/";

impl Check<'_> {
    pub(super) fn tags(&mut self, statement: &Statement<'_>) {
        let (Some(actions), Some(allows)) = (&statement.actions, statement.allows) else {
            return;
        };
        // A negated or lenient test holds where the key is missing.
        let strict = |held: &&Condition<'_>| {
            starts_folded(held.key, KEY)
                && !held.operator.contains("Not")
                && !held.operator.ends_with("IfExists")
                && !held.operator.ends_with("Null")
        };
        for held in statement.conditions.iter().filter(strict) {
            if actions.negated {
                let issue = if allows {
                    Issue::AllowNotactionWithUnsupportedTagConditionKeyForService
                } else {
                    Issue::DenyNotactionWithUnsupportedTagConditionKeyForService
                };
                let details = format!(
                    "With NotAction the statement is also about actions whose requests never hold {}: list the actions in Action.",
                    held.key
                );
                self.report(issue, &[&actions.spot, &held.key_spot], details);
                continue;
            }
            let named = actions.texts.iter().filter(|text| text.text.contains(':'));
            let prefixes: BTreeSet<String> = named
                .filter_map(|text| Some(text.text.split_once(':')?.0.to_ascii_lowercase()))
                .collect();
            let without: Vec<&str> = prefixes
                .iter()
                .filter(|prefix| reference::service(prefix).is_some_and(|service| !tells_of_tags(service)))
                .map(String::as_str)
                .collect();
            if without.is_empty() {
                continue;
            }
            let (issue, effect) = if allows {
                (Issue::AllowWithUnsupportedTagConditionKeyForService, "allow")
            } else {
                (Issue::DenyWithUnsupportedTagConditionKeyForService, "deny")
            };
            let details = format!(
                "Requests of these services never hold {}, so that the statement does not {effect} their actions: {}. Move them to a statement without the key.",
                held.key,
                without.join(", ")
            );
            self.report(issue, &[&actions.spot, &held.key_spot], details);
        }
    }
}

fn tells_of_tags(service: &reference::Service) -> bool {
    service.condition_keys().any(|key| key.name.starts_with(KEY))
}
