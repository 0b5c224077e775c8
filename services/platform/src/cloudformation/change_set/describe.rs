//! `DescribeChangeSet` and `ListChangeSets`.
//!
//! Invariant: values of properties are shown if they are asked for, and those that are not to be echoed never.

use api::cloudformation as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::{FromDocument as _, protocol};

use super::context::{self, Contexts};
use super::{ChangeSet, Settings, all, expect};
use crate::cloudformation::condition::sees_change_set;
use crate::cloudformation::describe::{capabilities, parameters, tags};
use crate::cloudformation::fault::absent_to_change;
use crate::cloudformation::page;
use crate::cloudformation::stack::{StackTarget, moment, resolve_living};
use crate::cloudformation::template::Setting;

/// Describes a change set.
pub struct DescribeChangeSet;

impl Operation for DescribeChangeSet {
    type Input = model::DescribeChangeSetInput;
    type Output = model::DescribeChangeSetOutput;
    const ACCESS: Access = Access::read("cloudformation:DescribeChangeSet");

    sees_change_set!();

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let set = expect(call, &stack, &input.change_set_name)?;
        let settings: Settings = set.hidden.open(call, stack.bond())?;
        let settings: Vec<Setting> = settings.into_iter().map(Into::into).collect();
        let service = super::own_model()?;
        let changes = protocol::read_kept(service, "Changes", set.changes.as_bytes())?;
        let mut changes = Vec::<model::Change>::from_document(changes)?;
        if input.include_property_values == Some(true) {
            let contexts: Contexts = set.contexts.open(call, stack.bond())?;
            changes
                .iter_mut()
                .for_each(|change| context::add(change, &contexts));
        }
        let list = format!("changes {}", set.uuid);
        let after = page::after(call, &list, input.next_token.as_deref())?;
        let numbered = changes.into_iter().enumerate();
        let numbered = numbered.map(|(at, change)| (format!("{at:06}"), change));
        let (changes, next_token) = page::take(call, &list, after, numbered)?;
        let shown = parameters(settings);
        Ok(model::DescribeChangeSetOutput {
            capabilities: Some(capabilities(&set.capabilities)),
            change_set_id: Some(set.id()),
            change_set_name: Some(set.name.clone()),
            changes: Some(changes),
            creation_time: Some(moment(set.created)),
            description: set.description.clone(),
            execution_status: Some(set.execution()),
            include_nested_stacks: Some(set.nested),
            next_token,
            notification_arns: Some(Vec::new()),
            on_stack_failure: set.on_failure.as_deref().and_then(model::OnStackFailure::parse),
            parameters: Some(shown).filter(|shown| !shown.is_empty()),
            rollback_configuration: Some(model::RollbackConfiguration::default()),
            stack_id: Some(stack.id()),
            stack_name: Some(stack.name.clone()),
            status: Some(set.status()),
            status_reason: set.reason.clone(),
            tags: Some(tags(&set.tags)).filter(|tags| !tags.is_empty()),
            ..model::DescribeChangeSetOutput::default()
        })
    }
}

/// Lists the change sets of a stack.
pub struct ListChangeSets;

impl Operation for ListChangeSets {
    type Input = model::ListChangeSetsInput;
    type Output = model::ListChangeSetsOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::list("cloudformation:ListChangeSets");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_living(look, &input.stack_name, absent_to_change)
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("change-sets {}", stack.uuid);
        let after = page::after(call, &list, input.next_token.as_deref())?;
        let sets = all(call, &stack)?.into_iter().map(|set| (set.name.clone(), set));
        let (sets, next_token) = page::take(call, &list, after, sets)?;
        let shown = |set: &ChangeSet| model::ChangeSetSummary {
            change_set_id: Some(set.id()),
            change_set_name: Some(set.name.clone()),
            creation_time: Some(moment(set.created)),
            description: set.description.clone(),
            execution_status: Some(set.execution()),
            include_nested_stacks: Some(set.nested),
            stack_id: Some(stack.id()),
            stack_name: Some(stack.name.clone()),
            status: Some(set.status()),
            status_reason: set.reason.clone(),
            ..model::ChangeSetSummary::default()
        };
        Ok(model::ListChangeSetsOutput {
            summaries: Some(sets.iter().map(|set| shown(set)).collect()),
            next_token,
        })
    }
}
