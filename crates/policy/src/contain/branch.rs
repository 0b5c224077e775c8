//! The search: whether a request can satisfy one of the alternatives of every clause.
//!
//! Invariant: `Closed` is a proof that no request can. `Open` and `Exhausted` prove nothing: a request may exist.

use crate::{
    condition::Test,
    contain::{entry, fact::Fact, language},
    document::{Principals, Statement},
    pattern::{Case, Pattern},
    principal::Entry,
};

/// Comparisons of literals in one search; more are made only for policies that were built to need them.
const STEPS_MAX: usize = 400_000;
/// Comparisons of literals for all searches of one question.
const QUESTION_STEPS_MAX: usize = 1_000_000;

/// Conditions and statements that are looked at for the witnesses of one question.
const QUESTION_LOOKS_MAX: usize = 2_000_000;

/// What is left of the work that one question may be.
pub(crate) struct Effort {
    pub(super) steps: usize,
    pub(super) looks: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            steps: QUESTION_STEPS_MAX,
            looks: QUESTION_LOOKS_MAX,
        }
    }
}

/// Something that is true of a request.
#[derive(Clone, Copy)]
pub(crate) enum Literal<'a> {
    /// The action matches, or does not.
    Action(&'a Pattern, bool),
    /// The resource matches, or does not.
    Resource(&'a Pattern, bool),
    /// The caller is named.
    Named(&'a Entry),
    /// The caller is not named; if `directly`, or less directly than by whatever else names it.
    Unnamed { entry: &'a Entry, directly: bool },
    /// `NotPrincipal` with these entries spares the caller, or does not.
    Spared(&'a [Entry], bool),
    /// Of a condition key.
    Fact(Fact<'a>),
}

/// Alternatives, of which one must be true; each is a list of literals that are all true.
pub(crate) type Clause<'a> = Vec<Vec<Literal<'a>>>;

/// How a search ends.
pub(crate) enum Search<'a> {
    /// No request satisfies the clauses.
    Closed,
    /// What such a request might be.
    Open(Vec<Literal<'a>>),
    /// The search was given up.
    Exhausted,
}

impl Literal<'_> {
    /// How many steps the comparison with another literal counts.
    fn cost(&self, other: &Self) -> usize {
        match (self, other) {
            (Self::Action(one, _), Self::Action(two, _))
            | (Self::Resource(one, _), Self::Resource(two, _)) => language::cost(one, two),
            (Self::Fact(one), Self::Fact(two)) => one.cost(two),
            _ => 1,
        }
    }

    fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Action(one, a), Self::Action(two, b)) => patterns(one, *a, two, *b, Case::Folded),
            (Self::Resource(one, a), Self::Resource(two, b)) => patterns(one, *a, two, *b, Case::Sensitive),
            (Self::Named(one), Self::Named(two)) => entry::apart(one, two),
            (Self::Named(named), Self::Unnamed { entry, directly })
            | (Self::Unnamed { entry, directly }, Self::Named(named)) => {
                entry::names_all(entry, named, *directly)
            }
            (Self::Spared(one, a), Self::Spared(two, b)) => a != b && one == two,
            (Self::Fact(one), Self::Fact(two)) => one.contradicts(two),
            _ => false,
        }
    }
}

fn patterns(one: &Pattern, positive: bool, two: &Pattern, other: bool, case: Case) -> bool {
    match (positive, other) {
        (true, true) => language::disjoint(one, two, case),
        (true, false) => language::includes(two, one, case),
        (false, true) => language::includes(one, two, case),
        (false, false) => *one == Pattern::Any || *two == Pattern::Any,
    }
}

/// The clauses that say that a statement matches.
pub(crate) fn matching(statement: &Statement) -> Vec<Clause<'_>> {
    let mut clauses = Vec::new();
    let actions = &statement.actions;
    clauses.push(side(&actions.patterns, actions.negated, Literal::Action));
    if let Some(resources) = &statement.resources {
        clauses.push(side(&resources.patterns, resources.negated, Literal::Resource));
    }
    match &statement.principal {
        None => {}
        Some(Principals {
            negated: true,
            entries,
        }) => clauses.push(vec![vec![Literal::Spared(entries, false)]]),
        Some(Principals { entries, .. }) => {
            clauses.push(entries.iter().map(|entry| vec![Literal::Named(entry)]).collect());
        }
    }
    for test in &statement.conditions {
        clauses.push(vec![vec![Literal::Fact(Fact::of(test))]]);
    }
    clauses
}

