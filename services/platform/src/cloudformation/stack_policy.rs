//! Stack policies: what an update may do to a stack's resources.
//!
//! Source: CloudFormation User Guide, "Prevent updates to stack resources".
//!
//! Invariant: with a policy, what no statement allows is denied; a deny goes before every allow.

use api::cloudformation as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource as _, Result};
use policy::Context;
use serde_json::Value;
use wire::typed::Empty;

use super::fault::{absent, invalid};
use super::stack::{StackTarget, resolve_living};
use super::submission::policy_source;

/// What it takes to set a policy aside, or another in its place (CloudFormation User Guide, "Updating protected resources").
pub(crate) const SET: Access = Access::permissions("cloudformation:SetStackPolicy");

/// What an update does to a resource.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    Modify,
    Replace,
    Delete,
}

impl Deed {
    const fn action(self) -> &'static str {
        match self {
            Self::Modify => "Update:Modify",
            Self::Replace => "Update:Replace",
            Self::Delete => "Update:Delete",
        }
    }
}

/// Whether a pattern with `*` and `?` matches.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut star, mut from, mut mark) = (0, None, 0, 0);
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some(at);
                mark = from;
                at += 1;
            }
            Some('?') => {
                at += 1;
                from += 1;
            }
            Some(letter) if text.get(from) == Some(letter) => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some(place) => {
                    at = place + 1;
                    mark += 1;
                    from = mark;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|rest| *rest == '*')
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The statements of a policy that was checked.
fn statements(policy: &str) -> Vec<Value> {
    let parsed: Value = serde_json::from_str(policy).unwrap_or_default();
    match parsed.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    }
}

fn bears(statement: &Value, action: &str, resource: &str, kind: &str) -> bool {
    let lower = action.to_ascii_lowercase();
    let on_action = |value: &Value| {
        texts(value)
            .iter()
            .any(|pattern| matches(&pattern.to_ascii_lowercase(), &lower))
    };
    let on_resource = |value: &Value| texts(value).iter().any(|pattern| matches(pattern, resource));
    let acted = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), _) => on_action(actions),
        (None, Some(actions)) => !on_action(actions),
        (None, None) => false,
    };
    let named = match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(resources), _) => on_resource(resources),
        (None, Some(resources)) => !on_resource(resources),
        (None, None) => false,
    };
    let of_kind = statement.get("Condition").is_none_or(|condition| {
        let test = |operator: &str, fits: fn(&str, &str) -> bool| {
            let kinds = condition.get(operator).and_then(|test| test.get("ResourceType"));
            kinds.is_none_or(|kinds| texts(kinds).iter().any(|pattern| fits(pattern, kind)))
        };
        test("StringEquals", |wanted, kind| wanted == kind) && test("StringLike", matches)
    });
    acted && named && of_kind
}

/// Judges what an update would do to a resource.
///
/// # Errors
/// The words of the refusal.
pub(crate) fn judge(
    policy: Option<&str>,
    deed: Deed,
    logical_id: &str,
    kind: &str,
) -> std::result::Result<(), String> {
    let Some(policy) = policy else {
        return Ok(());
    };
    let resource = format!("LogicalResourceId/{logical_id}");
    let statements = statements(policy);
    let bearing = |effect: &str| {
        let mut numbered = statements.iter().enumerate();
        numbered.find(|(_, statement)| {
            statement.get("Effect").and_then(Value::as_str) == Some(effect)
                && bears(statement, deed.action(), &resource, kind)
        })
    };
    if let Some((number, _)) = bearing("Deny") {
        return Err(format!(
            "Action denied by stack policy: Statement [#{}] does not allow [{}] for resource [{resource}]",
            number + 1,
            deed.action()
        ));
    }
    if bearing("Allow").is_some() {
        return Ok(());
    }
    Err(format!(
        "Action not allowed by stack policy: no statement allows [{}] for resource [{resource}]",
        deed.action()
    ))
}

/// Checks that the caller of an update may bring a stack policy along, which sets that of the stack aside.
pub(crate) fn expect_settable(call: &mut Call<'_>, stack: &StackTarget, url: Option<&String>) -> Result<()> {
    let mut context = Context::default();
    stack.conditions(&mut context);
    if let Some(url) = url {
        context.insert("cloudformation:StackPolicyUrl", url.clone());
    }
    call.also(SET, &stack.id(), &stack.account, context)
}

/// Whether a condition is one that stack policies have: none other is ever judged, so none other may be there.
fn is_known(condition: &Value) -> bool {
    let tested = |operator: &str, test: &Value| {
        matches!(operator, "StringEquals" | "StringLike")
            && test.as_object().is_some_and(|test| {
                let mut keys = test.iter();
                keys.all(|(key, kinds)| key == "ResourceType" && !texts(kinds).is_empty())
            })
    };
    condition
        .as_object()
        .is_some_and(|condition| condition.iter().all(|(operator, test)| tested(operator, test)))
}

