//! The tables against AWS's Service Authorization Reference (`data/service-authorization.json`; see `data/SOURCE.md`).

use std::collections::BTreeMap;

use pipeline::operation::{Access, Level};
use scenarios::world::built;
use serde::Deserialize;

use crate::exceptions::{Exceptions, Excuse};

#[derive(Deserialize)]
struct Action {
    level: String,
    keys: Vec<String>,
}

/// By service prefix and action.
type Reference = BTreeMap<String, BTreeMap<String, Action>>;

fn reference() -> Reference {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/service-authorization.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn find<'a>(reference: &'a Reference, action: &str) -> Option<&'a Action> {
    let (service, name) = action.split_once(':')?;
    reference.get(service)?.get(name)
}

const fn spelled(level: Level) -> &'static str {
    match level {
        Level::Read => "Read",
        Level::List => "List",
        Level::Write => "Write",
        Level::Tagging => "Tagging",
        Level::PermissionsManagement => "Permissions management",
    }
}

/// Actions that the reference does not know, or knows with another level.
const ACTIONS: &[Excuse] = &[
    ("kms:Decapsulate", NEWER),
    ("kms:Encapsulate", NEWER),
    ("secretsmanager:AcceptCrossAccountReplication", NEWER),
    ("secretsmanager:AssociateCrossAccountReplica", NEWER),
    ("secretsmanager:DisassociateCrossAccountReplica", NEWER),
    ("secretsmanager:ListResourcePolicies", NEWER),
];
const NEWER: &str = "in AWS's model of the service, which is newer than the reference here";

/// Condition keys that the reference does not list for their action.
const KEYS: &[Excuse] = &[
    ("kms:CreateKey kms:CustomerMasterKeySpec", OLDER_KEY),
    ("kms:CreateKey kms:CustomerMasterKeyUsage", OLDER_KEY),
    (
        "secretsmanager:DeleteResourcePolicy secretsmanager:PolicyName",
        NEWER_KEY,
    ),
    (
        "secretsmanager:StopReplicationToReplica secretsmanager:PolicyName",
        NEWER_KEY,
    ),
];
const NEWER_KEY: &str = "in AWS's user guide, which is newer than the reference here";
const OLDER_KEY: &str = "deprecated, listed for the service alone, and still in force where a policy has it";

/// Every action that a table declares is one of AWS's, with AWS's access level.
#[test]
fn declared_actions_and_their_levels_are_those_of_the_reference() {
    let reference = reference();
    let excused = Exceptions::of(ACTIONS);
    let mut wrong = Vec::new();
    for (endpoint, ..) in built() {
        let declared = endpoint.also.iter().chain([&endpoint.access]);
        for Access { action, level, .. } in declared {
            let known = find(&reference, action);
            let known = known.map(|known| known.level.split(',').next().unwrap_or_default());
            if known != Some(spelled(*level)) && !excused.excuse(action) {
                wrong.push(format!(
                    "{}: {action} is {level:?}, in the reference {known:?}",
                    endpoint.name
                ));
            }
        }
    }
    wrong.dedup();
    excused.settle(&wrong);
}

/// Every condition key that a table declares is one that AWS's action supports.
#[test]
fn declared_condition_keys_are_those_of_the_reference() {
    let reference = reference();
    let excused = Exceptions::of(KEYS);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (endpoint, ..) in built() {
        let actions = endpoint
            .also
            .iter()
            .chain([&endpoint.access])
            .map(|access| access.action);
        let supported: Vec<&String> = actions
            .filter_map(|action| find(&reference, action))
            .flat_map(|action| &action.keys)
            .collect();
        for key in endpoint.conditions {
            count += 1;
            let name = format!("{} {key}", endpoint.access.action);
            if !supported.iter().any(|known| known == key) && !excused.excuse(&name) {
                wrong.push(name);
            }
        }
    }
    assert!(count > 20, "only {count} condition keys are declared");
    excused.settle(&wrong);
}
