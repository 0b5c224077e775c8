//! Resource policies: who from elsewhere may use a function, a version or an alias (Lambda Developer Guide, "Using resource-based policies
//! for Lambda").
//!
//! Invariant: a stored statement was parsed, names only principals who exist, and is of the function and qualifier that it lies under.

use api::lambda as model;
use api::lambda::fault::policy_length_exceeded_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::{Arn, Context, Policy, PolicyKind};
use serde_json::{Map, Value, json};
use wire::Fault;
use wire::typed::Empty;

use super::fault::{conflict, invalid, not_found, stale};
use super::function::{FunctionTarget, LATEST, Permissions, to_change};
use super::naming::{meant, resolve};

/// Bytes of a policy (Lambda Developer Guide, "Lambda quotas").
pub(crate) const BYTES_MAX: usize = 20_480;

/// Adds a statement.
pub struct AddPermission;

impl Operation for AddPermission {
    type Input = model::AddPermissionRequest;
    type Output = model::AddPermissionResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::permissions("lambda:AddPermission");
    const CONDITIONS: &'static [&'static str] = &["lambda:FunctionUrlAuthType", "lambda:Principal"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("lambda:Principal", input.principal.clone());
        if let Some(kind) = input.function_url_auth_type {
            context.insert("lambda:FunctionUrlAuthType", kind.as_str());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        if target.qualifier.as_deref() == Some(LATEST) {
            return Err(invalid(
                "We currently do not support adding policies for $LATEST.",
            ));
        }
        meant(call, &target)?;
        let mut function = to_change(&target);
        let qualifier = target.qualifier().to_owned();
        let held = function.permissions.get(&qualifier);
        expect_revision(held, input.revision_id.as_deref())?;
        let mut statements = held.map(|held| held.statements.clone()).unwrap_or_default();
        if statements.iter().any(|held| sid(held) == input.statement_id) {
            return Err(conflict(format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
                input.statement_id
            )));
        }
        let statement = statement(call, &input, target.qualified_arn())?;
        statements.push(statement.clone());
        let revision = call.uuid()?;
        function
            .permissions
            .insert(qualifier.clone(), Permissions { revision, statements });
        let text = function.document(&qualifier).unwrap_or_default();
        if text.len() > BYTES_MAX {
            return Err(policy_length_exceeded_exception(format!(
                "The final policy size ({}) is bigger than the limit ({BYTES_MAX}).",
                text.len()
            )));
        }
        Policy::parse(&text, PolicyKind::Resource).map_err(|error| invalid(error.to_string()))?;
        function.keep(call)?;
        Ok(model::AddPermissionResponse {
            statement: Some(statement.to_string()),
        })
    }
}

fn expect_revision(held: Option<&Permissions>, revision: Option<&str>) -> Result<()> {
    match revision {
        Some(revision) if held.is_none_or(|held| held.revision != revision) => Err(stale("GetPolicy")),
        _ => Ok(()),
    }
}

pub(crate) fn sid(statement: &Value) -> &str {
    statement.get("Sid").and_then(Value::as_str).unwrap_or_default()
}

/// The statement of a request.
fn statement(look: &mut Look<'_>, input: &model::AddPermissionRequest, arn: String) -> Result<Value> {
    if input.action != "lambda:*" && input.action != "*" {
        let known = policy::reference::action(&input.action);
        known
            .filter(|_| input.action.starts_with("lambda:"))
            .ok_or_else(|| invalid(format!("The action {} is not one of Lambda.", input.action)))?;
    }
    let principal = principal(look, &input.principal)?;
    let mut equals = Map::new();
    let mut set = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            equals.insert(key.to_owned(), value.into());
        }
    };
    set("AWS:SourceAccount", input.source_account.as_deref());
    set("aws:PrincipalOrgID", input.principal_org_id.as_deref());
    set("lambda:EventSourceToken", input.event_source_token.as_deref());
    set(
        "lambda:FunctionUrlAuthType",
        input
            .function_url_auth_type
            .map(model::FunctionUrlAuthType::as_str),
    );
    let mut condition = Map::new();
    if !equals.is_empty() {
        condition.insert("StringEquals".to_owned(), equals.into());
    }
    if let Some(source) = &input.source_arn {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": source }));
    }
    if let Some(via) = input.invoked_via_function_url {
        condition.insert(
            "Bool".to_owned(),
            json!({ "lambda:InvokedViaFunctionUrl": via.to_string() }),
        );
    }
    let mut statement = json!({
        "Sid": input.statement_id, "Effect": "Allow", "Principal": principal, "Action": input.action, "Resource": arn,
    });
    if !condition.is_empty()
        && let Some(members) = statement.as_object_mut()
    {
        members.insert("Condition".to_owned(), condition.into());
    }
    Ok(statement)
}

/// The principal of a statement: an account, a user or role, a service, or everyone.
fn principal(look: &mut Look<'_>, name: &str) -> Result<Value> {
    let wrong = || invalid("The provided principal was invalid. Please check the principal and try again.");
    if name == "*" {
        return Ok("*".into());
    }
    let directory = look.directory();
    if name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        // Accounts elsewhere are believed, as everywhere where accounts are named.
        return Ok(json!({ "AWS": format!("arn:aws:iam::{name}:root") }));
    }
    if let Some(arn) = Arn::parse(name) {
        let here = directory.account_exists(look, arn.account())?;
        let root = arn.resource() == "root";
        if arn.service() == "iam" && here && !root && !directory.principal_exists(look, name)? {
            return Err(wrong());
        }
        return match arn.service() {
            "iam" | "sts" => Ok(json!({ "AWS": name })),
            _ => Err(wrong()),
        };
    }
    let service = name.ends_with(".amazonaws.com") || name.ends_with(".amazon.com");
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if service && plain {
        Ok(json!({ "Service": name }))
    } else {
        Err(wrong())
    }
}

/// Removes a statement.
pub struct RemovePermission;

impl Operation for RemovePermission {
    type Input = model::RemovePermissionRequest;
    type Output = Empty;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::permissions("lambda:RemovePermission");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(call: &mut Call<'_>, target: Authorized<FunctionTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let mut function = to_change(&target);
        let qualifier = target.qualifier().to_owned();
        let Some(held) = function.permissions.get_mut(&qualifier) else {
            return Err(not_found("No policy is associated with the given resource."));
        };
        let before = held.statements.len();
        held.statements.retain(|held| sid(held) != input.statement_id);
        if held.statements.len() == before {
            return Err(not_found(format!(
                "Statement {} is not found in resource policy.",
                input.statement_id
            )));
        }
        expect_revision(
            Some(&*held),
            input
                .revision_id
                .as_deref()
                .filter(|revision| !revision.is_empty()),
        )?;
        held.revision = call.uuid()?;
        if held.statements.is_empty() {
            function.permissions.remove(&qualifier);
        }
        function.keep(call)?;
        Ok(Empty)
    }
}

/// Shows the policy of a function, a version or an alias.
pub struct GetPolicy;

impl Operation for GetPolicy {
    type Input = model::GetPolicyRequest;
    type Output = model::GetPolicyResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let none = || -> Fault { not_found("The resource you requested does not exist.") };
        let held = target.permissions.get(target.qualifier()).ok_or_else(none)?;
        Ok(model::GetPolicyResponse {
            policy: target.document(target.qualifier()),
            revision_id: Some(held.revision.clone()),
        })
    }
}
