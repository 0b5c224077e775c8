//! The decision: the context of a request, the policies of every layer, the verdict, and the caller's words for it.
//!
//! Invariant: `admit` is the only maker of `Authorized`, and it judges before it makes one.

use std::sync::Arc;

use policy::{Attached, Context, Decision, Grant, KeyLayer, Layers, Request};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::{Fault, Timestamp};

use crate::call::{Call, Look};
use crate::identity::{Identity, IdentityType, PrincipalPolicies};
use crate::ledger::record::ResourceFacts;
use crate::operation::{Access, Result};
use crate::organization::{OrganizationFacts, Organizations};
use crate::resource::{Authorized, Found, Resource, ResourcePolicies};
use crate::signed;

/// A layer of policies, as records name it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerName {
    ResourceControl,
    ServiceControl,
    Resource,
    Key,
    Identity,
    Boundary,
    Session,
}

/// Every policy that one decision was made of.
#[derive(Clone, Default)]
pub struct Gathered {
    pub resource_control: Vec<Attached>,
    pub principal: PrincipalPolicies,
    pub resource: Option<Attached>,
    pub key: Option<(Attached, Arc<[Grant]>)>,
    /// The encryption context of a KMS request, which grants are bound to.
    pub encryption_context: BTreeMap<String, String>,
}

impl Gathered {
    /// Gathers what bears on a request of `identity` for a resource that `owner` owns and that has `policies` of its own.
    pub(crate) fn of(
        look: &mut Look<'_>,
        identity: &Identity,
        (action, resource, owner): (&str, &str, &str),
        policies: ResourcePolicies,
        context: &Context,
    ) -> Result<Self> {
        let principal = look.directory().policies(look, identity, Some(action))?;
        let asked = (action, resource, owner);
        Self::with(look, identity, principal, asked, policies, context)
    }

    /// The same for a principal whose policies are at hand.
    pub(crate) fn with(
        look: &mut Look<'_>,
        identity: &Identity,
        principal: PrincipalPolicies,
        (action, resource, owner): (&str, &str, &str),
        policies: ResourcePolicies,
        context: &Context,
    ) -> Result<Self> {
        let resource_control = if principal.unbound && identity.principal.account() == Some(owner) {
            Vec::new()
        } else {
            look.directory().resource_control(look, owner, action, resource)?
        };
        let mut gathered = Self {
            resource_control,
            principal,
            ..Self::default()
        };
        match policies {
            ResourcePolicies::None => {}
            ResourcePolicies::Policy(attached) => gathered.resource = Some(attached),
            ResourcePolicies::Key { policy, grants } => {
                gathered.key = Some((policy, grants));
                gathered.encryption_context = encryption_context(context);
            }
        }
        Ok(gathered)
    }

