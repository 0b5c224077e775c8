//! One question to the evaluator, for a principal whose policies are at hand.

use std::collections::BTreeMap;

use pipeline::described::{self, Described, Verdict};
use pipeline::{Look, ResourcePolicies, Result};
use policy::{Arn, Context, Layer, Nearly};
use serde::{Deserialize, Serialize};

use super::population::Actor;

/// The policies and condition keys of the resource that an ARN names, for an action; nothing for one that is not here.
pub(crate) type Resources<'a> = &'a dyn Fn(&mut Look<'_>, &str, &str) -> Result<(ResourcePolicies, Context)>;

/// What a verdict rests on, or would if its conditions were met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The layer that allows (`identity-based policy`), or `root user`.
    pub layer: String,
    /// The policy that allows; empty for grants and for root.
    pub origin: String,
    /// The number of the statement in it, from 0.
    pub statement: usize,
    /// Conditions that the request would still have to meet; empty for what is allowed as asked.
    pub needs: Vec<Need>,
}

/// A condition that was not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    pub operator: String,
    pub key: String,
    pub values: Vec<String>,
    /// The policy that asks for it.
    pub origin: String,
}

/// What is asked, whoever does it.
pub(super) struct Question<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    pub(super) given: &'a BTreeMap<String, Vec<String>>,
}

/// How an actor can do it; `None` if not at all.
pub(super) fn way(
    look: &mut Look<'_>,
    actor: &Actor,
    question: &Question<'_>,
    resources: Resources<'_>,
) -> Result<Option<Way>> {
    let (policies, mut conditions) = resources(look, question.resource, question.action)?;
    let identity = &actor.standing.identity;
    if conditions.get("kms:CallerAccount").is_some() {
        conditions.insert("kms:CallerAccount", identity.account.to_string());
    }
    let owner = Arn::parse(question.resource).map(|arn| arn.account().to_owned());
    let owner = owner
        .filter(|account| !account.is_empty() && !account.contains('*'))
        .unwrap_or_else(|| identity.account.to_string());
    let described = Described {
        identity,
        action: question.action,
        resource: question.resource,
        owner: &owner,
        policies,
        conditions,
        given: question.given,
    };
    Ok(
        match described::verdict(look, &actor.standing.policies, described)? {
            Verdict::Allowed {
                layer,
                origin,
                statement,
            } => Some(Way {
                layer: title(layer).to_owned(),
                origin,
                statement,
                needs: Vec::new(),
            }),
            Verdict::Conditional(nearly) => nearest(nearly),
            Verdict::Denied => None,
        },
    )
}

fn nearest(nearly: Vec<Nearly>) -> Option<Way> {
    let first = nearly.first()?;
    let (origin, statement) = (first.origin.clone(), first.statement);
    let needs = nearly.into_iter().map(|nearly| {
        let (operator, key) = nearly.failure.condition.unwrap_or_default();
        Need {
            operator,
            key,
            values: nearly.failure.wanted,
            origin: nearly.origin,
        }
    });
    Some(Way {
        layer: String::new(),
        origin,
        statement,
        needs: needs.collect(),
    })
}

const fn title(layer: Layer) -> &'static str {
    match layer {
        Layer::Root => "root user",
        Layer::Grant => "grant",
        Layer::Key => "key policy",
        Layer::Trust => "role trust policy",
        Layer::Resource => "resource-based policy",
        Layer::ResourceControl => "resource control policy",
        Layer::ServiceControl => "service control policy",
        Layer::Identity => "identity-based policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
        Layer::Endpoint => "VPC endpoint policy",
    }
}
