//! A request that shows what a search found: made from what the search says of it, and tried on the policies.
//!
//! Invariant: a witness is granted by the first policy and not by the second, by the evaluator's own rule.

use std::collections::BTreeMap;

use crate::{
    condition::Test,
    contain::branch::{Effort, Literal},
    context::{Context, Value},
    document::{Effect, Policy},
    layers::{Layers, Request},
    pattern::{Case, Pattern, Piece},
    principal::{Entry, Principal},
    reference,
};

/// Contexts that are tried before a witness is given up.
const TRIES_MAX: usize = 2_000;
const ACCOUNT: &str = "111122223333";
/// An account that no policy names unless it means everyone.
const STRANGER: &str = "999999999999";

/// A request that is granted.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Who asks.
    pub principal: Principal,
    /// `service:Action`.
    pub action: String,
    /// An ARN, or what the policy's pattern leaves.
    pub resource: String,
    /// The condition keys that must be there.
    pub context: Context,
}

/// Whether an Allow of the policy matches the request and no Deny does.
pub(crate) fn grants(policy: &Policy, witness: &Witness) -> bool {
    let request = Request {
        principal: &witness.principal,
        action: &witness.action,
        resource: &witness.resource,
        resource_account: None,
        context: &witness.context,
    };
    let matched = policy.matching(&request, &Layers::default());
    !matched.is_empty() && matched.iter().all(|(_, effect)| *effect == Effect::Allow)
}

/// A request that `granting` grants and `other` does not, if one is found.
pub(super) fn between(
    granting: &Policy,
    other: Option<&Policy>,
    literals: &[Literal<'_>],
    effort: &mut Effort,
) -> Option<Witness> {
    let policies = [Some(granting), other];
    let held = policies
        .into_iter()
        .flatten()
        .map(|policy| policy.statements.len());
    let statements: usize = held.sum();
    let tests: Vec<&Test> = [Some(granting), other]
        .into_iter()
        .flatten()
        .flat_map(|policy| policy.statements.iter().flat_map(|held| &held.conditions))
        .collect();
    if effort.looks == 0 {
        return None;
    }
    let values = values(&tests);
    let principal = caller(literals, granting);
    let resource = filled(literals, Case::Sensitive, |literal| match literal {
        Literal::Resource(pattern, positive) => Some((pattern, *positive)),
        _ => None,
    })?;
    let action = action(literals)?;
    let proves = |context: Context| {
        let witness = Witness {
            principal: principal.clone(),
            action: action.clone(),
            resource: resource.clone(),
            context,
        };
        let shown = grants(granting, &witness) && other.is_none_or(|held| !grants(held, &witness));
        shown.then_some(witness)
    };
    let each = statements.saturating_add(tests.len()).max(1);
    let tries = TRIES_MAX.min(effort.looks / each);
    let mut tried = 0;
    let found = contexts(&values)
        .take(tries)
        .inspect(|_| tried += 1)
        .find_map(proves);
    // What the values themselves took counts as one try.
    effort.looks = effort.looks.saturating_sub(each.saturating_mul(tried + 1));
    found
}

fn caller(literals: &[Literal<'_>], policy: &Policy) -> Principal {
    let named = literals.iter().find_map(|literal| match literal {
        Literal::Named(entry) => Some(*entry),
        _ => None,
    });
    let user = |account: &str| Principal::User {
        arn: format!("arn:aws:iam::{account}:user/witness"),
        account: account.to_owned(),
        id: "AIDAWITNESS".to_owned(),
    };
    let account_of = |arn: &str| crate::arn::account_of(arn).unwrap_or(ACCOUNT).to_owned();
    match named {
        None if policy.kind().names_callers() => user(STRANGER),
        None => user(ACCOUNT),
        Some(Entry::Everyone | Entry::Canonical(_)) => user(STRANGER),
        Some(Entry::Account(account)) => user(account),
        Some(Entry::Id(id)) => Principal::User {
            arn: format!("arn:aws:iam::{ACCOUNT}:user/witness"),
            account: ACCOUNT.to_owned(),
            id: id.to_string(),
        },
        Some(Entry::Service(name)) => Principal::Service {
            name: name.to_string(),
        },
        Some(Entry::Federated(provider)) => Principal::Federated {
            provider: provider.to_string(),
        },
        Some(Entry::Arn(arn)) => {
            let account = account_of(arn);
            match arn.split_once(":role/") {
                Some((_, path)) => Principal::AssumedRole {
                    arn: format!(
                        "arn:aws:sts::{account}:assumed-role/{}/witness",
                        path.rsplit('/').next().unwrap_or(path)
                    ),
                    role_arn: arn.to_string(),
                    account,
                    role_id: "AROAWITNESS".to_owned(),
                },
                None => Principal::User {
                    arn: arn.to_string(),
                    account,
                    id: "AIDAWITNESS".to_owned(),
                },
            }
        }
    }
}

/// An action that AWS has, or at least one that the patterns leave.
fn action(literals: &[Literal<'_>]) -> Option<String> {
    let side = |literal: &Literal<'_>| match literal {
        Literal::Action(pattern, positive) => Some(((*pattern).clone(), *positive)),
        _ => None,
    };
    let sides: Vec<(Pattern, bool)> = literals.iter().filter_map(side).collect();
    let nothing = Context::new();
    let fits = |name: &str| {
        sides
            .iter()
            .all(|(pattern, positive)| pattern.matches(name, &nothing, Case::Folded) == *positive)
    };
    let narrowest = sides
        .iter()
        .filter(|(_, positive)| *positive)
        .max_by_key(|(pattern, _)| weight(pattern));
    let source = narrowest
        .and_then(|(pattern, _)| pattern.resolved(&nothing))
        .unwrap_or_else(|| "*".to_owned());
    let known = reference::actions_matching(&source)
        .map(|action| action.full_name())
        .find(|name| fits(name));
    known.or_else(|| {
        filled(literals, Case::Folded, |literal| match literal {
            Literal::Action(pattern, positive) => Some((pattern, *positive)),
            _ => None,
        })
    })
}

/// How much of a pattern is fixed.
fn weight(pattern: &Pattern) -> usize {
    match pattern {
        Pattern::Any => 0,
        Pattern::Exact(text) => text.len() + 1_000_000,
        Pattern::Prefix(text) => text.len(),
        Pattern::Pieces(pieces) => pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.len(),
                _ => 0,
            })
            .sum(),
    }
}