    /// The layers as the evaluator takes them, for the length of `judge`.
    pub fn with_layers<T>(&self, judge: impl FnOnce(&Layers<'_>) -> T) -> T {
        let layers = Layers {
            resource_control: &self.resource_control,
            service_control: &self.principal.service_control,
            resource: self.resource.as_ref(),
            identity: &self.principal.identity,
            boundary: self.principal.boundary.as_ref(),
            session: self.principal.session.as_deref(),
            endpoint: None,
            key: self.key.as_ref().map(|(policy, grants)| KeyLayer {
                policy,
                grants,
                encryption_context: &self.encryption_context,
            }),
        };
        judge(&layers)
    }

    /// Whether the verdict may depend on condition keys; if not, they need not be gathered.
    fn consults_context(&self) -> bool {
        let bound = |grants: &[Grant]| grants.iter().any(|grant| grant.source_arn.is_some());
        self.key.as_ref().is_some_and(|(_, grants)| bound(grants))
            || self
                .policies()
                .any(|(_, _, attached)| attached.policy.consults_context())
    }

    /// Every policy with its layer and level, in a fixed order.
    pub fn policies(&self) -> impl Iterator<Item = (LayerName, usize, &Attached)> {
        let one = |layer: LayerName| move |policy| (layer, 0, policy);
        let levels = self.principal.service_control.iter().enumerate();
        let control = levels.flat_map(|(level, policies)| {
            policies
                .iter()
                .map(move |policy| (LayerName::ServiceControl, level, policy))
        });
        self.resource_control
            .iter()
            .map(one(LayerName::ResourceControl))
            .chain(control)
            .chain(self.resource.iter().map(one(LayerName::Resource)))
            .chain(self.key.iter().map(|(policy, _)| (LayerName::Key, 0, policy)))
            .chain(self.principal.identity.iter().map(one(LayerName::Identity)))
            .chain(self.principal.boundary.iter().map(one(LayerName::Boundary)))
            .chain(
                self.principal
                    .session
                    .iter()
                    .flatten()
                    .map(one(LayerName::Session)),
            )
    }
}

/// One decision of a call, kept until its record is written.
pub struct Judgement {
    pub action: &'static str,
    pub resource: String,
    pub owner: String,
    pub allowed: bool,
    pub explicit_deny: bool,
    pub context: Context,
    pub organizations: Organizations,
    pub gathered: Gathered,
}

/// What the global condition keys say of a request. Built from a running call, or again from its record.
pub struct Globals<'a> {
    pub kind: IdentityType,
    pub principal_arn: &'a str,
    pub principal_account: &'a str,
    pub user_id: &'a str,
    pub user_name: Option<&'a str>,
    pub tags: &'a [(String, String)],
    pub session_issued: Option<i64>,
    /// When MFA was shown, for sessions.
    pub mfa: Option<i64>,
    pub source_identity: Option<&'a str>,
    pub federated_provider: Option<&'a str>,
    pub assumed_root: bool,
    pub source_ip: &'a str,
    pub user_agent: Option<&'a str>,
    pub secure: bool,
    pub now: Timestamp,
    pub region: &'a str,
    pub resource_account: &'a str,
    pub organizations: &'a Organizations,
}

impl Globals<'_> {
    /// Adds the keys to a context (IAM User Guide, "AWS global condition context keys").
    pub fn add(&self, context: &mut Context) {
        let temporary = self.session_issued.is_some();
        // Who comes with a provider's word alone is no principal of an account yet.
        let vouched = matches!(self.kind, IdentityType::WebIdentityUser | IdentityType::SamlUser);
        if self.kind != IdentityType::Unknown && !vouched {
            context.insert("aws:PrincipalArn", self.principal_arn.to_owned());
            context.insert("aws:PrincipalAccount", self.principal_account.to_owned());
            context.insert("aws:userid", self.user_id.to_owned());
        }
        context.insert("aws:PrincipalType", principal_type(self.kind));
        if let Some(name) = self.user_name.filter(|_| !vouched) {
            context.insert("aws:username", name.to_owned());
        }
        for (key, value) in self.tags {
            context.insert(format!("aws:PrincipalTag/{key}"), value.clone());
        }
        // A request that shows a code itself (`sts:AssumeRole`) has set both keys already.
        let shown_now = context.get("aws:MultiFactorAuthPresent").is_some();
        // Credentials of AssumeRole carry no MFA facts of their own (IAM User Guide, "Secure API access with MFA").
        let mfa = self.mfa.filter(|_| self.kind != IdentityType::AssumedRole);
        if temporary && !shown_now {
            context.insert("aws:MultiFactorAuthPresent", flag(mfa.is_some()));
        }
        if let Some(issued) = self.session_issued {
            context.insert("aws:TokenIssueTime", Timestamp(issued).iso8601());
        }
        if let Some(shown) = mfa.filter(|_| !shown_now) {
            let age = self.now.0.saturating_sub(shown).max(0) / 1000;
            context.insert("aws:MultiFactorAuthAge", age.to_string());
        }
        if let Some(identity) = self.source_identity {
            context.insert("aws:SourceIdentity", identity.to_owned());
        }
        if let Some(provider) = self.federated_provider {
            context.insert("aws:FederatedProvider", provider.to_owned());
        }
        if self.assumed_root {
            context.insert("aws:AssumedRoot", "true");
        }
        context.insert("aws:SourceIp", self.source_ip.to_owned());
        if let Some(agent) = self.user_agent {
            context.insert("aws:UserAgent", agent.to_owned());
        }
        context.insert("aws:SecureTransport", flag(self.secure));
        context.insert("aws:CurrentTime", self.now.iso8601());
        context.insert("aws:EpochTime", self.now.seconds().to_string());
        context.insert("aws:RequestedRegion", self.region.to_owned());
        context.insert("aws:ResourceAccount", self.resource_account.to_owned());
        context.insert(
            "aws:PrincipalIsAWSService",
            flag(self.kind == IdentityType::AwsService),
        );
        // A service that calls for its caller has said so already.
        if context.get("aws:ViaAWSService").is_none() {
            context.insert("aws:ViaAWSService", "false");
        }
        self.organizations.add(context);
    }
}

const fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

const fn principal_type(kind: IdentityType) -> &'static str {
    match kind {
        IdentityType::Root | IdentityType::AwsAccount => "Account",
        IdentityType::IamUser => "User",
        IdentityType::AssumedRole | IdentityType::WebIdentityUser | IdentityType::SamlUser => "AssumedRole",
        IdentityType::FederatedUser => "FederatedUser",
        IdentityType::AwsService => "Service",
        IdentityType::Unknown => "Anonymous",
    }
}

/// `aws:PrincipalArn`: a session of a role shows the role's ARN.
pub(crate) fn principal_arn(identity: &Identity) -> &str {
    match &identity.principal {
        policy::Principal::AssumedRole { role_arn, .. } => role_arn,
        _ => &identity.arn,
    }
}

fn add_globals(call: &Call<'_>, owner: &str, organizations: &Organizations, context: &mut Context) {
    let identity = call.identity;
    let session = identity.session.as_deref();
    let globals = Globals {
        kind: identity.kind,
        principal_arn: principal_arn(identity),
        principal_account: &identity.account,
        user_id: &identity.user_id,
        user_name: identity.user_name.as_deref(),
        tags: &identity.tags,
        session_issued: session.map(|session| session.issued),
        mfa: session.and_then(|session| session.mfa),
        source_identity: session.and_then(|session| session.source_identity.as_deref()),
        federated_provider: session
            .and_then(|session| session.federated_provider.as_deref())
            .or(identity.federation.as_ref().map(|_| &*identity.arn)),
        assumed_root: session.is_some_and(|session| session.assumed_root),
        source_ip: &call.request.source_ip,
        user_agent: call.request.user_agent.as_deref(),
        secure: call.request.secure,
        now: call.now,
        region: call.region(),
        resource_account: owner,
        organizations,
    };
    globals.add(context);
}

/// Judges what was found and hands it out, or refuses.
pub(crate) fn admit<T: Resource>(
    call: &mut Call<'_>,
    access: Access,
    found: Found<T>,
    mut context: Context,
) -> Result<Authorized<T>> {
    match found {
        Found::Here(resource) => {
            let way = resource.way(&mut call.look)?;
            let arn = resource.arn();
            if !access.open {
                resource.conditions(&mut context);
                if let Some(way) = &way {
                    let context = context.clone();
                    let policies = way.policies.clone();
                    judge(call, access, &way.arn, &way.account, policies, context)?;
                }
                let policies = resource.policies(&mut call.look)?;
                judge(call, access, &arn, resource.account(), policies, context)?;
            }
            let own = (!T::TYPE.is_empty()).then(|| ResourceFacts::new(arn, resource.account(), T::TYPE));
            let way = way.map(|way| ResourceFacts::new(way.named.0, &way.account, way.named.1));
            for facts in own.into_iter().chain(way) {
                if !call.resources.contains(&facts) {
                    call.resources.push(facts);
                }
            }
            Ok(Authorized::new(resource))
        }
        Found::Absent { arn, fault } => {
            if !access.open {
                let owner = call.account().to_owned();
                judge(call, access, &arn, &owner, ResourcePolicies::None, context)?;
            }
            Err(fault)
        }
    }
}

