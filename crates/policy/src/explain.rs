//! The slow path: for each layer, policy and statement, whether it matched or which element failed first and why.
//!
//! Invariant: the decision comes from the same rule as [`crate::decide`]; a derivation holds no reference, so that it can
//! be stored with the call that it explains.

use crate::{
    condition::Test,
    decide::first_strongest_grant,
    document::{Effect, Policy, Span, Statement},
    error::Position,
    layers::{Attached, KeyLayer, Layers, Request},
    pattern::Pattern,
    principal::Strength,
    reason::{Decision, Layer, because_naming},
    rule::{At, Judge, Query, Verdict, evaluate},
};
use serde::{Deserialize, Serialize};

/// A decision with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derivation {
    /// The caller's ARN, service name, provider, or "anonymous".
    pub principal: String,
    /// The action asked for.
    pub action: String,
    /// The resource asked for.
    pub resource: String,
    /// The same as [`crate::decide`] returns.
    pub decision: Decision,
    /// AWS's words for a refusal; empty if allowed.
    pub because: String,
    /// Every layer, in AWS's order.
    pub layers: Vec<LayerTrace>,
}

/// One layer (or one level of it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerTrace {
    /// Which.
    pub layer: Layer,
    /// Level of the organization, from 0.
    pub level: usize,
    /// What it said.
    pub standing: Standing,
    /// Its policies.
    pub policies: Vec<PolicyTrace>,
    /// The grants, for the layer of grants.
    pub grants: Vec<GrantTrace>,
}

/// What a layer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// There is no such layer for the request: it limits nothing.
    Absent,
    /// It does not bind this caller.
    Exempt,
    /// A Deny matched.
    Denies,
    /// An Allow matched.
    Allows,
    /// An Allow matched that names only the account: identity policies decide.
    Delegates,
    /// Nothing matched.
    Silent,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTrace {
    /// As in [`Attached`].
    pub origin: String,
    /// Its statements in order.
    pub statements: Vec<StatementTrace>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementTrace {
    /// Index in the policy, from 0.
    pub index: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Allow or Deny.
    pub effect: Effect,
    /// Where the statement stands in the policy's text.
    pub span: Span,
    /// `None`: it matched.
    pub failure: Option<Failure>,
    /// The line to look at: the failed element, or the effect of a statement that matched.
    pub excerpt: Option<Excerpt>,
}

/// The elements that can fail to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Element {
    /// `Action` or `NotAction`.
    Action,
    /// `Resource` or `NotResource`.
    Resource,
    /// `Principal` or `NotPrincipal`.
    Principal,
    /// One key of `Condition`.
    Condition,
}

/// The first element of a statement that did not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub element: Element,
    /// Where it stands in the policy's text.
    pub span: Span,
    /// The operator and key of a condition.
    pub condition: Option<(String, String)>,
    /// What the policy wants, variables replaced.
    pub wanted: Vec<String>,
    /// What the request has; empty if the key is absent.
    pub actual: Vec<String>,
}

/// A line of a policy with a range to underline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// Line number, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters to underline.
    pub width: usize,
    /// The whole line.
    pub text: String,
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantTrace {
    /// Its id.
    pub id: String,
    /// The part that does not fit; `None`: it allows.
    pub failure: Option<String>,
}

/// Explains the decision on a request.
pub fn explain(request: &Request<'_>, layers: &Layers<'_>) -> Derivation {
    let mut recorder = Recorder {
        query: Query::new(request, layers),
        layers: Vec::new(),
    };
    let decision = evaluate(request, layers, &mut recorder);
    Derivation {
        principal: request.principal.shown(),
        action: request.action.to_owned(),
        resource: request.resource.to_owned(),
        decision,
        because: because_naming(&decision, layers, request.action),
        layers: recorder.layers,
    }
}

struct Recorder<'a> {
    query: Query<'a>,
    layers: Vec<LayerTrace>,
}

