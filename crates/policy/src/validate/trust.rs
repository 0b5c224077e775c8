//! Trust policies: who may assume a role, by which call and under which conditions.
//!
//! Source: IAM User Guide, "Create a role for OpenID Connect federation"; IAM Roles Anywhere User Guide, "Trust model".

use super::{
    Check, Issue,
    place::{Spot, Text},
    statement::Statement,
};
use crate::{
    context::Context,
    pattern::{Case, Pattern, Syntax},
};

const GITHUB: &str = "token.actions.githubusercontent.com";
const ANYWHERE: &str = "rolesanywhere.amazonaws.com";
const ANYWHERE_ACTIONS: [&str; 3] = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"];
/// Keys that only requests for another action hold.
const NEEDS: [(&str, &str); 4] = [
    ("sts:SourceIdentity", "sts:SetSourceIdentity"),
    ("sts:TransitiveTagKeys", "sts:TagSession"),
    ("aws:TagKeys", "sts:TagSession"),
    ("aws:RequestTag/", "sts:TagSession"),
];

/// The kinds of identity providers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    Saml,
    Oidc,
}

fn provider(name: &str) -> Option<Provider> {
    if name.contains(":saml-provider/") {
        return Some(Provider::Saml);
    }
    let host = |text: &str| text.contains('.') && !text.contains([':', ' ']);
    (name.contains(":oidc-provider/") || host(name)).then_some(Provider::Oidc)
}

impl Statement<'_> {
    /// Whether the statement is about the action.
    pub(super) fn speaks_of(&self, action: &str) -> bool {
        self.actions.as_ref().is_some_and(|actions| {
            let matched = actions.texts.iter().any(|text| {
                Pattern::compile(text.text, Syntax::WILDCARDS).matches(action, &Context::new(), Case::Folded)
            });
            matched != actions.negated
        })
    }
}

