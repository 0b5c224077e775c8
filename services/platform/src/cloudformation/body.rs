//! Templates as such: `GetTemplate`, `GetTemplateSummary` and `ValidateTemplate`.
//!
//! Invariant: a template is given back as it was handed in.

use std::collections::BTreeMap;

use api::cloudformation as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::change_set;
use super::condition::sees_template;
use super::describe::{Stacks, capabilities};
use super::fault::{absent, expect_none, invalid};
use super::resource_type;
use super::stack::{StackTarget, denoted, resolve, resolve_living};
use super::submission::{CURRENT, body, source};
use super::template::{Template, Value};

/// Gives a stack's template, or a change set's.
pub struct GetTemplate;

impl Operation for GetTemplate {
    type Input = model::GetTemplateInput;
    type Output = model::GetTemplateOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::read("cloudformation:GetTemplate");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        match (&input.stack_name, &input.change_set_name) {
            (Some(name), _) => resolve(look, name, absent),
            (None, Some(change_set)) => change_set::target(look, change_set, None),
            (None, None) => Ok(Found::Absent {
                arn: denoted(look, "*"),
                fault: invalid("StackName must be specified"),
            }),
        }
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let text = match &input.change_set_name {
            None => body(call, &stack, CURRENT)?,
            Some(named) => {
                let found = change_set::expect(call, &stack, named)?;
                body(call, &stack, &found.uuid)?
            }
        };
        // A stack to come has a change set, and no template yet.
        Ok(model::GetTemplateOutput {
            template_body: Some(text).filter(|text| !text.is_empty()),
            stages_available: Some(vec![
                model::TemplateStage::Original,
                model::TemplateStage::Processed,
            ]),
        })
    }
}

/// Tells what a template takes and makes.
pub struct GetTemplateSummary;

impl Operation for GetTemplateSummary {
    type Input = model::GetTemplateSummaryInput;
    type Output = model::GetTemplateSummaryOutput;
    type Target = Stacks;
    const ACCESS: Access = Access::read("cloudformation:GetTemplateSummary");

    sees_template!();

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Stacks>> {
        let Some(name) = &input.stack_name else {
            let account = look.account().to_owned();
            return Ok(Found::Here(Stacks::All { account }));
        };
        Ok(match resolve_living(look, name, absent)? {
            Found::Here(stack) => Found::Here(Stacks::One(stack)),
            Found::Absent { arn, fault } => Found::Absent { arn, fault },
        })
    }

    fn handle(call: &mut Call<'_>, stacks: Authorized<Stacks>, input: Self::Input) -> Result<Self::Output> {
        expect_none("StackSetName", input.stack_set_name.is_some())?;
        let given = source(call, input.template_body, input.template_url.as_deref())?;
        let text = match (&*stacks, given) {
            (Stacks::One(stack), None) => body(call, stack, CURRENT)?,
            (Stacks::All { .. }, Some(text)) => text,
            (Stacks::One(_), Some(_)) => {
                return Err(invalid(
                    "You must specify only one of the following: StackName, TemplateBody or TemplateURL",
                ));
            }
            (Stacks::All { .. }, None) => {
                return Err(invalid("Either Template URL or Template Body must be specified."));
            }
        };
        let template = Template::read(&text)?;
        let (needed, reason) = template.capabilities();
        let needed: Vec<String> = needed.into_iter().map(str::to_owned).collect();
        let declared = template.parameters.iter().map(|parameter| {
            let allowed = Some(parameter.allowed_values.clone()).filter(|values| !values.is_empty());
            model::ParameterDeclaration {
                default_value: parameter.default.clone(),
                description: parameter.description.clone(),
                no_echo: Some(parameter.no_echo),
                parameter_constraints: Some(model::ParameterConstraints {
                    allowed_values: allowed,
                }),
                parameter_key: Some(parameter.key.clone()),
                parameter_type: Some(parameter.kind.clone()),
            }
        });
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for resource in &template.resources {
            let ids = kinds.entry(resource.kind.as_str()).or_default();
            ids.push(resource.logical_id.clone());
        }
        let strange = kinds.keys().filter(|kind| resource_type::find(kind).is_none());
        let strange: Vec<String> = strange.map(|kind| (*kind).to_owned()).collect();
        let lenient = input
            .template_summary_config
            .and_then(|config| config.treat_unrecognized_resource_types_as_warnings);
        if !strange.is_empty() && lenient != Some(true) {
            return Err(invalid(format!(
                "Template format error: Unrecognized resource types: [{}]",
                strange.join(", ")
            )));
        }
        let warnings = (!strange.is_empty()).then_some(model::Warnings {
            unrecognized_resource_types: Some(strange),
        });
        Ok(model::GetTemplateSummaryOutput {
            capabilities: Some(capabilities(&needed)).filter(|needed| !needed.is_empty()),
            capabilities_reason: reason,
            declared_transforms: Some(template.transforms.clone()).filter(|names| !names.is_empty()),
            description: template.description.clone(),
            metadata: template.metadata.as_ref().map(Value::to_json),
            parameters: Some(declared.collect()),
            resource_types: Some(kinds.keys().map(|kind| (*kind).to_owned()).collect()),
            version: Some("2010-09-09".to_owned()),
            warnings,
            ..model::GetTemplateSummaryOutput::default()
        })
    }
}

/// Checks a template.
pub struct ValidateTemplate;

impl Operation for ValidateTemplate {
    type Input = model::ValidateTemplateInput;
    type Output = model::ValidateTemplateOutput;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("cloudformation:ValidateTemplate");

    sees_template!();

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let text = source(call, input.template_body, input.template_url.as_deref())?;
        let text = text.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
        let template = Template::read(&text)?;
        let (needed, capabilities_reason) = template.capabilities();
        let needed: Vec<String> = needed.into_iter().map(str::to_owned).collect();
        let parameters = template
            .parameters
            .iter()
            .map(|parameter| model::TemplateParameter {
                default_value: parameter.default.clone(),
                description: parameter.description.clone(),
                no_echo: Some(parameter.no_echo),
                parameter_key: Some(parameter.key.clone()),
            });
        Ok(model::ValidateTemplateOutput {
            capabilities: Some(capabilities(&needed)).filter(|needed| !needed.is_empty()),
            capabilities_reason,
            declared_transforms: Some(template.transforms.clone()).filter(|names| !names.is_empty()),
            description: template.description.clone(),
            parameters: Some(parameters.collect()),
        })
    }
}
