//! `ringwork policy diff`: what a changed policy newly allows and newly denies, over listed requests.

use std::path::Path;

use policy::{Attached, PolicyKind};
use serde::Serialize;

use super::file;
use super::judge::{Library, Policies, of_file};
use super::run::named;
use crate::error::Error;

/// A request whose verdict changes.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) request: String,
    pub(super) line: u64,
    /// The verdict by the new policy.
    pub(super) allowed: bool,
    /// AWS's words for the refusal, by the policy that refuses.
    pub(super) because: String,
}

#[derive(Serialize)]
struct Report {
    newly_allowed: Vec<Change>,
    newly_denied: Vec<Change>,
    unchanged: usize,
}

pub(super) fn run(old: &Path, new: &Path, requests: &Path, layer: &str, json: bool) -> Result<(), Error> {
    let kind = kind(layer)?;
    let (old, new) = (of_file(old, kind)?, of_file(new, kind)?);
    let (changes, unchanged) = changes(&old, &new, requests, kind)?;
    let (newly_allowed, newly_denied) = changes.into_iter().partition(|change| change.allowed);
    let report = Report {
        newly_allowed,
        newly_denied,
        unchanged,
    };
    if json {
        return crate::command::print_json(&report);
    }
    print("Newly allowed", &report.newly_allowed);
    print("Newly denied", &report.newly_denied);
    println!(
        "{} newly allowed, {} newly denied, {unchanged} unchanged",
        report.newly_allowed.len(),
        report.newly_denied.len()
    );
    Ok(())
}

fn print(title: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    println!("{title}:");
    for change in changes {
        println!("  {}", change.request);
        if !change.because.is_empty() {
            println!("    {}", change.because);
        }
    }
}

fn kind(layer: &str) -> Result<PolicyKind, Error> {
    Ok(match layer {
        "identity" => PolicyKind::Identity,
        "boundary" => PolicyKind::Boundary,
        "session" => PolicyKind::Session,
        "resource" => PolicyKind::Resource,
        "trust" => PolicyKind::Trust,
        "key" => PolicyKind::Key,
        "service-control" => PolicyKind::ServiceControl,
        "resource-control" => PolicyKind::ResourceControl,
        _ => return Err(Error::Usage(format!("{layer} is no layer of policies"))),
    })
}

/// The requests whose verdict changes, and how many stay as they are. The policy stands beside those of its layer that the
/// file gives, or in the place of the only one.
pub(super) fn changes(
    old: &Attached,
    new: &Attached,
    requests: &Path,
    kind: PolicyKind,
) -> Result<(Vec<Change>, usize), Error> {
    let read = file::read(requests)?;
    let mut library = Library::new(requests);
    let (mut changes, mut unchanged) = (Vec::new(), 0);
    for spanned in &read.tests {
        let mut judged = library.judged(&read, &spanned.value)?;
        let given = judged.policies.clone();
        let mut explain = |attached: &Attached| {
            judged.policies = given.clone();
            place(&mut judged.policies, attached.clone(), kind);
            judged.explain()
        };
        let (before, after) = (explain(old), explain(new));
        if before.decision.allowed == after.decision.allowed {
            unchanged += 1;
            continue;
        }
        let refused = if after.decision.allowed {
            before
        } else {
            after.clone()
        };
        changes.push(Change {
            request: named(&spanned.value),
            line: crate::seed::document::place(spanned).line,
            allowed: after.decision.allowed,
            because: refused.because,
        });
    }
    Ok((changes, unchanged))
}

fn place(policies: &mut Policies, attached: Attached, kind: PolicyKind) {
    match kind {
        PolicyKind::Identity => policies.identity.push(attached),
        PolicyKind::Boundary => policies.boundary = Some(attached),
        PolicyKind::Session => policies.session.get_or_insert_default().push(attached),
        PolicyKind::Resource | PolicyKind::Trust => policies.resource = Some(attached),
        PolicyKind::Key => policies.key = Some(attached),
        PolicyKind::Endpoint => policies.endpoint = Some(attached),
        // A further level of the organization: the policy limits beside those that are given.
        PolicyKind::ServiceControl => policies.service_control.push(vec![attached]),
        PolicyKind::ResourceControl => policies.resource_control.push(attached),
    }
}
