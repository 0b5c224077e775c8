//! `DeleteStack`.
//!
//! Invariant: a stack that is protected, or whose exports are in use, stays.

use std::collections::BTreeSet;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::actor::Actor;
use super::condition::sees_role;
use super::export::expect_unused;
use super::fault::{expect_none, invalid};
use super::stack::{self, Perhaps, Stack, StackTarget};
use super::submission::{ALSO, PREVIOUS, expect_plain, forget_body};
use super::work::removal::backwards;
use super::work::{self, Garbage, Kind, Work};
use super::{PRINCIPAL, change_set, event, nesting, resource};

const OPERATION: &str = "DeleteStack";

/// Deletes a stack with its resources.
pub struct DeleteStack;

impl Operation for DeleteStack {
    type Input = model::DeleteStackInput;
    type Output = Empty;
    type Target = Perhaps<true>;
    const ACCESS: Access = Access::write("cloudformation:DeleteStack");
    const ALSO: &'static [Access] = ALSO;

    sees_role!();

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Self::Target>> {
        let named = &input.stack_name;
        let found = stack::find(look, named)?;
        Ok(Found::Here(match found {
            Some(stack) => Perhaps::Stack(StackTarget(stack)),
            None => Perhaps::Denoted {
                arn: stack::denoted(look, named),
                account: look.account().to_owned(),
            },
        }))
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Self::Target>, input: Self::Input) -> Result<Empty> {
        let Perhaps::Stack(target) = target.into_inner() else {
            return Ok(Empty {});
        };
        let mut stack = (*target.0).clone();
        let token = input.client_request_token.as_deref();
        if stack.is_deleted() || stack.repeated(token, OPERATION)? {
            return Ok(Empty {});
        }
        let force = input.deletion_mode == Some(model::DeletionMode::ForceDeleteStack);
        expect_none("DeletionMode FORCE_DELETE_STACK", force)?;
        expect_plain(None, None, input.deployment_config.as_ref())?;
        if stack.status() == StackStatus::DeleteInProgress {
            return Ok(Empty {});
        }
        let directly = call.made_by() != Some(PRINCIPAL);
        if stack.protected || directly && nesting::root_protected(call, &stack)? {
            return Err(invalid(format!(
                "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                stack.name
            )));
        }
        if stack.busy() && stack.status() != StackStatus::CreateInProgress {
            return Err(invalid(format!(
                "Stack [{}] cannot be deleted while in status {}",
                stack.id(),
                stack.status
            )));
        }
        let retain: BTreeSet<String> = input.retain_resources.unwrap_or_default().into_iter().collect();
        expect_retainable(call, &stack, &retain)?;
        expect_unused(call, &stack)?;
        let actor = Actor::of(
            call,
            &stack.id(),
            input.role_arn.as_deref(),
            stack.role.as_deref(),
        )?;
        if let Some(role) = input.role_arn {
            stack.role = Some(role);
        }
        stack.remember(token, OPERATION);
        begin(call, &mut stack, actor, token, retain)?;
        stack.keep(call)?;
        Ok(Empty {})
    }
}

fn expect_retainable(call: &mut Call<'_>, stack: &Stack, retain: &BTreeSet<String>) -> Result<()> {
    if retain.is_empty() {
        return Ok(());
    }
    if stack.status() != StackStatus::DeleteFailed {
        return Err(invalid(format!(
            "Invalid operation on stack [{}]. Retained resources can be specified only when the stack is in the DELETE_FAILED state.",
            stack.id()
        )));
    }
    for id in retain {
        let left = stack.leftover.iter().any(|row| row.logical_id == *id);
        if !left && resource::find(call, stack, id)?.is_none() {
            return Err(invalid(format!(
                "The specified resources to retain must be in a valid state: [{id}] does not exist"
            )));
        }
    }
    Ok(())
}

fn begin(
    call: &mut Call<'_>,
    stack: &mut Stack,
    actor: Actor,
    token: Option<&str>,
    retain: BTreeSet<String>,
) -> Result<()> {
    let mut work = Work::new(call, Kind::Delete, actor, token)?;
    work.queue = backwards(call, stack)?;
    work.retain = retain;
    // What an operation that is cut short was still to remove, and which exports it holds.
    if let Some(before) = work::find(call, stack)? {
        work.garbage = before.garbage;
        work.imports = before.imports;
    }
    let rows = std::mem::take(&mut stack.leftover).into_iter();
    work.garbage
        .extend(rows.map(|row| Garbage { row, retained: false }));
    forget_body(call, stack, PREVIOUS)?;
    change_set::forget_all(call, stack)?;
    let by = work.by();
    event::turn(
        call,
        stack,
        &by,
        StackStatus::DeleteInProgress,
        Some("User Initiated"),
    )?;
    work::begin(call, stack, work)
}
