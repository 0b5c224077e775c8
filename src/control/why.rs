//! `GET /_ringwork/why?id=…`: the recorded call and the derivation of its decisions. `POST /_ringwork/why`: the same for a
//! request that is only described.

use std::collections::BTreeMap;

use http::StatusCode;
use identity::iam::directory::described as principals;
use pipeline::described::{self, Described};
use pipeline::why::{self, Explained, Explanation};
use pipeline::{Look, ResourcePolicies};
use policy::{Arn, Context};
use serde::{Deserialize, Serialize};

use super::{Control, Refusal, Result};

/// A described request: who does what, on what, with which condition keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    #[serde(rename = "as")]
    pub(crate) caller: String,
    #[serde(rename = "do")]
    pub(crate) action: String,
    #[serde(rename = "on")]
    pub(crate) resource: String,
    #[serde(default)]
    pub(crate) with: BTreeMap<String, Vec<String>>,
}

/// The verdict on it, in the form of a recorded call's.
#[derive(Serialize)]
pub(super) struct Verdict {
    described: Question,
    decisions: Vec<Explained>,
}

impl Control {
    pub(super) fn why(&self, id: String) -> Result<Explanation> {
        Ok(self.gateway.system("us-east-1", |call| why::explain(call, &id))?)
    }

    pub(super) fn why_described(&self, body: &[u8]) -> Result<Verdict> {
        let question: Question =
            serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        let region = checked(&question.action, &question.resource)?;
        let judged = self.gateway.system(&region, |call| judge(call, &question))?;
        let Some(explained) = judged else {
            let message = format!(
                "{} is no user, role, session or root user of this Ringwork.",
                question.caller
            );
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        };
        Ok(Verdict {
            described: question,
            decisions: vec![explained],
        })
    }
}

/// Refuses what is no action or no resource; the region that the resource is in.
pub(super) fn checked(action: &str, resource: &str) -> Result<String> {
    let named = action
        .split_once(':')
        .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty() && !name.contains('*'));
    if !named {
        return Err(Refusal::bad(format!(
            "{action} is no action: it must be SERVICE:OPERATION."
        )));
    }
    let arn = Arn::parse(resource);
    if arn.is_none() && resource != "*" {
        return Err(Refusal::bad(format!("{resource} is no ARN.")));
    }
    let region = arn.as_ref().map(Arn::region).filter(|region| !region.is_empty());
    Ok(region.unwrap_or("us-east-1").to_owned())
}

fn judge(look: &mut Look<'_>, question: &Question) -> pipeline::Result<Option<Explained>> {
    let Some(identity) = principals::identity(look, &question.caller)? else {
        return Ok(None);
    };
    let (policies, mut conditions) = resource(look, &question.resource, &question.action)?;
    if conditions.get("kms:CallerAccount").is_some() {
        conditions.insert("kms:CallerAccount", identity.account.to_string());
    }
    let owner = Arn::parse(&question.resource).map(|arn| arn.account().to_owned());
    let owner = owner
        .filter(|account| !account.is_empty())
        .unwrap_or_else(|| identity.account.to_string());
    let described = Described {
        identity: &identity,
        action: &question.action,
        resource: &question.resource,
        owner: &owner,
        policies,
        conditions,
        given: &question.with,
    };
    described::judge(look, described).map(Some)
}

/// What the resource says itself. One that is not here says nothing.
pub(super) fn resource(
    look: &mut Look<'_>,
    resource: &str,
    action: &str,
) -> pipeline::Result<(ResourcePolicies, Context)> {
    if let Some(found) = principals::resource(look, resource, action)? {
        return Ok(found);
    }
    if let Some(found) = keys::kms::described::resource(look, resource)? {
        return Ok(found);
    }
    let mut context = Context::default();
    let Some(arn) = Arn::parse(resource) else {
        return Ok((ResourcePolicies::None, context));
    };
    for inventory in look.inventories().to_vec() {
        if let Some(found) = (inventory.find)(look, &arn)? {
            for (key, value) in found.tags {
                context.insert(format!("aws:ResourceTag/{key}"), value);
            }
            return Ok((found.policies, context));
        }
    }
    Ok((ResourcePolicies::None, context))
}
