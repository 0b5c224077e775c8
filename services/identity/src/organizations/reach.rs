//! Who may ask for what in an organization, before any policy is judged: the management account, delegated administrators, members.
//!
//! A member that the management account named is judged by the policies of its own account, and by the organization's resource
//! policy where there is one.
//! Invariant: what lies in another organization cannot be told from what does not exist.

use std::sync::Arc;

use pipeline::{Found, Look, Resource, ResourcePolicies, Result};
use policy::{Attached, Context};
use wire::Fault;

use super::membership::{Membership, membership};
use super::organization::{Organization, organization};
use super::policy::{self as policies, OrganizationPolicy};
use super::unit::{Unit, unit};
use super::{delegated, refusal, resource_policy};
use crate::iam::tag::Tags;

/// Which accounts of an organization an operation is for (Organizations API Reference, each operation's first paragraph).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// The management account alone.
    Management,
    /// The management account, and members that the organization's resource policy lets.
    Delegates,
    /// The management account, delegated administrators of services, and members that the resource policy lets.
    Administrators,
    /// Every account of the organization.
    Members,
}

/// A caller's place in its organization, once it may ask at all.
pub(crate) struct Seat {
    pub(crate) organization: Arc<Organization>,
    /// The caller's own account.
    pub(crate) member: Arc<Membership>,
    /// The account that decisions take for the owner.
    owner: String,
    policy: Option<Attached>,
}

/// The caller's place, or why it has none for this.
pub(crate) fn seat(look: &mut Look<'_>, who: Who) -> Result<std::result::Result<Seat, Fault>> {
    let account = look.account().to_owned();
    let Some(member) = membership(look, &account)? else {
        return Ok(Err(refusal::not_in_use()));
    };
    let organization = organization(look, &member.management)?
        .ok_or_else(|| Fault::internal("a membership without an organization"))?;
    let own = |member, policy| Seat {
        organization: Arc::clone(&organization),
        member,
        owner: account.clone(),
        policy,
    };
    if member.is_management() || who == Who::Members {
        return Ok(Ok(own(member, None)));
    }
    if who == Who::Management {
        return Ok(Err(refusal::not_permitted()));
    }
    let policy = resource_policy::attached(look, &organization)?;
    if who == Who::Administrators && delegated::is_administrator(look, &member)? {
        return Ok(Ok(own(member, policy)));
    }
    Ok(match policy {
        Some(policy) => Ok(Seat {
            owner: organization.management.clone(),
            organization,
            member,
            policy: Some(policy),
        }),
        None => Err(refusal::not_permitted()),
    })
}

/// What an operation is done to.
#[derive(Clone)]
pub(crate) enum Subject {
    /// The organization as a whole: actions on it have no resource.
    Everything,
    Root,
    Unit(Arc<Unit>),
    Account(Arc<Membership>),
    Policy(Arc<OrganizationPolicy>),
    /// By ARN and tags.
    ResourcePolicy(String, Tags),
    /// Something else, by its ARN and tags.
    Other(String, Tags),
}

/// Something in the caller's organization that the caller may ask for.
pub struct Reached {
    pub(crate) seat: Seat,
    pub(crate) subject: Subject,
}

impl Reached {
    /// The caller's organization.
    pub(crate) const fn organization(&self) -> &Arc<Organization> {
        &self.seat.organization
    }

    /// The account that was asked for.
    pub(super) fn account_row(&self) -> Result<Arc<Membership>> {
        match &self.subject {
            Subject::Account(row) => Ok(Arc::clone(row)),
            _ => Err(Fault::internal("not an account")),
        }
    }

    /// The unit that was asked for.
    pub(super) fn unit_row(&self) -> Result<Arc<Unit>> {
        match &self.subject {
            Subject::Unit(row) => Ok(Arc::clone(row)),
            _ => Err(Fault::internal("not an organizational unit")),
        }
    }
}

impl Resource for Reached {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        match &self.subject {
            Subject::Everything => "*".to_owned(),
            Subject::Root => self.seat.organization.root_arn(),
            Subject::Unit(unit) => unit.arn(),
            Subject::Account(member) => member.arn(),
            Subject::Policy(policy) => policy.arn.clone(),
            Subject::ResourcePolicy(arn, _) | Subject::Other(arn, _) => arn.clone(),
        }
    }

    fn account(&self) -> &str {
        &self.seat.owner
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let policy = self.seat.policy.clone();
        Ok(policy.map_or(ResourcePolicies::None, ResourcePolicies::Policy))
    }

    fn conditions(&self, context: &mut Context) {
        let tags = match &self.subject {
            Subject::Everything => return,
            Subject::Root => &self.seat.organization.root_tags,
            Subject::Unit(unit) => &unit.tags,
            Subject::Account(member) => &member.tags,
            Subject::Policy(policy) => {
                context.insert("organizations:PolicyType", policy.kind.clone());
                &policy.tags
            }
            Subject::ResourcePolicy(_, tags) | Subject::Other(_, tags) => tags,
        };
        for (key, value) in tags {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
        }
    }
}

