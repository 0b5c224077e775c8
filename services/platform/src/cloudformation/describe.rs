//! `DescribeStacks` and `ListStacks`.
//!
//! Invariant: a parameter that is not to be echoed is never shown.

use std::sync::Arc;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;

use super::page;
use super::stack::{BY_AGE, STACKS, Stack, StackTarget, moment, resolve_described};
use super::template::MASK;
use super::template::Setting;

const LIST: Access = Access::list("cloudformation:ListStacks");

/// A stack, or all of them.
pub enum Stacks {
    One(StackTarget),
    All { account: String },
}

impl Resource for Stacks {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        match self {
            Self::One(stack) => Resource::arn(stack),
            Self::All { .. } => "*".to_owned(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::One(stack) => Resource::account(stack),
            Self::All { account } => account,
        }
    }

    fn conditions(&self, context: &mut Context) {
        if let Self::One(stack) = self {
            stack.conditions(context);
        }
    }
}

/// Describes a stack, or all that are not deleted.
pub struct DescribeStacks;

impl Operation for DescribeStacks {
    type Input = model::DescribeStacksInput;
    type Output = model::DescribeStacksOutput;
    type Target = Stacks;
    const ACCESS: Access = Access::list("cloudformation:DescribeStacks");
    const ALSO: &'static [Access] = &[LIST];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Stacks>> {
        let Some(name) = &input.stack_name else {
            let account = look.account().to_owned();
            return Ok(Found::Here(Stacks::All { account }));
        };
        Ok(match resolve_described(look, name)? {
            Found::Here(stack) => Found::Here(Stacks::One(stack)),
            Found::Absent { arn, fault } => Found::Absent { arn, fault },
        })
    }

    fn handle(call: &mut Call<'_>, stacks: Authorized<Stacks>, input: Self::Input) -> Result<Self::Output> {
        if let Stacks::One(stack) = &*stacks {
            return Ok(model::DescribeStacksOutput {
                stacks: Some(vec![shown(call, stack)?]),
                next_token: None,
            });
        }
        let account = call.account().to_owned();
        call.also(LIST, "*", &account, Context::default())?;
        let (rows, next_token) = newest(call, "stacks", input.next_token.as_deref(), |stack| {
            !stack.is_deleted()
        })?;
        let stacks = rows.iter().map(|stack| shown(call, stack));
        Ok(model::DescribeStacksOutput {
            stacks: Some(stacks.collect::<Result<_>>()?),
            next_token,
        })
    }
}

/// A page of those stacks that fit, the newest first.
fn newest(
    look: &mut Look<'_>,
    list: &str,
    token: Option<&str>,
    fits: impl Fn(&Stack) -> bool,
) -> Result<(Vec<Arc<Stack>>, Option<String>)> {
    let (account, region) = (look.account().to_owned(), look.region().to_owned());
    let place = page::after(look, list, token)?;
    let mut before = place.as_deref().and_then(|place| {
        let (at, uuid) = place.split_once(' ')?;
        Some((account.clone(), region.clone(), at.parse().ok()?, uuid.to_owned()))
    });
    let mut found = Vec::new();
    loop {
        let prefix = (account.as_str(), region.as_str());
        let rows = look.range_rev(&BY_AGE, &prefix, before.as_ref(), page::ITEMS)?;
        let more = rows.len() == page::ITEMS;
        for (place, id) in rows {
            let key = (account.as_str(), region.as_str(), id.0.as_str());
            let stack = look.get(&STACKS, &key)?.filter(|stack| fits(stack));
            let (.., at, uuid) = &place;
            if let Some(stack) = stack {
                found.push(stack);
            }
            if found.len() == page::ITEMS {
                let next = page::token(look, list, &format!("{at} {uuid}"))?;
                return Ok((found, Some(next)));
            }
            before = Some(place);
        }
        if !more {
            return Ok((found, None));
        }
    }
}