impl Judge for Recorder<'_> {
    const THOROUGH: bool = true;

    fn policies(&mut self, layer: Layer, level: usize, policies: &[Attached]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut traces = Vec::new();
        for (policy, attached) in policies.iter().enumerate() {
            let mut statements = Vec::new();
            for (statement, compiled) in attached.policy.statements.iter().enumerate() {
                let judged = self.query.examine(compiled);
                if let Ok(strength) = judged {
                    note(&mut verdict, compiled.effect, At { policy, statement }, strength);
                }
                statements.push(trace(&attached.policy, statement, compiled, judged.err()));
            }
            traces.push(PolicyTrace {
                origin: attached.origin.to_string(),
                statements,
            });
        }
        let standing = standing(&verdict);
        self.layers.push(LayerTrace {
            layer,
            level,
            standing,
            policies: traces,
            grants: Vec::new(),
        });
        verdict
    }

    fn grants(&mut self, key: &KeyLayer<'_>) -> Option<(usize, Strength)> {
        let request = self.query.request;
        let traced = key.grants.iter().map(|grant| {
            let allows = grant.allows(
                request.principal,
                request.action,
                key.encryption_context,
                request.context,
            );
            GrantTrace {
                id: grant.id.clone(),
                failure: allows.err().map(str::to_owned),
            }
        });
        let grants: Vec<GrantTrace> = traced.collect();
        let found = first_strongest_grant(&self.query, key);
        let standing = match found {
            _ if grants.is_empty() => Standing::Absent,
            Some((_, Strength::Account)) => Standing::Delegates,
            Some(_) => Standing::Allows,
            None => Standing::Silent,
        };
        self.layers.push(LayerTrace {
            layer: Layer::Grant,
            level: 0,
            standing,
            policies: Vec::new(),
            grants,
        });
        found
    }

    fn skipped(&mut self, layer: Layer, exempt: bool) {
        let standing = if exempt {
            Standing::Exempt
        } else {
            Standing::Absent
        };
        self.layers.push(LayerTrace {
            layer,
            level: 0,
            standing,
            policies: Vec::new(),
            grants: Vec::new(),
        });
    }
}

impl Query<'_> {
    /// As [`Query::fits`], naming the first element that fails.
    fn examine(&self, statement: &Statement) -> Result<Strength, Failure> {
        let request = self.request;
        let failure = |element, span, wanted, actual: &str| Failure {
            element,
            span,
            condition: None,
            wanted,
            actual: vec![actual.to_owned()],
        };
        let shown = |patterns: &[Pattern]| -> Vec<String> {
            let show = |pattern: &Pattern| pattern.resolved(request.context);
            patterns
                .iter()
                .map(|pattern| show(pattern).unwrap_or_else(|| "(unresolved)".into()))
                .collect()
        };
        if !self.action_fits(statement) {
            let wanted = shown(&statement.actions.patterns);
            return Err(failure(
                Element::Action,
                statement.spans.action,
                wanted,
                request.action,
            ));
        }
        if !self.resource_fits(statement) {
            let wanted = statement
                .resources
                .as_ref()
                .map(|held| shown(&held.patterns))
                .unwrap_or_default();
            return Err(failure(
                Element::Resource,
                statement.spans.resource,
                wanted,
                request.resource,
            ));
        }
        let Some(strength) = self.principal_strength(statement) else {
            let entries = statement.principal.iter().flat_map(|held| &held.entries);
            let wanted = entries.map(|entry| entry.text()).collect();
            let actual = request.principal.shown();
            return Err(failure(
                Element::Principal,
                statement.spans.principal,
                wanted,
                &actual,
            ));
        };
        match statement
            .conditions
            .iter()
            .find(|test| !test.holds(request.context))
        {
            Some(test) => Err(self.condition_failure(test)),
            None => Ok(strength),
        }
    }

    fn condition_failure(&self, test: &Test) -> Failure {
        let actual = test.actual(self.request.context).unwrap_or_default();
        Failure {
            element: Element::Condition,
            span: test.span,
            condition: Some((test.operator.to_string(), test.key.to_string())),
            wanted: test.wanted.to_vec(),
            actual: actual.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Excerpt {
    /// The line of `text` where `span` begins, with the part of the range that lies on it.
    pub fn of(text: &str, span: Span) -> Option<Self> {
        let place = Position::of(text, span.start);
        let line = text.lines().nth(place.line - 1)?;
        let ranged = text.get(span.start..span.end)?;
        let first = ranged.lines().next().unwrap_or_default();
        Some(Self {
            line: place.line,
            column: place.column,
            width: first.chars().count().max(1),
            text: line.to_owned(),
        })
    }
}

fn note(verdict: &mut Verdict, effect: Effect, at: At, strength: Strength) {
    match effect {
        Effect::Deny => verdict.deny = verdict.deny.or(Some(at)),
        Effect::Allow => {
            if verdict.allow.is_none_or(|(_, held)| strength > held) {
                verdict.allow = Some((at, strength));
            }
        }
    }
}

fn standing(verdict: &Verdict) -> Standing {
    match (verdict.deny, verdict.allow) {
        (Some(_), _) => Standing::Denies,
        (None, Some((_, Strength::Account))) => Standing::Delegates,
        (None, Some(_)) => Standing::Allows,
        (None, None) => Standing::Silent,
    }
}

fn trace(policy: &Policy, index: usize, statement: &Statement, failure: Option<Failure>) -> StatementTrace {
    let shown = failure
        .as_ref()
        .map_or(statement.spans.effect, |failure| failure.span);
    // Statements about other actions are the many; their lines would only be noise.
    let relevant = !matches!(&failure, Some(failure) if failure.element == Element::Action);
    StatementTrace {
        index,
        sid: statement.sid.as_deref().map(str::to_owned),
        effect: statement.effect,
        span: statement.spans.statement,
        excerpt: relevant.then(|| Excerpt::of(policy.text(), shown)).flatten(),
        failure,
    }
}