/// Decides, keeps the judgement for the record, and turns a denial into the caller's fault.
pub(crate) fn judge(
    call: &mut Call<'_>,
    access: Access,
    arn: &str,
    owner: &str,
    policies: ResourcePolicies,
    context: Context,
) -> Result<()> {
    let (judgement, decision) = decide(call, access, arn, owner, policies, context)?;
    if judgement.allowed {
        call.judgements.push(judgement);
        return Ok(());
    }
    let because = because(call, &judgement, &decision)?;
    call.judgements.push(judgement);
    if call.identity.federation.is_some() {
        return Err(Fault::access_denied(format!(
            "Not authorized to perform {}",
            access.action
        )));
    }
    if call.identity.kind == IdentityType::Unknown {
        return Err(Fault::access_denied("Access Denied"));
    }
    Err(Fault::access_denied(format!(
        "User: {} is not authorized to perform: {} on resource: {arn} {because}",
        call.identity.arn, access.action
    )))
}

/// Why a request was refused, in AWS's words. A policy of the organization that denies is named to its own members (IAM User
/// Guide, "Troubleshoot access denied error messages").
fn because(call: &mut Call<'_>, judgement: &Judgement, decision: &Decision) -> Result<String> {
    let named = match decision.reason {
        policy::Reason::ExplicitDeny { layer, .. } => match layer {
            policy::Layer::ServiceControl => true,
            policy::Layer::ResourceControl => {
                let sides = Organizations::of(&mut call.look, call.identity, &judgement.owner)?;
                let id = |facts: &Option<OrganizationFacts>| facts.as_ref().map(|facts| facts.id.clone());
                id(&sides.principal).is_some() && id(&sides.principal) == id(&sides.resource)
            }
            _ => false,
        },
        _ => false,
    };
    if !named {
        return Ok(policy::because(decision, judgement.action));
    }
    let action = judgement.action;
    let naming = |layers: &Layers<'_>| policy::because_naming(decision, layers, action);
    Ok(judgement.gathered.with_layers(naming))
}

/// The same for a resource with all that it tells of itself, the way to it included.
pub(crate) fn would_admit<T: Resource>(call: &mut Call<'_>, access: Access, resource: &T) -> Result<bool> {
    let mut context = Context::default();
    resource.conditions(&mut context);
    if let Some(way) = resource.way(&mut call.look)? {
        let context = context.clone();
        if !would_allow(call, access, &way.arn, &way.account, way.policies, context)? {
            return Ok(false);
        }
    }
    let policies = resource.policies(&mut call.look)?;
    would_allow(
        call,
        access,
        &resource.arn(),
        resource.account(),
        policies,
        context,
    )
}

/// Whether a resource, or the way to it, is denied outright.
pub(crate) fn is_denied<T: Resource>(call: &mut Call<'_>, access: Access, resource: &T) -> Result<bool> {
    let mut context = Context::default();
    resource.conditions(&mut context);
    if let Some(way) = resource.way(&mut call.look)? {
        let context = context.clone();
        if would_deny(call, access, (&way.arn, &way.account), way.policies, context)? {
            return Ok(true);
        }
    }
    let policies = resource.policies(&mut call.look)?;
    let named = (&*resource.arn(), resource.account());
    would_deny(call, access, named, policies, context)
}

/// The decision alone, neither kept nor turned into a fault.
pub(crate) fn would_allow(
    call: &mut Call<'_>,
    access: Access,
    arn: &str,
    owner: &str,
    policies: ResourcePolicies,
    context: Context,
) -> Result<bool> {
    decide(call, access, arn, owner, policies, context).map(|(judgement, _)| judgement.allowed)
}

/// Whether an explicit denial would decide.
pub(crate) fn would_deny(
    call: &mut Call<'_>,
    access: Access,
    (arn, owner): (&str, &str),
    policies: ResourcePolicies,
    context: Context,
) -> Result<bool> {
    decide(call, access, arn, owner, policies, context).map(|(judgement, _)| judgement.explicit_deny)
}