/// The organization as a whole.
pub(crate) fn everything(look: &mut Look<'_>, who: Who) -> Result<Found<Reached>> {
    Ok(match seat(look, who)? {
        Ok(seat) => Found::Here(Reached {
            seat,
            subject: Subject::Everything,
        }),
        Err(fault) => nowhere(fault),
    })
}

/// Of callers who have no organization to name resources of.
pub(crate) fn nowhere<T>(fault: Fault) -> Found<T> {
    Found::Absent {
        arn: "*".to_owned(),
        fault,
    }
}

/// The root, a unit, an account or a policy by its id, if the organization has it.
pub(crate) fn find(look: &mut Look<'_>, organization: &Organization, id: &str) -> Result<Option<Subject>> {
    if id == organization.root_id {
        return Ok(Some(Subject::Root));
    }
    if id.starts_with("ou-") {
        return Ok(unit(look, &organization.management, id)?.map(Subject::Unit));
    }
    if id.starts_with("p-") {
        return Ok(policies::find(look, &organization.management, id)?.map(Subject::Policy));
    }
    if id.starts_with("rp-") {
        return resource_policy::subject(look, organization, id);
    }
    let member = membership(look, id)?;
    let member = member.filter(|member| member.management == organization.management);
    Ok(member.map(Subject::Account))
}

/// The ARN that an id denotes, whether there is such a thing or not.
pub(crate) fn denoted(organization: &Organization, id: &str) -> String {
    let kind = if id.starts_with("r-") {
        "root"
    } else if id.starts_with("ou-") {
        "ou"
    } else if id.starts_with("p-") {
        "policy"
    } else if id.starts_with("rp-") {
        "resourcepolicy"
    } else {
        "account"
    };
    organization.arn_of(kind, Some(id))
}

fn named(
    look: &mut Look<'_>,
    who: Who,
    id: &str,
    fits: fn(&Subject) -> bool,
    missing: fn() -> Fault,
) -> Result<Found<Reached>> {
    let seat = match seat(look, who)? {
        Ok(seat) => seat,
        Err(fault) => return Ok(nowhere(fault)),
    };
    let subject = find(look, &seat.organization, id)?.filter(fits);
    let arn = denoted(&seat.organization, id);
    let reached = subject.map(|subject| Reached { seat, subject });
    Ok(Found::or_absent(reached, || (arn, missing())))
}

/// An account of the organization.
pub(super) fn account(look: &mut Look<'_>, who: Who, id: &str) -> Result<Found<Reached>> {
    let fits = |subject: &Subject| matches!(subject, Subject::Account(_));
    named(look, who, id, fits, refusal::no_account)
}

/// An organizational unit.
pub(super) fn organizational_unit(look: &mut Look<'_>, who: Who, id: &str) -> Result<Found<Reached>> {
    let fits = |subject: &Subject| matches!(subject, Subject::Unit(_));
    named(look, who, id, fits, refusal::no_unit)
}

/// The root or an organizational unit.
pub(super) fn parent(
    look: &mut Look<'_>,
    who: Who,
    id: &str,
    missing: fn() -> Fault,
) -> Result<Found<Reached>> {
    let fits = |subject: &Subject| matches!(subject, Subject::Root | Subject::Unit(_));
    named(look, who, id, fits, missing)
}

/// An account or an organizational unit.
pub(super) fn child(look: &mut Look<'_>, who: Who, id: &str) -> Result<Found<Reached>> {
    let fits = |subject: &Subject| matches!(subject, Subject::Account(_) | Subject::Unit(_));
    named(look, who, id, fits, refusal::no_child)
}

/// The root, a unit or an account: what policies are attached to.
pub(crate) fn target(look: &mut Look<'_>, who: Who, id: &str) -> Result<Found<Reached>> {
    let fits = |subject: &Subject| matches!(subject, Subject::Root | Subject::Unit(_) | Subject::Account(_));
    named(look, who, id, fits, refusal::no_target)
}

/// Whatever has tags.
pub(super) fn tagged(look: &mut Look<'_>, who: Who, id: &str) -> Result<Found<Reached>> {
    named(look, who, id, |_| true, refusal::no_target)
}
