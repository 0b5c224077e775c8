//! The end of a service-linked role: asked for, done by a job, and looked after by the id of the task.
//!
//! Invariant: a role has one deletion task at a time that is not done.

use api::iam as model;
use api::iam::fault::{invalid_input_exception, no_such_entity_exception};
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::usage::{self, Usage};
use crate::iam::binding;
use crate::iam::count::{self, Counted};
use crate::iam::role::{self, ROLES, Role, SERVICE_PATH};

/// The job that deletes a role.
pub(crate) const JOB: &str = "iam.DeleteServiceLinkedRole";
/// Milliseconds between the request and the deletion.
const DELAY: i64 = 2_000;
/// Tasks of one role that are looked through.
const TASKS_READ_MAX: usize = 1000;
/// How the id of a task begins.
const TASK: &str = "task";

/// A deletion that was asked for.
#[derive(Clone, Serialize, Deserialize)]
struct Task {
    /// `task/aws-service-role/SERVICE/ROLE/UUID`
    id: String,
    done: bool,
    /// Why the role could not be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// Why a role stays.
#[derive(Clone, Serialize, Deserialize)]
struct Failure {
    reason: String,
    usage: Vec<Usage>,
}

store::record!(Task, 1);

/// By account, lower-case name of the role, and UUID.
static TASKS: Table<(String, String, String), Task> = Table::new(0x012f, "iam.role_deletions");

/// What the job is told.
#[derive(Serialize, Deserialize)]
struct Order {
    /// The lower-case name.
    role: String,
    /// The role's unique id: one made anew under the name is another.
    role_id: String,
    uuid: String,
}

/// Asks for the deletion of a role. A second request, before it is done, tells the task of the first.
pub struct DeleteServiceLinkedRole;

impl Operation for DeleteServiceLinkedRole {
    type Input = model::DeleteServiceLinkedRoleRequest;
    type Output = model::DeleteServiceLinkedRoleResponse;
    type Target = Role;
    const ACCESS: Access = Access::write("iam:DeleteServiceLinkedRole");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        role::named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, _input: Self::Input) -> Result<Self::Output> {
        if !role.path.starts_with(SERVICE_PATH) {
            let message = format!("The role {} is not a service-linked role.", role.name);
            return Err(no_such_entity_exception(message));
        }
        let prefix = (role.account.as_str(), role.lower());
        let tasks = call.range(&TASKS, &(prefix.0, prefix.1.as_str()), None, TASKS_READ_MAX)?;
        if let Some((_, task)) = tasks.into_iter().find(|(_, task)| !task.done) {
            return Ok(model::DeleteServiceLinkedRoleResponse {
                deletion_task_id: task.id.clone(),
            });
        }
        let uuid = call.uuid()?;
        let id = format!("{TASK}{}{}/{uuid}", role.path, role.name);
        let order = Order {
            role: role.lower(),
            role_id: role.id.clone(),
            uuid: uuid.clone(),
        };
        let due = Timestamp(call.now.0.saturating_add(DELAY));
        call.schedule(JOB, due, serde_json::to_value(&order).map_err(Fault::internal)?)?;
        let task = Task {
            id: id.clone(),
            done: false,
            failure: None,
        };
        call.put(&TASKS, &(role.account.clone(), role.lower(), uuid), task)?;
        Ok(model::DeleteServiceLinkedRoleResponse { deletion_task_id: id })
    }
}

/// What of a service still needs its role.
fn failure(call: &mut Call<'_>, role: &Role) -> Result<Option<Failure>> {
    let usage = usage::of(call, role)?;
    Ok((!usage.is_empty()).then(|| Failure {
        reason: format!(
            "The role {} is still used by resources of the service that it belongs to. Delete them, and try again.",
            role.name
        ),
        usage,
    }))
}

/// The job: takes the role away, with its policies and its sessions, unless its service still needs it.
pub(crate) fn delete(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Fault::internal)?;
    let account = call.account().to_owned();
    let key = (account.clone(), order.role.clone());
    let role = call.get(&ROLES, &key)?.filter(|role| role.id == order.role_id);
    let failure = match &role {
        Some(role) => failure(call, role)?,
        None => None,
    };
    if let Some(role) = role.filter(|_| failure.is_none()) {
        for policy in &role.attached {
            binding::unbind(call, policy, "role", &role.name)?;
        }
        count::remove(call, Counted::Roles)?;
        call.delete(&ROLES, &key)?;
    }
    let key = (account, order.role, order.uuid);
    if let Some(task) = call.get(&TASKS, &key)? {
        let task = Task {
            done: true,
            failure,
            ..(*task).clone()
        };
        call.put(&TASKS, &key, task)?;
    }
    Ok(())
}

/// Tells how far a deletion is.
pub struct GetServiceLinkedRoleDeletionStatus;

/// The service, role and UUID of a task's id.
fn parts(id: &str) -> Option<(&str, &str, &str)> {
    let rest = id.strip_prefix(TASK)?.strip_prefix(SERVICE_PATH)?;
    let (rest, uuid) = rest.rsplit_once('/')?;
    let (service, role) = rest.split_once('/')?;
    (!service.is_empty() && !role.is_empty() && !role.contains('/')).then_some((service, role, uuid))
}

impl Operation for GetServiceLinkedRoleDeletionStatus {
    type Input = model::GetServiceLinkedRoleDeletionStatusRequest;
    type Output = model::GetServiceLinkedRoleDeletionStatusResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::read("iam:GetServiceLinkedRoleDeletionStatus");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        // The role itself is gone when its deletion is done.
        let (service, role, _) = parts(&input.deletion_task_id).unwrap_or(("*", "*", ""));
        let arn = role::arn(look.account(), &format!("{SERVICE_PATH}{service}/"), role);
        Ok(Denoted::new(look, arn))
    }

    fn handle(call: &mut Call<'_>, _role: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let id = input.deletion_task_id;
        let (_, role, uuid) = parts(&id)
            .ok_or_else(|| invalid_input_exception(format!("The deletion task id {id} is invalid.")))?;
        let key = (call.account().to_owned(), role.to_lowercase(), uuid.to_owned());
        let task = call.get(&TASKS, &key)?.filter(|task| task.id == id);
        let task =
            task.ok_or_else(|| no_such_entity_exception(format!("The deletion task {id} cannot be found.")))?;
        let status = match (&task.failure, task.done) {
            (Some(_), _) => model::DeletionTaskStatusType::Failed,
            (None, true) => model::DeletionTaskStatusType::Succeeded,
            (None, false) => model::DeletionTaskStatusType::InProgress,
        };
        let reason = task
            .failure
            .as_ref()
            .map(|failure| model::DeletionTaskFailureReasonType {
                reason: Some(failure.reason.clone()),
                role_usage_list: Some(failure.usage.iter().map(Usage::shown).collect()),
            });
        Ok(model::GetServiceLinkedRoleDeletionStatusResponse { reason, status })
    }
}
