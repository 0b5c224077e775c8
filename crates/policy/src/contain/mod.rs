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
use branch::{Clause, Literal, Search, matching, missing, search};

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
    gains(new, |statement| {
        let ungranted: Vec<Clause<'_>> = statements(old, Effect::Allow)
            .map(|(_, held)| missing(held, true))
            .collect();
        let mut found = attempt(new, statement, ungranted);
        for (_, denied) in statements(old, Effect::Deny) {
            if found.is_some() {
                break;
            }
            found = attempt(new, statement, matching(denied));
        }
        found.map(|literals| witness::between(new, Some(old), &literals))
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
    gains(policy, |statement| {
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
        attempt(policy, statement, asked).map(|literals| witness::between(policy, None, &literals))
    })
}

fn gains<'a>(policy: &'a Policy, gain: impl Fn(&'a Statement) -> Option<Option<Witness>>) -> Vec<Gain> {
    let found = statements(policy, Effect::Allow).filter_map(|(index, statement)| {
        gain(statement).map(|witness| Gain {
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
) -> Option<Vec<Literal<'a>>> {
    let mut clauses = matching(statement);
    clauses.extend(statements(policy, Effect::Deny).map(|(_, held)| missing(held, false)));
    clauses.extend(further);
    match search(clauses) {
        Search::Closed => None,
        Search::Open(literals) => Some(literals),
        Search::Exhausted => Some(Vec::new()),
    }
}

pub(crate) fn statements(policy: &Policy, effect: Effect) -> impl Iterator<Item = (usize, &Statement)> {
    let all = policy.statements.iter().enumerate();
    all.filter(move |(_, statement)| statement.effect == effect)
}
