//! An account goes: by its own will, or put out by the management account.

use api::organizations as model;
use api::organizations::fault::master_cannot_leave_organization_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::super::event::{self, Departure};
use super::super::membership::{JoinedMethod, Membership, displace};
use super::super::organization::{ORGANIZATIONS, Organization, organization};
use super::super::reach::{self, Reached, Who};
use super::super::{delegated, policy, refusal};

/// Milliseconds that an account which was made in an organization stays in it at least: four days.
const STAY: i64 = 4 * 24 * 60 * 60 * 1000;

/// Refuses to let go of whom the organization still needs.
pub(in super::super) fn expect_free_to_leave(look: &mut Look<'_>, member: &Membership) -> Result<()> {
    if member.is_management() {
        return Err(master_cannot_leave_organization_exception(
            "You can't remove a management account from an organization. If you want the management account to become a member account in another organization, you must first delete the current organization of the management account.",
        ));
    }
    if delegated::is_administrator(look, member)? {
        return Err(refusal::constraint(
            "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
            "You can't remove an account that is registered as a delegated administrator for a service. Deregister it first.",
        ));
    }
    if member.joined_method == JoinedMethod::Created && look.now.0 < member.joined_at.saturating_add(STAY) {
        return Err(refusal::constraint(
            "WAIT_PERIOD_ACTIVE",
            "After you create an AWS account, you must wait at least four days before you can remove it from the organization.",
        ));
    }
    Ok(())
}

/// Takes an account out of its organization, and tells of it; what is in the account stays.
pub(in super::super) fn depart(call: &mut Call<'_>, member: &Membership, how: Departure) -> Result<()> {
    event::departed(call, member, how)?;
    if let Some(job) = &member.ending {
        call.unschedule(job)?;
    }
    take_out(call, member)
}

/// The same, for those who tell of it themselves.
pub(super) fn take_out(call: &mut Call<'_>, member: &Membership) -> Result<()> {
    displace(call, member)?;
    delegated::forget(call, member)?;
    policy::forget_target(call, &member.management, &member.account)?;
    if let Some(held) = organization(call, &member.management)? {
        let row = Organization {
            accounts: held.accounts.saturating_sub(1),
            ..(*held).clone()
        };
        call.put(&ORGANIZATIONS, &member.management, row)?;
    }
    Ok(())
}

/// The caller's own account leaves its organization.
pub struct LeaveOrganization;

impl Operation for LeaveOrganization {
    type Input = model::LeaveOrganizationInput;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:LeaveOrganization");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Members)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, _input: Self::Input) -> Result<Empty> {
        let member = &reached.seat.member;
        expect_free_to_leave(call, member)?;
        depart(call, member, Departure::Left)?;
        Ok(Empty)
    }
}

/// The management account puts a member out.
pub struct RemoveAccountFromOrganization;

impl Operation for RemoveAccountFromOrganization {
    type Input = model::RemoveAccountFromOrganizationRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:RemoveAccountFromOrganization");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::account(look, Who::Management, &input.account_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, _input: Self::Input) -> Result<Empty> {
        let member = reached.account_row()?;
        expect_free_to_leave(call, &member)?;
        depart(call, &member, Departure::Removed)?;
        Ok(Empty)
    }
}
