//! The documents of an organization's policies, checked for their type.
//!
//! Invariant: what is stored can be evaluated, or merged down the tree, without another look at its form.

use api::organizations::PolicyType;
use api::organizations::fault::malformed_policy_document_exception;
use pipeline::Result;
use policy::Effect;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wire::Fault;

use super::kind::{Language, rules};
use crate::iam::document::StoredPolicy;
use crate::organizations::refusal;

/// Far deeper than any documented setting; a bound for what walks the tree.
const DEPTH_MAX: usize = 24;

/// A document as rows keep it.
#[derive(Clone, Serialize, Deserialize)]
pub enum Content {
    /// Of the policy language, parsed.
    Control(StoredPolicy),
    /// Settings, as they were given.
    Settings(String),
}

impl Content {
    /// The document as it was given.
    pub fn text(&self) -> &str {
        match self {
            Self::Control(policy) => policy.text(),
            Self::Settings(text) => text,
        }
    }
}

fn malformed() -> Fault {
    malformed_policy_document_exception(
        "The provided policy document does not meet the requirements of the specified policy type.",
    )
}

/// Reads a document that a customer gives.
///
/// # Errors
/// `MalformedPolicyDocumentException`, or `ConstraintViolationException` for one that is too long.
pub(super) fn read(kind: PolicyType, text: &str) -> Result<Content> {
    let rules = rules(kind);
    if text.chars().count() > rules.characters_max {
        return Err(refusal::constraint(
            "POLICY_CONTENT_LIMIT_EXCEEDED",
            "You attempted to create a policy that is larger than the maximum size.",
        ));
    }
    match rules.language {
        Language::Control(language) => {
            let stored = StoredPolicy::parse(text, language).map_err(|_| malformed())?;
            // Only AWS's own resource control policy allows (User Guide, "RCP syntax").
            let only_denies = kind == PolicyType::ResourceControlPolicy;
            let allows = stored
                .policy()
                .statements()
                .any(|statement| statement.effect() == Effect::Allow);
            if only_denies && allows {
                return Err(malformed());
            }
            Ok(Content::Control(stored))
        }
        Language::Settings(key) => {
            let value: Value = serde_json::from_str(text).map_err(|_| malformed())?;
            if is_settings(kind, key, &value) {
                Ok(Content::Settings(text.to_owned()))
            } else {
                Err(malformed())
            }
        }
    }
}

fn is_settings(kind: PolicyType, key: Option<&str>, value: &Value) -> bool {
    let Value::Object(members) = value else {
        return false;
    };
    let mut members = members.iter();
    let (Some((name, Value::Object(below))), None) = (members.next(), members.next()) else {
        return false;
    };
    let named = key.is_none_or(|key| key == name) && !name.starts_with("@@");
    named && is_node(kind, below, 0)
}

fn is_node(kind: PolicyType, members: &Map<String, Value>, depth: usize) -> bool {
    depth < DEPTH_MAX
        && members.iter().all(|(name, value)| match name.as_str() {
            "@@assign" => is_assignable(kind, value),
            "@@append" | "@@remove" => {
                kind != PolicyType::AiservicesOptOutPolicy && is_list_of_scalars(value)
            }
            "@@operators_allowed_for_child_policies" => is_list_of_operators(value),
            operator if operator.starts_with("@@") => false,
            _ => matches!(value, Value::Object(below) if is_node(kind, below, depth + 1)),
        })
}

fn is_assignable(kind: PolicyType, value: &Value) -> bool {
    if kind == PolicyType::AiservicesOptOutPolicy {
        return matches!(value.as_str(), Some("optIn" | "optOut"));
    }
    is_scalar(value) || is_list_of_scalars(value)
}

const fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

fn is_list_of_scalars(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|values| values.iter().all(is_scalar))
}

