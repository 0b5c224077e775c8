//! Roles: permissions that others put on for a while (S1.10), and the trust policy that says who may.
//!
//! A role has no credentials of its own (S1.11): STS makes temporary ones for those whom it trusts.
//! Invariant: trust names users and roles by their unique ids, so that one made anew under an old name is a stranger.

mod create;
pub mod linked;
mod list;
mod tags;
pub(crate) mod trust;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{no_such_entity_exception, unmodifiable_entity_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::boundary;
use crate::iam::document::{StoredPolicy, encoded};
use crate::iam::tag::{self, Tags};

pub use create::{CreateRole, DeleteRole};
pub(crate) use create::{Draft, make};
pub use list::ListRoles;
pub use tags::{ListRoleTags, TagRole, UntagRole};
pub use update::{UpdateAssumeRolePolicy, UpdateRole, UpdateRoleDescription};

/// Characters of all inline policies of a role, whitespace not counted.
pub(crate) const INLINE_MAX: usize = 10_240;
/// How long a session may last unless the role says otherwise.
pub(crate) const SESSION_SECONDS_DEFAULT: i32 = 3600;
/// Roles below this path are AWS's services' own; SCPs and RCPs do not bind them, so nobody else may make one.
pub(crate) const SERVICE_PATH: &str = "/aws-service-role/";

/// A role.
#[derive(Clone, Serialize, Deserialize)]
pub struct Role {
    pub account: String,
    pub name: String,
    /// `/` or `/…/`
    pub path: String,
    /// `AROA…`
    pub id: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// With unique ids where the ARNs of users and roles were.
    pub trust: StoredPolicy,
    /// The ARNs that the unique ids in `trust` stand for.
    pub trusted: BTreeMap<String, String>,
    pub description: Option<String>,
    /// From 3600 to 43200.
    pub max_session_seconds: i32,
    pub tags: Tags,
    /// The ARN of the managed policy that bounds the role's permissions.
    pub boundary: Option<String>,
    /// ARNs of managed policies, in the order of attachment.
    pub attached: Vec<String>,
    pub inline: BTreeMap<String, StoredPolicy>,
    /// Lower-case names of the instance profiles that hold it.
    pub profiles: Vec<String>,
    pub last_used: Option<LastUsed>,
}

store::record!(Role, 1);

/// When and where a session of the role last called.
#[derive(Clone, Serialize, Deserialize)]
pub struct LastUsed {
    /// Milliseconds since the epoch.
    pub at: i64,
    pub region: String,
}

/// By account and lower-case name.
pub static ROLES: Table<(String, String), Role> = Table::new(0x0104, "iam.roles");

impl Role {
    /// The name as rows are found by it.
    pub fn lower(&self) -> String {
        self.name.to_lowercase()
    }

    /// The key of its row.
    pub fn key(&self) -> (String, String) {
        (self.account.clone(), self.lower())
    }

    /// Refuses a change of a role that only AWS's services change.
    pub(crate) fn expect_unprotected(&self) -> Result<()> {
        if !self.path.starts_with(SERVICE_PATH) {
            return Ok(());
        }
        Err(unmodifiable_entity_exception(format!(
            "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
            self.name
        )))
    }

    /// As lists show it: without tags, boundary and last use.
    pub(crate) fn shown(&self, look: &mut Look<'_>) -> Result<model::Role> {
        Ok(model::Role {
            arn: self.arn(),
            assume_role_policy_document: Some(encoded(&trust::shown(look, self)?)),
            create_date: Timestamp(self.created),
            description: self.description.clone(),
            max_session_duration: Some(self.max_session_seconds),
            path: self.path.clone(),
            role_id: self.id.clone(),
            role_name: self.name.clone(),
            ..model::Role::default()
        })
    }

    /// As `GetRole` and `CreateRole` show it.
    fn shown_whole(&self, look: &mut Look<'_>) -> Result<model::Role> {
        let last_used = self.last_used.as_ref();
        Ok(model::Role {
            permissions_boundary: boundary::shown(self.boundary.as_ref()),
            role_last_used: Some(model::RoleLastUsed {
                last_used_date: last_used.map(|last| Timestamp(last.at)),
                region: last_used.map(|last| last.region.clone()),
            }),
            tags: tag::shown(&self.tags),
            ..self.shown(look)?
        })
    }
}

impl Resource for Role {
    const TYPE: &'static str = "AWS::IAM::Role";

    fn arn(&self) -> String {
        arn(&self.account, &self.path, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        tag::resource_conditions(&self.tags, context);
        if let Some(boundary) = &self.boundary
            && context.get("iam:PermissionsBoundary").is_none()
        {
            context.insert("iam:PermissionsBoundary", boundary.clone());
        }
    }
}

/// `arn:aws:iam::ACCOUNT:role/PATH/NAME`
pub(crate) fn arn(account: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role{path}{name}")
}

/// What AWS says of a name that no role bears.
pub(crate) fn missing(name: &str) -> Fault {
    no_such_entity_exception(format!("The role with name {name} cannot be found."))
}

/// The role of a name in the caller's account, if there is one.
pub(crate) fn find(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<Role>>> {
    let key = (look.account().to_owned(), name.to_lowercase());
    look.get(&ROLES, &key)
}

/// The role that a request names.
pub(crate) fn named(look: &mut Look<'_>, name: &str) -> Result<Found<Role>> {
    let found = find(look, name)?.map(|role| (*role).clone());
    let account = look.account();
    Ok(Found::or_absent(found, || {
        (arn(account, "/", name), missing(name))
    }))
}

/// Shows a role with its trust policy.
pub struct GetRole;

impl Operation for GetRole {
    type Input = model::GetRoleRequest;
    type Output = model::GetRoleResponse;
    type Target = Role;
    const ACCESS: Access = Access::read("iam:GetRole");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, _input: Self::Input) -> Result<Self::Output> {
        Ok(model::GetRoleResponse {
            role: role.shown_whole(call)?,
        })
    }
}
