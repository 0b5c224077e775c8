//! Decisions on requests of which not everything is known: a recorded call does not tell every condition key.
//!
//! Invariant: what is decided here would be decided alike whatever the unknown values are. Statements that may or may not match are taken
//! once all against the caller and once all in favour; only what comes out the same both ways is decided.

use crate::{
    context::Context,
    decide::first_strongest_grant,
    document::{Effect, Statement, Version},
    layers::{Attached, KeyLayer, Layers, Request},
    mention::variables,
    pattern::{Case, Pattern, Syntax},
    principal::Strength,
    reason::{Decision, Layer},
    rule::{At, Judge, Query, Verdict, evaluate},
};

/// What is not known of a request.
#[derive(Clone, Copy)]
pub struct Unknown<'a> {
    /// Whether a condition key that the context lacks may have been there.
    pub key: &'a dyn Fn(&str) -> bool,
    /// The resource is not known; the request's own is not looked at.
    pub resource: bool,
}

/// What can be said of such a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The same whatever the unknown is.
    Decided(Decision),
    /// It depends on these condition keys, or on `resource`; each once.
    Undecided(Vec<String>),
}

/// Decides as [`crate::decide`], as far as the request is known.
pub fn decide_knowing(request: &Request<'_>, layers: &Layers<'_>, unknown: &Unknown<'_>) -> Finding {
    let mut judge = Doubtful {
        query: Query::new(request, layers),
        unknown,
        hope: false,
        missing: Vec::new(),
    };
    let feared = evaluate(request, layers, &mut judge);
    if judge.missing.is_empty() {
        return Finding::Decided(feared);
    }
    judge.hope = true;
    let hoped = evaluate(request, layers, &mut judge);
    match (feared.allowed, hoped.allowed) {
        // The reason that needs nothing unknown.
        (true, true) => Finding::Decided(feared),
        (false, false) => Finding::Decided(hoped),
        _ => Finding::Undecided(judge.missing),
    }
}

struct Doubtful<'a> {
    query: Query<'a>,
    unknown: &'a Unknown<'a>,
    /// Whether what may match is taken in the caller's favour.
    hope: bool,
    missing: Vec<String>,
}

enum Fit {
    No,
    Maybe(Strength),
    Yes(Strength),
}

