//! Resource policies of layer versions: which accounts may use one (Lambda Developer Guide, "Granting Lambda layer access to other
//! accounts").
//!
//! Invariant: a stored statement was parsed, and grants `lambda:GetLayerVersion` on the version that it lies under and nothing else.

use api::lambda as model;
use api::lambda::fault::policy_length_exceeded_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource as _, Result};
use policy::{Policy, PolicyKind};
use serde_json::{Value, json};
use wire::typed::Empty;

use super::{LayerVersion, missing, number, read, resolve};
use crate::lambda::fault::{conflict, invalid, not_found, stale};
use crate::lambda::permission::{BYTES_MAX, sid};

fn target(look: &mut Look<'_>, name: &str, version: i64) -> Result<Found<LayerVersion>> {
    let named = read(look, name)?;
    resolve(look, &named, number(version)?)
}

/// The row of a version that was granted, to be changed or shown.
fn granted(call: &mut Call<'_>, version: &Authorized<LayerVersion>) -> Result<LayerVersion> {
    call.share_with(&version.account);
    if version.created == 0 {
        return Err(missing());
    }
    Ok((**version).clone())
}

fn expect_revision(version: &LayerVersion, revision: Option<&str>) -> Result<()> {
    match revision.filter(|revision| !revision.is_empty() && *revision != version.revision) {
        Some(_) => Err(stale("GetLayerVersionPolicy")),
        None => Ok(()),
    }
}

/// Lets an account, an organization or everyone use a version.
pub struct AddLayerVersionPermission;

impl Operation for AddLayerVersionPermission {
    type Input = model::AddLayerVersionPermissionRequest;
    type Output = model::AddLayerVersionPermissionResponse;
    type Target = LayerVersion;
    const ACCESS: Access = Access::permissions("lambda:AddLayerVersionPermission");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<LayerVersion>> {
        target(look, &input.layer_name, input.version_number)
    }

    fn handle(
        call: &mut Call<'_>,
        version: Authorized<LayerVersion>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut version = granted(call, &version)?;
        expect_revision(&version, input.revision_id.as_deref())?;
        if version
            .statements
            .iter()
            .any(|held| sid(held) == input.statement_id)
        {
            return Err(conflict(format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
                input.statement_id
            )));
        }
        let statement = statement(&input, &version.arn())?;
        version.statements.push(statement.clone());
        version.revision = call.uuid()?;
        let text = version.document().unwrap_or_default();
        if text.len() > BYTES_MAX {
            return Err(policy_length_exceeded_exception(format!(
                "The final policy size ({}) is bigger than the limit ({BYTES_MAX}).",
                text.len()
            )));
        }
        Policy::parse(&text, PolicyKind::Resource).map_err(|error| invalid(error.to_string()))?;
        let revision_id = Some(version.revision.clone());
        version.keep(call)?;
        Ok(model::AddLayerVersionPermissionResponse {
            revision_id,
            statement: Some(statement.to_string()),
        })
    }
}

fn statement(input: &model::AddLayerVersionPermissionRequest, arn: &str) -> Result<Value> {
    let principal = match input.principal.as_str() {
        "*" => json!("*"),
        account if account.starts_with("arn:") => json!({ "AWS": account }),
        account => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
    };
    let mut statement = json!({
        "Sid": input.statement_id, "Effect": "Allow", "Principal": principal, "Action": input.action, "Resource": arn,
    });
    if let Some(organization) = &input.organization_id {
        if input.principal != "*" {
            return Err(invalid(
                "The principal must be * when an organization's id is given.",
            ));
        }
        if let Some(members) = statement.as_object_mut() {
            let equals = json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
            members.insert("Condition".to_owned(), equals);
        }
    }
    Ok(statement)
}

/// Takes a statement back.
pub struct RemoveLayerVersionPermission;

impl Operation for RemoveLayerVersionPermission {
    type Input = model::RemoveLayerVersionPermissionRequest;
    type Output = Empty;
    type Target = LayerVersion;
    const ACCESS: Access = Access::permissions("lambda:RemoveLayerVersionPermission");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<LayerVersion>> {
        target(look, &input.layer_name, input.version_number)
    }

    fn handle(call: &mut Call<'_>, version: Authorized<LayerVersion>, input: Self::Input) -> Result<Empty> {
        let mut version = granted(call, &version)?;
        let before = version.statements.len();
        version.statements.retain(|held| sid(held) != input.statement_id);
        if version.statements.len() == before {
            return Err(not_found(format!(
                "Statement {} is not found in resource policy.",
                input.statement_id
            )));
        }
        expect_revision(&version, input.revision_id.as_deref())?;
        version.revision = call.uuid()?;
        version.keep(call)?;
        Ok(Empty)
    }
}

/// Shows the policy of a version.
pub struct GetLayerVersionPolicy;

impl Operation for GetLayerVersionPolicy {
    type Input = model::GetLayerVersionPolicyRequest;
    type Output = model::GetLayerVersionPolicyResponse;
    type Target = LayerVersion;
    const ACCESS: Access = Access::read("lambda:GetLayerVersionPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<LayerVersion>> {
        target(look, &input.layer_name, input.version_number)
    }

    fn handle(
        call: &mut Call<'_>,
        version: Authorized<LayerVersion>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let version = granted(call, &version)?;
        let document = version.document();
        let policy = document.ok_or_else(|| not_found("No policy is associated with the given resource."))?;
        Ok(model::GetLayerVersionPolicyResponse {
            policy: Some(policy),
            revision_id: Some(version.revision),
        })
    }
}
