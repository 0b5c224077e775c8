//! What can be told of a template before anyone gives it parameters: whether its names lead anywhere, in a circle, or where they must
//! not.
//!
//! Invariant: a template that passes has no function that is not built, and every name in it is declared.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::operation::Result;
use wire::Fault;

use super::function::{Function, Mention, SUPPORTED, mentions};
use super::read::malformed;
use super::value::Value;
use super::{Template, dynamic};

/// Pseudo parameters.
pub const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Checks all of it.
///
/// # Errors
/// `ValidationError` in CloudFormation's words.
pub fn check(template: &Template) -> Result<()> {
    distinct(template)?;
    functions(template)?;
    conditions(template)?;
    block(
        template,
        "Resources",
        template.resources.iter().flat_map(|resource| {
            std::iter::once(&resource.properties).chain(
                [
                    &resource.metadata,
                    &resource.creation_policy,
                    &resource.update_policy,
                    &resource.deletion_policy,
                ]
                .into_iter()
                .flatten(),
            )
        }),
        template
            .resources
            .iter()
            .filter_map(|resource| resource.condition.as_deref()),
    )?;
    depends(template)?;
    block(
        template,
        "Outputs",
        template
            .outputs
            .iter()
            .flat_map(|output| std::iter::once(&output.value).chain(output.export.as_ref())),
        template
            .outputs
            .iter()
            .filter_map(|output| output.condition.as_deref()),
    )?;
    detached(template)?;
    circles(template)?;
    dynamic::check(template)
}

/// Parameters and resources share one space of names.
fn distinct(template: &Template) -> Result<()> {
    let both: Vec<&str> = template
        .resources
        .iter()
        .map(|resource| resource.logical_id.as_str())
        .filter(|name| template.parameter(name).is_some())
        .collect();
    if both.is_empty() {
        return Ok(());
    }
    Err(Fault::validation(format!(
        "Template error: all resources and parameters must have unique names. Common name(s):[{}]",
        both.join(", ")
    )))
}

/// Every value of a template in which functions may stand.
pub fn every(template: &Template) -> impl Iterator<Item = &Value> {
    let resources = template.resources.iter().flat_map(|resource| {
        std::iter::once(&resource.properties)
            .chain(&resource.metadata)
            .chain(&resource.deletion_policy)
    });
    let outputs = template
        .outputs
        .iter()
        .flat_map(|output| std::iter::once(&output.value).chain(&output.export));
    let conditions = template.conditions.iter().map(|(_, value)| value);
    resources.chain(outputs).chain(conditions)
}

/// Every function is one of CloudFormation's that is built, with arguments of the right form.
fn functions(template: &Template) -> Result<()> {
    fn walk(value: &Value, extended: bool) -> Result<()> {
        match value {
            Value::List(items) => items.iter().try_for_each(|item| walk(item, extended)),
            Value::Map(members) => {
                if let Some(function) = Function::of(value)? {
                    function.formed(extended)?;
                } else if let Some((name, _)) = members.iter().find(|(name, _)| name.starts_with("Fn::")) {
                    return Err(if name.starts_with("Fn::ForEach") || name == "Fn::Transform" {
                        Fault::validation(format!("{name} is not implemented by this version of Ringwork."))
                    } else {
                        Fault::validation(format!(
                            "Template error: Encountered unsupported function: {name} Supported functions are: [{}]",
                            SUPPORTED.join(", ")
                        ))
                    });
                }
                members.iter().try_for_each(|(_, member)| walk(member, extended))
            }
            _ => Ok(()),
        }
    }
    let extended = template.extended();
    every(template).try_for_each(|value| walk(value, extended))
}

/// Conditions speak of parameters, mappings and each other, and not in circles.
fn conditions(template: &Template) -> Result<()> {
    let declared: BTreeSet<&str> = template
        .conditions
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut needs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut foreign: BTreeSet<String> = BTreeSet::new();
    for (name, value) in &template.conditions {
        let boolean = Function::of(value)?.is_some_and(|function| function.decides());
        if !boolean {
            return Err(malformed(
                "Conditions can only be boolean operations on parameters and other conditions",
            ));
        }
        let mut found = BTreeSet::new();
        mentions(value, &mut |mention| match mention {
            Mention::Condition(other) => {
                found.insert(other.to_owned());
            }
            Mention::Reference(other) if template.parameter(other).is_none() && !PSEUDO.contains(&other) => {
                foreign.insert(other.to_owned());
            }
            Mention::Attribute { resource, .. } => {
                foreign.insert(resource.to_owned());
            }
            _ => {}
        })?;
        needs.insert(name, found);
    }
    if !foreign.is_empty() {
        return Err(malformed(format!(
            "Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the template",
            joined(&foreign)
        )));
    }
    let lost: BTreeSet<String> = needs
        .values()
        .flatten()
        .filter(|name| !declared.contains(name.as_str()))
        .cloned()
        .collect();
    if !lost.is_empty() {
        return Err(malformed(format!(
            "Unresolved condition dependencies [{}] in the Conditions block of the template",
            joined(&lost)
        )));
    }
    let needs = needs
        .into_iter()
        .map(|(name, found)| (name.to_owned(), found))
        .collect();
    match circle(&needs) {
        Some(circle) => Err(malformed(format!(
            "Circular dependency between conditions: [{}]",
            circle.join(", ")
        ))),
        None => Ok(()),
    }
}

