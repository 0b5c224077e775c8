//! The least policy that allows what was done: pure, from the uses of each action.
//!
//! Invariant: whatever was allowed is allowed by the documents together, unless placeholders stand for the resources.

use std::collections::{BTreeMap, BTreeSet};

use policy::Arn;
use serde_json::{Value, json};

use crate::accessanalyzer::activity::{Activity, Use};

/// What stands for the resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// `*`
    Any,
    /// ARNs with names to fill in: `arn:aws:kms:${Region}:${Account}:key/${KeyId}`.
    Placeholders,
    /// The very resources.
    Exact,
}

/// Characters of a managed policy, whitespace not counted (IAM User Guide, "IAM and AWS STS quotas").
const SIZE_MAX: usize = 6144;

/// The policies, one statement for each service and set of resources, as many documents as their size asks for.
pub fn documents(activity: &Activity, detail: Detail) -> Vec<String> {
    let mut groups: BTreeMap<(String, BTreeSet<String>), BTreeSet<&str>> = BTreeMap::new();
    for (action, used) in activity {
        let service = action.split(':').next().unwrap_or_default().to_owned();
        let key = (service, resources(used, detail));
        groups.entry(key).or_default().insert(action);
    }
    let mut documents = Vec::new();
    let mut statements: Vec<Value> = Vec::new();
    for ((_, resources), actions) in groups {
        let statement = json!({
            "Effect": "Allow",
            "Action": actions,
            "Resource": if resources.len() == 1 { json!(resources.first()) } else { json!(resources) },
        });
        statements.push(statement);
        if statements.len() > 1 && document(&statements).len() > SIZE_MAX {
            let last = statements.pop();
            documents.push(document(&statements));
            statements = last.into_iter().collect();
        }
    }
    if !statements.is_empty() {
        documents.push(document(&statements));
    }
    documents
}

