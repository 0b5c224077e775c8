//! Trust policies as the wizard makes them (IAM User Guide, "Create a role to give permissions to an IAM user"; S6.5, S6.8).
//!
//! Invariant: what people type becomes a JSON string or a choice, never a piece of JSON; only a custom policy is theirs as a whole.

use crate::request::Form;

/// Who may assume the role.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Entity {
    Service,
    #[default]
    Account,
    WebIdentity,
    Saml,
    Custom,
}

impl Entity {
    /// All that the wizard offers, with their names and what they say.
    pub(super) const ALL: [(Self, &str, &str, &str); 5] = [
        (
            Self::Service,
            "service",
            "AWS service",
            "Allow AWS services like Lambda or EC2 to perform actions in this account.",
        ),
        (
            Self::Account,
            "account",
            "AWS account",
            "Allow entities in this or another AWS account to perform actions in this account.",
        ),
        (
            Self::WebIdentity,
            "web-identity",
            "Web identity",
            "Allow users federated by an OpenID Connect provider to assume this role.",
        ),
        (
            Self::Saml,
            "saml",
            "SAML 2.0 federation",
            "Allow users federated with SAML 2.0 from a corporate directory to assume this role.",
        ),
        (
            Self::Custom,
            "custom",
            "Custom trust policy",
            "Write a trust policy of your own.",
        ),
    ];

    pub(super) fn name(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(entity, ..)| *entity == self);
        found.map_or("", |(_, name, ..)| name)
    }

    fn of(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|(_, known, ..)| *known == name);
        found.map_or_else(Self::default, |(entity, ..)| entity)
    }
}

/// Services that are offered by name. Others are typed.
pub(super) const SERVICES: [&str; 12] = [
    "cloudformation.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "config.amazonaws.com",
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "events.amazonaws.com",
    "lambda.amazonaws.com",
    "monitoring.rds.amazonaws.com",
    "s3.amazonaws.com",
    "scheduler.amazonaws.com",
    "states.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
];

/// The role that CloudTrail's own console makes for its way to CloudWatch Logs, to be preferred to one of one's own (CloudTrail User
/// Guide, "Sending events to CloudWatch Logs"; S6.10).
pub(super) const CLOUDTRAIL_ROLE: &str = "CloudTrail_CloudWatchLogs_Role";

/// Whom a role is to trust.
#[derive(Clone, Default)]
pub(super) struct Trust {
    pub(super) entity: Entity,
    pub(super) service: String,
    /// Another account than this one.
    pub(super) another: bool,
    pub(super) account: String,
    pub(super) require_external_id: bool,
    pub(super) external_id: String,
    pub(super) require_mfa: bool,
    /// The ARN of an OpenID Connect provider and, after a space, the audience that tokens are for.
    pub(super) web_provider: String,
    /// The ARN of a SAML provider.
    pub(super) saml_provider: String,
    pub(super) custom: String,
}

impl Trust {
    pub(super) fn of(form: &Form) -> Self {
        Self {
            entity: Entity::of(form.get("entity")),
            service: form.get("service").to_owned(),
            another: form.get("whose") == "another",
            account: form.get("account").to_owned(),
            require_external_id: form.has("require-external-id"),
            external_id: form.get("external-id").to_owned(),
            require_mfa: form.has("require-mfa"),
            web_provider: form.get("web-provider").to_owned(),
            saml_provider: form.get("saml-provider").to_owned(),
            custom: form.get("custom").to_owned(),
        }
    }

    /// Whether the role is one for CloudTrail.
    pub(super) fn is_for_cloudtrail(&self) -> bool {
        self.entity == Entity::Service && self.service == "cloudtrail.amazonaws.com"
    }

