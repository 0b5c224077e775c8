//! Organizations: accounts under one management account, and the policies that bound what anybody in them may do.
//!
//! Invariant: the management account is bound by no service control policy; every member account is, its root user included.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};

pub mod account;
pub mod delegated;
mod event;
pub mod handshake;
mod id;
pub mod membership;
pub mod organization;
mod page;
pub mod policy;
pub(crate) mod reach;
mod refusal;
pub mod reset;
pub mod resource_policy;
pub mod root;
pub mod service_access;
pub mod tag;
pub mod unit;

/// Organizations, as its role in every account of an organization trusts it.
pub(crate) const SERVICE: &str = "organizations.amazonaws.com";

/// How the calls of Organizations look in the trail.
pub static TRAIL: TrailRules = TrailRules::new("organizations");

/// The operations of Organizations.
pub static OPERATIONS: &[Endpoint] = operations!["organizations";
    organization::{CreateOrganization, DeleteOrganization, DescribeOrganization, EnableAllFeatures},
    root::{ListRoots},
    unit::{
        CreateOrganizationalUnit, DeleteOrganizationalUnit, DescribeOrganizationalUnit, ListChildren,
        ListOrganizationalUnitsForParent, ListParents, UpdateOrganizationalUnit,
    },
    account::{
        CloseAccount, CreateAccount, DescribeAccount, DescribeCreateAccountStatus, LeaveOrganization, ListAccounts,
        ListAccountsForParent, ListCreateAccountStatus, MoveAccount, RemoveAccountFromOrganization,
    },
    handshake::{
        AcceptHandshake, CancelHandshake, DeclineHandshake, DescribeHandshake, InviteAccountToOrganization,
        ListHandshakesForAccount, ListHandshakesForOrganization,
    },
    delegated::{
        DeregisterDelegatedAdministrator, ListDelegatedAdministrators, ListDelegatedServicesForAccount,
        RegisterDelegatedAdministrator,
    },
    service_access::{DisableAWSServiceAccess, EnableAWSServiceAccess, ListAWSServiceAccessForOrganization},
    tag::{ListTagsForResource, TagResource, UntagResource},
    resource_policy::{DeleteResourcePolicy, DescribeResourcePolicy, PutResourcePolicy},
    policy::{
        AttachPolicy, CreatePolicy, DeletePolicy, DescribeEffectivePolicy, DescribePolicy, DetachPolicy,
        DisablePolicyType, EnablePolicyType, ListPolicies, ListPoliciesForTarget, ListTargetsForPolicy, UpdatePolicy,
    },
];

/// What Organizations does later.
pub static JOBS: &[JobKind] = &[
    account::CREATE,
    account::CLOSE,
    account::FORGET,
    event::JOINED,
    event::DEPARTED,
];
