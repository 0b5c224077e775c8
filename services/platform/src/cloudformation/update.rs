//! `UpdateStack`.
//!
//! Invariant: an update that would change nothing is refused.

use std::collections::BTreeMap;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::actor::Actor;
use super::change::{compare, lives};
use super::change_set;
use super::condition::sees_submission;
use super::create::tags_or;
use super::event;
use super::fault::{absent_to_change, expect_none, invalid};
use super::resource::{self, StackResource};
use super::stack::{Inner, Stack, StackTarget, refuse, resolve_living};
use super::stack_policy::expect_settable;
use super::submission::{
    ALSO_TO_UPDATE, CURRENT, PREVIOUS, Prepared, Terms, body, expect_plain, keep_body, policy_source, source,
};
use super::template::Setting;
use super::work::{self, Before, Garbage, Kind, Work};

const OPERATION: &str = "UpdateStack";

/// Changes a stack.
pub struct UpdateStack;

impl Operation for UpdateStack {
    type Input = model::UpdateStackInput;
    type Output = model::UpdateStackOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::write("cloudformation:UpdateStack");
    const ALSO: &'static [Access] = ALSO_TO_UPDATE;

    sees_submission!();

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_living(look, &input.stack_name, absent_to_change)
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let target = stack.into_inner();
        let mut stack = (*target.0).clone();
        let token = input.client_request_token.as_deref();
        if stack.repeated(token, OPERATION)? {
            return Ok(model::UpdateStackOutput {
                stack_id: Some(stack.id()),
                ..model::UpdateStackOutput::default()
            });
        }
        expect_updatable(&stack)?;
        expect_plain(
            input.notification_arns.as_deref(),
            input.rollback_configuration.as_ref(),
            input.deployment_config.as_ref(),
        )?;
        expect_none("DisableValidation", input.disable_validation == Some(true))?;
        let actor = Actor::of(
            call,
            &stack.id(),
            input.role_arn.as_deref(),
            stack.role.as_deref(),
        )?;
        let given = source(call, input.template_body, input.template_url.as_deref())?;
        let text = template_or_previous(call, &stack, given, input.use_previous_template)?;
        let previous: Vec<Setting> = stack.inner(call)?.settings.into_iter().map(Into::into).collect();
        let terms = Terms {
            parameters: input.parameters.as_deref(),
            capabilities: input.capabilities.as_deref(),
            resource_types: input.resource_types.as_deref(),
            reviewed: false,
        };
        let prepared = terms.prepare(call, &stack, &actor, text, &previous)?;
        let during = policy_source(
            call,
            input.stack_policy_during_update_body,
            input.stack_policy_during_update_url.as_deref(),
        )?;
        let policy = policy_source(call, input.stack_policy_body, input.stack_policy_url.as_deref())?;
        if during.is_some() || policy.is_some() {
            expect_settable(call, &target, input.stack_policy_url.as_ref())?;
        }
        let tags = tags_or(input.tags.as_deref(), &stack.tags)?;
        expect_types(call, &stack, &prepared)?;
        if compare(call, &stack, &prepared, &tags)?.is_empty() {
            return Err(invalid("No updates are to be performed."));
        }
        if let Some(role) = input.role_arn {
            stack.role = Some(role);
        }
        if policy.is_some() {
            stack.policy = policy;
        }
        stack.remember(token, OPERATION);
        let asked = Asked {
            tags,
            policy: during,
            disable_rollback: input.disable_rollback.unwrap_or(false),
            retain_except_on_create: input.retain_except_on_create.unwrap_or(false),
        };
        change_set::outdate(call, &stack)?;
        let operation = begin(call, &mut stack, (actor, token), prepared, asked)?;
        let answer = model::UpdateStackOutput {
            stack_id: Some(stack.id()),
            operation_id: Some(operation),
        };
        stack.keep(call)?;
        Ok(answer)
    }
}

