//! The fast path: statements that the index gives for the action, no allocation, the first Deny ends it.

use crate::{
    document::Effect,
    layers::{Attached, KeyLayer, Layers, Request},
    principal::Strength,
    reason::{Decision, Layer},
    rule::{At, Judge, Query, Verdict, evaluate},
};

/// Decides a request over all layers. Denied unless something allows it (S2.9); any Deny wins (S2.10).
pub fn decide(request: &Request<'_>, layers: &Layers<'_>) -> Decision {
    evaluate(
        request,
        layers,
        &mut Quick {
            query: Query::new(request, layers),
        },
    )
}

struct Quick<'a> {
    query: Query<'a>,
}

impl Judge for Quick<'_> {
    const THOROUGH: bool = false;

    fn policies(&mut self, _: Layer, _: usize, policies: &[Attached]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut best = None;
        for (policy, attached) in policies.iter().enumerate() {
            let held = &attached.policy;
            if best == Some(Strength::Direct) && !held.denies {
                continue;
            }
            for statement in held.index.candidates(self.query.asked) {
                let Some(compiled) = held.statements.get(statement) else {
                    continue;
                };
                if compiled.effect == Effect::Allow && best == Some(Strength::Direct) {
                    continue;
                }
                let Some(strength) = self.query.fits(compiled) else {
                    continue;
                };
                let at = At { policy, statement };
                if compiled.effect == Effect::Deny {
                    verdict.deny = Some(at);
                    return verdict;
                }
                if best < Some(strength) {
                    best = Some(strength);
                    verdict.allow = Some((at, strength));
                }
            }
        }
        verdict
    }

    fn grants(&mut self, key: &KeyLayer<'_>) -> Option<(usize, Strength)> {
        first_strongest_grant(&self.query, key)
    }

    fn skipped(&mut self, _: Layer, _: bool) {}
}

/// The first of the most direct grants that allow the request.
pub(crate) fn first_strongest_grant(query: &Query<'_>, key: &KeyLayer<'_>) -> Option<(usize, Strength)> {
    let request = query.request;
    let mut best: Option<(usize, Strength)> = None;
    for (number, grant) in key.grants.iter().enumerate() {
        let allows = grant.allows(
            request.principal,
            request.action,
            key.encryption_context,
            request.context,
        );
        if let Ok(strength) = allows
            && best.is_none_or(|(_, held)| strength > held)
        {
            best = Some((number, strength));
        }
    }
    best
}
