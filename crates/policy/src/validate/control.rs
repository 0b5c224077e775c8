//! Resource control policies: the little that they may say, and the conditions that keep services working.
//!
//! Source: AWS Organizations User Guide, "Resource control policies", "RCP syntax".

use super::{Check, Issue, starts_folded, statement::Statement};

const OF_CALLERS: [&str; 5] = [
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalTag/",
];
const OF_SERVICES: [&str; 4] = [
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
];

impl Check<'_> {
    pub(super) fn resource_control(&mut self, statement: &Statement<'_>) {
        if let Some(principal) = &statement.principal
            && (principal.negated || !principal.everyone || !principal.named.is_empty())
        {
            self.report(
                Issue::RcpSyntaxErrorPrincipal,
                &[&principal.spot],
                "A resource control policy is about everyone: Principal must be \"*\", and NotPrincipal is not known.",
            );
        }
        let Some(actions) = &statement.actions else { return };
        if actions.negated {
            let details = "A resource control policy has no NotAction: list in Action what it is about.";
            self.report(Issue::RcpSyntaxErrorNotaction, &[&actions.spot], details);
        }
        if statement.allows == Some(true) {
            self.allowing(statement);
            return;
        }
        for action in &actions.texts {
            let prefix = action
                .text
                .split(':')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            if !crate::control::rcp_reaches(&prefix) {
                let details = format!(
                    "Resource control policies bind no resources of {prefix}: name an action of a service that they bind."
                );
                self.report(Issue::RcpSyntaxErrorAction, &[&action.spot], details);
            }
        }
        self.related(statement);
    }

    fn allowing(&mut self, statement: &Statement<'_>) {
        let all = statement.resources.as_ref().is_some_and(|resources| {
            !resources.negated && resources.texts.iter().all(|text| text.text == "*")
        });
        if !all || !statement.conditions.is_empty() {
            self.report(
                Issue::RcpSyntaxErrorAllow,
                &[&statement.spot],
                "A resource control policy that allows does so for all principals and all resources (\"*\"), without conditions.",
            );
        }
    }

    /// Requests of services lack what the keys of callers tell, and the other way round, so that a denial must say which are meant.
    fn related(&mut self, statement: &Statement<'_>) {
        let is_service = |wanted: &str| {
            statement.conditions.iter().any(|held| {
                held.key.eq_ignore_ascii_case("aws:PrincipalIsAWSService")
                    && held
                        .values
                        .iter()
                        .any(|value| value.text.eq_ignore_ascii_case(wanted))
            })
        };
        let of = |key: &str, keys: &[&str]| {
            let same = |known: &str| {
                key.eq_ignore_ascii_case(known) || (known.ends_with('/') && starts_folded(key, known))
            };
            keys.iter().any(|known| same(known))
        };
        let present = statement.conditions.iter().any(|held| {
            held.operator == "Null"
                && ["aws:SourceAccount", "aws:SourceArn"]
                    .iter()
                    .any(|key| key.eq_ignore_ascii_case(held.key))
                && held
                    .values
                    .iter()
                    .any(|value| value.text.eq_ignore_ascii_case("false"))
        });
        for held in &statement.conditions {
            if held.operator == "Null" {
                continue;
            }
            if of(held.key, &OF_CALLERS) && !is_service("false") {
                let details = format!(
                    "Services that act for you have no {}, and the statement may deny them: add \"BoolIfExists\": {{\"aws:PrincipalIsAWSService\": \"false\"}}.",
                    held.key
                );
                self.report(
                    Issue::RcpMissingRelatedPrincipalConditionKey,
                    &[&held.key_spot],
                    details,
                );
            }
            if of(held.key, &OF_SERVICES) && !is_service("true") {
                let details = format!(
                    "Your own users and roles have no {}, and the statement may deny them: add \"BoolIfExists\": {{\"aws:PrincipalIsAWSService\": \"true\"}}.",
                    held.key
                );
                self.report(
                    Issue::RcpMissingRelatedServicePrincipalConditionKey,
                    &[&held.key_spot],
                    details,
                );
            }
            if of(held.key, &["aws:SourceOrgID", "aws:SourceOrgPaths"]) && !present {
                let details = format!(
                    "Some services come without {}, and the statement may deny them: add \"Null\": {{\"aws:SourceAccount\": \"false\"}}, or the same with aws:SourceArn.",
                    held.key
                );
                self.report(
                    Issue::RcpMissingServiceConditionKeyNullCheck,
                    &[&held.key_spot],
                    details,
                );
            }
        }
    }
}
