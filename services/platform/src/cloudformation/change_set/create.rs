//! `CreateChangeSet`.
//!
//! Invariant: nothing of a stack changes by a change set's making, but that a stack to come takes its name.

use api::cloudformation as model;
use model::fault::already_exists_exception;
use model::{ChangeSetStatus, ChangeSetType, ExecutionStatus, StackStatus};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource as _, Result};
use policy::Context;
use wire::{Fault, IntoDocument as _, protocol};

use super::{ChangeSet, Settings, context, find};
use crate::cloudformation::actor::Actor;
use crate::cloudformation::change::{Comparison, compare};
use crate::cloudformation::create::tags_or;
use crate::cloudformation::event::{self, By};
use crate::cloudformation::fault::{absent_to_change, expect_none, invalid};
use crate::cloudformation::hidden::Hidden;
use crate::cloudformation::stack::{self, Perhaps, Stack, StackTarget};
use crate::cloudformation::submission::{
    ALSO, Terms, expect_plain, keep_body, requested, requested_tags, source,
};
use crate::cloudformation::template::Setting;
use crate::cloudformation::update::{expect_types, expect_updatable, template_or_previous};

const UNCHANGED: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

/// Makes a change set.
pub struct CreateChangeSet;

impl Operation for CreateChangeSet {
    type Input = model::CreateChangeSetInput;
    type Output = model::CreateChangeSetOutput;
    type Target = Perhaps<false>;
    const ACCESS: Access = Access::write("cloudformation:CreateChangeSet");
    const CONDITIONS: &'static [&'static str] = &[
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
        "cloudformation:ChangeSetName",
        "cloudformation:ImportResourceTypes",
        "cloudformation:ResourceTypes",
        "cloudformation:RoleArn",
        "cloudformation:TemplateUrl",
    ];
    const ALSO: &'static [Access] = ALSO;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Self::Target>> {
        let named = &input.stack_name;
        let found = stack::find(look, named)?.filter(|stack| !stack.is_deleted());
        if let Some(stack) = found {
            return Ok(Found::Here(Perhaps::Stack(StackTarget(stack))));
        }
        let arn = stack::denoted(look, named);
        if input.change_set_type == Some(ChangeSetType::Create) {
            stack::expect_name(named)?;
            let account = look.account().to_owned();
            return Ok(Found::Here(Perhaps::Denoted { arn, account }));
        }
        let fault = absent_to_change(named);
        Ok(Found::Absent { arn, fault })
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let named = (input.template_url.as_deref(), input.role_arn.as_deref(), None);
        requested(named, input.resource_types.as_deref(), context);
        requested_tags(input.tags.as_deref(), context);
        context.insert("cloudformation:ChangeSetName", input.change_set_name.clone());
        let imported = input.resources_to_import.as_deref().unwrap_or_default();
        if !imported.is_empty() {
            let kinds = imported.iter().map(|import| import.resource_type.clone());
            context.insert_many("cloudformation:ImportResourceTypes", kinds.collect::<Vec<_>>());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        subject: Authorized<Self::Target>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        expect_built(&input)?;
        let kind = input.change_set_type.unwrap_or(ChangeSetType::Update);
        let mut stack = subject_stack(call, subject.into_inner(), kind, &input)?;
        if stack.events == 0 {
            stack::expect_room(call)?;
        }
        if let Some(other) = find(call, &stack, &input.change_set_name)? {
            if input.client_token.is_some() && other.token == input.client_token {
                return Ok(model::CreateChangeSetOutput {
                    id: Some(other.id()),
                    stack_id: Some(stack.id()),
                });
            }
            return Err(already_exists_exception(format!(
                "ChangeSet {} cannot be created due to a mismatch with existing attribute(s): the name is taken",
                input.change_set_name
            )));
        }
        let actor = Actor::of(
            call,
            &stack.id(),
            input.role_arn.as_deref(),
            stack.role.as_deref(),
        )?;
        let given = source(call, input.template_body.clone(), input.template_url.as_deref())?;
        let text = template_or_previous(call, &stack, given, input.use_previous_template)?;
        let previous: Vec<Setting> = stack.inner(call)?.settings.into_iter().map(Into::into).collect();
        let terms = Terms {
            parameters: input.parameters.as_deref(),
            capabilities: input.capabilities.as_deref(),
            resource_types: input.resource_types.as_deref(),
            reviewed: true,
        };
        let prepared = terms.prepare(call, &stack, &actor, text, &previous)?;
        expect_types(call, &stack, &prepared)?;
        let tags = tags_or(input.tags.as_deref(), &stack.tags)?;
        let comparison = compare(call, &stack, &prepared, &tags)?;
        if kind == ChangeSetType::Create && stack.events == 0 {
            let reason = Some("User Initiated");
            let by = By::default();
            event::turn(call, &mut stack, &by, StackStatus::ReviewInProgress, reason)?;
            stack.enter(call)?;
        }
        let settings: Settings = prepared.settings.iter().cloned().map(Into::into).collect();
        let mut set = draft(call, &stack, &input, &comparison)?;
        set.tags = tags;
        set.capabilities.clone_from(&prepared.capabilities);
        set.hidden = Hidden::seal(call, stack.bond(), &settings)?;
        let contexts = context::of(call, &stack, &prepared, &comparison.changes)?;
        set.contexts = Hidden::seal(call, stack.bond(), &contexts)?;
        keep_body(call, &stack, &set.uuid, &prepared.text)?;
        let answer = model::CreateChangeSetOutput {
            id: Some(set.id()),
            stack_id: Some(stack.id()),
        };
        call.mention(stack.id(), &stack.account, StackTarget::TYPE);
        set.keep(call)?;
        stack.keep(call)?;
        Ok(answer)
    }
}

