//! How settings merge down the tree: the value-setting operators and the child control operators, as a pure function.
//!
//! Source: Organizations User Guide, "Inheritance operators" and "Inheritance examples".
//! Invariant: what a level forbids its children stays forbidden below, whatever they say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The effective settings of policies, level by level from the root down, those of a level in the order of their attachment.
/// `None` if they set nothing.
pub(super) fn effective(levels: &[Vec<Value>]) -> Option<Value> {
    let mut tree = Node::default();
    for level in levels {
        for policy in level {
            if let Value::Object(members) = policy {
                tree.apply(members, true);
            }
        }
        tree.close_level();
    }
    tree.shown()
}

/// Which value-setting operators the policies further down may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Allowed {
    assign: bool,
    append: bool,
    remove: bool,
}

impl Allowed {
    const ALL: Self = Self {
        assign: true,
        append: true,
        remove: true,
    };

    fn read(value: &Value) -> Self {
        let names = |name: &str| {
            let listed = value.as_array().into_iter().flatten();
            listed
                .filter_map(Value::as_str)
                .any(|one| one == name || one == "@@all")
        };
        Self {
            assign: names("@@assign"),
            append: names("@@append"),
            remove: names("@@remove"),
        }
    }

    const fn and(self, other: Self) -> Self {
        Self {
            assign: self.assign && other.assign,
            append: self.append && other.append,
            remove: self.remove && other.remove,
        }
    }

    /// `@@none`
    const fn is_none(self) -> bool {
        !self.assign && !self.append && !self.remove
    }
}

/// A key of the settings, as merged so far.
struct Node {
    value: Option<Value>,
    children: BTreeMap<String, Node>,
    /// What the levels above allow.
    allowed: Allowed,
    /// What this level adds to that, for the levels below.
    closing: Allowed,
    /// A policy of this level has set the value; of several the first attached assigns.
    set_here: bool,
    /// The levels above have it.
    inherited: bool,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            value: None,
            children: BTreeMap::new(),
            allowed: Allowed::ALL,
            closing: Allowed::ALL,
            set_here: false,
            inherited: false,
        }
    }
}

impl Node {
    /// Lays one policy over the tree. `may_grow` tells whether the levels above let this key have new keys.
    fn apply(&mut self, members: &Map<String, Value>, may_grow: bool) {
        if let Some(values) = members
            .get("@@assign")
            .filter(|_| self.allowed.assign && !self.set_here)
        {
            self.value = Some(values.clone());
            self.set_here = true;
        }
        if let Some(Value::Array(values)) = members.get("@@append").filter(|_| self.allowed.append) {
            self.append(values);
        }
        if let Some(Value::Array(values)) = members.get("@@remove").filter(|_| self.allowed.remove) {
            self.remove(values);
        }
        if let Some(operators) = members.get("@@operators_allowed_for_child_policies") {
            self.closing = self.closing.and(Allowed::read(operators));
        }
        for (name, value) in members {
            let Value::Object(below) = value else { continue };
            if name.starts_with("@@") {
                continue;
            }
            let known = self.children.get(name).is_some_and(|child| child.inherited);
            if !known && !may_grow {
                continue;
            }
            let child = self.children.entry(name.clone()).or_default();
            let child_may_grow = !child.allowed.is_none();
            child.apply(below, child_may_grow);
        }
    }

    /// Adds what is not there yet. A single value has nothing to add to.
    fn append(&mut self, values: &[Value]) {
        let held = self.value.get_or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(held) = held else { return };
        for value in values {
            if !held.contains(value) {
                held.push(value.clone());
            }
        }
        self.set_here = true;
    }

    /// Takes values away; with the last of them goes the setting.
    fn remove(&mut self, values: &[Value]) {
        let Some(Value::Array(held)) = &mut self.value else {
            return;
        };
        let before = held.len();
        held.retain(|value| !values.contains(value));
        if held.is_empty() && before > 0 {
            self.value = None;
        }
    }

    fn close_level(&mut self) {
        self.allowed = self.allowed.and(self.closing);
        self.set_here = false;
        self.inherited = true;
        for child in self.children.values_mut() {
            child.close_level();
        }
    }

    /// The settings without operators.
    fn shown(&self) -> Option<Value> {
        if let Some(value) = &self.value {
            return Some(value.clone());
        }
        let shown = |(name, child): (&String, &Self)| Some((name.clone(), child.shown()?));
        let children: Map<String, Value> = self.children.iter().filter_map(shown).collect();
        (!children.is_empty()).then_some(Value::Object(children))
    }
}

#[cfg(test)]
mod tests;