/// Every name in a block leads somewhere.
fn block<'a>(
    template: &Template,
    section: &str,
    values: impl Iterator<Item = &'a Value>,
    conditions: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let condition = |name: &str| template.conditions.iter().any(|(known, _)| known == name);
    for name in conditions {
        if !condition(name) {
            return Err(malformed(format!(
                "Unresolved condition dependency {name} in the {section} block of the template"
            )));
        }
    }
    let mut lost = BTreeSet::new();
    let mut refused: Option<Fault> = None;
    for value in values {
        mentions(value, &mut |mention| match mention {
            Mention::Reference(name) => {
                let known = template.parameter(name).is_some()
                    || template.resource(name).is_some()
                    || PSEUDO.contains(&name);
                if !known {
                    lost.insert(name.to_owned());
                }
            }
            Mention::Attribute {
                resource: name,
                in_text,
                ..
            } if template.resource(name).is_none() => {
                if in_text {
                    lost.insert(name.to_owned());
                } else {
                    refused.get_or_insert_with(|| {
                        Fault::validation(format!(
                            "Template error: instance of Fn::GetAtt references undefined resource {name}"
                        ))
                    });
                }
            }
            Mention::Condition(name) if !condition(name) => {
                refused.get_or_insert_with(|| {
                    Fault::validation(format!(
                        "Template error: unresolved condition dependency {name} in Fn::If"
                    ))
                });
            }
            Mention::Mapping(name) if !template.mappings.iter().any(|(known, _)| known == name) => {
                refused.get_or_insert_with(|| {
                    Fault::validation(format!(
                        "Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
                    ))
                });
            }
            _ => {}
        })?;
    }
    if !lost.is_empty() {
        return Err(unresolved(&lost, section));
    }
    refused.map_or(Ok(()), Err)
}

/// What CloudFormation says of names that lead nowhere.
pub fn unresolved(names: &BTreeSet<String>, section: &str) -> Fault {
    malformed(format!(
        "Unresolved resource dependencies [{}] in the {section} block of the template",
        joined(names)
    ))
}

fn depends(template: &Template) -> Result<()> {
    let lost: BTreeSet<String> = template
        .resources
        .iter()
        .flat_map(|resource| &resource.depends_on)
        .filter(|name| template.resource(name).is_none())
        .cloned()
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(unresolved(&lost, "Resources"))
}

/// Names of exports and imports must be known before any resource is.
fn detached(template: &Template) -> Result<()> {
    fn attached(template: &Template, value: &Value) -> Result<bool> {
        let mut found = false;
        mentions(value, &mut |mention| match mention {
            Mention::Reference(name) => found |= template.resource(name).is_some(),
            Mention::Attribute { .. } | Mention::Import | Mention::Zones => found = true,
            _ => {}
        })?;
        Ok(found)
    }
    fn imports(template: &Template, value: &Value) -> Result<()> {
        if let Some(("Fn::ImportValue", name)) = value.single()
            && attached(template, name)?
        {
            return Err(Fault::validation(
                "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, \
                 or Fn::GetAZs",
            ));
        }
        match value {
            Value::List(items) => items.iter().try_for_each(|item| imports(template, item)),
            Value::Map(members) => members
                .iter()
                .try_for_each(|(_, member)| imports(template, member)),
            _ => Ok(()),
        }
    }
    for output in &template.outputs {
        if let Some(name) = &output.export
            && attached(template, name)?
        {
            return Err(malformed(format!(
                "Output {} is malformed. The Name field of every Export member must not depend on any resources, \
                 imported values, or Fn::GetAZs",
                output.key
            )));
        }
    }
    every(template).try_for_each(|value| imports(template, value))
}

/// Circles that stand whatever the conditions say; `Evaluation` finds the others.
fn circles(template: &Template) -> Result<()> {
    let mut needs = BTreeMap::new();
    for resource in &template.resources {
        let mut found: BTreeSet<String> = resource.depends_on.iter().cloned().collect();
        resources_named(template, &without_choices(&resource.properties), &mut found)?;
        needs.insert(resource.logical_id.clone(), found);
    }
    refuse_circle(&needs)
}

/// A copy without what stands under `Fn::If`.
fn without_choices(value: &Value) -> Value {
    match value {
        Value::Map(members) => match value.single() {
            Some(("Fn::If", _)) => Value::empty(),
            _ => Value::Map(
                members
                    .iter()
                    .map(|(name, member)| (name.clone(), without_choices(member)))
                    .collect(),
            ),
        },
        Value::List(items) => Value::List(items.iter().map(without_choices).collect()),
        other => other.clone(),
    }
}

/// Adds the resources that a value names.
pub fn resources_named(template: &Template, value: &Value, found: &mut BTreeSet<String>) -> Result<()> {
    mentions(value, &mut |mention| match mention {
        Mention::Reference(name) | Mention::Attribute { resource: name, .. }
            if template.resource(name).is_some() =>
        {
            found.insert(name.to_owned());
        }
        _ => {}
    })
}

/// # Errors
/// `Circular dependency between resources: […]`.
pub fn refuse_circle(needs: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    match circle(needs) {
        Some(circle) => Err(Fault::validation(format!(
            "Circular dependency between resources: [{}]",
            circle.join(", ")
        ))),
        None => Ok(()),
    }
}

/// The names that cannot be put in an order, if there are any: what remains when all that needs nothing, and then all that needs only
/// that, and so on, was taken away; and from the other side likewise.
fn circle(needs: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = needs
        .iter()
        .map(|(name, needed)| (name.as_str(), needed.iter().map(String::as_str).collect()))
        .collect();
    loop {
        let before = left.len();
        let names: BTreeSet<&str> = left.keys().copied().collect();
        left.retain(|_, needed| needed.iter().any(|name| names.contains(name)));
        let needed: BTreeSet<&str> = left.values().flatten().copied().collect();
        left.retain(|name, _| needed.contains(name));
        if left.len() == before {
            break;
        }
    }
    if left.is_empty() {
        return None;
    }
    Some(left.into_keys().map(str::to_owned).collect())
}

fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
