//! Resource policies of secrets: who may come from outside the account, and who may not at all (S11.6, S11.8).
//!
//! Invariant: a stored policy was parsed and names only principals who exist.

use std::sync::Arc;

use api::secretsmanager as model;
use api::secretsmanager::fault::{
    invalid_parameter_exception, malformed_policy_document_exception, public_policy_exception,
    resource_not_found_exception,
};
use pipeline::{
    Access, AccountScope, Authorized, Call, Found, Look, Operation, Resource, ResourcePolicies, Result,
};
use policy::{Arn, Attached, Context, Policy, PolicyKind};

use super::cross_account;
use super::naming::resolve;
use super::secret::{SecretTarget, to_change};

pub(crate) const PUT: Access = Access::permissions("secretsmanager:PutResourcePolicy");
pub(crate) const DELETE: Access = Access::permissions("secretsmanager:DeleteResourcePolicy");
const VALIDATE: Access = Access::permissions("secretsmanager:ValidateResourcePolicy");
/// The condition key that narrows the deletion of policies (User Guide, "Stop cross-account replication").
pub(crate) const POLICY_NAME: &str = "secretsmanager:PolicyName";
/// The name of the policy that a secret's owner gives it.
pub(crate) const NAME: &str = "default";
const PUBLIC: &str =
    "This resource policy grants broad access to the secret, which BlockPublicPolicy does not let through.";

/// Parses a policy that is about to be a secret's.
fn check(look: &mut Look<'_>, text: &str) -> Result<Policy> {
    let parsed = Policy::parse(text, PolicyKind::Resource)
        .map_err(|error| malformed_policy_document_exception(error.to_string()))?;
    let named: Vec<String> = parsed
        .statements()
        .flat_map(|statement| statement.principals().collect::<Vec<_>>())
        .filter_map(|(class, name)| (class == "AWS" && name != "*").then_some(name))
        .collect();
    for name in named {
        if !known(look, &name)? {
            return Err(malformed_policy_document_exception(
                "This resource policy contains an invalid principal.",
            ));
        }
    }
    Ok(parsed)
}

/// Whether an account or principal exists here, as far as the directory can tell.
fn known(look: &mut Look<'_>, name: &str) -> Result<bool> {
    let directory = look.directory();
    match Arn::parse(name) {
        None if name.bytes().all(|byte| byte.is_ascii_digit()) => directory.account_exists(look, name),
        None => directory.principal_exists(look, name),
        Some(arn) if !directory.account_exists(look, arn.account())? => Ok(false),
        Some(arn) if arn.service() == "iam" && arn.resource() != "root" => {
            directory.principal_exists(look, name)
        }
        Some(_) => Ok(true),
    }
}

/// Refuses to change a policy of another name than the one that there is.
fn expect_default(name: Option<&str>) -> Result<()> {
    match name {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(invalid_parameter_exception(format!(
            "The only resource policy that you can change is {NAME}."
        ))),
    }
}

/// Gives a secret a resource policy in place of the one that it has.
pub struct PutResourcePolicy;

impl Operation for PutResourcePolicy {
    type Input = model::PutResourcePolicyRequest;
    type Output = model::PutResourcePolicyResponse;
    type Target = SecretTarget;
    const ACCESS: Access = PUT;
    const CONDITIONS: &'static [&'static str] = &["secretsmanager:BlockPublicPolicy"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(block) = input.block_public_policy {
            context.insert("secretsmanager:BlockPublicPolicy", block.to_string());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        expect_default(input.policy_name.as_deref())?;
        secret.expect_own(call)?;
        let parsed = check(call, &input.resource_policy)?;
        if input.block_public_policy == Some(true) && policy::public::is_public(&parsed) {
            return Err(public_policy_exception(PUBLIC));
        }
        let mut secret = to_change(&secret);
        secret.policy = Some(input.resource_policy);
        let answer = model::PutResourcePolicyResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            policy_name: Some(NAME.to_owned()),
        };
        secret.keep(call)?;
        Ok(answer)
    }
}

/// Shows a secret's resource policy, if it has one.
pub struct GetResourcePolicy;

