//! A recorded call of Ringwork's own ledger, whose decisions are made again from the policies that were kept of them, with the changed
//! ones in their place. Nothing is unknown here.

use pipeline::authorize::Gathered;
use pipeline::ledger::record::{self, Record};
use pipeline::replay::{self, Kept};
use policy::{Attached, PolicyKind};

use super::change::{Changes, Named, find, glob};
use super::verdict::{Judged, Verdict, described};

/// Judges one record; `None` for what no decision was made of.
pub(super) fn judge(record: &Record, kept: &mut Kept, changes: &Changes) -> pipeline::Result<Option<Judged>> {
    let Some(first) = record.judgements.first() else {
        return Ok(None);
    };
    let acting = acting(record);
    let mut judged = Judged {
        principal: acting.to_owned(),
        action: first.action.clone(),
        verdict: Verdict::Unchanged,
    };
    let allowed = record.judgements.iter().all(|one| one.allowed);
    let mut last = String::new();
    for one in &record.judgements {
        let mut gathered = kept.gathered(one)?;
        replace(&mut gathered, record, one, acting, changes);
        let (now_allowed, because) = replay::judge(record, one, &gathered, |request, layers| {
            let decision = policy::decide(request, layers);
            let because = (decision.allowed != one.allowed).then(|| described(&decision, layers));
            (decision.allowed, because)
        });
        if !now_allowed {
            if allowed {
                judged.action.clone_from(&one.action);
                judged.verdict = Verdict::NewlyDenied(because.unwrap_or_default());
            }
            return Ok(Some(judged));
        }
        if let Some(because) = because {
            judged.action.clone_from(&one.action);
            last = because;
        }
    }
    if !allowed {
        // What the call would have asked for behind its denial is not known, but that denial is gone.
        judged.verdict = Verdict::NewlyAllowed(last);
    }
    Ok(Some(judged))
}

/// The ARN that policies are attached to.
fn acting(record: &Record) -> &str {
    let caller = &record.caller;
    let issuer = caller
        .session
        .as_ref()
        .and_then(|session| session.issuer.as_ref());
    issuer.map_or(&caller.arn, |issuer| &issuer.arn)
}

fn replace(
    gathered: &mut Gathered,
    record: &Record,
    judged: &record::Judged,
    acting: &str,
    changes: &Changes,
) {
    let account = &record.caller.account;
    let own: Vec<Attached> = find(&changes.identity, acting).cloned().collect();
    let principal = &mut gathered.principal;
    if !own.is_empty() {
        principal.identity = own;
    }
    for attached in &mut principal.identity {
        managed(&changes.identity, attached);
    }
    if let Some(boundary) = find(&changes.boundary, acting).next() {
        principal.boundary = Some(boundary.clone());
    } else if let Some(attached) = &mut principal.boundary {
        managed(&changes.boundary, attached);
    }
    let control: Vec<Attached> = find(&changes.service_control, account).cloned().collect();
    if control.iter().any(|held| &*held.origin != "FullAWSAccess") {
        principal.service_control.push(control);
    }
    let owned: Vec<Attached> = find(&changes.resource_control, &judged.owner).cloned().collect();
    if owned.iter().any(|held| &*held.origin != "RCPFullAWSAccess") {
        gathered.resource_control.extend(owned);
    }
    if let Some(resource) = find(&changes.resource, &judged.resource).next() {
        let trusting = resource.policy.kind() != PolicyKind::Trust || judged.action.starts_with("sts:");
        match &mut gathered.key {
            Some((policy, _)) => *policy = resource.clone(),
            None if trusting => gathered.resource = Some(resource.clone()),
            None => {}
        }
    }
}

/// Puts the changed version of a managed policy in its place.
fn managed(changes: &Named, attached: &mut Attached) {
    let changed = changes
        .iter()
        .find(|(arn, _)| arn.contains(":policy/") && glob(arn.as_bytes(), attached.origin.as_bytes()));
    if let Some((_, policy)) = changed {
        *attached = policy.clone();
    }
}
