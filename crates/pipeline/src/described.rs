//! Why a call would be allowed or refused that nobody made: a described request, judged by the policies of now.
//!
//! Invariant: nothing is written, and the verdict comes from the same evaluator and directory as that of a live call.

use std::collections::BTreeMap;

use policy::{Context, Request};

use crate::authorize::{self, Gathered, Globals};
use crate::call::Look;
use crate::identity::Identity;
use crate::operation::Result;
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

/// Judges a described request. What a live request would tell of its way here is taken to be a call from this machine over
/// TLS.
///
/// # Errors
/// The store's, as internal faults.
pub fn judge(look: &mut Look<'_>, described: Described<'_>) -> Result<Explained> {
    let identity = described.identity;
    let mut context = described.conditions;
    let session = identity.session.as_deref();
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
        source_ip: "127.0.0.1",
        user_agent: None,
        secure: true,
        now: look.now,
        region: look.region(),
        resource_account: described.owner,
    }
    .add(&mut context);
    for (key, values) in described.given {
        context.insert_many(key.clone(), values.iter().cloned());
    }
    let gathered = Gathered::of(look, identity, described.owner, &described.policies, &context)?;
    let request = Request {
        principal: &identity.principal,
        action: described.action,
        resource: described.resource,
        resource_account: Some(described.owner),
        context: &context,
    };
    Ok(gathered.with_layers(|layers| Explained::of(&request, layers)))
}
