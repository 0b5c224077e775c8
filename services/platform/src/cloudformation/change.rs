//! What a template would change of a stack: asked before an update, and shown by change sets.
//!
//! Invariant: values that only the making of other resources brings count as changed, and are told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::cloudformation as model;
use model::{
    ChangeAction, ChangeSource, EvaluationType, PolicyAction, Replacement, RequiresRecreation,
    ResourceAttribute,
};
use pipeline::{Call, Result};
use serde_json::{Map, Value as Json};

use super::evaluation::{Asking, KNOWN_AFTER, facts, to_json};
use super::resource::{self, Contents, StackResource};
use super::resource_type::{self, Change, ResourceType};
use super::stack::{KeptOutput, Stack};
use super::submission::Prepared;
use super::template::{Evaluation, Resource};

/// What would change.
pub(crate) struct Comparison {
    pub changes: Vec<ResourceChange>,
    /// The stack's outputs or tags would change.
    pub otherwise: bool,
}

impl Comparison {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.otherwise
    }
}

/// What would change of a resource.
pub(crate) struct ResourceChange {
    pub action: ChangeAction,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub kind: String,
    pub replacement: Option<Replacement>,
    pub policy_action: Option<PolicyAction>,
    pub details: Vec<Detail>,
}

/// One difference.
pub(crate) struct Detail {
    pub attribute: ResourceAttribute,
    /// The property.
    pub name: Option<String>,
    pub recreation: RequiresRecreation,
    pub evaluation: EvaluationType,
    /// Nothing was changed that can be told.
    pub automatic: bool,
}

impl ResourceChange {
    pub(crate) fn shown(&self) -> model::Change {
        let scope: BTreeSet<ResourceAttribute> = self.details.iter().map(|detail| detail.attribute).collect();
        let details = self.details.iter().map(|detail| model::ResourceChangeDetail {
            target: Some(model::ResourceTargetDefinition {
                attribute: Some(detail.attribute),
                name: detail.name.clone(),
                requires_recreation: Some(detail.recreation),
                ..model::ResourceTargetDefinition::default()
            }),
            evaluation: Some(detail.evaluation),
            change_source: Some(match detail.evaluation {
                _ if detail.automatic => ChangeSource::Automatic,
                EvaluationType::Static => ChangeSource::DirectModification,
                EvaluationType::Dynamic => ChangeSource::ResourceReference,
            }),
            ..model::ResourceChangeDetail::default()
        });
        let change = model::ResourceChange {
            action: Some(self.action),
            logical_resource_id: Some(self.logical_id.clone()),
            physical_resource_id: self.physical_id.clone(),
            policy_action: self.policy_action,
            resource_type: Some(self.kind.clone()),
            replacement: self.replacement,
            scope: Some(scope.into_iter().collect()),
            details: Some(details.collect()),
            ..model::ResourceChange::default()
        };
        model::Change {
            r#type: Some(model::ChangeType::Resource),
            resource_change: Some(change),
            ..model::Change::default()
        }
    }
}

/// The properties of a type that hold tags.
pub(crate) fn takes_tags(kind: &dyn ResourceType) -> bool {
    kind.properties()
        .iter()
        .any(|property| property.name.ends_with("Tags"))
}

/// A property that differs.
pub(crate) struct Difference {
    pub name: String,
    pub change: Change,
    /// The new value is known after the execution alone.
    pub open: bool,
}

/// Compares the properties that a resource has with those that it shall have.
pub(crate) fn differences(
    kind: &dyn ResourceType,
    old: &Map<String, Json>,
    new: &Map<String, Json>,
) -> Vec<Difference> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let (before, after) = (old.get(name), new.get(name));
        if before == after {
            continue;
        }
        let property = kind.properties().iter().find(|property| property.name == name);
        let change = property.map_or(Change::InPlace, |property| kind.change(property, before, after));
        let open = after.is_some_and(|after| after.to_string().contains(KNOWN_AFTER));
        found.push(Difference {
            name: name.clone(),
            change,
            open,
        });
    }
    found
}

