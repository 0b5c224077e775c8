//! `CancelUpdateStack` and `ContinueUpdateRollback`: updates that are to go back.
//!
//! Invariant: a rollback that is gone on with undoes what is left of it, and nothing twice.

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::actor::Actor;
use super::condition::sees_role;
use super::fault::{absent_to_change, expect_none, invalid};
use super::stack::{StackTarget, resolve_living};
use super::submission::ALSO;
use super::{event, resource, work};

/// Takes an update back that is underway.
pub struct CancelUpdateStack;

impl Operation for CancelUpdateStack {
    type Input = model::CancelUpdateStackInput;
    type Output = Empty;
    type Target = StackTarget;
    const ACCESS: Access = Access::write("cloudformation:CancelUpdateStack");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_living(look, &input.stack_name, absent_to_change)
    }

    fn handle(call: &mut Call<'_>, stack: Authorized<StackTarget>, input: Self::Input) -> Result<Empty> {
        let mut stack = (*stack.into_inner().0).clone();
        let token = input.client_request_token.as_deref();
        if stack.repeated(token, "CancelUpdateStack")? {
            return Ok(Empty {});
        }
        let found = work::find(call, &stack)?;
        let Some(mut work) = found.filter(|_| stack.status() == StackStatus::UpdateInProgress) else {
            return Err(invalid(
                "CancelUpdateStack cannot be called from current stack status",
            ));
        };
        work.cancelled = true;
        call.put(&work::WORK, &stack.place(), work)?;
        stack.remember(token, "CancelUpdateStack");
        stack.keep(call)?;
        Ok(Empty {})
    }
}

/// Goes on with a rollback that failed.
pub struct ContinueUpdateRollback;

impl Operation for ContinueUpdateRollback {
    type Input = model::ContinueUpdateRollbackInput;
    type Output = model::ContinueUpdateRollbackOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::write("cloudformation:ContinueUpdateRollback");
    const ALSO: &'static [Access] = ALSO;

    sees_role!();

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_living(look, &input.stack_name, absent_to_change)
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut stack = (*stack.into_inner().0).clone();
        let token = input.client_request_token.as_deref();
        if stack.repeated(token, "ContinueUpdateRollback")? {
            return Ok(model::ContinueUpdateRollbackOutput {});
        }
        expect_none("ForceRollback", input.force_rollback == Some(true))?;
        let found = work::find(call, &stack)?;
        let Some(mut work) = found.filter(|_| stack.status() == StackStatus::UpdateRollbackFailed) else {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not continue rollback.",
                stack.id(),
                stack.status
            )));
        };
        for id in input.resources_to_skip.unwrap_or_default() {
            let at = work.undo.iter().position(|undo| undo.logical_id == id);
            let at = at.ok_or_else(|| {
                invalid(format!(
                    "Resources to skip must be in UPDATE_FAILED state: [{id}]"
                ))
            })?;
            work.undo.remove(at);
            if let Some(row) = resource::find(call, &stack, &id)? {
                let mut row = (*row).clone();
                "UPDATE_COMPLETE".clone_into(&mut row.status);
                resource::keep(call, &stack, row)?;
            }
        }
        work.actor = Actor::of(
            call,
            &stack.id(),
            input.role_arn.as_deref(),
            stack.role.as_deref(),
        )?;
        work.id = call.uuid()?;
        work.token = input.client_request_token.clone();
        stack.remember(token, "ContinueUpdateRollback");
        event::turn(
            call,
            &mut stack,
            &work.by(),
            StackStatus::UpdateRollbackInProgress,
            Some("User Initiated"),
        )?;
        work::begin(call, &stack, work)?;
        stack.keep(call)?;
        Ok(model::ContinueUpdateRollbackOutput {})
    }
}