impl Operation for GetResourcePolicy {
    type Input = model::GetResourcePolicyRequest;
    type Output = model::GetResourcePolicyResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::read("secretsmanager:GetResourcePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        let name = input.policy_name.unwrap_or_else(|| NAME.to_owned());
        let managed = cross_account::policy_text(&secret)?.filter(|_| name == cross_account::POLICY);
        if name != NAME && managed.is_none() {
            return Err(resource_not_found_exception(
                "Secrets Manager can't find the specified resource policy.",
            ));
        }
        secret.expect_staying()?;
        Ok(model::GetResourcePolicyResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            policy_name: Some(name),
            resource_policy: managed.or_else(|| secret.policy.clone()),
        })
    }
}

/// Takes a secret's resource policy away.
pub struct DeleteResourcePolicy;

impl Operation for DeleteResourcePolicy {
    type Input = model::DeleteResourcePolicyRequest;
    type Output = model::DeleteResourcePolicyResponse;
    type Target = SecretTarget;
    const ACCESS: Access = DELETE;
    const CONDITIONS: &'static [&'static str] = &[POLICY_NAME];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let name = input.policy_name.as_deref().unwrap_or(NAME);
        context.insert(POLICY_NAME, name.to_owned());
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        expect_default(input.policy_name.as_deref())?;
        secret.expect_own(call)?;
        let mut secret = to_change(&secret);
        secret.policy = None;
        let answer = model::DeleteResourcePolicyResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            policy_name: Some(NAME.to_owned()),
        };
        secret.keep(call)?;
        Ok(answer)
    }
}

/// A policy to be looked at: of a secret, or of none yet.
pub enum Subject {
    Secret(SecretTarget),
    Account(AccountScope),
}

impl Resource for Subject {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        match self {
            Self::Secret(secret) => Resource::arn(secret),
            Self::Account(scope) => scope.arn(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::Secret(secret) => Resource::account(secret),
            Self::Account(scope) => scope.account(),
        }
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        match self {
            Self::Secret(secret) => secret.policies(look),
            Self::Account(_) => Ok(ResourcePolicies::None),
        }
    }

    fn conditions(&self, context: &mut Context) {
        if let Self::Secret(secret) = self {
            Resource::conditions(secret, context);
        }
    }
}

/// Says what is wrong with a policy: that it opens the secret to the public, or that it locks the caller out.
pub struct ValidateResourcePolicy;

impl Operation for ValidateResourcePolicy {
    type Input = model::ValidateResourcePolicyRequest;
    type Output = model::ValidateResourcePolicyResponse;
    type Target = Subject;
    const ACCESS: Access = VALIDATE;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Subject>> {
        let Some(id) = &input.secret_id else {
            return Ok(match AccountScope::of(look) {
                Found::Here(scope) => Found::Here(Subject::Account(scope)),
                Found::Absent { arn, fault } => Found::Absent { arn, fault },
            });
        };
        Ok(match resolve(look, id)? {
            Found::Here(secret) => Found::Here(Subject::Secret(secret)),
            Found::Absent { arn, fault } => Found::Absent { arn, fault },
        })
    }

    fn handle(call: &mut Call<'_>, subject: Authorized<Subject>, input: Self::Input) -> Result<Self::Output> {
        let parsed = check(call, &input.resource_policy)?;
        let mut errors = Vec::new();
        let mut say = |check: &str, message: &str| {
            errors.push(model::ValidationErrorsEntry {
                check_name: Some(check.to_owned()),
                error_message: Some(message.to_owned()),
            });
        };
        if policy::public::is_public(&parsed) {
            say(
                "PublicPolicy",
                "The resource policy grants broad access to the secret.",
            );
        }
        let (arn, owner) = (subject.arn(), subject.account().to_owned());
        let policies = ResourcePolicies::Policy(Attached::new(Arc::new(parsed), "the new resource policy"));
        if !call.would_allow(PUT, &arn, &owner, policies)? {
            say(
                "LockoutPolicy",
                "The resource policy does not let the caller change it in the future.",
            );
        }
        Ok(model::ValidateResourcePolicyResponse {
            policy_validation_passed: Some(errors.is_empty()),
            validation_errors: Some(errors),
        })
    }
}
