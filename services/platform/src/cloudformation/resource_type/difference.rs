//! What lies between a resource as it is and as it is wanted: tags, lists of names, texts of policies.
//!
//! Invariant: nothing is taken away that the stack did not put there.

use std::collections::BTreeMap;

use pipeline::Result;
use serde_json::{Map, Value};
use wire::Fault;

use super::{Existing, Made, Wanted, invalid, is_absence, own_tags};

/// Tags to take away, by key, and tags to put.
pub(super) struct Tags {
    pub gone: Vec<String>,
    pub put: BTreeMap<String, String>,
}

/// What an update does to the tags of a resource.
pub(super) fn tags(existing: &Existing<'_>, wanted: &Wanted<'_>, property: &str) -> Tags {
    let mut before = existing.tags.clone();
    before.extend(own_tags(existing.properties, property));
    let mut put = wanted.all_tags(property);
    let gone = before
        .keys()
        .filter(|key| !put.contains_key(*key))
        .cloned()
        .collect();
    put.retain(|key, value| before.get(key) != Some(value));
    Tags { gone, put }
}

/// A property's list of texts.
pub(super) fn texts(properties: &Map<String, Value>, name: &str) -> Vec<String> {
    match properties.get(name) {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

/// What is in `new` and not in `old`.
pub(super) fn added(old: &[String], new: &[String]) -> Vec<String> {
    new.iter().filter(|item| !old.contains(item)).cloned().collect()
}

/// A policy's text: templates give it as a map or as text.
pub(super) fn policy(value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Object(_) => Ok(value.to_string()),
        _ => Err(invalid("A policy document is a map or a text of JSON.")),
    }
}

/// Whether a property is wanted otherwise than it is.
pub(super) fn differs(existing: &Existing<'_>, wanted: &Wanted<'_>, name: &str) -> bool {
    let held = existing.properties.get(name).filter(|value| !value.is_null());
    held != wanted.property(name)
}

/// A truth, as templates may write it.
pub(super) fn truth(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// A resource whose attributes an update does not touch.
pub(super) fn same(existing: &Existing<'_>) -> Made {
    Made {
        physical_id: existing.physical_id.to_owned(),
        attributes: existing.attributes.clone(),
        no_echo: false,
        awaits: None,
    }
}

/// Takes the absence of what was to be removed for its removal.
pub(super) fn gone<T>(result: Result<T>) -> Result<()> {
    match result {
        Err(fault) if !is_absence(&fault) => Err(fault),
        _ => Ok(()),
    }
}

/// A name that joins the first letters of the stack's and the resource's names: `mysta-Polic-1A2B3C`, as CloudFormation makes for
/// inline policies.
pub(super) fn short_name(wanted: &Wanted<'_>) -> String {
    let first = |text: &str| text.chars().take(5).collect::<String>();
    format!(
        "{}-{}-{}",
        first(&wanted.stack.name),
        first(wanted.logical_id),
        wanted.random
    )
}

/// Values of a map that must be objects of `Name` and a document: `Policies` of identities, in order.
pub(super) fn policies(properties: &Map<String, Value>) -> Result<Vec<(String, String)>> {
    let items = match properties.get("Policies") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(malformed()),
    };
    let read = |item: &Value| {
        let name = item
            .get("PolicyName")
            .and_then(Value::as_str)
            .ok_or_else(malformed)?;
        let document = item.get("PolicyDocument").ok_or_else(malformed)?;
        Ok((name.to_owned(), policy(document)?))
    };
    items.iter().map(read).collect()
}

fn malformed() -> Fault {
    invalid("Properties validation failed: #/Policies: each has a PolicyName and a PolicyDocument")
}
