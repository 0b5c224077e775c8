//! Whose policies are simulated: a user, group or role, and who is taken for the caller.
//!
//! Invariant: policies are read as decisions read them; only their names are added, for `MatchedStatements`.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::iam::fault::invalid_input_exception;
use api::iam::{AttachmentType, PolicySourceType};
use pipeline::identity::Identity;
use pipeline::{Found, Look, Resource, Result};
use policy::{Arn, Attached, Context, Principal};
use wire::Fault;

use crate::iam::document::StoredPolicy;
use crate::iam::group::{self, GROUPS, Group};
use crate::iam::managed::{self, catalogue};
use crate::iam::role::{self, ROLES, Role};
use crate::iam::user::{self, USERS, User};

/// A user, group or role as the source of policies.
pub enum Source {
    User(Arc<User>),
    Group(Arc<Group>),
    Role(Arc<Role>),
}

/// A policy with what a simulation says of its origin.
pub(super) struct Sourced {
    pub(super) attached: Attached,
    /// `SourcePolicyId`: the policy's name.
    pub(super) id: String,
    pub(super) kind: PolicySourceType,
    pub(super) place: Place,
}

/// How a policy came to the simulation, which exclusions go by.
pub(super) enum Place {
    Managed(String),
    /// The kind and the name of the one that it is embedded in.
    Inline(AttachmentType, String),
    Given,
}

/// The simulated caller.
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) account: String,
    pub(super) kind: AttachmentType,
    /// The unique id, if the one exists here.
    pub(super) id: Option<String>,
    pub(super) name: String,
}

/// The account, the kind and the name in the ARN of a user, group or role.
fn read(arn: &str) -> Result<(String, AttachmentType, String)> {
    let unclear = || {
        invalid_input_exception(format!(
            "Invalid Entity Arn: {arn} does not clearly define entity type and name."
        ))
    };
    let parsed = Arn::parse(arn).filter(|parsed| parsed.service() == "iam" && parsed.region().is_empty());
    let parsed = parsed.ok_or_else(unclear)?;
    let (kind, path) = parsed.resource().split_once('/').ok_or_else(unclear)?;
    let kind = AttachmentType::parse(kind).ok_or_else(unclear)?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty());
    let account = parsed.account();
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unclear());
    }
    Ok((account.to_owned(), kind, name.ok_or_else(unclear)?.to_owned()))
}

fn find(look: &mut Look<'_>, account: &str, kind: AttachmentType, name: &str) -> Result<Option<Source>> {
    let key = (account.to_owned(), name.to_lowercase());
    Ok(match kind {
        AttachmentType::User => look.get(&USERS, &key)?.map(Source::User),
        AttachmentType::Group => look.get(&GROUPS, &key)?.map(Source::Group),
        AttachmentType::Role => look.get(&ROLES, &key)?.map(Source::Role),
    })
}

/// Who an ARN makes the caller. It need not exist.
pub(super) fn caller(look: &mut Look<'_>, arn: &str) -> Result<Caller> {
    let (account, kind, name) = read(arn)?;
    let found = find(look, &account, kind, &name)?.filter(|found| found.arn() == arn);
    Ok(match found {
        Some(found) => found.caller(),
        None => Caller::new(arn.to_owned(), account, kind, None, name),
    })
}

impl Caller {
    fn new(arn: String, account: String, kind: AttachmentType, id: Option<String>, name: String) -> Self {
        let unique = id.clone().unwrap_or_default();
        let principal = match kind {
            AttachmentType::Role => Principal::AssumedRole {
                arn: arn.clone(),
                role_arn: arn,
                account: account.clone(),
                role_id: unique,
            },
            AttachmentType::User | AttachmentType::Group => Principal::User {
                arn,
                account: account.clone(),
                id: unique,
            },
        };
        Self {
            principal,
            account,
            kind,
            id,
            name,
        }
    }

    /// The condition keys that the simulator knows by itself (IAM User Guide, "How condition key evaluation works in the IAM
    /// policy simulator"). `aws:userid` of a role has the session's name in it, which nobody told.
    pub(super) fn conditions(&self, context: &mut Context) {
        context.insert("aws:PrincipalAccount", self.account.clone());
        match self.kind {
            AttachmentType::User => {
                context.insert("aws:PrincipalType", "User");
                context.insert("aws:username", self.name.clone());
                if let Some(id) = &self.id {
                    context.insert("aws:userid", id.clone());
                    context.insert("aws:PrincipalId", id.clone());
                }
            }
            AttachmentType::Role => context.insert("aws:PrincipalType", "AssumedRole"),
            AttachmentType::Group => {}
        }
    }
}

impl Resource for Source {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        match self {
            Self::User(user) => user.arn(),
            Self::Group(group) => group.arn(),
            Self::Role(role) => role.arn(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::User(user) => &user.account,
            Self::Group(group) => &group.account,
            Self::Role(role) => &role.account,
        }
    }

