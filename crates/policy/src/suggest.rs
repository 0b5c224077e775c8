//! The smallest change that would allow a denied request, tried before it is told.
//!
//! Invariant: a statement to add names exactly the action and the resource asked for, never a wildcard; a suggestion is
//! only made if [`crate::decide`] allows the request once all of its steps are taken.

use crate::{
    decide::decide,
    document::{Policy, PolicyKind},
    explain::{Element, Excerpt, Failure, Standing, explain},
    layers::{Attached, KeyLayer, Layers, Request},
    reason::{Layer, Reason},
};
use serde::{Deserialize, Serialize};
use std::{fmt::Write as _, sync::Arc};

/// More layers than there are to change, and then some denials.
const STEPS_MAX: usize = 16;

/// Steps that together would allow the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// In the order in which the decision met them; all are needed.
    pub steps: Vec<Step>,
}

/// One change to one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Add a statement.
    Add {
        /// Where.
        layer: Layer,
        /// Level of the organization, from 0.
        level: usize,
        /// The policy to extend, or whom to give a new one.
        to: String,
        /// JSON of the statement.
        statement: String,
        /// A statement that failed only by its conditions, which the request could meet instead.
        nearly: Option<Nearly>,
    },
    /// Narrow or remove a Deny.
    Narrow {
        /// Where.
        layer: Layer,
        /// The policy.
        origin: String,
        /// Index of the statement, from 0.
        statement: usize,
        /// Its `Sid`.
        sid: Option<String>,
        /// The conditions (operator, key) that the request would have to miss, if it has any.
        conditions: Vec<(String, String)>,
        /// Where to look.
        excerpt: Option<Excerpt>,
    },
}

/// An Allow that matches but for a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nearly {
    /// The policy.
    pub origin: String,
    /// Index of the statement, from 0.
    pub statement: usize,
    /// The condition that failed.
    pub failure: Failure,
}

/// Finds the change; `None` if the request is allowed, or if no exact change would do (anonymous callers can only be
/// allowed by a wildcard).
pub fn suggest(request: &Request<'_>, layers: &Layers<'_>) -> Option<Suggestion> {
    let mut trial = Trial::of(layers);
    let mut steps = Vec::new();
    for _ in 0..STEPS_MAX {
        let tried = trial.layers(layers);
        match decide(request, &tried).reason {
            Reason::Allowed { .. } => return (!steps.is_empty()).then_some(Suggestion { steps }),
            Reason::ExplicitDeny {
                layer,
                level,
                policy,
                statement,
            } => {
                let attached = trial.slot(layer, level)?.get_mut(policy)?;
                steps.push(narrow(attached, layer, statement)?);
                attached.replace(attached.policy.silenced(statement));
            }
            Reason::ImplicitDeny { layer, level } => {
                let statement = statement(request, layer)?;
                let nearly = nearly(request, &tried, layer, level);
                let added = Policy::parse(&wrapped(&statement), kind(layer)).ok()?;
                let to = trial.add(request, layer, level, added)?;
                steps.push(Step::Add {
                    layer,
                    level,
                    to,
                    statement,
                    nearly,
                });
            }
        }
    }
    None
}

/// The layers as a suggestion changes them.
struct Trial {
    resource_control: Vec<Attached>,
    service_control: Vec<Vec<Attached>>,
    resource: Vec<Attached>,
    identity: Vec<Attached>,
    boundary: Vec<Attached>,
    session: Option<Vec<Attached>>,
    endpoint: Vec<Attached>,
    key: Vec<Attached>,
}

impl Trial {
    fn of(layers: &Layers<'_>) -> Self {
        let one = |attached: Option<&Attached>| attached.cloned().into_iter().collect();
        Self {
            resource_control: layers.resource_control.to_vec(),
            service_control: layers.service_control.to_vec(),
            resource: one(layers.resource),
            identity: layers.identity.to_vec(),
            boundary: one(layers.boundary),
            session: layers.session.map(<[_]>::to_vec),
            endpoint: one(layers.endpoint),
            key: one(layers.key.map(|key| key.policy)),
        }
    }

    fn layers<'a>(&'a self, original: &Layers<'a>) -> Layers<'a> {
        let key = original.key.zip(self.key.first());
        Layers {
            resource_control: &self.resource_control,
            service_control: &self.service_control,
            resource: self.resource.first(),
            identity: &self.identity,
            boundary: self.boundary.first(),
            session: self.session.as_deref(),
            endpoint: self.endpoint.first(),
            key: key.map(|(key, policy)| KeyLayer { policy, ..key }),
        }
    }

