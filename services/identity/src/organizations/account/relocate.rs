//! An account moves to another parent, and comes under the policies there.

use api::organizations as model;
use api::organizations::fault::{
    destination_parent_not_found_exception, duplicate_account_exception, source_parent_not_found_exception,
};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Empty;

use super::super::membership::{Membership, place};
use super::super::reach::{self, Reached, Who};
use super::super::refusal;

const MOVE: Access = Access::write("organizations:MoveAccount");

fn no_source() -> Fault {
    source_parent_not_found_exception("You specified a source parent that doesn't exist.")
}

fn no_destination() -> Fault {
    destination_parent_not_found_exception("You specified a destination parent that doesn't exist.")
}

/// Moves an account between the root and organizational units. It takes permission for the account and both parents.
pub struct MoveAccount;

impl Operation for MoveAccount {
    type Input = model::MoveAccountRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = MOVE;
    const ALSO: &'static [Access] = &[MOVE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::account(look, Who::Management, &input.account_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Empty> {
        let source = reach::parent(call, Who::Management, &input.source_parent_id, no_source)?;
        call.authorize(MOVE, source, Context::default())?;
        let destination = reach::parent(
            call,
            Who::Management,
            &input.destination_parent_id,
            no_destination,
        )?;
        call.authorize(MOVE, destination, Context::default())?;
        let member = reached.account_row()?;
        if member.parent == input.destination_parent_id {
            return Err(duplicate_account_exception(
                "The account is already present in the specified destination.",
            ));
        }
        if member.parent != input.source_parent_id {
            return Err(refusal::no_account());
        }
        let moved = Membership {
            parent: input.destination_parent_id,
            ..(*member).clone()
        };
        place(call, moved)?;
        Ok(Empty)
    }
}
