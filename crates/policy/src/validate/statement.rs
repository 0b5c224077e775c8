//! A statement as it is written, read leniently: what cannot be read is reported once and then left out.

use super::{
    Check, Issue,
    place::{Spot, Text},
};
use crate::json::{Member, Node, Value};

/// The strings of an element, and whether it is the negated one.
#[derive(Clone)]
pub(super) struct Strings<'a> {
    pub(super) negated: bool,
    pub(super) spot: Spot<'a>,
    pub(super) texts: Vec<Text<'a>>,
}

/// The principals of one key.
pub(super) struct Principals<'a> {
    pub(super) key: &'a str,
    pub(super) values: Vec<Text<'a>>,
}

/// `Principal` or `NotPrincipal`.
pub(super) struct Principal<'a> {
    pub(super) negated: bool,
    pub(super) spot: Spot<'a>,
    pub(super) everyone: bool,
    pub(super) named: Vec<Principals<'a>>,
}

/// One key of one operator.
pub(super) struct Condition<'a> {
    pub(super) operator: &'a str,
    pub(super) operator_spot: Spot<'a>,
    pub(super) key: &'a str,
    pub(super) key_spot: Spot<'a>,
    pub(super) spot: Spot<'a>,
    /// Values as text, whatever their JSON type.
    pub(super) values: Vec<Scalar<'a>>,
}

/// A condition value.
pub(super) struct Scalar<'a> {
    pub(super) text: String,
    pub(super) kind: &'static str,
    pub(super) spot: Spot<'a>,
}

/// A statement of which every element is there or was reported.
pub(super) struct Statement<'a> {
    pub(super) spot: Spot<'a>,
    /// Nothing if it is neither.
    pub(super) allows: Option<bool>,
    pub(super) actions: Option<Strings<'a>>,
    pub(super) resources: Option<Strings<'a>>,
    pub(super) principal: Option<Principal<'a>>,
    pub(super) conditions: Vec<Condition<'a>>,
}