    /// The policy, or what is missing for one. `own` is this account's id.
    pub(super) fn document(&self, own: &str) -> Result<String, &'static str> {
        match self.entity {
            Entity::Custom if self.custom.is_empty() => Err("Write the trust policy."),
            Entity::Custom => Ok(self.custom.clone()),
            Entity::Service if self.service.is_empty() => Err("Choose the service."),
            Entity::Service => Ok(statement("AssumeRole", "Service", &self.service, &[])),
            Entity::WebIdentity => {
                let (arn, audience) = self.web_provider.split_once(' ').ok_or("Choose the provider.")?;
                let (_, host) = arn.split_once(":oidc-provider/").ok_or("Choose the provider.")?;
                let key = format!("{host}:aud");
                let condition = [("StringEquals", key.as_str(), audience)];
                Ok(statement(
                    "AssumeRoleWithWebIdentity",
                    "Federated",
                    arn,
                    &condition,
                ))
            }
            Entity::Saml if self.saml_provider.is_empty() => Err("Choose the provider."),
            Entity::Saml => {
                // Assertions are made out to AWS's address, wherever they are shown.
                let condition = [("StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml")];
                Ok(statement(
                    "AssumeRoleWithSAML",
                    "Federated",
                    &self.saml_provider,
                    &condition,
                ))
            }
            Entity::Account => {
                let account = if self.another { &self.account } else { own };
                if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err("An account ID has twelve digits.");
                }
                let mut conditions = Vec::new();
                if self.require_external_id {
                    if self.external_id.is_empty() {
                        return Err("Type the external ID that is required.");
                    }
                    conditions.push(("StringEquals", "sts:ExternalId", self.external_id.as_str()));
                }
                if self.require_mfa {
                    conditions.push(("Bool", "aws:MultiFactorAuthPresent", "true"));
                }
                Ok(statement(
                    "AssumeRole",
                    "AWS",
                    &format!("arn:aws:iam::{account}:root"),
                    &conditions,
                ))
            }
        }
    }
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A policy of one statement, laid out for people.
fn statement(operation: &str, kind: &str, principal: &str, conditions: &[(&str, &str, &str)]) -> String {
    let conditions: Vec<_> = conditions
        .iter()
        .map(|(operator, key, value)| {
            format!(
                "                {}: {{\n                    {}: {}\n                }}",
                quoted(operator),
                quoted(key),
                quoted(value)
            )
        })
        .collect();
    let conditions = if conditions.is_empty() {
        String::new()
    } else {
        format!(
            ",\n            \"Condition\": {{\n{}\n            }}",
            conditions.join(",\n")
        )
    };
    format!(
        r#"{{
    "Version": "2012-10-17",
    "Statement": [
        {{
            "Effect": "Allow",
            "Action": {},
            "Principal": {{
                {}: {}
            }}{conditions}
        }}
    ]
}}"#,
        quoted(&format!("sts:{operation}")),
        quoted(kind),
        quoted(principal),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Entity, Trust};

    fn made(trust: &Trust) -> Value {
        serde_json::from_str(&trust.document("111122223333").unwrap()).unwrap()
    }

    #[test]
    fn another_account_is_trusted_with_an_external_id_and_mfa() {
        let trust = Trust {
            entity: Entity::Account,
            another: true,
            account: "444455556666".to_owned(),
            require_external_id: true,
            external_id: "a\"}, {\"b".to_owned(),
            require_mfa: true,
            ..Trust::default()
        };
        let statement = &made(&trust)["Statement"];
        let wanted = json!([{
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
            "Condition": {
                "StringEquals": {"sts:ExternalId": "a\"}, {\"b"},
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
            },
        }]);
        assert_eq!(*statement, wanted);
    }

    #[test]
    fn this_account_and_services_are_trusted_without_conditions() {
        let own = Trust::default();
        let statement = &made(&own)["Statement"][0];
        assert_eq!(statement["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
        assert!(statement.get("Condition").is_none());
        let service = Trust {
            entity: Entity::Service,
            service: "lambda.amazonaws.com".to_owned(),
            ..Trust::default()
        };
        let statement = &made(&service)["Statement"][0];
        assert_eq!(statement["Principal"], json!({"Service": "lambda.amazonaws.com"}));
    }

    #[test]
    fn providers_are_trusted_for_their_audience() {
        let web = Trust {
            entity: Entity::WebIdentity,
            web_provider: "arn:aws:iam::111122223333:oidc-provider/id.example.com/a my-app".to_owned(),
            ..Trust::default()
        };
        let wanted = json!([{
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/id.example.com/a"},
            "Condition": {"StringEquals": {"id.example.com/a:aud": "my-app"}},
        }]);
        assert_eq!(made(&web)["Statement"], wanted);
        let saml = Trust {
            entity: Entity::Saml,
            saml_provider: "arn:aws:iam::111122223333:saml-provider/ad".to_owned(),
            ..Trust::default()
        };
        let statement = &made(&saml)["Statement"][0];
        assert_eq!(statement["Action"], "sts:AssumeRoleWithSAML");
        assert_eq!(
            statement["Condition"]["StringEquals"]["SAML:aud"],
            "https://signin.aws.amazon.com/saml"
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let wrong = |trust: Trust| trust.document("111122223333").unwrap_err();
        let another = Trust {
            another: true,
            account: "4444".to_owned(),
            ..Trust::default()
        };
        assert_eq!(wrong(another), "An account ID has twelve digits.");
        let unsaid = Trust {
            require_external_id: true,
            ..Trust::default()
        };
        assert_eq!(wrong(unsaid), "Type the external ID that is required.");
        let custom = Trust {
            entity: Entity::Custom,
            ..Trust::default()
        };
        assert_eq!(wrong(custom), "Write the trust policy.");
    }
}
