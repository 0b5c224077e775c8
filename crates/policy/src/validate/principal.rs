//! Principals: the form of the element, and whom it may name.
//!
//! Source: IAM User Guide, "AWS JSON policy elements: Principal".

use super::{
    Check, Issue, PolicyType, nearest,
    place::{Spot, Text},
    starts_folded,
    statement::{Principal, Principals, Statement},
};
use crate::json::{Member, Value};

const KEYS: [&str; 4] = ["AWS", "CanonicalUser", "Federated", "Service"];
/// How the names of services end.
const SERVICE_ENDS: [&str; 4] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazon.com",
    ".aws.internal",
];
/// Keys that say on whose behalf a service comes.
pub(super) const SOURCE_KEYS: [&str; 4] = [
    "aws:SourceArn",
    "aws:SourceAccount",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
];
/// Keys that a service's own requests do not have.
const PRINCIPAL_KEYS: [&str; 4] = [
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:userid",
    "aws:username",
];

impl<'a> Statement<'a> {
    /// The names of a principal key.
    pub(super) fn named(&self, key: &str) -> impl Iterator<Item = &Text<'a>> {
        let all = self.principal.iter().flat_map(|principal| &principal.named);
        all.filter(move |held| held.key == key)
            .flat_map(|held| &held.values)
    }

    /// Whether a condition tests the key.
    pub(super) fn tests(&self, key: &str) -> bool {
        self.conditions
            .iter()
            .any(|held| held.key.eq_ignore_ascii_case(key))
    }
}