/// The parameters of a stack or a change set, as they may be shown.
pub(crate) fn parameters(settings: Vec<Setting>) -> Vec<model::Parameter> {
    let shown = |setting: Setting| {
        let veiled = setting.no_echo;
        model::Parameter {
            parameter_key: Some(setting.key),
            parameter_value: Some(if veiled { MASK.to_owned() } else { setting.value }),
            resolved_value: setting
                .resolved
                .map(|resolved| if veiled { MASK.to_owned() } else { resolved }),
            ..model::Parameter::default()
        }
    };
    settings.into_iter().map(shown).collect()
}

pub(crate) fn capabilities(names: &[String]) -> Vec<model::Capability> {
    names
        .iter()
        .filter_map(|name| model::Capability::parse(name))
        .collect()
}

pub(crate) fn tags(tags: &std::collections::BTreeMap<String, String>) -> Vec<model::Tag> {
    let tags = tags.iter().map(|(key, value)| model::Tag {
        key: key.clone(),
        value: value.clone(),
    });
    tags.collect()
}

fn shown(look: &Look<'_>, stack: &Stack) -> Result<model::Stack> {
    let inner = stack.inner(look)?;
    let settings: Vec<Setting> = inner.settings.into_iter().map(Into::into).collect();
    let outputs = inner.outputs.into_iter().map(|output| model::Output {
        description: output.description,
        export_name: output.export,
        output_key: Some(output.key),
        output_value: Some(output.value),
    });
    let outputs: Vec<_> = outputs.collect();
    let settings = parameters(settings);
    Ok(model::Stack {
        capabilities: Some(capabilities(&stack.capabilities)),
        change_set_id: stack.change_set.clone(),
        creation_time: moment(stack.created),
        deletion_time: stack.deleted.map(moment),
        description: stack.description.clone(),
        disable_rollback: Some(stack.disable_rollback),
        drift_information: Some(model::StackDriftInformation {
            stack_drift_status: model::StackDriftStatus::NotChecked,
            ..model::StackDriftInformation::default()
        }),
        enable_termination_protection: Some(stack.protected),
        last_updated_time: stack.updated.map(moment),
        notification_arns: Some(Vec::new()),
        parent_id: stack.parent.clone(),
        root_id: stack.root.clone(),
        outputs: Some(outputs).filter(|outputs| !outputs.is_empty()),
        parameters: Some(settings).filter(|settings| !settings.is_empty()),
        retain_except_on_create: Some(stack.retain_except_on_create),
        role_arn: stack.role.clone(),
        rollback_configuration: Some(model::RollbackConfiguration::default()),
        stack_id: Some(stack.id()),
        stack_name: stack.name.clone(),
        stack_status: stack.status(),
        stack_status_reason: stack.reason.clone(),
        tags: Some(tags(&stack.tags)),
        timeout_in_minutes: stack.timeout_minutes,
        ..model::Stack::default()
    })
}

/// Lists stacks, deleted ones too.
pub struct ListStacks;

impl Operation for ListStacks {
    type Input = model::ListStacksInput;
    type Output = model::ListStacksOutput;
    type Target = AccountScope;
    const ACCESS: Access = LIST;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let wanted: Vec<StackStatus> = input.stack_status_filter.unwrap_or_default();
        let names: Vec<&str> = wanted.iter().map(|status| status.as_str()).collect();
        let list = format!("summaries {}", names.join(" "));
        let (rows, next_token) = newest(call, &list, input.next_token.as_deref(), |stack| {
            wanted.is_empty() || wanted.contains(&stack.status())
        })?;
        let shown = rows.iter().map(|stack| model::StackSummary {
            creation_time: moment(stack.created),
            deletion_time: stack.deleted.map(moment),
            drift_information: Some(model::StackDriftInformationSummary {
                stack_drift_status: model::StackDriftStatus::NotChecked,
                ..model::StackDriftInformationSummary::default()
            }),
            last_updated_time: stack.updated.map(moment),
            parent_id: stack.parent.clone(),
            root_id: stack.root.clone(),
            stack_id: Some(stack.id()),
            stack_name: stack.name.clone(),
            stack_status: stack.status(),
            stack_status_reason: stack.reason.clone(),
            template_description: stack.description.clone(),
            ..model::StackSummary::default()
        });
        Ok(model::ListStacksOutput {
            stack_summaries: Some(shown.collect()),
            next_token,
        })
    }
}
