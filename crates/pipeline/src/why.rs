//! Why a recorded call was allowed or refused: the decision made again, from the policies as they were.
//!
//! Invariant: only the record and the kept texts are read, never today's policies, so the answer stays true.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{Attached, Derivation, Grant, Layers, Policy, Principal, Request, Suggestion};
use serde::Serialize;
use wire::{Fault, Timestamp};

use crate::authorize::{self, Gathered, Globals, LayerName};
use crate::call::Look;
use crate::identity::{IdentityType, PrincipalPolicies};
use crate::kept::{KEPT, KeptPolicy, kind_of};
use crate::ledger::record::{Caller, Judged, PolicyReference, Record};
use crate::ledger::{Attribute, scan};
use crate::operation::Result;
use crate::replay;

/// A record with the derivation of each of its decisions.
#[derive(Serialize)]
pub struct Explanation {
    pub record: Record,
    pub decisions: Vec<Explained>,
}

/// One decision of the call.
#[derive(Serialize)]
pub struct Explained {
    pub derivation: Derivation,
    /// The ladder as text, for people.
    pub ladder: String,
    /// For a denial, the smallest change that would allow it.
    pub suggestion: Option<Suggestion>,
    /// The same as text, for people.
    pub advice: Option<String>,
}

/// Explains the call with a request (or event) id, wherever it was recorded.
///
/// # Errors
/// A validation fault if no record bears the id; the store's as internal faults.
pub fn explain(look: &mut Look<'_>, id: &str) -> Result<Explanation> {
    let record = find(look, id)?;
    let record = record
        .ok_or_else(|| Fault::validation(format!("The ledger has no call with the request id {id}.")))?;
    let mut decisions = Vec::with_capacity(record.judgements.len());
    for judged in &record.judgements {
        decisions.push(explain_one(look, &record, judged)?);
    }
    Ok(Explanation { record, decisions })
}

fn find(look: &mut Look<'_>, id: &str) -> Result<Option<Record>> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let streams = look.streams(after.as_deref())?;
        let Some(last) = streams.last() else {
            return Ok(None);
        };
        after = Some(last.clone());
        for stream in &streams {
            let name = String::from_utf8_lossy(stream);
            let Some((account, region)) = name.split_once('/') else {
                continue;
            };
            for attribute in [Attribute::RequestId, Attribute::EventId] {
                if let Some(record) = scan::by_id(look, account, region, attribute, id)? {
                    return Ok(Some(record));
                }
            }
        }
    }
}

fn explain_one(look: &mut Look<'_>, record: &Record, judged: &Judged) -> Result<Explained> {
    let encryption_context = authorize::encryption_context(&judged.context);
    let gathered = gather(judged, encryption_context, |reference| {
        let kept = look.get(&KEPT, reference.digest.as_str())?;
        attached(reference, kept.as_deref())
    })?;
    Ok(replay::judge(record, judged, &gathered, Explained::of))
}

/// A policy as it was kept, parsed for its layer.
pub(crate) fn attached(reference: &PolicyReference, kept: Option<&KeptPolicy>) -> Result<Attached> {
    let kept = kept.ok_or_else(|| {
        Fault::internal(format!(
            "the text of policy {} is lost",
            reference.digest.as_str()
        ))
    })?;
    let kind = if kept.trust {
        policy::PolicyKind::Trust
    } else {
        kind_of(reference.layer)
    };
    let policy = Policy::parse(&kept.text, kind).map_err(Fault::internal)?;
    Ok(Attached::new(Arc::new(policy), kept.origin.as_str()))
}

impl Explained {
    /// The decision on a request, explained.
    pub(crate) fn of(request: &Request<'_>, layers: &Layers<'_>) -> Self {
        let derivation = policy::explain(request, layers);
        let suggestion = if derivation.decision.allowed {
            None
        } else {
            policy::suggest(request, layers)
        };
        let advice = suggestion.as_ref().map(ToString::to_string);
        Self {
            ladder: derivation.to_string(),
            derivation,
            suggestion,
            advice,
        }
    }
}

/// The layers of a decision, from the texts that were kept of them.
pub(crate) fn gather(
    judged: &Judged,
    encryption_context: BTreeMap<String, String>,
    mut attached: impl FnMut(&PolicyReference) -> Result<Attached>,
) -> Result<Gathered> {
    let mut gathered = Gathered {
        encryption_context,
        ..Gathered::default()
    };
    let mut key = None;
    for reference in &judged.policies {
        let policy = attached(reference)?;
        place(&mut gathered, &mut key, reference.layer, reference.level, policy);
    }
    if let Some(policy) = key {
        let grants: Vec<Grant> = judged.grants.iter().map(grant).collect();
        gathered.key = Some((policy, grants.into()));
    }
    if judged.session_limited && gathered.principal.session.is_none() {
        gathered.principal.session = Some(Vec::new());
    }
    Ok(gathered)
}

