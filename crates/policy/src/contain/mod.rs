//! What policies grant, reasoned over all requests at once: whether one grants more than another, or what it must not.
//!
//! Statements are sets of requests (action × resource × principal × condition); a grant is what an Allow matches and no Deny
//! does. Invariant: no news is a proof that there is none. Where nothing can be proven, the answer is that access may be
//! granted; a witness, where there is one, was tried on both policies by the evaluator's own rule.

pub(crate) mod branch;
pub(crate) mod entry;
pub(crate) mod fact;
pub(crate) mod language;
mod witness;

pub use witness::Witness;

use crate::{
    document::{Effect, Policy, Statement},
    pattern::{Pattern, Syntax},
};
use branch::{Clause, Effort, Literal, Search, matching, missing, search};

/// A statement that grants, or may grant, what was asked about.
#[derive(Debug, Clone)]
pub struct Gain {
    /// Its index in the policy.
    pub statement: usize,
    /// A request that proves it. Without one, absence of access could not be proven.
    pub witness: Option<Witness>,
}

/// The statements of `new` that may grant what `old` does not. A principal that is named more directly than before (a user
/// in place of its account) may gain, since identity policies no longer limit it.
pub fn new_access(new: &Policy, old: &Policy) -> Vec<Gain> {
    gains(new, |statement, effort| {
        let ungranted: Vec<Clause<'_>> = statements(old, Effect::Allow)
            .map(|(_, held)| missing(held, true))
            .collect();
        let mut found = attempt(new, statement, ungranted, effort);
        for (_, denied) in statements(old, Effect::Deny) {
            if found.is_some() {
                break;
            }
            found = attempt(new, statement, matching(denied), effort);
        }
        found.map(|literals| witness::between(new, Some(old), &literals, effort))
    })
}

/// The statements of `policy` that may grant one of the actions on one of the resources; an empty list means any. Both are
/// written as in policies, with wildcards.
pub fn granted(policy: &Policy, actions: &[String], resources: &[String]) -> Vec<Gain> {
    let compile = |sources: &[String]| -> Vec<Pattern> {
        let compiled = sources
            .iter()
            .map(|source| Pattern::compile(source, Syntax::WILDCARDS));
        compiled.collect()
    };
    let (actions, resources) = (compile(actions), compile(resources));
    gains(policy, |statement, effort| {
        let mut asked: Vec<Clause<'_>> = Vec::new();
        if !actions.is_empty() {
            asked.push(
                actions
                    .iter()
                    .map(|held| vec![Literal::Action(held, true)])
                    .collect(),
            );
        }
        if !resources.is_empty() {
            let each = resources.iter().map(|held| vec![Literal::Resource(held, true)]);
            asked.push(each.collect());
        }
        attempt(policy, statement, asked, effort)
            .map(|literals| witness::between(policy, None, &literals, effort))
    })
}

fn gains<'a>(
    policy: &'a Policy,
    gain: impl Fn(&'a Statement, &mut Effort) -> Option<Option<Witness>>,
) -> Vec<Gain> {
    let mut effort = Effort::default();
    let found = statements(policy, Effect::Allow).filter_map(|(index, statement)| {
        gain(statement, &mut effort).map(|witness| Gain {
            statement: index,
            witness,
        })
    });
    found.collect()
}

/// What a request may be that the statement allows, nothing in its policy denies, and that satisfies `further`. Nothing: there
/// is none.
fn attempt<'a>(
    policy: &'a Policy,
    statement: &'a Statement,
    further: Vec<Clause<'a>>,
    effort: &mut Effort,
) -> Option<Vec<Literal<'a>>> {
    let mut clauses = matching(statement);
    clauses.extend(statements(policy, Effect::Deny).map(|(_, held)| missing(held, false)));
    clauses.extend(further);
    match search(clauses, effort) {
        Search::Closed => None,
        Search::Open(literals) => Some(literals),
        Search::Exhausted => Some(Vec::new()),
    }
}

pub(crate) fn statements(policy: &Policy, effect: Effect) -> impl Iterator<Item = (usize, &Statement)> {
    let all = policy.statements.iter().enumerate();
    all.filter(move |(_, statement)| statement.effect == effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::PolicyKind;

    /// Policies that were built to need work get an answer all the same: that access may be granted.
    #[test]
    fn the_work_of_a_search_is_bounded_whatever_the_length_of_patterns() {
        let patterns = |end: char| -> Vec<Pattern> {
            (0..500)
                .map(|n| Pattern::compile(&format!("{}{n}{end}", "*a".repeat(1000)), Syntax::WILDCARDS))
                .collect()
        };
        let (ones, others) = (patterns('x'), patterns('y'));
        let clause = |held: &'static [Pattern]| -> Clause<'static> {
            held.iter()
                .map(|held| vec![Literal::Resource(held, true)])
                .collect()
        };
        let clauses = vec![clause(ones.leak()), clause(others.leak())];
        let mut effort = Effort {
            steps: 20_000,
            ..Effort::default()
        };
        assert!(matches!(search(clauses, &mut effort), Search::Exhausted));
        assert_eq!(effort.steps, 0);
    }

    #[test]
    fn one_question_has_so_much_work_for_all_its_statements() {
        let policy = Policy::parse(
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}"#,
            PolicyKind::Identity,
        )
        .unwrap();
        let (_, statement) = statements(&policy, Effect::Allow).next().unwrap();
        let mut effort = Effort::default();
        let found = attempt(&policy, statement, Vec::new(), &mut effort).unwrap();
        assert!(witness::between(&policy, None, &found, &mut effort).is_some());
        effort.looks = 0;
        assert!(witness::between(&policy, None, &found, &mut effort).is_none());
        let asked = |effort: &mut Effort| {
            let closed = vec![vec![]];
            attempt(&policy, statement, closed, effort)
        };
        assert!(
            asked(&mut effort).is_none(),
            "a clause without alternatives is a proof"
        );
        effort.steps = 0;
        assert!(asked(&mut effort).is_some(), "nothing is proven without work");
    }
}