const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl Check<'_> {
    pub(super) fn statement<'a>(&mut self, spot: Spot<'a>) -> Option<Statement<'a>> {
        let Value::Object(members) = &spot.node.value else {
            self.wrong_type(&spot, "object");
            return None;
        };
        for member in members {
            if !ELEMENTS.contains(&member.name.as_str()) {
                self.unknown_element(&spot.key(member), &member.name, &ELEMENTS);
            }
        }
        for pair in [
            ["Principal", "NotPrincipal"],
            ["Action", "NotAction"],
            ["Resource", "NotResource"],
        ] {
            let [one, two] = pair.map(|name| find(members, name));
            if let (Some(one), Some(two)) = (one, two) {
                let details = format!("A statement has either {} or {}; remove one.", one.name, two.name);
                let spots = [spot.key(one), spot.key(two)];
                let spots: Vec<&Spot<'_>> = spots.iter().collect();
                self.report(Issue::UnsupportedElementCombination, &spots, details);
            }
        }
        let allows = self.effect(&spot, members);
        let either = |names: [&str; 2]| names.into_iter().find_map(|name| find(members, name));
        let actions = either(["Action", "NotAction"])
            .map(|member| self.strings(&spot, member, Issue::EmptyArrayAction, "actions"));
        let resources = either(["Resource", "NotResource"])
            .map(|member| self.strings(&spot, member, Issue::EmptyArrayResource, "resources"));
        if actions.is_none() {
            self.report(
                Issue::MissingAction,
                &[&spot],
                "The statement names no actions: add an Action or NotAction element.",
            );
        }
        let principal = either(["Principal", "NotPrincipal"]).map(|member| self.principal(&spot, member));
        let conditions =
            find(members, "Condition").map_or_else(Vec::new, |member| self.conditions(&spot.value(member)));
        Some(Statement {
            spot,
            allows,
            actions,
            resources,
            principal,
            conditions,
        })
    }

    fn effect<'a>(&mut self, spot: &Spot<'a>, members: &'a [Member]) -> Option<bool> {
        let Some(member) = find(members, "Effect") else {
            self.report(
                Issue::MissingEffect,
                &[spot],
                "The statement has no effect: add an Effect element that is Allow or Deny.",
            );
            return None;
        };
        let at = spot.value(member);
        match &member.node.value {
            Value::String(text) if text == "Allow" => return Some(true),
            Value::String(text) if text == "Deny" => return Some(false),
            Value::String(text) => {
                let details = format!("{text} is no effect; effects are Allow and Deny.");
                self.report(Issue::InvalidEffect, &[&at], details);
            }
            _ => self.wrong_type(&at, "string"),
        }
        None
    }

    pub(super) fn wrong_type(&mut self, spot: &Spot<'_>, wanted: &str) {
        self.report(
            Issue::DataTypeMismatch,
            &[spot],
            format!("This must be a JSON {wanted}."),
        );
    }

    pub(super) fn unknown_element(&mut self, spot: &Spot<'_>, name: &str, known: &[&str]) {
        let hint = super::nearest(name, known.iter().copied())
            .map_or_else(String::new, |near| format!(" Perhaps {near} is meant."));
        let details = format!("No element of a policy is called {name} here.{hint}");
        self.report(Issue::InvalidPolicyElement, &[spot], details);
    }

    fn strings<'a>(&mut self, spot: &Spot<'a>, member: &'a Member, empty: Issue, what: &str) -> Strings<'a> {
        let at = spot.value(member);
        let texts = self.texts(&at);
        if matches!(&member.node.value, Value::Array(nodes) if nodes.is_empty()) {
            let details = format!("The list of {what} is empty, so that the statement has no effect.");
            self.report(empty, &[&at], details);
        }
        Strings {
            negated: member.name.starts_with("Not"),
            spot: at,
            texts,
        }
    }

    /// A string, or each of an array.
    pub(super) fn texts<'a>(&mut self, spot: &Spot<'a>) -> Vec<Text<'a>> {
        let mut texts = Vec::new();
        for item in items(spot) {
            match &item.node.value {
                Value::String(text) => texts.push(Text { text, spot: item }),
                _ => self.wrong_type(&item, "string"),
            }
        }
        texts
    }

    fn conditions<'a>(&mut self, spot: &Spot<'a>) -> Vec<Condition<'a>> {
        let mut conditions = Vec::new();
        let Value::Object(operators) = &spot.node.value else {
            self.wrong_type(spot, "object");
            return conditions;
        };
        if operators.is_empty() {
            self.report(Issue::EmptyObjectCondition, &[spot], EMPTY_CONDITION);
        }
        for operator in operators {
            let block = spot.value(operator);
            let Value::Object(keys) = &operator.node.value else {
                self.wrong_type(&block, "object");
                continue;
            };
            if keys.is_empty() {
                self.report(Issue::EmptyObjectCondition, &[&block], EMPTY_CONDITION);
            }
            for key in keys {
                let at = block.value(key);
                let values = self.scalars(&at);
                conditions.push(Condition {
                    operator: &operator.name,
                    operator_spot: spot.key(operator),
                    key: &key.name,
                    key_spot: block.key(key),
                    spot: at,
                    values,
                });
            }
        }
        conditions
    }

    fn scalars<'a>(&mut self, spot: &Spot<'a>) -> Vec<Scalar<'a>> {
        let mut scalars = Vec::new();
        for item in items(spot) {
            let (text, kind) = match &item.node.value {
                Value::String(text) => (text.clone(), "string"),
                Value::Number(text) => (text.clone(), "number"),
                Value::Bool(value) => (value.to_string(), "boolean"),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    self.wrong_type(&item, "string, number or boolean");
                    continue;
                }
            };
            scalars.push(Scalar {
                text,
                kind,
                spot: item,
            });
        }
        scalars
    }
}

const EMPTY_CONDITION: &str = "The condition block is empty and changes nothing: fill it or remove it.";

/// The node itself, or each of an array.
pub(super) fn items<'a>(spot: &Spot<'a>) -> Vec<Spot<'a>> {
    let node: &'a Node = spot.node;
    match &node.value {
        Value::Array(nodes) => {
            let each = nodes.iter().enumerate();
            each.map(|(index, node)| spot.index(index, node)).collect()
        }
        _ => vec![spot.clone()],
    }
}

pub(super) fn find<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.name == name)
}