/// The properties of a resource as JSON, with references to what is not made yet marked, and dynamic references as they stand.
pub(crate) fn properties(
    evaluation: &Evaluation<'_>,
    resource: &Resource,
    asking: &mut Asking<'_, '_>,
) -> Result<Map<String, Json>> {
    let evaluated = evaluation.properties(resource, asking)?;
    match to_json(&evaluated)? {
        Json::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

/// Whether a row stands for something that is there.
pub(crate) fn lives(row: &StackResource) -> bool {
    !matches!(row.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED") && row.physical_id.is_some()
}

/// Compares a stack with what it shall be.
pub(crate) fn compare(
    call: &mut Call<'_>,
    stack: &Stack,
    prepared: &Prepared,
    tags: &BTreeMap<String, String>,
) -> Result<Comparison> {
    let facts = facts(stack);
    let evaluation = Evaluation::new(&prepared.template, &prepared.settings, &facts)?;
    let rows = resource::all(call, stack)?;
    let rows: BTreeMap<String, Arc<StackResource>> = rows.into_iter().filter(|(_, row)| lives(row)).collect();
    let order = evaluation.order()?;
    let wanted: BTreeSet<&str> = order
        .iter()
        .map(|resource| resource.logical_id.as_str())
        .collect();
    let mut unknown: BTreeSet<String> = wanted
        .iter()
        .filter(|id| !rows.contains_key(**id))
        .map(|id| (*id).to_owned())
        .collect();
    let tags_differ = *tags != stack.tags;
    let mut changes = Vec::new();
    for resource in order {
        let Some(row) = rows.get(&resource.logical_id) else {
            changes.push(added(resource));
            continue;
        };
        let mut asking = Asking::new(call, stack, &unknown);
        asking.ahead = true;
        let new = properties(&evaluation, resource, &mut asking)?;
        let old: Contents = row.contents(call, stack)?;
        let change = modified(resource, row, (&old.properties, &new), tags_differ);
        if let Some(change) = change {
            if change.replacement != Some(Replacement::False) {
                unknown.insert(resource.logical_id.clone());
            }
            changes.push(change);
        }
    }
    let gone = rows.iter().filter(|(id, _)| !wanted.contains(id.as_str()));
    changes.extend(gone.map(|(_, row)| removed(row)));
    let mut asking = Asking::new(call, stack, &unknown);
    asking.ahead = true;
    let outputs = evaluation.outputs(&mut asking)?;
    let outputs: Vec<KeptOutput> = outputs.into_iter().map(Into::into).collect();
    let otherwise = tags_differ || outputs != stack.inner(call)?.outputs;
    Ok(Comparison { changes, otherwise })
}

fn added(resource: &Resource) -> ResourceChange {
    ResourceChange {
        action: ChangeAction::Add,
        logical_id: resource.logical_id.clone(),
        physical_id: None,
        kind: resource.kind.clone(),
        replacement: None,
        policy_action: None,
        details: Vec::new(),
    }
}

fn removed(row: &StackResource) -> ResourceChange {
    let action = if row.is_retained(false) {
        PolicyAction::Retain
    } else {
        PolicyAction::Delete
    };
    ResourceChange {
        action: ChangeAction::Remove,
        logical_id: row.logical_id.clone(),
        physical_id: row.physical_id.clone(),
        kind: row.kind.clone(),
        replacement: None,
        policy_action: Some(action),
        details: Vec::new(),
    }
}

fn modified(
    resource: &Resource,
    row: &StackResource,
    (old, new): (&Map<String, Json>, &Map<String, Json>),
    tags_differ: bool,
) -> Option<ResourceChange> {
    let kind = resource_type::find(&resource.kind)?;
    let mut details: Vec<Detail> = Vec::new();
    let mut replacement = Replacement::False;
    for difference in differences(kind, old, new) {
        let evaluation = if difference.open {
            EvaluationType::Dynamic
        } else {
            EvaluationType::Static
        };
        let recreation = match (difference.change, difference.open) {
            (Change::InPlace, _) => RequiresRecreation::Never,
            (Change::Replaces, false) => RequiresRecreation::Always,
            (Change::Replaces, true) => RequiresRecreation::Conditionally,
        };
        replacement = match (recreation, replacement) {
            (RequiresRecreation::Always, _) => Replacement::True,
            (RequiresRecreation::Conditionally, Replacement::False) => Replacement::Conditional,
            (_, so_far) => so_far,
        };
        let attribute = if difference.name.ends_with("Tags") {
            ResourceAttribute::Tags
        } else {
            ResourceAttribute::Properties
        };
        let name = (attribute == ResourceAttribute::Properties).then_some(difference.name);
        details.push(Detail {
            attribute,
            name,
            recreation,
            evaluation,
            automatic: false,
        });
    }
    let own_tags = details
        .iter()
        .any(|detail| detail.attribute == ResourceAttribute::Tags);
    let in_place = |attribute| Detail {
        attribute,
        name: None,
        recreation: RequiresRecreation::Never,
        evaluation: EvaluationType::Static,
        automatic: false,
    };
    if tags_differ && takes_tags(kind) && !own_tags {
        details.push(in_place(ResourceAttribute::Tags));
    }
    let metadata = resource.metadata.as_ref().map(super::template::Value::to_json);
    if metadata != row.metadata {
        details.push(in_place(ResourceAttribute::Metadata));
    }
    if details.is_empty() && kind.automatic() {
        details.push(Detail {
            evaluation: EvaluationType::Dynamic,
            automatic: true,
            ..in_place(ResourceAttribute::Properties)
        });
    }
    if details.is_empty() {
        return None;
    }
    let policy_action = (replacement == Replacement::True).then(|| {
        match resource
            .update_replace_policy
            .as_ref()
            .and_then(super::template::Value::as_str)
        {
            Some("Retain") => PolicyAction::ReplaceAndRetain,
            _ => PolicyAction::ReplaceAndDelete,
        }
    });
    Some(ResourceChange {
        action: ChangeAction::Modify,
        logical_id: resource.logical_id.clone(),
        physical_id: row.physical_id.clone(),
        kind: resource.kind.clone(),
        replacement: Some(replacement),
        policy_action,
        details,
    })
}