/// A text that the patterns leave: one of them with its wildcards filled.
fn filled<'a>(
    literals: &'a [Literal<'a>],
    case: Case,
    side: impl Fn(&'a Literal<'a>) -> Option<(&'a Pattern, bool)>,
) -> Option<String> {
    let sides: Vec<(&Pattern, bool)> = literals.iter().filter_map(side).collect();
    let nothing = Context::new();
    let fits = |text: &str| {
        sides
            .iter()
            .all(|(pattern, positive)| pattern.matches(text, &nothing, case) == *positive)
    };
    let any = Pattern::Any;
    let positive = sides
        .iter()
        .filter(|(_, positive)| *positive)
        .map(|(pattern, _)| *pattern);
    let candidates = positive.chain([&any]);
    candidates
        .flat_map(|pattern| ["x", "", "witness", "a/b", "1"].map(|fill| fill_in(pattern, fill)))
        .find(|text| fits(text))
}

fn fill_in(pattern: &Pattern, fill: &str) -> String {
    let pieces = match pattern {
        Pattern::Any => return fill.to_owned(),
        Pattern::Exact(text) => return text.to_string(),
        Pattern::Prefix(text) => return format!("{text}{fill}"),
        Pattern::Pieces(pieces) => pieces,
    };
    let part = |piece: &Piece| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Star => fill.to_owned(),
        Piece::One => "x".to_owned(),
        Piece::Variable { default, .. } => default.as_deref().unwrap_or("value").to_owned(),
    };
    pieces.iter().map(part).collect()
}

/// For each key that the tests ask about, values worth trying; absence first.
fn values(tests: &[&Test]) -> BTreeMap<String, Vec<Option<String>>> {
    let mut values: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for test in tests {
        let held = values
            .entry(test.key.to_ascii_lowercase())
            .or_insert_with(|| vec![None]);
        for wanted in &test.wanted {
            let text = wanted.replace(['*', '?'], "x");
            held.push(Some(text.split('/').next().unwrap_or(&text).to_owned()));
            if let Ok(number) = text.parse::<i64>() {
                held.extend(
                    [number.saturating_sub(1), number.saturating_add(1)].map(|near| Some(near.to_string())),
                );
            }
            held.push(Some(text));
        }
        held.push(Some("other".to_owned()));
        held.extend(["true", "false"].map(|text| Some(text.to_owned())));
        let mut seen = std::collections::BTreeSet::new();
        held.retain(|value| seen.insert(value.clone()));
    }
    values
}

/// Every choice of one value for each key.
fn contexts(values: &BTreeMap<String, Vec<Option<String>>>) -> impl Iterator<Item = Context> {
    let mut digits: Option<Vec<usize>> = Some(vec![0; values.len()]);
    std::iter::from_fn(move || {
        let chosen = digits.take()?;
        let mut context = Context::new();
        for ((key, held), digit) in values.iter().zip(&chosen) {
            if let Some(Some(value)) = held.get(*digit) {
                context.insert(Value::from(key.clone()), value.clone());
            }
        }
        digits = following(chosen, values);
        Some(context)
    })
}

fn following(mut digits: Vec<usize>, values: &BTreeMap<String, Vec<Option<String>>>) -> Option<Vec<usize>> {
    for (digit, held) in digits.iter_mut().zip(values.values()) {
        *digit += 1;
        if *digit < held.len() {
            return Some(digits);
        }
        *digit = 0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_of_values_is_a_context_once() {
        let text = |value: &str| Some(value.to_owned());
        let values = BTreeMap::from([
            ("a".to_owned(), vec![None, text("1")]),
            ("b".to_owned(), vec![None, text("2"), text("3")]),
        ]);
        assert_eq!(contexts(&values).count(), 6);
    }
}