impl Check<'_> {
    pub(super) fn trust(&mut self, statement: &Statement<'_>) {
        let Some(principal) = &statement.principal else {
            return;
        };
        if principal.negated {
            self.report(
                Issue::RoleTrustPolicySyntaxErrorNotprincipal,
                &[&principal.spot],
                "A trust policy says who may assume the role: list them in Principal.",
            );
        }
        if principal.everyone && statement.allows == Some(true) {
            self.report(
                Issue::RoleTrustPolicyUnsupportedWildcardInPrincipal,
                &[&principal.spot],
                "A trust policy names those whom it trusts; \"*\" is everyone.",
            );
        }
        self.actions_fit(statement);
        self.federated(statement);
        self.sessions_of_roles(statement);
        for held in &statement.conditions {
            let needed = NEEDS.iter().find(|(key, _)| {
                held.key.eq_ignore_ascii_case(key)
                    || (key.ends_with('/') && super::starts_folded(held.key, key))
            });
            if let Some((_, action)) = needed.filter(|(_, action)| !statement.speaks_of(action)) {
                let details = format!("Only requests for {action} hold {}: add the action.", held.key);
                self.report(Issue::MissingActionForConditionKey, &[&held.key_spot], details);
            }
        }
    }

    /// What only the whole policy shows.
    pub(super) fn trust_whole(&mut self, statements: &[Statement<'_>]) {
        let about: Vec<&Statement<'_>> = statements
            .iter()
            .filter(|held| {
                held.allows == Some(true) && held.named("Service").any(|text| text.text == ANYWHERE)
            })
            .collect();
        let Some(first) = about.first() else { return };
        let missing: Vec<&str> = ANYWHERE_ACTIONS
            .into_iter()
            .filter(|action| !about.iter().any(|held| held.speaks_of(action)))
            .collect();
        if !missing.is_empty() {
            let details = format!("IAM Roles Anywhere needs {} too.", missing.join(" and "));
            let spot = first
                .actions
                .as_ref()
                .map_or(&first.spot, |actions| &actions.spot);
            self.report(Issue::MissingActionForRolesAnywhereTrustPolicy, &[spot], details);
        }
    }

    fn actions_fit(&mut self, statement: &Statement<'_>) {
        let Some(actions) = &statement.actions else { return };
        let Some(principal) = &statement.principal else {
            return;
        };
        for action in &actions.texts {
            let wanted = match action.text.to_ascii_lowercase().as_str() {
                "sts:assumerole" => None,
                "sts:assumerolewithsaml" => Some(Provider::Saml),
                "sts:assumerolewithwebidentity" => Some(Provider::Oidc),
                _ => continue,
            };
            let mut wrong: Vec<&str> = Vec::new();
            for held in &principal.named {
                let misfits = held.values.iter().filter(|value| {
                    let federated = (held.key == "Federated").then(|| provider(value.text));
                    match (wanted, federated) {
                        (None, federated) => federated.is_some(),
                        (Some(wanted), Some(Some(kind))) => wanted != kind,
                        // What it is cannot be told from its form, which is reported.
                        (Some(_), Some(None)) => false,
                        (Some(_), None) => true,
                    }
                });
                wrong.extend(misfits.map(|value| value.text));
            }
            if !wrong.is_empty() {
                let details = format!(
                    "{} cannot call {}: SAML providers go with sts:AssumeRoleWithSAML, OIDC providers with sts:AssumeRoleWithWebIdentity, both as Federated, and others with sts:AssumeRole.",
                    wrong.join(", "),
                    action.text
                );
                self.report(
                    Issue::MismatchedActionForPrincipal,
                    &[&action.spot, &principal.spot],
                    details,
                );
            }
        }
    }

    fn federated(&mut self, statement: &Statement<'_>) {
        for value in statement.named("Federated") {
            let Some(kind) = provider(value.text) else {
                self.report(
                    Issue::InvalidFederatedPrincipalSyntaxInRoleTrustPolicy,
                    &[&value.spot],
                    "An identity provider is named by the ARN of its SAML or OIDC provider, or by its domain.",
                );
                continue;
            };
            if kind == Provider::Oidc && statement.allows == Some(true) {
                self.oidc(statement, value);
            }
        }
    }

    fn oidc(&mut self, statement: &Statement<'_>, value: &Text<'_>) {
        let name = value
            .text
            .rsplit_once(":oidc-provider/")
            .map_or(value.text, |(_, name)| name);
        let of_provider = |key: &str| {
            super::starts_folded(key, name) && key.get(name.len()..).is_some_and(|rest| rest.starts_with(':'))
        };
        if name.eq_ignore_ascii_case(GITHUB) {
            self.github(statement, &value.spot);
        } else if !statement.conditions.iter().any(|held| of_provider(held.key)) {
            let details = format!(
                "Whoever {name} knows may assume the role: add a condition on its keys, such as {name}:aud and {name}:sub."
            );
            self.report(
                Issue::MissingConditionKeyForOidcPrincipal,
                &[&value.spot],
                details,
            );
        }
        for held in &statement.conditions {
            let audience = of_provider(held.key) && held.key.to_ascii_lowercase().ends_with(":aud");
            if audience && held.operator.starts_with("ForAnyValue:") {
                let details = format!(
                    "{} has a single value, for which ForAnyValue: may allow too much: remove it.",
                    held.key
                );
                self.report(
                    Issue::ForanyvalueWithAudienceClaimType,
                    &[&held.operator_spot],
                    details,
                );
            }
        }
    }

    /// GitHub issues tokens to every repository, so that the subject must say which may come.
    fn github(&mut self, statement: &Statement<'_>, spot: &Spot<'_>) {
        let subject = format!("{GITHUB}:sub");
        let mut tested = false;
        for held in statement
            .conditions
            .iter()
            .filter(|held| held.key.eq_ignore_ascii_case(&subject))
        {
            tested = true;
            for value in &held.values {
                // `repo:OWNER/NAME:…`
                let mut parts = value.text.splitn(3, ':').skip(1);
                let repository = parts.next().unwrap_or_default();
                let rest = parts.next().unwrap_or("*");
                if repository.contains(['*', '?']) || rest == "*" {
                    let details = format!(
                        "The wildcard in {subject} lets in more repositories or branches than one: name them."
                    );
                    self.report(
                        Issue::SpecificGithubRepoAndBranchRecommended,
                        &[&value.spot],
                        details,
                    );
                }
            }
        }
        if !tested {
            let details =
                format!("Every repository of GitHub may assume the role: add a condition on {subject}.");
            self.report(Issue::MissingGithubRepoConditionKey, &[spot], details);
        }
    }

    fn sessions_of_roles(&mut self, statement: &Statement<'_>) {
        use crate::{contain::entry::names_all, principal::Entry};

        let entries: Vec<(&Text<'_>, Entry)> = statement
            .named("AWS")
            .filter_map(|text| Some((text, Entry::aws(text.text)?)))
            .collect();
        for (text, entry) in entries
            .iter()
            .filter(|(text, _)| text.text.contains(":assumed-role/"))
        {
            let role = entries
                .iter()
                .find(|(held, outer)| held.text.contains(":role/") && names_all(outer, entry, false));
            if let Some((role, _)) = role {
                let details = format!(
                    "{} is a session of {}, which is listed: remove it.",
                    text.text, role.text
                );
                self.report(
                    Issue::RedundantPrincipalInRoleTrustPolicy,
                    &[&text.spot, &role.spot],
                    details,
                );
            }
        }
    }
}
