//! The examples of the guide, and what must hold for any policies.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::effective;

fn merged<const LEVELS: usize>(levels: [Vec<&Value>; LEVELS]) -> Value {
    let levels: Vec<Vec<Value>> = levels
        .into_iter()
        .map(|level| level.into_iter().cloned().collect())
        .collect();
    effective(&levels).unwrap_or(Value::Null)
}

fn cost_center(value: &Value) -> Value {
    json!({"tags": {"costcenter": {"tag_key": {"@@assign": "CostCenter"}, "tag_value": value}}})
}

/// "Inheritance examples", policy A.
fn policy_a() -> Value {
    cost_center(&json!({"@@assign": ["Development", "Support"]}))
}

// Example 1.
#[test]
fn assign_overwrites_what_is_inherited() {
    let mut b = cost_center(&json!({"@@assign": ["Sandbox"]}));
    b["tags"]["costcenter"]["enforced_for"] = json!({"@@assign": ["redshift:*", "dynamodb:table"]});
    assert_eq!(
        merged([vec![&policy_a()], vec![&b], vec![]]),
        json!({"tags": {"costcenter": {
            "tag_key": "CostCenter", "tag_value": ["Sandbox"], "enforced_for": ["redshift:*", "dynamodb:table"]
        }}})
    );
}

// Examples 2 and 3.
#[test]
fn append_adds_and_remove_takes_away() {
    let mut c = cost_center(&json!({"@@append": ["Marketing"]}));
    c["tags"]["costcenter"]["enforced_for"] = json!({"@@append": ["redshift:*", "dynamodb:table"]});
    assert_eq!(
        merged([vec![&policy_a()], vec![&c]]),
        json!({"tags": {"costcenter": {
            "tag_key": "CostCenter", "tag_value": ["Development", "Support", "Marketing"],
            "enforced_for": ["redshift:*", "dynamodb:table"]
        }}})
    );
    let mut d = cost_center(&json!({"@@remove": ["Development", "Marketing"]}));
    d["tags"]["costcenter"]["enforced_for"] = json!({"@@remove": ["redshift:*", "dynamodb:table"]});
    assert_eq!(
        merged([vec![&policy_a()], vec![&c], vec![&d]]),
        json!({"tags": {"costcenter": {"tag_key": "CostCenter", "tag_value": ["Support"]}}})
    );
}

// Example 4.
#[test]
fn a_parent_limits_the_operators_of_its_children() {
    let e = json!({"tags": {"project": {
        "tag_key": {"@@operators_allowed_for_child_policies": ["@@none"], "@@assign": "Project"},
        "tag_value": {"@@operators_allowed_for_child_policies": ["@@append"], "@@assign": ["Maintenance", "Escalations"]}
    }}});
    let f = json!({"tags": {"project": {
        "tag_key": {"@@assign": "PROJECT"}, "tag_value": {"@@append": ["Escalations - research"]}
    }}});
    let wanted = json!({"tags": {"project": {
        "tag_key": "Project", "tag_value": ["Maintenance", "Escalations", "Escalations - research"]
    }}});
    assert_eq!(merged([vec![&e], vec![&f]]), wanted);
    // A child cannot take the limit back for those below it.
    let opened =
        json!({"tags": {"project": {"tag_key": {"@@operators_allowed_for_child_policies": ["@@all"]}}}});
    assert_eq!(merged([vec![&e], vec![&opened], vec![&f]]), wanted);
}

// Example 5.
#[test]
fn limits_of_one_level_are_intersected() {
    let g = json!({"tags": {"project": {"tag_value": {
        "@@operators_allowed_for_child_policies": ["@@append"], "@@assign": ["Maintenance"]
    }}}});
    let h = json!({"tags": {"project": {"tag_value": {
        "@@operators_allowed_for_child_policies": ["@@append", "@@remove"]
    }}}});
    let child =
        json!({"tags": {"project": {"tag_value": {"@@append": ["More"], "@@remove": ["Maintenance"]}}}});
    let wanted = json!({"tags": {"project": {"tag_value": ["Maintenance", "More"]}}});
    assert_eq!(merged([vec![&g, &h], vec![&child]]), wanted);
    assert_eq!(merged([vec![&h, &g], vec![&child]]), wanted);
}

// Example 6.
#[test]
fn of_one_level_the_first_attached_assigns() {
    let j = json!({"tags": {"project": {
        "tag_key": {"@@assign": "PROJECT"}, "tag_value": {"@@append": ["Maintenance"]}
    }}});
    let k = json!({"tags": {"project": {"tag_key": {"@@assign": "project"}}}});
    assert_eq!(
        merged([vec![&j, &k]]),
        json!({"tags": {"project": {"tag_key": "PROJECT", "tag_value": ["Maintenance"]}}})
    );
}