fn expect_built(input: &model::CreateChangeSetInput) -> std::result::Result<(), Fault> {
    expect_none(
        "ChangeSetType IMPORT",
        input.change_set_type == Some(ChangeSetType::Import),
    )?;
    let imports = input.resources_to_import.as_ref();
    expect_none("ResourcesToImport", imports.is_some_and(|all| !all.is_empty()))?;
    expect_none(
        "ImportExistingResources",
        input.import_existing_resources == Some(true),
    )?;
    expect_none("DeploymentMode", input.deployment_mode.is_some())?;
    expect_none("DisableValidation", input.disable_validation == Some(true))?;
    expect_plain(
        input.notification_arns.as_deref(),
        input.rollback_configuration.as_ref(),
        input.deployment_config.as_ref(),
    )
}

/// The stack of the change set: a new one, or one whose state lets it change.
fn subject_stack(
    call: &Call<'_>,
    subject: Perhaps<false>,
    kind: ChangeSetType,
    input: &model::CreateChangeSetInput,
) -> Result<Stack> {
    match subject {
        Perhaps::Denoted { .. } => {
            let uuid = call.uuid()?;
            Ok(Stack::new(call, &input.stack_name, uuid))
        }
        Perhaps::Stack(stack) => {
            let stack = (*stack.0).clone();
            let review = stack.status() == StackStatus::ReviewInProgress;
            match kind {
                ChangeSetType::Create if !review => Err(invalid(format!(
                    "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                    stack.name, input.change_set_name
                ))),
                ChangeSetType::Create => Ok(stack),
                _ => expect_updatable(&stack).map(|()| stack),
            }
        }
    }
}

fn draft(
    call: &Call<'_>,
    stack: &Stack,
    input: &model::CreateChangeSetInput,
    comparison: &Comparison,
) -> Result<ChangeSet> {
    let changes: Vec<model::Change> = comparison.changes.iter().map(|change| change.shown()).collect();
    let service = super::own_model()?;
    let changes = protocol::kept(service, "Changes", &changes.into_document())?;
    let (status, reason, execution) = if comparison.is_empty() {
        (
            ChangeSetStatus::Failed,
            Some(UNCHANGED),
            ExecutionStatus::Unavailable,
        )
    } else {
        (ChangeSetStatus::CreateComplete, None, ExecutionStatus::Available)
    };
    Ok(ChangeSet {
        account: stack.account.clone(),
        region: stack.region.clone(),
        name: input.change_set_name.clone(),
        uuid: call.uuid()?,
        stack: stack.uuid.clone(),
        created: call.now.0,
        description: input.description.clone(),
        status: status.as_str().to_owned(),
        reason: reason.map(str::to_owned),
        execution: execution.as_str().to_owned(),
        capabilities: Vec::new(),
        tags: stack.tags.clone(),
        role: input.role_arn.clone(),
        on_failure: input.on_stack_failure.map(|chosen| chosen.as_str().to_owned()),
        token: input.client_token.clone(),
        nested: input.include_nested_stacks.unwrap_or(false),
        changes: String::from_utf8(changes).map_err(Fault::internal)?,
        hidden: Hidden::default(),
        contexts: Hidden::default(),
    })
}