fn place(
    gathered: &mut Gathered,
    key: &mut Option<Attached>,
    layer: LayerName,
    level: usize,
    attached: Attached,
) {
    let PrincipalPolicies {
        identity,
        boundary,
        session,
        service_control,
        unbound: _,
    } = &mut gathered.principal;
    match layer {
        LayerName::ResourceControl => gathered.resource_control.push(attached),
        LayerName::ServiceControl => {
            if service_control.len() <= level {
                service_control.resize_with(level + 1, Vec::new);
            }
            if let Some(policies) = service_control.get_mut(level) {
                policies.push(attached);
            }
        }
        LayerName::Resource => gathered.resource = Some(attached),
        LayerName::Key => *key = Some(attached),
        LayerName::Identity => identity.push(attached),
        LayerName::Boundary => *boundary = Some(attached),
        LayerName::Session => session.get_or_insert_default().push(attached),
    }
}

fn grant(facts: &serde_json::Value) -> Grant {
    let text = |name: &str| {
        facts
            .get(name)
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
    };
    let pairs = |name: &str| {
        facts
            .get(name)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
    };
    let operations = facts
        .get("operations")
        .and_then(|value| serde_json::from_value(value.clone()).ok());
    Grant {
        id: text("id").unwrap_or_default(),
        grantee: text("grantee").unwrap_or_default(),
        operations: operations.unwrap_or_default(),
        context_equals: pairs("equals"),
        context_subset: pairs("subset"),
        source_arn: text("sourceArn"),
    }
}

pub(crate) fn globals<'a>(record: &'a Record, judged: &'a Judged) -> Globals<'a> {
    let caller = &record.caller;
    let session = caller.session.as_ref();
    let issuer = session.and_then(|session| session.issuer.as_ref());
    let role = issuer.filter(|_| caller.kind == IdentityType::AssumedRole);
    Globals {
        kind: caller.kind,
        principal_arn: role.map_or(&caller.arn, |issuer| &issuer.arn),
        principal_account: &caller.account,
        user_id: &caller.principal_id,
        user_name: caller.user_name.as_deref(),
        tags: &caller.tags,
        session_issued: session.map(|session| session.issued),
        mfa: session.and_then(|session| session.mfa),
        source_identity: session.and_then(|session| session.source_identity.as_deref()),
        federated_provider: session
            .and_then(|session| session.federated_provider.as_deref())
            .or_else(|| vouched(caller.kind).then_some(caller.arn.as_str())),
        assumed_root: session.is_some_and(|session| session.assumed_root),
        source_ip: &record.source_ip,
        user_agent: record.user_agent.as_deref(),
        secure: record.tls.is_some(),
        now: Timestamp(record.time),
        region: &record.region,
        resource_account: &judged.owner,
        organizations: &judged.organizations,
    }
}

pub(crate) fn principal(caller: &Caller) -> Principal {
    let account = caller.account.clone();
    let issuer = caller
        .session
        .as_ref()
        .and_then(|session| session.issuer.as_ref());
    let issuer_arn = issuer.map(|issuer| issuer.arn.clone()).unwrap_or_default();
    match caller.kind {
        IdentityType::Root => Principal::Root { account },
        IdentityType::IamUser => Principal::User {
            arn: caller.arn.clone(),
            account,
            id: caller.principal_id.clone(),
        },
        IdentityType::AssumedRole => Principal::AssumedRole {
            arn: caller.arn.clone(),
            role_arn: issuer_arn,
            account,
            role_id: issuer
                .map(|issuer| issuer.principal_id.clone())
                .unwrap_or_default(),
        },
        IdentityType::FederatedUser => Principal::FederatedUser {
            arn: caller.arn.clone(),
            account,
            user_arn: issuer_arn,
        },
        IdentityType::AwsService => Principal::Service {
            name: caller.arn.clone(),
        },
        IdentityType::WebIdentityUser | IdentityType::SamlUser => Principal::Federated {
            provider: caller.arn.clone(),
        },
        IdentityType::AwsAccount | IdentityType::Unknown => Principal::Anonymous,
    }
}

/// An identity provider vouched for the caller, who held no credentials.
const fn vouched(kind: IdentityType) -> bool {
    matches!(kind, IdentityType::WebIdentityUser | IdentityType::SamlUser)
}
