//! `ExecuteChangeSet` and `DeleteChangeSet`.
//!
//! Invariant: what is executed is what was reviewed: its template and the values that its parameters had then.

use api::cloudformation as model;
use model::fault::invalid_change_set_status_exception;
use model::{ChangeSetStatus, ExecutionStatus, OnFailure, StackStatus};
use pipeline::{Access, Authorized, Call, Operation, Result};

use super::{Settings, all, expect, find, forget};
use crate::cloudformation::actor::Actor;
use crate::cloudformation::condition::sees_change_set;
use crate::cloudformation::create;
use crate::cloudformation::stack::StackTarget;
use crate::cloudformation::submission::{Prepared, body};
use crate::cloudformation::template::Template;
use crate::cloudformation::update::{self, Asked};

/// Brings a change set about.
pub struct ExecuteChangeSet;

impl Operation for ExecuteChangeSet {
    type Input = model::ExecuteChangeSetInput;
    type Output = model::ExecuteChangeSetOutput;
    const ACCESS: Access = Access::write("cloudformation:ExecuteChangeSet");

    sees_change_set!();

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut stack = (*stack.into_inner().0).clone();
        let token = input.client_request_token.as_deref();
        if stack.repeated(token, "ExecuteChangeSet")? {
            return Ok(model::ExecuteChangeSetOutput {});
        }
        let set = expect(call, &stack, &input.change_set_name)?;
        if set.status() != ChangeSetStatus::CreateComplete || set.execution() != ExecutionStatus::Available {
            return Err(invalid_change_set_status_exception(format!(
                "ChangeSet [{}] cannot be executed in its current status of [{}]",
                set.id(),
                set.status
            )));
        }
        let review = stack.status() == StackStatus::ReviewInProgress;
        if !review {
            update::expect_updatable(&stack)?;
        }
        let text = body(call, &stack, &set.uuid)?;
        let settings: Settings = set.hidden.open(call, stack.bond())?;
        let prepared = Prepared {
            template: Template::stored(&text)?,
            text,
            settings: settings.into_iter().map(Into::into).collect(),
            capabilities: set.capabilities.clone(),
        };
        // A role was handed over when the set was made.
        let role = set.role.clone().or_else(|| stack.role.clone());
        let actor = Actor::of(call, &stack.id(), None, role.as_deref())?;
        stack.role = role;
        stack.change_set = Some(set.id());
        stack.remember(token, "ExecuteChangeSet");
        for other in all(call, &stack)? {
            if other.uuid != set.uuid {
                forget(call, &stack, &other)?;
            }
        }
        let disable_rollback = input.disable_rollback.unwrap_or(false)
            || set.on_failure.as_deref() == Some(OnFailure::DoNothing.as_str());
        if review {
            stack.tags = set.tags.clone();
            // The stack was made when its change set was; by this one it becomes what that said.
            stack.updated = Some(call.now.0);
            stack.disable_rollback = disable_rollback;
            stack.on_failure = set
                .on_failure
                .clone()
                .unwrap_or_else(|| OnFailure::Rollback.as_str().to_owned());
            stack.retain_except_on_create = input.retain_except_on_create.unwrap_or(false);
            create::begin(call, &mut stack, actor, prepared, token)?;
        } else {
            let asked = Asked {
                tags: set.tags.clone(),
                policy: None,
                disable_rollback,
                retain_except_on_create: input.retain_except_on_create.unwrap_or(false),
            };
            update::begin(call, &mut stack, (actor, token), prepared, asked)?;
        }
        let mut done = (*set).clone();
        ExecutionStatus::ExecuteComplete
            .as_str()
            .clone_into(&mut done.execution);
        done.keep(call)?;
        stack.keep(call)?;
        Ok(model::ExecuteChangeSetOutput {})
    }
}

/// Forgets a change set.
pub struct DeleteChangeSet;

impl Operation for DeleteChangeSet {
    type Input = model::DeleteChangeSetInput;
    type Output = model::DeleteChangeSetOutput;
    const ACCESS: Access = Access::write("cloudformation:DeleteChangeSet");

    sees_change_set!();

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        // One that is gone already is deleted.
        if let Some(set) = find(call, &stack, &input.change_set_name)? {
            if stack.busy() && stack.change_set.as_deref() == Some(set.id().as_str()) {
                return Err(invalid_change_set_status_exception(format!(
                    "ChangeSet [{}] cannot be deleted while it is executed",
                    set.id()
                )));
            }
            forget(call, &stack, &set)?;
        }
        Ok(model::DeleteChangeSetOutput {})
    }
}