/// `@@all` and `@@none` stand alone.
fn is_list_of_operators(value: &Value) -> bool {
    let Some(values) = value.as_array() else {
        return false;
    };
    match values.as_slice() {
        [only] if matches!(only.as_str(), Some("@@all" | "@@none")) => true,
        several => {
            !several.is_empty()
                && several
                    .iter()
                    .all(|one| matches!(one.as_str(), Some("@@assign" | "@@append" | "@@remove")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn takes(kind: PolicyType, document: &Value) -> bool {
        read(kind, &document.to_string()).is_ok()
    }

    #[test]
    fn settings_stand_under_the_key_of_their_type_and_below_operators() {
        let tags = |below: Value| json!({"tags": {"costcenter": {"tag_key": below}}});
        assert!(takes(
            PolicyType::TagPolicy,
            &tags(json!({"@@assign": "CostCenter"}))
        ));
        assert!(takes(
            PolicyType::TagPolicy,
            &tags(
                json!({"@@append": ["A"], "@@operators_allowed_for_child_policies": ["@@append", "@@remove"]})
            )
        ));
        for wrong in [
            json!("CostCenter"),
            json!({"@@append": "A"}),
            json!({"@@assign": {"a": 1}}),
            json!({"@@replace": "A"}),
            json!({"@@operators_allowed_for_child_policies": ["@@none", "@@append"]}),
            json!({"@@operators_allowed_for_child_policies": []}),
        ] {
            assert!(!takes(PolicyType::TagPolicy, &tags(wrong.clone())), "{wrong}");
        }
        assert!(!takes(
            PolicyType::BackupPolicy,
            &tags(json!({"@@assign": "CostCenter"}))
        ));
        assert!(!takes(PolicyType::TagPolicy, &json!({"tags": {}, "plans": {}})));
        assert!(!takes(PolicyType::TagPolicy, &json!(["tags"])));
        assert!(read(PolicyType::TagPolicy, "{\"tags\": {}").is_err());
    }

    // User Guide, "AI services opt-out policy syntax and examples".
    #[test]
    fn an_opt_out_policy_only_assigns_in_or_out() {
        let policy = |operator: &str, value: Value| json!({"services": {"lex": {"opt_out_policy": {operator: value}}}});
        let kind = PolicyType::AiservicesOptOutPolicy;
        assert!(takes(kind, &policy("@@assign", json!("optOut"))));
        assert!(!takes(kind, &policy("@@assign", json!("optout"))));
        assert!(!takes(kind, &policy("@@append", json!(["optOut"]))));
    }

    // User Guide, "RCP syntax": the effect of Allow is for RCPFullAWSAccess alone.
    #[test]
    fn a_customers_resource_control_policy_only_denies() {
        let policy = |effect: &str, action: &str| {
            json!({"Version": "2012-10-17",
                "Statement": [{"Effect": effect, "Principal": "*", "Action": action, "Resource": "*"}]})
        };
        let kind = PolicyType::ResourceControlPolicy;
        assert!(takes(kind, &policy("Deny", "kms:*")));
        assert!(!takes(kind, &policy("Deny", "*")));
        assert!(!takes(kind, &policy("Allow", "*")));
    }

    #[test]
    fn a_document_has_a_greatest_size() {
        let document = |length: usize| {
            let padding = " ".repeat(length);
            format!(r#"{{"services": {{"lex": {{"opt_out_policy": {{"@@assign": "optIn"}}}}}}}}{padding}"#)
        };
        assert!(read(PolicyType::AiservicesOptOutPolicy, &document(2000)).is_ok());
        let fault = read(PolicyType::AiservicesOptOutPolicy, &document(2500));
        assert!(fault.is_err_and(|fault| fault.message.contains("larger than the maximum size")));
    }

    #[test]
    fn nesting_has_a_bound() {
        let mut value = json!({"@@assign": "a"});
        for _ in 0..100 {
            value = json!({"a": value});
        }
        assert!(!takes(PolicyType::TagPolicy, &json!({"tags": value})));
    }
}
