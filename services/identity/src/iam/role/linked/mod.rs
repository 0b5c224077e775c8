//! Service-linked roles: roles that belong to a service of AWS, trust it alone, and bear the policy that it chose.
//!
//! Invariant: a role below `/aws-service-role/` is made and deleted here and nowhere else; others change its description and tags at
//! most (`Role::expect_unprotected`).

mod deletion;
mod service;
mod usage;

use std::collections::BTreeMap;

use api::iam as model;
use api::iam::fault::invalid_input_exception;
use crypto::random::IdPrefix;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::{Context, PolicyKind};
use wire::{Fault, Timestamp};

use self::service::Service;
use crate::iam::binding;
use crate::iam::count::{self, Counted};
use crate::iam::document::StoredPolicy;
use crate::iam::role::{self, ROLES, Role, SERVICE_PATH, SESSION_SECONDS_DEFAULT};

pub use deletion::{DeleteServiceLinkedRole, GetServiceLinkedRoleDeletionStatus};
pub(crate) use deletion::{JOB as DELETION_JOB, delete};

/// What whoever lets a service make its role must be allowed; operations that call [`ensure`] declare it in `ALSO`.
pub const CREATE: Access = Access::write("iam:CreateServiceLinkedRole");
const SERVICE_NAME: &str = "iam:AWSServiceName";

/// Makes the role of a service, unless the account has it, as the caller of the service's operation: on AWS too, the caller needs
/// `iam:CreateServiceLinkedRole` for it. Tells the role's ARN.
///
/// # Errors
/// `AccessDenied`; `InvalidInput` for a service without such a role.
pub fn ensure(call: &mut Call<'_>, principal: &str) -> Result<String> {
    let name = known(principal)?.role_name(None).unwrap_or_default();
    if role::find(call, &name)?.is_none() {
        let target = Denoted::new(call, arn(call, principal, &name));
        let context = Context::new().with(SERVICE_NAME, principal.to_owned());
        call.authorize(CREATE, target, context)?;
    }
    provide(call, principal)
}

/// The same without asking whether the caller may: for jobs, and for what AWS itself sets up in an account.
///
/// # Errors
/// `InvalidInput` for a service without such a role.
pub fn provide(call: &mut Call<'_>, principal: &str) -> Result<String> {
    let service = known(principal)?;
    let name = service.role_name(None).unwrap_or_default();
    if let Some(role) = role::find(call, &name)? {
        return Ok(role.arn());
    }
    Ok(make(call, service, name, None)?.arn())
}

fn known(principal: &str) -> Result<Service> {
    Service::find(principal).ok_or_else(|| unknown(principal))
}

fn unknown(principal: &str) -> Fault {
    invalid_input_exception(format!("Service-linked roles are not supported for {principal}."))
}

fn arn(look: &Look<'_>, principal: &str, name: &str) -> String {
    role::arn(look.account(), &format!("{SERVICE_PATH}{principal}/"), name)
}

/// Writes the role with its policy.
fn make(call: &mut Call<'_>, service: Service, name: String, description: Option<String>) -> Result<Role> {
    let role = Role {
        account: call.account().to_owned(),
        path: format!("{SERVICE_PATH}{}/", service.principal),
        id: call.unique_id(IdPrefix::Role)?,
        created: Timestamp::from_seconds(call.now.seconds()).0,
        trust: StoredPolicy::new(&service.trust(), PolicyKind::Trust)?,
        trusted: BTreeMap::new(),
        description: description.filter(|text| !text.is_empty()),
        max_session_seconds: SESSION_SECONDS_DEFAULT,
        tags: Vec::new(),
        boundary: None,
        attached: vec![service.policy_arn()],
        inline: BTreeMap::new(),
        profiles: Vec::new(),
        last_used: None,
        name,
    };
    binding::bind(call, &service.policy_arn(), "role", &role.name, &role.id)?;
    count::add_beyond(call, Counted::Roles)?;
    call.mention(role.arn(), &role.account, Role::TYPE);
    call.put(&ROLES, &role.key(), role.clone())?;
    Ok(role)
}

/// Makes the role of a service. Only these roles may exceed the quota of roles (IAM User Guide, "Create a service-linked role").
pub struct CreateServiceLinkedRole;

impl Operation for CreateServiceLinkedRole {
    type Input = model::CreateServiceLinkedRoleRequest;
    type Output = model::CreateServiceLinkedRoleResponse;
    type Target = Denoted;
    const ACCESS: Access = CREATE;
    const CONDITIONS: &'static [&'static str] = &[SERVICE_NAME];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let principal = &input.aws_service_name;
        let name = Service::find(principal)
            .and_then(|service| service.role_name(input.custom_suffix.as_deref()))
            .unwrap_or_else(|| "*".to_owned());
        let arn = arn(look, principal, &name);
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert(SERVICE_NAME, input.aws_service_name.clone());
    }

    fn handle(call: &mut Call<'_>, _target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        const NAME_MAX: usize = 64;
        let service = known(&input.aws_service_name)?;
        let name = service.role_name(input.custom_suffix.as_deref()).ok_or_else(|| {
            let message = format!("Custom suffix is not allowed for {}", service.principal);
            invalid_input_exception(message)
        })?;
        if name.len() > NAME_MAX {
            let message = format!("The role name {name} is longer than {NAME_MAX} characters.");
            return Err(invalid_input_exception(message));
        }
        if role::find(call, &name)?.is_some() {
            return Err(invalid_input_exception(format!(
                "Service role name {name} has been taken in this account, please try a different suffix."
            )));
        }
        let role = make(call, service, name, input.description)?;
        let shown = model::Role {
            max_session_duration: None,
            ..role.shown(call)?
        };
        Ok(model::CreateServiceLinkedRoleResponse { role: Some(shown) })
    }
}
