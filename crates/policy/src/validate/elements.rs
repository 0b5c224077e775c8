//! The document as a whole: its elements, version, statements, their ids, and its size.

use std::collections::BTreeMap;

use super::{
    Check, Issue, PolicyType, ResourceType,
    place::{Spot, Text},
    statement::{Statement, find, items},
};
use crate::json::{Member, Value};

const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
/// IAM User Guide, "IAM and AWS STS quotas": managed policies, without white space.
const IDENTITY_SIZE_MAX: usize = 6144;
/// The same page: role trust policies, unless raised.
const TRUST_SIZE_MAX: usize = 2048;
/// Amazon S3 User Guide, "Bucket policies", and DynamoDB's quotas for resource-based policies: 20 KB.
const ATTACHED_SIZE_MAX: usize = 20 * 1024;
/// AWS Organizations User Guide, "Quotas and service limits".
const SERVICE_CONTROL_SIZE_MAX: usize = 10_240;
const RESOURCE_CONTROL_SIZE_MAX: usize = 5120;

impl Check<'_> {
    pub(super) fn document(&mut self, root: &Spot<'_>) {
        let Value::Object(members) = &root.node.value else {
            self.wrong_type(root, "object");
            return;
        };
        for member in members {
            if !["Version", "Id", "Statement"].contains(&member.name.as_str()) {
                self.unknown_element(&root.key(member), &member.name, &["Version", "Id", "Statement"]);
            }
        }
        if let Some(member) = find(members, "Id") {
            self.element_text(&root.value(member));
        }
        self.version(root, members);
        let Some(member) = find(members, "Statement") else {
            self.report(
                Issue::MissingStatement,
                &[root],
                "The policy has no Statement element, so that it says nothing.",
            );
            return;
        };
        let spots = items(&root.value(member));
        if spots.is_empty() {
            self.report(
                Issue::MissingStatement,
                &[&root.value(member)],
                "The list of statements is empty: add a statement.",
            );
        }
        let statements: Vec<Statement<'_>> = spots
            .iter()
            .filter_map(|spot| self.statement(spot.clone()))
            .collect();
        let trust = self.is_trust(&statements);
        self.sizes(root, trust);
        self.sids(&spots);
        for statement in &statements {
            self.check(statement, trust);
        }
        if trust {
            self.trust_whole(&statements);
        }
        self.redundant_statements(&statements);
    }

    fn check(&mut self, statement: &Statement<'_>, trust: bool) {
        self.presence(statement, trust);
        self.check_actions(statement, trust);
        self.check_resources(statement, trust);
        self.check_principal(statement, trust);
        self.check_conditions(statement);
        match self.policy_type {
            PolicyType::Identity => self.privileges(statement),
            PolicyType::ResourceControl => self.resource_control(statement),
            _ => {}
        }
        if trust {
            self.trust(statement);
        }
        self.tags(statement);
    }

    fn presence(&mut self, statement: &Statement<'_>, trust: bool) {
        let spot = &statement.spot;
        let named = statement.principal.as_ref();
        if statement.resources.is_none() && !trust {
            self.report(
                Issue::MissingResource,
                &[spot],
                "The statement names no resources: add a Resource or NotResource element.",
            );
        }
        match (self.policy_type, named) {
            (PolicyType::Identity, Some(principal)) => self.report(
                Issue::UnsupportedPrincipal,
                &[&principal.spot],
                "A policy of an identity is about whoever has it: remove the principal element.",
            ),
            (PolicyType::ServiceControl, Some(principal)) => self.report(
                Issue::ScpSyntaxErrorPrincipal,
                &[&principal.spot],
                "A service control policy names no principals: remove the element, and test aws:PrincipalArn instead.",
            ),
            (PolicyType::Resource | PolicyType::ResourceControl, None) => self.report(
                Issue::MissingPrincipal,
                &[spot],
                "The statement does not say whom it is about: add a Principal element.",
            ),
            _ => {}
        }
        if let (Some(true), Some(principal)) = (statement.allows, named)
            && principal.negated
        {
            self.report(
                Issue::AllowWithNotPrincipal,
                &[&principal.spot],
                "Allow with NotPrincipal lets in everyone who is not listed, anonymous callers too: list in Principal whom you mean.",
            );
        }
    }

    fn version<'a>(&mut self, root: &Spot<'a>, members: &'a [Member]) {
        let Some(member) = find(members, "Version") else {
            self.report(
                Issue::MissingVersion,
                &[root],
                "Without a Version element the policy is read as the version of 2008, which knows no variables: add \"Version\": \"2012-10-17\".",
            );
            return;
        };
        let spot = root.value(member);
        match &member.node.value {
            Value::String(text) if VERSIONS.contains(&text.as_str()) => {
                self.variables = text == "2012-10-17";
            }
            Value::String(text) => {
                let details = format!(
                    "{text} is no version of the language; versions are {}.",
                    VERSIONS.join(" and ")
                );
                self.report(Issue::InvalidVersion, &[&spot], details);
            }
            _ => self.wrong_type(&spot, "string"),
        }
    }

    /// A string in which variables mean nothing.
    pub(super) fn element_text<'a>(&mut self, spot: &Spot<'a>) -> Option<&'a str> {
        let Value::String(text) = &spot.node.value else {
            self.wrong_type(spot, "string");
            return None;
        };
        self.no_variables(&Text {
            text,
            spot: spot.clone(),
        });
        Some(text)
    }

    fn sids<'a>(&mut self, statements: &[Spot<'a>]) {
        let mut seen: BTreeMap<&'a str, Spot<'a>> = BTreeMap::new();
        for spot in statements {
            let Value::Object(members) = &spot.node.value else {
                continue;
            };
            let Some(member) = find(members, "Sid") else {
                continue;
            };
            let at = spot.value(member);
            let Some(sid) = self.element_text(&at) else {
                continue;
            };
            if sid.is_empty() {
                self.report(
                    Issue::EmptySidValue,
                    &[&at],
                    "The Sid is empty: name the statement or remove it.",
                );
                continue;
            }
            let strict = self.policy_type != PolicyType::Resource;
            if strict && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                self.report(
                    Issue::UnsupportedSid,
                    &[&at],
                    "A Sid is made of the letters a to z and A to Z and of digits.",
                );
            }
            if let Some(first) = seen.get(sid) {
                let (issue, details) = if strict {
                    (
                        Issue::UniqueSidsRequired,
                        "Another statement has this Sid, and in this type of policy each must have its own.",
                    )
                } else {
                    (
                        Issue::UniqueSidsRecommended,
                        "Another statement has this Sid; statements are better told apart by their own.",
                    )
                };
                let first = first.clone();
                self.report(issue, &[&at, &first], details);
            } else {
                seen.insert(sid, at);
            }
        }
    }

    fn sizes(&mut self, root: &Spot<'_>, trust: bool) {
        let characters = self.text.chars().count();
        let dense = self.text.chars().filter(|letter| !letter.is_whitespace()).count();
        let (issue, size, most, kind) = match self.policy_type {
            PolicyType::Identity => (
                Issue::PolicySizeExceedsIdentityPolicyQuota,
                dense,
                IDENTITY_SIZE_MAX,
                "an identity's policy, white space not counted,",
            ),
            PolicyType::ServiceControl => (
                Issue::PolicySizeExceedsScpQuota,
                characters,
                SERVICE_CONTROL_SIZE_MAX,
                "a service control policy",
            ),
            PolicyType::ResourceControl => (
                Issue::PolicySizeExceedsRcpQuota,
                characters,
                RESOURCE_CONTROL_SIZE_MAX,
                "a resource control policy",
            ),
            PolicyType::Resource if trust => (
                Issue::PolicySizeExceedsRoleTrustPolicyQuota,
                dense,
                TRUST_SIZE_MAX,
                "a role's trust policy, white space not counted and unless the quota was raised,",
            ),
            PolicyType::Resource => {
                let known = !matches!(
                    self.resource_type,
                    None | Some(ResourceType::AssumeRolePolicyDocument)
                );
                let most = if known { ATTACHED_SIZE_MAX } else { usize::MAX };
                (
                    Issue::PolicySizeExceedsResourcePolicyQuota,
                    characters,
                    most,
                    "this resource's policy",
                )
            }
        };
        if size > most {
            let details = format!("The policy has {size} characters, and {kind} may have {most}: divide it.");
            self.report(issue, &[root], details);
        }
    }
}
