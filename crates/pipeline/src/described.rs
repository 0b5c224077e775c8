//! Why a call would be allowed or refused that nobody made: a described request, judged by the policies of now.
//!
//! Invariant: nothing is written, and the verdict comes from the same evaluator and directory as that of a live call.

use std::collections::BTreeMap;

use policy::{Context, Layer, Layers, Nearly, Reason, Request, Step};

use crate::authorize::{self, Gathered, Globals};
use crate::call::Look;
use crate::identity::{Identity, PrincipalPolicies};
use crate::operation::Result;
use crate::organization::Organizations;
use crate::resource::ResourcePolicies;
use crate::why::Explained;

/// A request as a person describes it.
pub struct Described<'a> {
    pub identity: &'a Identity,
    /// `s3:GetObject`
    pub action: &'a str,
    /// An ARN or `*`.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub owner: &'a str,
    pub policies: ResourcePolicies,
    /// The resource's condition keys.
    pub conditions: Context,
    /// Condition keys as the person gave them; they win over all others.
    pub given: &'a BTreeMap<String, Vec<String>>,
}

/// A principal with every policy that bears on it, gathered once for many questions.
#[derive(Clone)]
pub struct Standing {
    pub identity: Identity,
    pub policies: PrincipalPolicies,
}

impl Standing {
    /// # Errors
    /// The store's, as internal faults.
    pub fn of(look: &mut Look<'_>, identity: Identity) -> Result<Self> {
        let policies = look.directory().policies(look, &identity, None)?;
        Ok(Self { identity, policies })
    }
}

/// A verdict in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed {
        layer: Layer,
        /// The policy that allowed; empty for a grant and for root's standing in its own account.
        origin: String,
        /// The statement's number in it, from 0.
        statement: usize,
    },
    /// Denied for want of condition keys or values alone: what the nearest statements ask for, in the order of the layers.
    Conditional(Vec<Nearly>),
    Denied,
}

/// Judges a described request. What a live request would tell of its way here is taken to be a call from this machine over
/// TLS.
///
/// # Errors
/// The store's, as internal faults.
pub fn judge(look: &mut Look<'_>, described: Described<'_>) -> Result<Explained> {
    let policies = look.directory().policies(look, described.identity, None)?;
    with_layers(look, policies, described, |request, layers| {
        Explained::of(request, layers)
    })
}

/// Judges a described request of a principal whose policies are at hand, in short.
///
/// # Errors
/// The store's, as internal faults.
pub fn verdict(
    look: &mut Look<'_>,
    policies: &PrincipalPolicies,
    described: Described<'_>,
) -> Result<Verdict> {
    with_layers(look, policies.clone(), described, |request, layers| {
        let decision = policy::decide(request, layers);
        match decision.reason {
            Reason::Allowed { layer, statement, .. } => Verdict::Allowed {
                layer,
                origin: decision
                    .policy(layers)
                    .map_or_else(String::new, |attached| attached.origin.to_string()),
                statement,
            },
            Reason::ExplicitDeny { .. } => Verdict::Denied,
            Reason::ImplicitDeny { .. } => conditional(request, layers),
        }
    })
}

/// Whether nothing but conditions stands in the way.
fn conditional(request: &Request<'_>, layers: &Layers<'_>) -> Verdict {
    let steps = policy::suggest(request, layers).map_or_else(Vec::new, |suggestion| suggestion.steps);
    let nearly: Option<Vec<Nearly>> = steps
        .into_iter()
        .map(|step| match step {
            Step::Add { nearly, .. } => nearly,
            Step::Narrow { .. } => None,
        })
        .collect();
    match nearly {
        Some(nearly) if !nearly.is_empty() => Verdict::Conditional(nearly),
        _ => Verdict::Denied,
    }
}

fn with_layers<T>(
    look: &mut Look<'_>,
    policies: PrincipalPolicies,
    described: Described<'_>,
    judge: impl FnOnce(&Request<'_>, &Layers<'_>) -> T,
) -> Result<T> {
    let identity = described.identity;
    let mut context = described.conditions;
    let session = identity.session.as_deref();
    let organizations = Organizations::of(look, identity, described.owner)?;
    Globals {
        kind: identity.kind,
        principal_arn: authorize::principal_arn(identity),
        principal_account: &identity.account,
        user_id: &identity.user_id,
        user_name: identity.user_name.as_deref(),
        tags: &identity.tags,
        session_issued: session.map(|session| session.issued),
        mfa: session.and_then(|session| session.mfa),
        source_identity: session.and_then(|session| session.source_identity.as_deref()),
        federated_provider: session.and_then(|session| session.federated_provider.as_deref()),
        assumed_root: session.is_some_and(|session| session.assumed_root),
        source_ip: "127.0.0.1",
        user_agent: None,
        secure: true,
        now: look.now,
        region: look.region(),
        resource_account: described.owner,
        organizations: &organizations,
    }
    .add(&mut context);
    for (key, values) in described.given {
        context.insert_many(key.clone(), values.iter().cloned());
    }
    let asked = (described.action, described.resource, described.owner);
    let gathered = Gathered::with(
        look,
        identity,
        policies,
        asked,
        described.policies.clone(),
        &context,
    )?;
    let request = Request {
        principal: &identity.principal,
        action: described.action,
        resource: described.resource,
        resource_account: Some(described.owner),
        context: &context,
    };
    Ok(gathered.with_layers(|layers| judge(&request, layers)))
}
