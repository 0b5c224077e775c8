//! A handshake is looked at and answered: accepted or declined by whom it asks, canceled by who asked.

use api::organizations as model;
use api::organizations::fault::{
    handshake_already_in_state_exception, invalid_handshake_transition_exception,
};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::super::account::{depart, expect_free_to_leave};
use super::super::event::{self, Departure};
use super::super::membership::{self, JoinedMethod, Membership, membership, place};
use super::super::organization::{ORGANIZATIONS, Organization, answered, finish, organization};
use super::super::{SERVICE, account::ACCOUNTS_MAX, refusal};
use super::{Action, Handshake, Party, State, missing, named, visible};
use crate::iam::role::linked;

/// Refuses to turn what is not open.
fn expect_open(call: &Call<'_>, handshake: &Handshake, wanted: State) -> Result<()> {
    let state = handshake.state(call.now);
    if state == State::Open || (state == State::Requested && wanted == State::Canceled) {
        return Ok(());
    }
    if state == wanted {
        return Err(handshake_already_in_state_exception(
            "The specified handshake is already in the requested state.",
        ));
    }
    Err(invalid_handshake_transition_exception(
        "You can't perform the operation on the handshake in its current state.",
    ))
}

/// Whether a party may answer: the account that is asked.
fn expect_asked(party: &Party) -> Result<()> {
    if party.handshake.account.as_ref() == Some(&party.account) {
        return Ok(());
    }
    Err(refusal::not_permitted())
}

/// Shows a handshake to its parties.
pub struct DescribeHandshake;

impl Operation for DescribeHandshake {
    type Input = model::DescribeHandshakeRequest;
    type Output = model::DescribeHandshakeResponse;
    type Target = Party;
    const ACCESS: Access = Access::read("organizations:DescribeHandshake");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Party>> {
        visible(look, &input.handshake_id)
    }

    fn handle(call: &mut Call<'_>, party: Authorized<Party>, _input: Self::Input) -> Result<Self::Output> {
        Ok(model::DescribeHandshakeResponse {
            handshake: Some(party.handshake.shown(call)?),
        })
    }
}

/// Takes back what was asked.
pub struct CancelHandshake;

impl Operation for CancelHandshake {
    type Input = model::CancelHandshakeRequest;
    type Output = model::CancelHandshakeResponse;
    type Target = Party;
    const ACCESS: Access = Access::write("organizations:CancelHandshake");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Party>> {
        named(look, &input.handshake_id)
    }

    fn handle(call: &mut Call<'_>, party: Authorized<Party>, _input: Self::Input) -> Result<Self::Output> {
        if party.handshake.management != party.account {
            return Err(refusal::not_permitted());
        }
        expect_open(call, &party.handshake, State::Canceled)?;
        let turned = party.handshake.turn(call, State::Canceled)?;
        answered(call, &turned)?;
        Ok(model::CancelHandshakeResponse {
            handshake: Some(turned.shown(call)?),
        })
    }
}

/// Says no.
pub struct DeclineHandshake;

impl Operation for DeclineHandshake {
    type Input = model::DeclineHandshakeRequest;
    type Output = model::DeclineHandshakeResponse;
    type Target = Party;
    const ACCESS: Access = Access::write("organizations:DeclineHandshake");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Party>> {
        named(look, &input.handshake_id)
    }

    fn handle(call: &mut Call<'_>, party: Authorized<Party>, _input: Self::Input) -> Result<Self::Output> {
        expect_asked(&party)?;
        expect_open(call, &party.handshake, State::Declined)?;
        let turned = party.handshake.turn(call, State::Declined)?;
        answered(call, &turned)?;
        Ok(model::DeclineHandshakeResponse {
            handshake: Some(turned.shown(call)?),
        })
    }
}

/// Says yes, which does what was asked.
pub struct AcceptHandshake;

impl Operation for AcceptHandshake {
    type Input = model::AcceptHandshakeRequest;
    type Output = model::AcceptHandshakeResponse;
    type Target = Party;
    const ACCESS: Access = Access::write("organizations:AcceptHandshake");
    const ALSO: &'static [Access] = &[linked::CREATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Party>> {
        named(look, &input.handshake_id)
    }

    fn handle(call: &mut Call<'_>, party: Authorized<Party>, _input: Self::Input) -> Result<Self::Output> {
        expect_asked(&party)?;
        expect_open(call, &party.handshake, State::Accepted)?;
        let held = organization(call, &party.handshake.management)?
            .filter(|organization| organization.id == party.handshake.organization)
            .ok_or_else(missing)?;
        let turned = party.handshake.turn(call, State::Accepted)?;
        if turned.action != Action::Invite {
            // With all features the role is needed, and may be missing: without them it could be deleted.
            linked::ensure(call, SERVICE)?;
        }
        match turned.action {
            Action::Invite => join(call, &held, &turned, &party.account)?,
            Action::EnableAllFeatures => answered(call, &turned)?,
            Action::ApproveAllFeatures => finish(call, &held, &turned)?,
        }
        Ok(model::AcceptHandshakeResponse {
            handshake: Some(turned.shown(call)?),
        })
    }
}

/// Lets an account in, straight from another organization if it is in one.
fn join(
    call: &mut Call<'_>,
    organization: &Organization,
    handshake: &Handshake,
    account: &str,
) -> Result<()> {
    if let Some(member) = membership(call, account)? {
        if member.organization == organization.id {
            return Err(refusal::handshake(
                "ALREADY_IN_AN_ORGANIZATION",
                "The invited account is already a member of an organization.",
            ));
        }
        expect_free_to_leave(call, &member)?;
        depart(call, &member, Departure::Left)?;
    }
    // The place was kept while the invitation stood, unless the organization has grown beyond it in the meantime.
    if organization.accounts >= ACCOUNTS_MAX {
        return Err(refusal::handshake(
            "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
            "You have exceeded the allowed number of AWS accounts.",
        ));
    }
    let row = Organization {
        accounts: organization.accounts.saturating_add(1),
        ..organization.clone()
    };
    call.put(&ORGANIZATIONS, &organization.management, row)?;
    let member = Membership {
        account: account.to_owned(),
        management: organization.management.clone(),
        organization: organization.id.clone(),
        parent: organization.root_id.clone(),
        joined_method: JoinedMethod::Invited,
        joined_at: Timestamp::from_seconds(call.now.seconds()).0,
        state: membership::State::Active,
        ending: None,
        tags: handshake.tags.clone(),
    };
    linked::provide(call, SERVICE)?;
    place(call, member.clone())?;
    event::joined(call, &member)
}