    fn conditions(&self, context: &mut Context) {
        match self {
            Self::User(user) => user.conditions(context),
            Self::Group(group) => group.conditions(context),
            Self::Role(role) => role.conditions(context),
        }
    }
}

impl Source {
    /// The user, group or role of the caller's account that bears an ARN.
    pub(super) fn named(look: &mut Look<'_>, arn: &str) -> Result<Found<Self>> {
        let (account, kind, name) = match read(arn) {
            Ok(parts) => parts,
            // Only those who may ask learn what is wrong with the name.
            Err(fault) => {
                let arn = arn.to_owned();
                return Ok(Found::Absent { arn, fault });
            }
        };
        let found = if account == look.account() {
            find(look, &account, kind, &name)?
        } else {
            None
        };
        let found = found.filter(|found| found.arn() == arn);
        let fault = || match kind {
            AttachmentType::User => user::missing(&name),
            AttachmentType::Group => group::missing(&name),
            AttachmentType::Role => role::missing(&name),
        };
        Ok(Found::or_absent(found, || (arn.to_owned(), fault())))
    }

    /// The source as the caller that it is unless another is named.
    pub(super) fn caller(&self) -> Caller {
        let (kind, id, name) = match self {
            Self::User(user) => (AttachmentType::User, &user.id, &user.name),
            Self::Group(group) => (AttachmentType::Group, &group.id, &group.name),
            Self::Role(role) => (AttachmentType::Role, &role.id, &role.name),
        };
        Caller::new(
            self.arn(),
            self.account().to_owned(),
            kind,
            Some(id.clone()),
            name.clone(),
        )
    }

    /// Its policies; a user's groups' too (S1.8).
    pub(super) fn policies(&self, look: &mut Look<'_>) -> Result<Vec<Sourced>> {
        let mut policies = Vec::new();
        match self {
            Self::User(user) => {
                inline(&user.inline, AttachmentType::User, &user.name, &mut policies);
                attached(look, &user.attached, &mut policies)?;
                for group in &user.groups {
                    if let Some(group) = look.get(&GROUPS, &(user.account.clone(), group.clone()))? {
                        of_group(look, &group, &mut policies)?;
                    }
                }
            }
            Self::Group(group) => of_group(look, group, &mut policies)?,
            Self::Role(role) => {
                inline(&role.inline, AttachmentType::Role, &role.name, &mut policies);
                attached(look, &role.attached, &mut policies)?;
            }
        }
        Ok(policies)
    }

    /// Its permissions boundary.
    pub(super) fn boundary(&self, look: &mut Look<'_>) -> Result<Option<Attached>> {
        let arn = match self {
            Self::User(user) => user.boundary.as_deref(),
            Self::Role(role) => role.boundary.as_deref(),
            Self::Group(_) => None,
        };
        let Some(arn) = arn else { return Ok(None) };
        let found = managed::find(look, arn)?;
        found
            .map(Some)
            .ok_or_else(|| Fault::internal(format!("the permissions boundary {arn} is missing")))
    }

    /// The service control policies over its account, level by level.
    pub(super) fn service_control(&self, look: &mut Look<'_>) -> Result<Vec<Vec<Attached>>> {
        let directory = look.directory();
        let root = Identity::root(self.account());
        Ok(directory.policies(look, &root, None)?.service_control)
    }
}

fn of_group(look: &mut Look<'_>, group: &Group, policies: &mut Vec<Sourced>) -> Result<()> {
    inline(&group.inline, AttachmentType::Group, &group.name, policies);
    attached(look, &group.attached, policies)
}

fn inline(
    held: &BTreeMap<String, StoredPolicy>,
    kind: AttachmentType,
    owner: &str,
    policies: &mut Vec<Sourced>,
) {
    let source = match kind {
        AttachmentType::User => PolicySourceType::User,
        AttachmentType::Group => PolicySourceType::Group,
        AttachmentType::Role => PolicySourceType::Role,
    };
    policies.extend(held.iter().map(|(name, policy)| Sourced {
        attached: policy.attached(|| format!("{kind}/{owner} inline {name}")),
        id: name.clone(),
        kind: source,
        place: Place::Inline(kind, owner.to_owned()),
    }));
}

fn attached(look: &mut Look<'_>, arns: &[String], policies: &mut Vec<Sourced>) -> Result<()> {
    for arn in arns {
        let Some(attached) = managed::find(look, arn)? else {
            continue;
        };
        let kind = if arn.starts_with(catalogue::PREFIX) {
            PolicySourceType::AwsManaged
        } else {
            PolicySourceType::UserManaged
        };
        policies.push(Sourced {
            attached,
            id: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
            kind,
            place: Place::Managed(arn.clone()),
        });
    }
    Ok(())
}