/// Refuses what is no stack policy.
pub(crate) fn check(policy: &str) -> Result<()> {
    let wrong = |why: &str| invalid(format!("Error validating stack policy: {why}"));
    let parsed: Value = serde_json::from_str(policy).map_err(|_| wrong("Invalid stack policy"))?;
    let listed = match parsed.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => return Err(wrong("Invalid stack policy")),
    };
    for statement in &listed {
        let effect = statement.get("Effect").and_then(Value::as_str);
        if !matches!(effect, Some("Allow" | "Deny")) {
            return Err(wrong("Effect must be Allow or Deny"));
        }
        let principal = statement.get("Principal");
        let everybody = principal == Some(&Value::from("*"))
            || principal.and_then(|principal| principal.get("AWS")) == Some(&Value::from("*"));
        if !everybody {
            return Err(wrong("Principal must be *"));
        }
        let actions = statement.get("Action").or_else(|| statement.get("NotAction"));
        let actions = actions.map(texts).unwrap_or_default();
        let known = ["update:modify", "update:replace", "update:delete", "update:*"];
        let strange = actions
            .iter()
            .find(|action| !known.contains(&action.to_ascii_lowercase().as_str()));
        if let Some(action) = strange {
            return Err(wrong(&format!("Unknown action {action}")));
        }
        if actions.is_empty() {
            return Err(wrong("Action is missing"));
        }
        let resources = statement.get("Resource").or_else(|| statement.get("NotResource"));
        let resources = resources.map(texts).unwrap_or_default();
        let named = |text: &&str| *text == "*" || text.starts_with("LogicalResourceId/");
        if resources.is_empty() || !resources.iter().all(named) {
            return Err(wrong("Resource must be * or LogicalResourceId/ID"));
        }
        if !statement.get("Condition").is_none_or(is_known) {
            return Err(wrong(
                "Condition must be StringEquals or StringLike of ResourceType",
            ));
        }
    }
    Ok(())
}

/// Shows a stack's policy.
pub struct GetStackPolicy;

impl Operation for GetStackPolicy {
    type Input = model::GetStackPolicyInput;
    type Output = model::GetStackPolicyOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::read("cloudformation:GetStackPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_living(look, &input.stack_name, absent)
    }

    fn handle(
        _call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::GetStackPolicyOutput {
            stack_policy_body: stack.policy.clone(),
        })
    }
}

/// Sets a stack's policy. There is no way to take it off again, only to allow everything.
pub struct SetStackPolicy;

impl Operation for SetStackPolicy {
    type Input = model::SetStackPolicyInput;
    type Output = Empty;
    type Target = StackTarget;
    const ACCESS: Access = SET;
    const CONDITIONS: &'static [&'static str] = &["cloudformation:StackPolicyUrl"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_living(look, &input.stack_name, absent)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(url) = &input.stack_policy_url {
            context.insert("cloudformation:StackPolicyUrl", url.clone());
        }
    }

    fn handle(call: &mut Call<'_>, stack: Authorized<StackTarget>, input: Self::Input) -> Result<Empty> {
        let policy = policy_source(call, input.stack_policy_body, input.stack_policy_url.as_deref())?;
        let policy =
            policy.ok_or_else(|| invalid("Either StackPolicyURL or StackPolicyBody must be specified."))?;
        let mut stack = (*stack.into_inner().0).clone();
        stack.policy = Some(policy);
        stack.keep(call)?;
        Ok(Empty {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["Update:Replace", "update:delete"], "Resource": "LogicalResourceId/Prod*"},
        {"Effect": "Deny", "Principal": "*", "Action": "Update:*", "NotResource": "LogicalResourceId/*",
         "Condition": {"StringLike": {"ResourceType": ["AWS::KMS::*"]}}}
    ]}"#;

    #[test]
    fn a_deny_goes_before_an_allow() {
        assert_eq!(check(POLICY).map_err(|fault| fault.message), Ok(()));
        let judged = |deed, id| judge(Some(POLICY), deed, id, "AWS::SSM::Parameter").is_ok();
        assert!(judged(Deed::Modify, "ProdDatabase"));
        assert!(!judged(Deed::Replace, "ProdDatabase"));
        assert!(!judged(Deed::Delete, "ProdDatabase"));
        assert!(judged(Deed::Delete, "TestDatabase"));
    }

    #[test]
    fn what_no_statement_allows_is_denied() {
        let policy = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "Update:Modify",
            "Resource": "*", "Condition": {"StringEquals": {"ResourceType": "AWS::SSM::Parameter"}}}}"#;
        assert!(judge(Some(policy), Deed::Modify, "A", "AWS::SSM::Parameter").is_ok());
        assert!(judge(Some(policy), Deed::Modify, "A", "AWS::KMS::Key").is_err());
        assert!(judge(Some(policy), Deed::Delete, "A", "AWS::SSM::Parameter").is_err());
        assert!(judge(None, Deed::Delete, "A", "AWS::KMS::Key").is_ok());
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for policy in [
            "{}",
            "[",
            r#"{"Statement": []}"#,
            r#"{"Statement": {"Effect": "Perhaps", "Principal": "*", "Action": "Update:*", "Resource": "*"}}"#,
            r#"{"Statement": {"Effect": "Deny", "Principal": "me", "Action": "Update:*", "Resource": "*"}}"#,
            r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ssm:*", "Resource": "*"}}"#,
            r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "A"}}"#,
            r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*",
                "Condition": {"StringNotEquals": {"ResourceType": "AWS::KMS::Key"}}}}"#,
            r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*",
                "Condition": {"StringEquals": {"Resourcetype": "AWS::KMS::Key"}}}}"#,
        ] {
            assert!(check(policy).is_err(), "{policy}");
        }
    }
}