// "AI services opt-out policy syntax and examples", examples 1 and 2.
#[test]
fn none_under_a_key_keeps_children_from_new_keys_below_it() {
    let child = json!({"services": {"lex": {"opt_out_policy": {"@@assign": "optIn"}}}});
    let default = json!({"@@operators_allowed_for_child_policies": ["@@none"],
        "opt_out_policy": {"@@operators_allowed_for_child_policies": ["@@none"], "@@assign": "optOut"}});
    let closed =
        json!({"services": {"@@operators_allowed_for_child_policies": ["@@none"], "default": default}});
    let only_default = json!({"services": {"default": {"opt_out_policy": "optOut"}}});
    assert_eq!(merged([vec![&closed], vec![&child]]), only_default);
    let open = json!({"services": {"default": default}});
    assert_eq!(
        merged([vec![&open], vec![&child]]),
        json!({"services": {"default": {"opt_out_policy": "optOut"}, "lex": {"opt_out_policy": "optIn"}}})
    );
}

#[test]
fn nothing_set_is_no_policy() {
    assert_eq!(effective(&[]), None);
    assert_eq!(effective(&[vec![json!({"tags": {}})], Vec::new()]), None);
    let empty = json!({"securityhub": {"disable_in_regions": {"@@assign": []}}});
    assert_eq!(
        merged([vec![&empty]]),
        json!({"securityhub": {"disable_in_regions": []}})
    );
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn operators() -> impl Strategy<Value = Value> {
    let operators = prop_oneof![
        Just(json!(["@@all"])),
        Just(json!(["@@none"])),
        Just(json!(["@@append"])),
        Just(json!(["@@assign", "@@remove"])),
    ];
    let values = prop::collection::vec(prop::sample::select(&NAMES[..]), 0..3);
    prop_oneof![
        values.clone().prop_map(|values| json!({"@@assign": values})),
        values.clone().prop_map(|values| json!({"@@append": values})),
        values.prop_map(|values| json!({"@@remove": values})),
        operators.prop_map(|operators| json!({"@@operators_allowed_for_child_policies": operators})),
    ]
}

fn policies() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::btree_map(prop::sample::select(&NAMES[..]), operators(), 0..3);
    let leaf = leaf.prop_map(|members| json!({"tags": members}));
    leaf.boxed()
}

fn levels() -> impl Strategy<Value = Vec<Vec<Value>>> {
    prop::collection::vec(prop::collection::vec(policies(), 0..3), 0..4)
}

fn has_operators(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.starts_with("@@") || has_operators(value)),
        _ => false,
    }
}

proptest! {
    // No operator is left, whatever was merged.
    #[test]
    fn what_is_effective_has_no_operators(levels in levels()) {
        prop_assert!(!has_operators(&effective(&levels).unwrap_or(Value::Null)));
    }

    // A level without policies changes nothing, wherever it stands.
    #[test]
    fn empty_levels_change_nothing(levels in levels(), place in 0_usize..4) {
        let mut more = levels.clone();
        more.insert(place.min(levels.len()), Vec::new());
        prop_assert_eq!(effective(&levels), effective(&more));
    }

    // Once everything is locked, no child changes anything.
    #[test]
    fn what_is_locked_stays(above in levels(), below in levels()) {
        let mut locked = above;
        let none = json!({"@@operators_allowed_for_child_policies": ["@@none"]});
        let mut lock = json!({"tags": none});
        for name in NAMES {
            lock["tags"][name] = none.clone();
        }
        locked.push(vec![lock]);
        let before = effective(&locked);
        let mut all = locked.clone();
        all.extend(below);
        prop_assert_eq!(before, effective(&all));
    }

    // A last level that assigns everything, where everything is allowed, is what counts.
    #[test]
    fn an_assignment_replaces(levels in levels()) {
        let free: Vec<Vec<Value>> = levels
            .into_iter()
            .map(|level| level.into_iter().filter(|policy| !policy.to_string().contains("allowed_for_child")).collect())
            .collect();
        let mut all = free;
        let assign = json!({"@@assign": ["x"]});
        all.push(vec![json!({"tags": {"a": assign, "b": assign, "c": assign}})]);
        prop_assert_eq!(effective(&all), Some(json!({"tags": {"a": ["x"], "b": ["x"], "c": ["x"]}})));
    }
}