impl Check<'_> {
    pub(super) fn principal<'a>(&mut self, spot: &Spot<'a>, member: &'a Member) -> Principal<'a> {
        let at = spot.value(member);
        let mut principal = Principal {
            negated: member.name == "NotPrincipal",
            spot: at.clone(),
            everyone: false,
            named: Vec::new(),
        };
        let members = match &member.node.value {
            Value::String(text) if text == "*" => {
                principal.everyone = true;
                return principal;
            }
            Value::Object(members) => members,
            _ => {
                self.report(
                    Issue::InvalidPrincipalFormat,
                    &[&at],
                    "A principal element is \"*\" or an object such as {\"AWS\": \"111122223333\"}.",
                );
                return principal;
            }
        };
        if members.is_empty() {
            let details = "The principal element names nobody, so that the statement has no effect.";
            self.report(Issue::EmptyObjectPrincipal, &[&at], details);
        }
        for member in members {
            let values = self.texts(&at.value(member));
            if matches!(&member.node.value, Value::Array(nodes) if nodes.is_empty()) {
                let details = "The list of principals is empty, so that the statement has no effect.";
                self.report(Issue::EmptyArrayPrincipal, &[&at.value(member)], details);
            }
            if !KEYS.contains(&member.name.as_str()) {
                let near = nearest(&member.name, KEYS.into_iter());
                let hint = near.map_or_else(String::new, |near| format!(" Perhaps {near} is meant."));
                let details = format!(
                    "{} is no key of principals; keys are {}.{hint}",
                    member.name,
                    KEYS.join(", ")
                );
                self.report(Issue::InvalidPrincipalKey, &[&at.key(member)], details);
                continue;
            }
            principal.everyone |= member.name == "AWS" && values.iter().any(|value| value.text == "*");
            principal.named.push(Principals {
                key: &member.name,
                values,
            });
        }
        principal
    }

    pub(super) fn check_principal(&mut self, statement: &Statement<'_>, trust: bool) {
        let Some(principal) = &statement.principal else {
            return;
        };
        for held in &principal.named {
            for value in &held.values {
                self.no_variables(value);
                self.check_name(held.key, value);
            }
        }
        if self.policy_type != PolicyType::Resource {
            return;
        }
        let about_sts = statement.actions.as_ref().is_some_and(|held| {
            let actions = &held.texts;
            actions
                .iter()
                .any(|action| action.text == "*" || starts_folded(action.text, "sts:"))
        });
        if !trust && !about_sts {
            for value in statement.named("Federated") {
                self.report(
                    Issue::FederatedPrincipalNotSupported,
                    &[&value.spot],
                    "Identity providers are named in the trust policies of roles only.",
                );
            }
        }
        self.service_principals(statement, trust);
    }

    fn check_name(&mut self, key: &str, value: &Text<'_>) {
        let text = value.text;
        if text.contains(['*', '?']) && !(key == "AWS" && text == "*") {
            let details =
                format!("The principal key {key} takes no part with wildcards: write the whole name.");
            self.report(Issue::UnsupportedWildcardInPrincipal, &[&value.spot], details);
            return;
        }
        let unique = text.len() > 15
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        match key {
            "AWS" if unique && text.starts_with("AROA") => {
                let details =
                    format!("{text} is the id of a role, which means a role that may be gone: name its ARN.");
                self.report(Issue::InvalidRoleReference, &[&value.spot], details);
            }
            "AWS" if unique && text.starts_with("AIDA") => {
                let details =
                    format!("{text} is the id of a user, which means a user that may be gone: name its ARN.");
                self.report(Issue::InvalidUserReference, &[&value.spot], details);
            }
            "Service" if !is_service(text) => {
                self.report(
                    Issue::InvalidServicePrincipalFormat,
                    &[&value.spot],
                    SERVICE_FORMAT,
                );
            }
            _ => {}
        }
    }

    fn service_principals(&mut self, statement: &Statement<'_>, trust: bool) {
        let services: Vec<&Text<'_>> = statement.named("Service").collect();
        let Some(first) = services.first() else { return };
        let negated = statement
            .principal
            .as_ref()
            .is_some_and(|principal| principal.negated);
        if negated || statement.allows != Some(true) {
            return;
        }
        let bound = SOURCE_KEYS.into_iter().any(|key| statement.tests(key));
        if !bound && !trust {
            let spots: Vec<_> = services.iter().map(|text| &text.spot).collect();
            self.report(
                Issue::RestrictAccessToServicePrincipal,
                &spots,
                format!(
                    "The service may come on behalf of anyone: say for whom, by a condition on {}.",
                    SOURCE_KEYS.join(", ")
                ),
            );
        }
        let prefix = first.text.split('.').next().unwrap_or_default();
        for held in &statement.conditions {
            if held.key.eq_ignore_ascii_case("aws:Referer")
                || held.key.eq_ignore_ascii_case("aws:SourceOwner")
            {
                let details = format!(
                    "On whose behalf {prefix} comes is told by {}, not by {}.",
                    SOURCE_KEYS.join(", "),
                    held.key
                );
                self.report(
                    Issue::RecommendedConditionKeyForServicePrincipal,
                    &[&held.key_spot],
                    details,
                );
            }
        }
        let only_services = statement.principal.as_ref().is_some_and(|principal| {
            !principal.everyone && principal.named.iter().all(|held| held.key == "Service")
        });
        let absent = statement.conditions.iter().filter(|held| {
            let key = PRINCIPAL_KEYS
                .iter()
                .any(|key| key.eq_ignore_ascii_case(held.key))
                || starts_folded(held.key, "aws:PrincipalTag/");
            key && !held.operator.ends_with("IfExists") && !held.operator.ends_with("Null")
        });
        let absent: Vec<_> = absent.collect();
        if only_services && !absent.is_empty() {
            let keys: Vec<&str> = absent.iter().map(|held| held.key).collect();
            let details = format!(
                "Requests of services do not have these condition keys: {}.",
                keys.join(", ")
            );
            let spots: Vec<_> = absent.iter().map(|held| &held.key_spot).collect();
            self.report(Issue::UnsupportedConditionKeyForServicePrincipal, &spots, details);
        }
    }
}

pub(super) const SERVICE_FORMAT: &str = "A service is named in small letters as service-name.amazonaws.com.";

/// Whether a text has the form of a service's name.
pub(super) fn is_service(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_');
    let name = SERVICE_ENDS.iter().find_map(|end| text.strip_suffix(end));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(plain))
}
