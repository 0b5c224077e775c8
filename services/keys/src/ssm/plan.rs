//! What parameter policies do when their time has come: the expiration deletes, the notifications tell (S10.7).
//!
//! Invariant: a parameter's jobs are planned and unplanned in the transaction that changes it, so that no job acts on a version
//! other than the one it was planned for.

use pipeline::jobs::JobId;
use pipeline::{Call, Resource, Result};
use serde_json::{Value, json};
use wire::Timestamp;

use crate::ssm::parameter::{Named, Version};
use crate::ssm::policies::{Policy, Rule};

/// The job that deletes an expired parameter.
pub(crate) const EXPIRATION: &str = "ssm.Expiration";
/// The job that tells of an expiration to come.
pub(crate) const EXPIRATION_NOTIFICATION: &str = "ssm.ExpirationNotification";
/// The job that tells of a parameter that nobody has changed.
pub(crate) const NO_CHANGE_NOTIFICATION: &str = "ssm.NoChangeNotification";

/// Plans what the policies of a version ask for and is not done yet.
pub(crate) fn plan(call: &mut Call<'_>, name: &str, version: &Version) -> Result<Vec<JobId>> {
    let expiration = version.policies.iter().find_map(|policy| match policy.rule {
        Rule::Expiration(time) => Some(time),
        _ => None,
    });
    let mut jobs = Vec::new();
    for (place, policy) in version.policies.iter().enumerate() {
        let (kind, due) = match policy.rule {
            Rule::Expiration(time) => (EXPIRATION, time),
            Rule::ExpirationNotification(before) => {
                (EXPIRATION_NOTIFICATION, expiration.unwrap_or_default() - before)
            }
            Rule::NoChangeNotification(after) => (NO_CHANGE_NOTIFICATION, version.modified + after),
        };
        if !policy.finished {
            let payload = json!({ "name": name, "policy": place });
            jobs.push(call.schedule(kind, Timestamp(due.max(call.now.0)), payload)?);
        }
    }
    Ok(jobs)
}

/// The parameter and policy that a job was planned for.
fn planned(call: &mut Call<'_>, payload: &Value) -> Result<Option<(Named, usize, Policy)>> {
    let name = payload.get("name").and_then(Value::as_str).unwrap_or_default();
    let named = Named::exactly(call, name)?;
    let place = payload.get("policy").and_then(Value::as_u64);
    let place = place
        .and_then(|place| usize::try_from(place).ok())
        .unwrap_or_default();
    let policy = named
        .present
        .as_ref()
        .and_then(|parameter| parameter.newest.policies.get(place))
        .cloned();
    Ok(policy.map(|policy| (named, place, policy)))
}

/// Says what happened, with the members that EventBridge's "Parameter Store Policy Action" has.
fn tell(call: &mut Call<'_>, named: &Named, policy: &Policy) {
    call.mention(named.arn(), named.account(), Named::TYPE);
    call.add_event_data("parameterName", named.name.clone());
    call.add_event_data("policyType", policy.kind());
    call.add_event_data("policyContent", policy.text.clone());
}

/// Deletes a parameter that has expired.
pub(crate) fn expire(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let Some((named, _, policy)) = planned(call, payload)? else {
        return Ok(());
    };
    tell(call, &named, &policy);
    named.remove(call)
}

/// Records that a parameter is about to expire, or has not changed.
pub(crate) fn notify(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let Some((named, place, policy)) = planned(call, payload)? else {
        return Ok(());
    };
    tell(call, &named, &policy);
    let mut parameter = (*named.parameter()?).clone();
    if let Some(policy) = parameter.newest.policies.get_mut(place) {
        policy.finished = true;
    }
    named.keep(call, parameter)
}