/// The clause that says that a statement does not match. `directly`: or matches less directly than what grants.
pub(crate) fn missing(statement: &Statement, directly: bool) -> Clause<'_> {
    let mut clause = except(statement, directly);
    let tests = statement.conditions.iter();
    clause.extend(tests.map(|test: &Test| vec![Literal::Fact(Fact::negated(test))]));
    clause
}

/// The same, whatever the conditions say.
pub(crate) fn except(statement: &Statement, directly: bool) -> Clause<'_> {
    let actions = &statement.actions;
    let mut clause = side(&actions.patterns, !actions.negated, Literal::Action);
    if let Some(resources) = &statement.resources {
        clause.extend(side(&resources.patterns, !resources.negated, Literal::Resource));
    }
    match &statement.principal {
        None => {}
        Some(Principals {
            negated: true,
            entries,
        }) => clause.push(vec![Literal::Spared(entries, true)]),
        Some(Principals { entries, .. }) => clause.push(
            entries
                .iter()
                .map(|entry| Literal::Unnamed { entry, directly })
                .collect(),
        ),
    }
    clause
}

/// One of the patterns matches, or (negated) none does.
fn side<'a>(
    patterns: &'a [Pattern],
    negated: bool,
    literal: fn(&'a Pattern, bool) -> Literal<'a>,
) -> Clause<'a> {
    let each = patterns.iter().map(|pattern| literal(pattern, !negated));
    if negated {
        vec![each.collect()]
    } else {
        each.map(|literal| vec![literal]).collect()
    }
}

/// Searches for a request that satisfies all clauses.
pub(crate) fn search<'a>(clauses: Vec<Clause<'a>>, effort: &mut Effort) -> Search<'a> {
    let given = STEPS_MAX.min(effort.steps);
    let mut steps = given;
    let found = if given == 0 {
        Search::Exhausted
    } else {
        go_on(Vec::new(), clauses, &mut steps)
    };
    effort.steps = effort.steps.saturating_sub(given.saturating_sub(steps));
    found
}

fn go_on<'a>(mut branch: Vec<Literal<'a>>, mut clauses: Vec<Clause<'a>>, steps: &mut usize) -> Search<'a> {
    loop {
        let mut least: Option<(usize, usize)> = None;
        let mut index = 0;
        while let Some(clause) = clauses.get_mut(index) {
            let before = clause.len();
            clause.retain(|option| !impossible(&branch, option, steps));
            debug_assert!(clause.len() <= before);
            if *steps == 0 {
                return Search::Exhausted;
            }
            match clause.len() {
                0 => return Search::Closed,
                1 => {
                    branch.append(&mut clauses.swap_remove(index).pop().unwrap_or_default());
                    least = None;
                    index = 0;
                    continue;
                }
                length if least.is_none_or(|(_, held)| length < held) => least = Some((index, length)),
                _ => {}
            }
            index += 1;
        }
        let Some((index, _)) = least else {
            return Search::Open(branch);
        };
        let mut chosen = clauses.swap_remove(index);
        let Some(last) = chosen.pop() else {
            return Search::Closed;
        };
        for option in chosen {
            let further = branch.iter().copied().chain(option).collect();
            match go_on(further, clauses.clone(), steps) {
                Search::Closed => {}
                found => return found,
            }
        }
        branch.extend(last);
    }
}

fn impossible(branch: &[Literal<'_>], option: &[Literal<'_>], steps: &mut usize) -> bool {
    let mut held: Vec<&Literal<'_>> = branch.iter().collect();
    for literal in option {
        for known in &held {
            *steps = steps.saturating_sub(known.cost(literal));
            if *steps == 0 {
                return false;
            }
            if known.contradicts(literal) {
                return true;
            }
        }
        held.push(literal);
    }
    // An exhausted search proves nothing, and its caller looks at the steps.
    false
}