fn decide(
    call: &mut Call<'_>,
    access: Access,
    arn: &str,
    owner: &str,
    policies: ResourcePolicies,
    mut context: Context,
) -> Result<(Judgement, Decision)> {
    let federation = call.identity.federation.iter();
    let vouched = federation.flat_map(|federation| &federation.context);
    let session = call.identity.session.iter();
    let kept = session.flat_map(|session| &session.provider_context);
    for (key, values) in vouched.chain(kept) {
        context.insert_many(key.clone(), values.clone());
    }
    if let Some(by) = call.via {
        via(call.region(), (&call.chain, by), access.action, &mut context);
    }
    if let Some((arn, account)) = &call.cause {
        context.insert("aws:SourceArn", arn.clone());
        context.insert("aws:SourceAccount", account.clone());
    }
    let asked = (access.action, arn, owner);
    let gathered = Gathered::of(&mut call.look, call.identity, asked, policies, &context)?;
    let organizations = Organizations::consulted(&mut call.look, call.identity, owner, &gathered)?;
    let consults = gathered.consults_context();
    if consults && access.action.starts_with("s3:") {
        signed::conditions(call.request, call.wall(), &mut context);
    }
    // The global ones follow from the record itself.
    let kept = consults.then(|| context.clone());
    if consults {
        add_globals(call, owner, &organizations, &mut context);
    }
    let request = Request {
        principal: &call.identity.principal,
        action: access.action,
        resource: arn,
        resource_account: Some(owner),
        context: &context,
    };
    let decision = gathered.with_layers(|layers| policy::decide(&request, layers));
    let judgement = Judgement {
        action: access.action,
        resource: arn.to_owned(),
        owner: owner.to_owned(),
        allowed: decision.allowed,
        explicit_deny: matches!(decision.reason, policy::Reason::ExplicitDeny { .. }),
        context: kept.unwrap_or(context),
        organizations,
        gathered,
    };
    Ok((judgement, decision))
}

/// What policies see of a service that calls for its caller (IAM User Guide, "AWS global condition context keys").
fn via(region: &str, (chain, by): (&[&'static str], &'static str), action: &str, context: &mut Context) {
    let first = chain.first().copied().unwrap_or(by);
    context.insert("aws:ViaAWSService", "true");
    context.insert_many("aws:CalledVia", chain.iter().copied().map(str::to_owned));
    context.insert("aws:CalledViaFirst", first);
    context.insert("aws:CalledViaLast", by);
    let name = by.split_once('.').map_or(by, |(name, _)| name);
    if action.starts_with("kms:") {
        context.insert("kms:ViaService", format!("{name}.{region}.amazonaws.com"));
    }
}

/// The encryption context that an operation put into its condition keys.
pub(crate) fn encryption_context(context: &Context) -> BTreeMap<String, String> {
    const PREFIX: &str = "kms:EncryptionContext:";
    let pairs = context
        .iter()
        .filter_map(|(key, values)| Some((key.strip_prefix(PREFIX)?, values.first()?)));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_string()))
        .collect()
}

/// The purpose of the tokens that `sts:DecodeAuthorizationMessage` reads.
pub const MESSAGE_PURPOSE: &str = "sts.authorization-message";
/// Condition keys that a message carries at most, so that it fits into a header.
const MESSAGE_KEYS_MAX: usize = 40;
/// The longest value that a message carries, in characters.
const MESSAGE_VALUE_MAX: usize = 200;

/// A denial in the form that AWS's `DecodedMessage` has.
pub(crate) fn decoded_message(call: &Call<'_>, judgement: &Judgement) -> serde_json::Value {
    let mut context = Context::default();
    add_globals(call, &judgement.owner, &judgement.organizations, &mut context);
    let items: Vec<_> = judgement
        .context
        .iter()
        .chain(context.iter())
        .take(MESSAGE_KEYS_MAX)
        .map(|(key, values)| {
            let values: Vec<_> = values
                .iter()
                .map(|value| serde_json::json!({ "value": value.chars().take(MESSAGE_VALUE_MAX).collect::<String>() }))
                .collect();
            serde_json::json!({ "key": key, "values": { "items": values } })
        })
        .collect();
    serde_json::json!({
        "allowed": judgement.allowed,
        "explicitDeny": judgement.explicit_deny,
        "matchedStatements": { "items": [] },
        "failures": { "items": [] },
        "context": {
            "principal": { "id": &*call.identity.user_id, "arn": &*call.identity.arn },
            "action": judgement.action,
            "resource": judgement.resource,
            "conditions": { "items": items },
        },
    })
}
