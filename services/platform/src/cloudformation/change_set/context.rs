//! What change sets show of properties before and after: `IncludePropertyValues`.
//!
//! Invariant: a value that is not to be echoed stands in neither, and references stand as they are.

use std::collections::{BTreeMap, BTreeSet};

use api::cloudformation as model;
use model::{AttributeChangeType, ChangeAction, Replacement, ResourceAttribute};
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cloudformation::change::{ResourceChange, properties};
use crate::cloudformation::evaluation::{Asking, facts, masked};
use crate::cloudformation::stack::Stack;
use crate::cloudformation::submission::{CURRENT, Prepared, body};
use crate::cloudformation::template::{Evaluation, Setting, Template};

/// A resource's properties before and after.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Context {
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
}

/// By logical id.
pub(crate) type Contexts = BTreeMap<String, Context>;

/// The properties of the resources that change, as they may be shown.
pub(super) fn of(
    call: &mut Call<'_>,
    stack: &Stack,
    prepared: &Prepared,
    changes: &[ResourceChange],
) -> Result<Contexts> {
    let mut contexts = Contexts::new();
    let text = body(call, stack, CURRENT)?;
    let old = changes.iter().filter(|change| change.action != ChangeAction::Add);
    if !text.is_empty() {
        let template = Template::stored(&text)?;
        let settings: Vec<Setting> = stack.inner(call)?.settings.into_iter().map(Into::into).collect();
        let ids = old.map(|change| change.logical_id.as_str());
        for (id, properties) in shown(call, stack, (&template, &settings), ids, &BTreeSet::new())? {
            contexts.entry(id).or_default().before = Some(properties);
        }
    }
    let unknown: BTreeSet<String> = changes
        .iter()
        .filter(|change| {
            change.action == ChangeAction::Add
                || !matches!(change.replacement, None | Some(Replacement::False))
        })
        .map(|change| change.logical_id.clone())
        .collect();
    let new = changes
        .iter()
        .filter(|change| change.action != ChangeAction::Remove);
    let ids = new.map(|change| change.logical_id.as_str());
    let made = (&prepared.template, prepared.settings.as_slice());
    for (id, properties) in shown(call, stack, made, ids, &unknown)? {
        contexts.entry(id).or_default().after = Some(properties);
    }
    Ok(contexts)
}

/// The properties of some resources of a template, masked; none where masked values break a rule of the template.
fn shown<'c>(
    call: &mut Call<'_>,
    stack: &Stack,
    (template, settings): (&Template, &[Setting]),
    ids: impl Iterator<Item = &'c str>,
    unknown: &BTreeSet<String>,
) -> Result<Vec<(String, Map<String, Value>)>> {
    let (settings, facts) = (masked(settings), facts(stack));
    let Ok(evaluation) = Evaluation::new(template, &settings, &facts) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for id in ids {
        let Some(resource) = template.resource(id) else {
            continue;
        };
        let mut asking = Asking::new(call, stack, unknown);
        asking.mask = true;
        asking.ahead = true;
        found.push((id.to_owned(), properties(&evaluation, resource, &mut asking)?));
    }
    Ok(found)
}

/// Adds to a change what its properties were and will be.
pub(super) fn add(change: &mut model::Change, contexts: &Contexts) {
    let Some(change) = change.resource_change.as_mut() else {
        return;
    };
    let context = change
        .logical_resource_id
        .as_ref()
        .and_then(|id| contexts.get(id));
    let Some(context) = context else {
        return;
    };
    let told = |properties: &Map<String, Value>| json!({ "Properties": properties }).to_string();
    change.before_context = context.before.as_ref().map(told);
    change.after_context = context.after.as_ref().map(told);
    let targets = change.details.iter_mut().flatten();
    for target in targets.filter_map(|detail| detail.target.as_mut()) {
        let Some(name) = target.name.clone() else {
            continue;
        };
        if target.attribute != Some(ResourceAttribute::Properties) {
            continue;
        }
        let value = |properties: &Option<Map<String, Value>>| {
            let value = properties.as_ref()?.get(&name)?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        target.path = Some(format!("/Properties/{name}"));
        target.before_value = value(&context.before);
        target.after_value = value(&context.after);
        target.attribute_change_type = Some(match (&target.before_value, &target.after_value) {
            (None, _) => AttributeChangeType::Add,
            (_, None) => AttributeChangeType::Remove,
            _ => AttributeChangeType::Modify,
        });
    }
}