    fn slot(&mut self, layer: Layer, level: usize) -> Option<&mut Vec<Attached>> {
        Some(match layer {
            Layer::ResourceControl => &mut self.resource_control,
            Layer::ServiceControl => self.service_control.get_mut(level)?,
            Layer::Resource | Layer::Trust => &mut self.resource,
            Layer::Key | Layer::Grant => &mut self.key,
            Layer::Identity => &mut self.identity,
            Layer::Boundary => &mut self.boundary,
            Layer::Session => self.session.get_or_insert_default(),
            Layer::Endpoint => &mut self.endpoint,
            Layer::Root => return None,
        })
    }

    /// Adds the statement to the layer; returns the name of what it was added to.
    fn add(&mut self, request: &Request<'_>, layer: Layer, level: usize, added: Policy) -> Option<String> {
        let single = matches!(
            layer,
            Layer::Resource | Layer::Trust | Layer::Key | Layer::Boundary | Layer::Endpoint
        );
        let slot = self.slot(layer, level)?;
        let to = match (layer, slot.first()) {
            (Layer::Identity, _) => request.principal.naming().map(|(_, name)| name)?,
            (_, Some(attached)) => attached.origin.to_string(),
            (Layer::Session, None) => "the session".to_owned(),
            (_, None) => request.resource.to_owned(),
        };
        match slot.first_mut() {
            Some(attached) if single => attached.replace(attached.policy.and(&added)),
            _ => slot.push(Attached::new(Arc::new(added), "suggested")),
        }
        Some(to)
    }
}

fn narrow(attached: &Attached, layer: Layer, statement: usize) -> Option<Step> {
    let compiled = attached.policy.statements.get(statement)?;
    let conditions = compiled
        .conditions
        .iter()
        .map(|test| (test.operator.to_string(), test.key.to_string()));
    // The first condition is the place to change; without one it is the effect.
    let span = compiled
        .conditions
        .first()
        .map_or(compiled.spans.effect, |test| test.span);
    Some(Step::Narrow {
        layer,
        origin: attached.origin.to_string(),
        statement,
        sid: compiled.sid.as_deref().map(str::to_owned),
        conditions: conditions.collect(),
        excerpt: Excerpt::of(attached.policy.text(), span),
    })
}

/// An Allow of the layer that failed only by a condition.
fn nearly(request: &Request<'_>, layers: &Layers<'_>, layer: Layer, level: usize) -> Option<Nearly> {
    let derivation = explain(request, layers);
    let silent = |trace: &&crate::explain::LayerTrace| {
        trace.layer == layer && trace.level == level && trace.standing == Standing::Silent
    };
    let policies = derivation.layers.iter().find(silent)?.policies.iter();
    let mut statements = policies.flat_map(|policy| policy.statements.iter().map(move |held| (policy, held)));
    statements.find_map(|(policy, held)| {
        let failure = held
            .failure
            .clone()
            .filter(|failure| failure.element == Element::Condition)?;
        let allow = held.effect == crate::document::Effect::Allow;
        allow.then(|| Nearly {
            origin: policy.origin.clone(),
            statement: held.index,
            failure,
        })
    })
}

fn kind(layer: Layer) -> PolicyKind {
    match layer {
        Layer::ResourceControl => PolicyKind::ResourceControl,
        Layer::ServiceControl => PolicyKind::ServiceControl,
        Layer::Resource => PolicyKind::Resource,
        Layer::Trust => PolicyKind::Trust,
        Layer::Key | Layer::Grant => PolicyKind::Key,
        Layer::Identity | Layer::Root => PolicyKind::Identity,
        Layer::Boundary => PolicyKind::Boundary,
        Layer::Session => PolicyKind::Session,
        Layer::Endpoint => PolicyKind::Endpoint,
    }
}

/// The JSON of a statement that allows exactly the request.
fn statement(request: &Request<'_>, layer: Layer) -> Option<String> {
    let kind = kind(layer);
    let mut lines = vec![r#"  "Effect": "Allow""#.to_owned()];
    if matches!(
        kind,
        PolicyKind::Resource | PolicyKind::Trust | PolicyKind::Key | PolicyKind::Endpoint
    ) {
        let (class, name) = request.principal.naming()?;
        lines.push(format!(r#"  "Principal": {{"{class}": {}}}"#, quoted(&name)));
    }
    lines.push(format!(r#"  "Action": {}"#, quoted(request.action)));
    if kind != PolicyKind::Trust {
        lines.push(format!(r#"  "Resource": {}"#, quoted(&exactly(request.resource))));
    }
    Some(format!("{{\n{}\n}}", lines.join(",\n")))
}

/// The text with its special characters written as the variables that stand for them; `*` alone is what an action
/// without resources is asked for.
fn exactly(resource: &str) -> String {
    if resource == "*" {
        return resource.to_owned();
    }
    let mut out = String::with_capacity(resource.len());
    for letter in resource.chars() {
        if matches!(letter, '*' | '?' | '$') {
            out.extend(["${", letter.encode_utf8(&mut [0; 4]), "}"]);
        } else {
            out.push(letter);
        }
    }
    out
}

fn wrapped(statement: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#)
}

/// A JSON string (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}
