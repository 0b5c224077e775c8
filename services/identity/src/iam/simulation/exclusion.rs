//! `PolicyExclusionList`: what a simulation would say if attached policies were gone.
//!
//! Invariant: an identifier that fits nothing changes nothing; one that cannot be an identifier refuses the call.

use api::iam::fault::invalid_input_exception;
use api::iam::{InlinePolicyIdentifierType, PolicyIdentifier, PolicyIdentifierPolicyType, PolicySourceType};
use pipeline::Result;
use policy::Arn;

use super::input::Simulation;
use super::source::Place;

fn invalid(message: impl Into<String>) -> wire::Fault {
    invalid_input_exception(message.into())
}

/// Takes away what one identifier names.
pub(super) fn exclude(simulation: &mut Simulation, identifier: PolicyIdentifier) -> Result<()> {
    match (
        identifier.policy_type,
        identifier.policy_arn,
        identifier.inline_policy_identifier,
    ) {
        (Some(kind), None, None) => {
            by_type(simulation, kind);
            Ok(())
        }
        (None, Some(arn), None) => by_arn(simulation, &arn),
        (None, None, Some(inline)) => by_name(simulation, &inline),
        _ => Err(invalid(
            "A policy identifier is exactly one of PolicyType, PolicyArn and InlinePolicyIdentifier.",
        )),
    }
}

fn by_type(simulation: &mut Simulation, kind: PolicyIdentifierPolicyType) {
    use PolicyIdentifierPolicyType as Type;
    let identity = &mut simulation.identity;
    match kind {
        Type::Inline => identity.retain(|held| !matches!(held.place, Place::Inline(..))),
        Type::AwsManaged => identity.retain(|held| held.kind != PolicySourceType::AwsManaged),
        Type::UserManaged => identity.retain(|held| held.kind != PolicySourceType::UserManaged),
        Type::PermissionBoundary => simulation.boundary = None,
        Type::Scp => simulation.service_control.clear(),
        Type::Rcp => {}
    }
}

fn by_arn(simulation: &mut Simulation, pattern: &str) -> Result<()> {
    let malformed = || invalid(format!("{pattern} is not a valid policy ARN."));
    let arn = Arn::parse(pattern).ok_or_else(malformed)?;
    let name = arn.resource().strip_prefix("policy/").ok_or_else(malformed)?;
    let head = pattern.strip_suffix(name).ok_or_else(malformed)?;
    if arn.service() != "iam" || head.contains(['*', '?']) {
        return Err(malformed());
    }
    check_wildcards(name)?;
    simulation.identity.retain(
        |held| !matches!(&held.place, Place::Managed(arn) if arn.strip_prefix(head).is_some_and(|held| fits(name, held))),
    );
    let boundary = simulation.boundary.take();
    simulation.boundary = boundary.filter(|held| {
        let excluded = held
            .origin
            .strip_prefix(head)
            .is_some_and(|held| fits(name, held));
        !excluded
    });
    Ok(())
}

fn by_name(simulation: &mut Simulation, inline: &InlinePolicyIdentifierType) -> Result<()> {
    check_wildcards(&inline.attachment_name)?;
    simulation.identity.retain(|held| match &held.place {
        Place::Inline(kind, owner) => {
            *kind != inline.attachment_type
                || held.id != inline.policy_name
                || !fits(&inline.attachment_name, owner)
        }
        Place::Managed(_) | Place::Given => true,
    });
    Ok(())
}

fn check_wildcards(name: &str) -> Result<()> {
    if name.is_empty() || name.matches('*').count() > 1 {
        return Err(invalid(format!("{name} has more than one * or nothing in it.")));
    }
    Ok(())
}

/// One `*` at most, and any number of `?`.
fn fits(pattern: &str, text: &str) -> bool {
    let same = |pattern: &str, text: &str| {
        pattern.chars().count() == text.chars().count()
            && pattern
                .chars()
                .zip(text.chars())
                .all(|(wanted, held)| wanted == '?' || wanted == held)
    };
    let Some((head, tail)) = pattern.split_once('*') else {
        return same(pattern, text);
    };
    let letters: Vec<char> = text.chars().collect();
    let (first, last) = (head.chars().count(), tail.chars().count());
    if letters.len() < first + last {
        return false;
    }
    let begin: String = letters.iter().take(first).collect();
    let end: String = letters.iter().skip(letters.len() - last).collect();
    same(head, &begin) && same(tail, &end)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn wildcards_stand_for_letters() {
        for (pattern, text, wanted) in [
            ("Read*", "ReadOnly", true),
            ("*Only", "ReadOnly", true),
            ("R?ad*y", "ReadOnly", true),
            ("Read*Read", "Read", false),
            ("Read", "ReadOnly", false),
            ("????", "Read", true),
        ] {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