impl Judge for Doubtful<'_> {
    const THOROUGH: bool = false;

    fn policies(&mut self, _: Layer, _: usize, policies: &[Attached]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut best = None;
        for (policy, attached) in policies.iter().enumerate() {
            let held = &attached.policy;
            for statement in held.index.candidates(self.query.asked) {
                let Some(compiled) = held.statements.get(statement) else {
                    continue;
                };
                let strength = match self.fits(compiled, held.version) {
                    Fit::Yes(strength) => strength,
                    Fit::Maybe(strength) if (compiled.effect == Effect::Allow) == self.hope => strength,
                    Fit::Maybe(_) | Fit::No => continue,
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

impl Doubtful<'_> {
    fn fits(&mut self, statement: &Statement, version: Version) -> Fit {
        if !self.query.action_fits(statement) {
            return Fit::No;
        }
        let mut missing = Vec::new();
        if self.resource_fits(statement, &mut missing) == Some(false) {
            return Fit::No;
        }
        let Some(strength) = self.query.principal_strength(statement) else {
            return Fit::No;
        };
        let context = self.query.request.context;
        for test in &statement.conditions {
            let before = missing.len();
            self.note(&test.key, context, &mut missing);
            if version == Version::V2012 {
                for wanted in test.wanted.iter().filter(|wanted| wanted.contains("${")) {
                    let syntax = Syntax {
                        wildcards: true,
                        variables: true,
                    };
                    self.note_variables(&Pattern::compile(wanted, syntax), context, &mut missing);
                }
            }
            if missing.len() == before && !test.holds(context) {
                return Fit::No;
            }
        }
        if missing.is_empty() {
            return Fit::Yes(strength);
        }
        for name in missing {
            if !self.missing.iter().any(|held| held.eq_ignore_ascii_case(&name)) {
                self.missing.push(name);
            }
        }
        Fit::Maybe(strength)
    }

    /// Whether the resource fits; `None`, with what is missing, if that is not known.
    fn resource_fits(&self, statement: &Statement, missing: &mut Vec<String>) -> Option<bool> {
        let Some(resources) = &statement.resources else {
            return Some(true);
        };
        let request = self.query.request;
        if self.unknown.resource {
            if resources.patterns.contains(&Pattern::Any) {
                return Some(!resources.negated);
            }
            missing.push("resource".to_owned());
            return None;
        }
        let matches = |pattern: &Pattern| pattern.matches(request.resource, request.context, Case::Sensitive);
        if resources.patterns.iter().any(matches) {
            return Some(!resources.negated);
        }
        let before = missing.len();
        for pattern in &resources.patterns {
            self.note_variables(pattern, request.context, missing);
        }
        (missing.len() == before).then_some(resources.negated)
    }

    fn note_variables(&self, pattern: &Pattern, context: &Context, missing: &mut Vec<String>) {
        let mut keys = Vec::new();
        variables(pattern, &mut keys);
        for key in &keys {
            self.note(key, context, missing);
        }
    }

    fn note(&self, key: &str, context: &Context, missing: &mut Vec<String>) {
        if context.get(key).is_none() && (self.unknown.key)(key) {
            missing.push(key.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, PolicyKind, Principal, decide};
    use std::sync::Arc;

    fn attached(statements: &str) -> Attached {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        Attached::new(Arc::new(Policy::parse(&text, PolicyKind::Identity).unwrap()), "p")
    }

    fn finding(statements: &str, context: &Context, resource: bool) -> Finding {
        let principal = Principal::User {
            arn: "arn:aws:iam::111122223333:user/ana".to_owned(),
            account: "111122223333".to_owned(),
            id: String::new(),
        };
        let request = Request {
            principal: &principal,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/k",
            resource_account: Some("111122223333"),
            context,
        };
        let identity = [attached(statements)];
        let layers = Layers {
            identity: &identity,
            ..Layers::default()
        };
        let unknown = Unknown {
            key: &|key| key.starts_with("aws:PrincipalTag/"),
            resource,
        };
        let finding = decide_knowing(&request, &layers, &unknown);
        if !resource && let Finding::Decided(decision) = &finding {
            assert_eq!(decision.allowed, decide(&request, &layers).allowed);
        }
        finding
    }

    const ALLOW: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
    const TAGGED: &str = r#""Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}"#;

    #[test]
    fn what_depends_on_an_unknown_key_is_undecided_and_names_it() {
        let context = Context::new();
        let tagged = format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*",{TAGGED}}}"#);
        let undecided = Finding::Undecided(vec!["aws:PrincipalTag/team".to_owned()]);
        assert_eq!(finding(&tagged, &context, false), undecided);
        let denied = format!(r#"{ALLOW},{{"Effect":"Deny","Action":"s3:*","Resource":"*",{TAGGED}}}"#);
        assert_eq!(finding(&denied, &context, false), undecided);
        let known = Context::new().with("aws:PrincipalTag/team", "a");
        assert!(matches!(finding(&tagged, &known, false), Finding::Decided(decision) if decision.allowed));
    }

    #[test]
    fn what_does_not_depend_on_it_is_decided() {
        let context = Context::new();
        let either = format!(r#"{ALLOW},{{"Effect":"Allow","Action":"s3:*","Resource":"*",{TAGGED}}}"#);
        assert!(matches!(finding(&either, &context, false), Finding::Decided(decision) if decision.allowed));
        let other = format!(r#"{{"Effect":"Allow","Action":"sqs:*","Resource":"*",{TAGGED}}}"#);
        assert!(matches!(finding(&other, &context, false), Finding::Decided(decision) if !decision.allowed));
        // A key that is known to be absent is no doubt.
        let absent = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Null":{"aws:SourceVpce":"true"}}}"#;
        assert!(matches!(finding(absent, &context, false), Finding::Decided(decision) if decision.allowed));
    }

    #[test]
    fn variables_and_resources_may_be_unknown_too() {
        let context = Context::new();
        let home =
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}"}"#;
        let undecided = Finding::Undecided(vec!["aws:PrincipalTag/team".to_owned()]);
        assert_eq!(finding(home, &context, false), undecided);
        let one = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}"#;
        assert_eq!(
            finding(one, &context, true),
            Finding::Undecided(vec!["resource".to_owned()])
        );
        assert!(matches!(finding(ALLOW, &context, true), Finding::Decided(decision) if decision.allowed));
    }
}
