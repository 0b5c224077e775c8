//! What could be left out of a policy without changing it.
//!
//! Invariant: what is called redundant is included in something else that is named, by proof.

use super::{
    Check, Issue,
    place::Text,
    statement::{Statement, Strings},
};
use crate::{
    contain::language::{cost, includes},
    json::{Node, Value},
    pattern::{Case, Pattern, Syntax},
};

/// Longer lists are not compared: the work grows with the square.
const COMPARED_MAX: usize = 300;
/// Steps of comparison for one list, as a search counts them. Past them nothing is called redundant.
const STEPS_MAX: usize = 100_000;

impl Check<'_> {
    pub(super) fn redundant_actions(&mut self, actions: &Strings<'_>) {
        let redundant = redundant(&actions.texts, Case::Folded, false);
        let Some(first) = redundant.first() else { return };
        let details = format!(
            "{} of the actions are included in others; remove such as {}.",
            redundant.len(),
            first.text
        );
        let spots: Vec<_> = redundant.iter().map(|text| &text.spot).collect();
        self.report(Issue::RedundantAction, &spots, details);
    }

    pub(super) fn redundant_resources(&mut self, resources: &Strings<'_>) {
        let redundant = redundant(&resources.texts, Case::Sensitive, self.variables);
        if redundant.is_empty() {
            return;
        }
        let details = format!(
            "{} of the resource ARNs are included in others: look at the wildcards.",
            redundant.len()
        );
        let spots: Vec<_> = redundant.iter().map(|text| &text.spot).collect();
        self.report(Issue::RedundantResource, &spots, details);
    }

    pub(super) fn redundant_statements(&mut self, statements: &[Statement<'_>]) {
        for (index, statement) in statements.iter().enumerate().take(COMPARED_MAX) {
            let same = |held: &&Statement<'_>| says_the_same(held.spot.node, statement.spot.node);
            let earlier = statements.get(..index).unwrap_or_default();
            if let Some(first) = earlier.iter().find(same) {
                let details = "Another statement says the same: remove one of them.";
                self.report(
                    Issue::RedundantStatement,
                    &[&statement.spot, &first.spot],
                    details,
                );
            }
        }
    }
}

/// The texts that another one includes; of equal ones, all but the first.
fn redundant<'t, 'a>(texts: &'t [Text<'a>], case: Case, variables: bool) -> Vec<&'t Text<'a>> {
    let syntax = Syntax {
        wildcards: true,
        variables,
    };
    let compiled: Vec<Pattern> = texts
        .iter()
        .take(COMPARED_MAX)
        .map(|text| Pattern::compile(text.text, syntax))
        .collect();
    let mut found = Vec::new();
    let mut steps = STEPS_MAX;
    for (at, (text, pattern)) in texts.iter().zip(&compiled).enumerate() {
        let other = |(index, held): (usize, &Pattern)| {
            // Without a wildcard inside, one walk through both tells.
            let plain = !matches!(held, Pattern::Pieces(_));
            steps = steps.saturating_sub(if plain { 1 } else { cost(held, pattern) });
            steps > 0
                && index != at
                && includes(held, pattern, case)
                && (index < at || !includes(pattern, held, case))
        };
        if compiled.iter().enumerate().any(other) {
            found.push(text);
        }
    }
    found
}

/// Whether two nodes are the same but for their ids and the order of members.
fn says_the_same(one: &Node, two: &Node) -> bool {
    match (&one.value, &two.value) {
        (Value::Object(one), Value::Object(two)) => {
            let of = |members: &[crate::json::Member]| {
                members.iter().filter(|member| member.name != "Sid").count()
            };
            of(one) == of(two)
                && one.iter().filter(|member| member.name != "Sid").all(|member| {
                    two.iter()
                        .any(|held| held.name == member.name && says_the_same(&held.node, &member.node))
                })
        }
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(a, b)| says_the_same(a, b))
        }
        (Value::String(one), Value::String(two)) | (Value::Number(one), Value::Number(two)) => one == two,
        (Value::Bool(one), Value::Bool(two)) => one == two,
        (Value::Null, Value::Null) => true,
        _ => false,
    }
}
