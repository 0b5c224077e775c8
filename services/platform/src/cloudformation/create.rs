//! `CreateStack`.
//!
//! Invariant: the same client request token gives the same stack.

use std::collections::BTreeMap;

use api::cloudformation as model;
use model::fault::already_exists_exception;
use model::{OnFailure, StackStatus};
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};

use super::actor::Actor;
use super::condition::sees_submission;
use super::event;
use super::fault::{expect_none, invalid};
use super::stack::{self, Inner, Stack};
use super::submission::{
    ALSO, CURRENT, Prepared, Terms, expect_plain, keep_body, policy_source, source, tags,
};
use super::work::{self, Kind, Work};

const OPERATION: &str = "CreateStack";
const MINUTE: i64 = 60_000;

/// Makes a stack.
pub struct CreateStack;

impl Operation for CreateStack {
    type Input = model::CreateStackInput;
    type Output = model::CreateStackOutput;
    type Target = Denoted;
    const ACCESS: Access = Access::write("cloudformation:CreateStack");
    const ALSO: &'static [Access] = ALSO;

    sees_submission!();

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        stack::expect_name(&input.stack_name)?;
        let arn = stack::denoted(look, &input.stack_name);
        Ok(Denoted::new(look, arn))
    }

    fn handle(
        call: &mut Call<'_>,
        _denoted: Authorized<Denoted>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let name = &input.stack_name;
        let token = input.client_request_token.as_deref();
        if let Some(other) = stack::living(call, name)? {
            if other.repeated(token, OPERATION)? {
                return Ok(model::CreateStackOutput {
                    stack_id: Some(other.id()),
                    ..model::CreateStackOutput::default()
                });
            }
            return Err(already_exists_exception(format!("Stack [{name}] already exists")));
        }
        stack::expect_room(call)?;
        expect_plain(
            input.notification_arns.as_deref(),
            input.rollback_configuration.as_ref(),
            input.deployment_config.as_ref(),
        )?;
        expect_none("DisableValidation", input.disable_validation == Some(true))?;
        if input.on_failure.is_some() && input.disable_rollback.is_some() {
            return Err(invalid(
                "Only one of DisableRollback or OnFailure can be specified, not both.",
            ));
        }
        let uuid = call.uuid()?;
        let mut stack = Stack::new(call, name, uuid);
        let actor = Actor::of(call, &stack.id(), input.role_arn.as_deref(), None)?;
        let text = source(call, input.template_body, input.template_url.as_deref())?;
        let text = text.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
        let terms = Terms {
            parameters: input.parameters.as_deref(),
            capabilities: input.capabilities.as_deref(),
            resource_types: input.resource_types.as_deref(),
            reviewed: false,
        };
        let prepared = terms.prepare(call, &stack, &actor, text, &[])?;
        stack.policy = policy_source(call, input.stack_policy_body, input.stack_policy_url.as_deref())?;
        stack.tags = tags(input.tags.as_deref().unwrap_or_default())?;
        stack.role = input.role_arn;
        stack.protected = input.enable_termination_protection.unwrap_or(false);
        stack.timeout_minutes = input.timeout_in_minutes;
        stack.retain_except_on_create = input.retain_except_on_create.unwrap_or(false);
        let on_failure = match (input.on_failure, input.disable_rollback) {
            (Some(chosen), _) => chosen,
            (None, Some(true)) => OnFailure::DoNothing,
            (None, _) => OnFailure::Rollback,
        };
        stack.on_failure = on_failure.as_str().to_owned();
        stack.disable_rollback = on_failure == OnFailure::DoNothing;
        stack.remember(token, OPERATION);
        stack.enter(call)?;
        let work = begin(call, &mut stack, actor, prepared, token)?;
        let answer = model::CreateStackOutput {
            stack_id: Some(stack.id()),
            operation_id: Some(work),
        };
        call.mention(stack.id(), &stack.account, stack::StackTarget::TYPE);
        stack.keep(call)?;
        Ok(answer)
    }
}

/// Begins to make a stack, and tells the operation's id. The stack's own settings are made already.
pub(crate) fn begin(
    call: &mut Call<'_>,
    stack: &mut Stack,
    actor: Actor,
    prepared: Prepared,
    token: Option<&str>,
) -> Result<String> {
    let mut work = Work::new(call, Kind::Create, actor, token)?;
    work.queue = prepared.order(stack)?;
    work.disable_rollback = stack.disable_rollback;
    work.retain_except_on_create = stack.retain_except_on_create;
    let minutes = stack.timeout_minutes.map(i64::from);
    work.deadline = minutes.map(|minutes| call.now.0 + minutes * MINUTE);
    stack.description = prepared.template.description.clone();
    stack.capabilities = prepared.capabilities;
    let inner = Inner {
        settings: prepared.settings.into_iter().map(Into::into).collect(),
        outputs: Vec::new(),
    };
    stack.conceal(call, &inner)?;
    keep_body(call, stack, CURRENT, &prepared.text)?;
    event::turn(
        call,
        stack,
        &work.by(),
        StackStatus::CreateInProgress,
        Some("User Initiated"),
    )?;
    let id = work.id.clone();
    work::begin(call, stack, work)?;
    Ok(id)
}

/// The tags of a request, or those that a stack has.
pub(crate) fn tags_or(
    given: Option<&[model::Tag]>,
    had: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    match given {
        Some(given) => tags(given),
        None => Ok(had.clone()),
    }
}