/// Refuses to update a stack in a state that does not let it.
pub(crate) fn expect_updatable(stack: &Stack) -> Result<()> {
    use StackStatus::{CreateComplete, UpdateComplete, UpdateFailed, UpdateRollbackComplete};
    let fit = [
        CreateComplete,
        UpdateComplete,
        UpdateFailed,
        UpdateRollbackComplete,
    ];
    let failed = stack.status() == StackStatus::CreateFailed && stack.disable_rollback;
    if fit.contains(&stack.status()) || failed {
        return Ok(());
    }
    Err(refuse(stack))
}

/// The template of a request, or the one that the stack has.
pub(crate) fn template_or_previous(
    call: &mut Call<'_>,
    stack: &Stack,
    given: Option<String>,
    previous: Option<bool>,
) -> Result<String> {
    match (given, previous) {
        (Some(_), Some(true)) => Err(invalid(
            "Either a template or UsePreviousTemplate must be specified, not both.",
        )),
        (Some(text), _) => Ok(text),
        (None, Some(true)) => body(call, stack, CURRENT),
        (None, _) => Err(invalid("Either Template URL or Template Body must be specified.")),
    }
}

/// Refuses a template that makes a resource one of another type.
pub(crate) fn expect_types(call: &mut Call<'_>, stack: &Stack, prepared: &Prepared) -> Result<()> {
    let rows = resource::all(call, stack)?;
    let other = |id: &&String| {
        let row = rows.get(*id).filter(|row| lives(row));
        let wanted = prepared.template.resource(id);
        matches!((row, wanted), (Some(row), Some(wanted)) if row.kind != wanted.kind)
    };
    let others: Vec<&str> = rows.keys().filter(other).map(String::as_str).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
        others.join(", ")
    )))
}

/// What is there of resources whose making was begun and failed: it goes, and they are made anew.
fn half_made(call: &mut Call<'_>, stack: &Stack) -> Result<Vec<StackResource>> {
    let rows = resource::all(call, stack)?.into_values();
    let half = rows.filter(|row| row.status == "CREATE_FAILED" && row.physical_id.is_some());
    let half: Vec<StackResource> = half.map(|row| (*row).clone()).collect();
    for row in &half {
        resource::forget(call, stack, &row.logical_id)?;
    }
    Ok(half)
}

/// How an update is to go, beside its template.
pub(crate) struct Asked {
    pub tags: BTreeMap<String, String>,
    /// A stack policy for this update alone.
    pub policy: Option<String>,
    pub disable_rollback: bool,
    pub retain_except_on_create: bool,
}

/// Begins to change a stack, and tells the operation's id.
pub(crate) fn begin(
    call: &mut Call<'_>,
    stack: &mut Stack,
    (actor, token): (Actor, Option<&str>),
    prepared: Prepared,
    asked: Asked,
) -> Result<String> {
    let mut work = Work::new(call, Kind::Update, actor, token)?;
    work.queue = prepared.order(stack)?;
    work.policy = asked.policy;
    work.disable_rollback = asked.disable_rollback;
    work.retain_except_on_create = asked.retain_except_on_create;
    work.before = Some(Before {
        description: stack.description.clone(),
        capabilities: stack.capabilities.clone(),
        tags: stack.tags.clone(),
        hidden: stack.hidden.clone(),
        imports: stack.imports.clone(),
    });
    let mut left = std::mem::take(&mut stack.leftover);
    left.extend(half_made(call, stack)?);
    let left = left.into_iter();
    work.garbage = left.map(|row| Garbage { row, retained: false }).collect();
    let text = body(call, stack, CURRENT)?;
    keep_body(call, stack, PREVIOUS, &text)?;
    keep_body(call, stack, CURRENT, &prepared.text)?;
    let inner = Inner {
        settings: prepared.settings.into_iter().map(Into::into).collect(),
        outputs: stack.inner(call)?.outputs,
    };
    stack.conceal(call, &inner)?;
    stack.description = prepared.template.description.clone();
    stack.capabilities = prepared.capabilities;
    stack.tags = asked.tags;
    stack.updated = Some(call.now.0);
    event::turn(
        call,
        stack,
        &work.by(),
        StackStatus::UpdateInProgress,
        Some("User Initiated"),
    )?;
    let id = work.id.clone();
    work::begin(call, stack, work)?;
    Ok(id)
}