fn document(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn resources(used: &Use, detail: Detail) -> BTreeSet<String> {
    let any = || BTreeSet::from(["*".to_owned()]);
    if detail == Detail::Any || used.resources.contains("*") {
        return any();
    }
    match detail {
        Detail::Placeholders => used.resources.iter().map(|arn| placeholder(arn)).collect(),
        _ if used.many => any(),
        _ => used.resources.iter().map(|arn| literal(arn)).collect(),
    }
}

/// An ARN as a pattern that fits it alone.
fn literal(arn: &str) -> String {
    let mut out = String::with_capacity(arn.len());
    for letter in arn.chars() {
        match letter {
            '*' => out.push_str("${*}"),
            '?' => out.push_str("${?}"),
            '$' => out.push_str("${$}"),
            other => out.push(other),
        }
    }
    out
}

/// Names of resources as the service authorization reference spells their variables, by service and the first word of the resource.
const NAMES: [(&str, &str, &str); 21] = [
    ("access-analyzer", "analyzer", "AnalyzerName"),
    ("cloudtrail", "trail", "TrailName"),
    ("iam", "group", "GroupNameWithPath"),
    ("iam", "instance-profile", "InstanceProfileNameWithPath"),
    ("iam", "mfa", "MfaTokenIdWithPath"),
    ("iam", "oidc-provider", "OidcProviderName"),
    ("iam", "policy", "PolicyNameWithPath"),
    ("iam", "role", "RoleNameWithPath"),
    ("iam", "saml-provider", "SamlProviderName"),
    ("iam", "server-certificate", "CertificateNameWithPath"),
    ("iam", "user", "UserNameWithPath"),
    ("kms", "alias", "Alias"),
    ("kms", "key", "KeyId"),
    ("lambda", "function", "FunctionName"),
    ("logs", "log-group", "LogGroupName"),
    ("organizations", "account", "AccountId"),
    ("organizations", "policy", "PolicyId"),
    ("secretsmanager", "secret", "SecretId"),
    ("ssm", "parameter", "ParameterNameWithoutLeadingSlash"),
    ("sts", "federated-user", "UserName"),
    ("dynamodb", "table", "TableName"),
];

/// An ARN with variables for the region, the account and the name.
fn placeholder(text: &str) -> String {
    let Some(arn) = Arn::parse(text) else {
        return "*".to_owned();
    };
    let variable = |held: &str, name: &str| {
        if held.is_empty() {
            String::new()
        } else {
            format!("${{{name}}}")
        }
    };
    let resource = arn.resource();
    let name = match resource.find(['/', ':']) {
        Some(end) => {
            let (kind, divider) = (
                resource.get(..end).unwrap_or_default(),
                resource.get(end..=end).unwrap_or_default(),
            );
            let known = NAMES
                .iter()
                .find(|(service, word, _)| *service == arn.service() && *word == kind);
            let name = known.map_or("ResourceName", |(_, _, name)| name);
            format!("{kind}{divider}${{{name}}}")
        }
        None if arn.service() == "s3" => "${BucketName}".to_owned(),
        None if resource == "root" => resource.to_owned(),
        None => "${ResourceName}".to_owned(),
    };
    format!(
        "arn:{}:{}:{}:{}:{name}",
        arn.partition(),
        arn.service(),
        variable(arn.region(), "Region"),
        variable(arn.account(), "Account"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::policy::{Attached, Context, Layers, Policy, PolicyKind, Principal, Request, decide};
    use proptest::prelude::*;

    use super::*;
    use crate::accessanalyzer::activity::RESOURCES_MAX;

    fn used(resources: &[&str]) -> Use {
        Use {
            last: 1,
            resources: resources.iter().map(|arn| (*arn).to_owned()).collect(),
            many: false,
        }
    }

    fn parsed(documents: &[String]) -> Vec<Attached> {
        documents
            .iter()
            .map(|text| Attached::new(Arc::new(Policy::parse(text, PolicyKind::Identity).unwrap()), "g"))
            .collect()
    }

    fn allows(identity: &[Attached], action: &str, resource: &str) -> bool {
        let principal = Principal::User {
            arn: "arn:aws:iam::111122223333:user/u".to_owned(),
            account: "111122223333".to_owned(),
            id: "AIDAU".to_owned(),
        };
        let request = Request {
            principal: &principal,
            action,
            resource,
            resource_account: Some("111122223333"),
            context: &Context::new(),
        };
        let layers = Layers {
            identity,
            ..Layers::default()
        };
        decide(&request, &layers).allowed
    }

    #[test]
    fn a_service_has_one_statement_and_its_resources_are_told_as_asked() {
        let key = "arn:aws:kms:eu-central-1:111122223333:key/1234";
        let activity: Activity = [
            ("kms:Decrypt".to_owned(), used(&[key])),
            ("kms:Encrypt".to_owned(), used(&[key])),
            (
                "iam:ListUsers".to_owned(),
                used(&["arn:aws:iam::111122223333:user/"]),
            ),
        ]
        .into();
        let read = |detail| {
            let documents = documents(&activity, detail);
            serde_json::from_str::<Value>(&documents[0]).unwrap()["Statement"].clone()
        };
        let any = read(Detail::Any);
        assert_eq!(
            any[1],
            json!({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*"})
        );
        assert_eq!(any.as_array().unwrap().len(), 2);
        let holes = read(Detail::Placeholders);
        assert_eq!(
            holes[1]["Resource"],
            "arn:aws:kms:${Region}:${Account}:key/${KeyId}"
        );
        assert_eq!(
            holes[0]["Resource"],
            "arn:aws:iam::${Account}:user/${UserNameWithPath}"
        );
        assert_eq!(read(Detail::Exact)[1]["Resource"], key);
        assert!(documents(&Activity::new(), Detail::Any).is_empty());
    }

    fn recorded() -> impl Strategy<Value = Vec<(String, String)>> {
        let action = "(kms|iam|sts|s3):[A-Z][a-z]{1,6}";
        let resource = prop_oneof![
            Just("*".to_owned()),
            "arn:aws:(kms|s3):[a-z]{0,3}:111122223333:[a-z]{1,4}/[a-z*?${}]{1,8}",
        ];
        prop::collection::vec((action, resource), 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every recorded call that was allowed is allowed by the generated policies, and actions that were not made are not.
        #[test]
        fn what_was_done_is_allowed(calls in recorded(), exact in any::<bool>()) {
            let mut activity = Activity::new();
            for (action, resource) in &calls {
                let held = activity.entry(action.clone()).or_default();
                if held.resources.len() < RESOURCES_MAX {
                    held.resources.insert(resource.clone());
                } else {
                    held.many = true;
                }
            }
            let detail = if exact { Detail::Exact } else { Detail::Any };
            let documents = parsed(&documents(&activity, detail));
            for (action, resource) in &calls {
                prop_assert!(allows(&documents, action, resource), "{action} on {resource}");
            }
            prop_assert!(!allows(&documents, "ec2:RunInstances", "*"));
            if exact && activity.values().all(|used| !used.resources.contains("*")) {
                let (action, _) = &calls[0];
                prop_assert!(!allows(&documents, action, "arn:aws:kms:eu:111122223333:other/0"));
            }
        }
    }
}
