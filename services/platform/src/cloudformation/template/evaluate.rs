//! A template with its parameters: which conditions hold, what is made, in which order, and with which values.
//!
//! Invariant: nothing is evaluated that a condition leaves out, so no reference to what is not made is ever asked for; what is evaluated
//! comes to no more than `EXPANDED_MAX`, however functions are put into one another.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::operation::Result;
use wire::Fault;

use super::condition::Nothing;
use super::function::{self, Attribute, Function};
use super::sub::{self, Part};
use super::value::Value;
use super::{Asks, Facts, Output, Resource, Setting, Template, Told, check, cidr, parameter};

/// What one evaluation may come to: octets of text, and values, each of which counts one more. A template of a few lines could otherwise
/// ask for more than any machine has.
const EXPANDED_MAX: usize = 32 << 20;

/// A template whose parameters are settled.
pub struct Evaluation<'a> {
    pub(super) template: &'a Template,
    settings: BTreeMap<&'a str, &'a Setting>,
    facts: &'a Facts,
    pub(super) conditions: BTreeMap<&'a str, bool>,
    /// What is left of `EXPANDED_MAX`.
    room: Cell<usize>,
}

impl<'a> Evaluation<'a> {
    /// Decides the conditions, tries the rules, and looks that what is left is whole and in no circle.
    ///
    /// # Errors
    /// `ValidationError` in CloudFormation's words.
    pub fn new(template: &'a Template, settings: &'a [Setting], facts: &'a Facts) -> Result<Self> {
        let mut evaluation = Self {
            template,
            settings: settings
                .iter()
                .map(|setting| (setting.key.as_str(), setting))
                .collect(),
            facts,
            conditions: BTreeMap::new(),
            room: Cell::new(EXPANDED_MAX),
        };
        for (name, _) in &template.conditions {
            evaluation.decide(name)?;
        }
        evaluation.rules()?;
        evaluation.whole()?;
        Ok(evaluation)
    }

    /// Whether what has this condition, if any, is made.
    pub fn includes(&self, condition: Option<&str>) -> bool {
        condition.is_none_or(|name| self.conditions.get(name).copied().unwrap_or(false))
    }

    /// The resources that are made, in the order of the template.
    pub fn resources(&self) -> impl Iterator<Item = &'a Resource> {
        self.template
            .resources
            .iter()
            .filter(|resource| self.includes(resource.condition.as_deref()))
    }

    /// The resources that must be there before this one: what it names where its conditions lead, and what it depends on.
    ///
    /// # Errors
    /// Functions that are malformed; a template that was read has none.
    pub fn dependencies(&self, resource: &Resource) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        check::resources_named(self.template, &self.chosen(&resource.properties), &mut found)?;
        // A resource that is not made need not be waited for.
        found.extend(resource.depends_on.iter().filter(|name| self.made(name)).cloned());
        Ok(found)
    }

    /// The resources that are made, each behind all that it depends on.
    ///
    /// # Errors
    /// As `dependencies`.
    pub fn order(&self) -> Result<Vec<&'a Resource>> {
        let mut waiting = Vec::new();
        for resource in self.resources() {
            waiting.push((resource, self.dependencies(resource)?));
        }
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            for (resource, needed) in waiting {
                if needed.iter().all(|name| done.contains(name.as_str())) {
                    done.insert(&resource.logical_id);
                    order.push(resource);
                } else {
                    later.push((resource, needed));
                }
            }
            if later.len() == before {
                // `new` refused circles.
                return Err(Fault::internal("resources depend on each other"));
            }
            waiting = later;
        }
        Ok(order)
    }

    /// The properties of a resource, with every `{{resolve:…}}` as it stands.
    ///
    /// # Errors
    /// What `asks` says, and functions whose values are not what they take.
    pub fn properties(&self, resource: &Resource, asks: &mut dyn Asks) -> Result<Value> {
        Ok(self.value(&resource.properties, asks)?.unwrap_or(Value::empty()))
    }

    /// A `DeletionPolicy` or `UpdateReplacePolicy`, which functions may say where the language's extensions are used.
    ///
    /// # Errors
    /// As `value`.
    pub fn policy(&self, policy: Option<&Value>) -> Result<Option<String>> {
        let Some(policy) = policy else { return Ok(None) };
        let value = self.value(policy, &mut Nothing)?;
        Ok(value.as_ref().and_then(Value::as_str).map(str::to_owned))
    }

    /// The outputs whose conditions hold.
    ///
    /// # Errors
    /// As `value`; `Template format error: Output … is malformed` for other than strings.
    pub fn outputs(&self, asks: &mut dyn Asks) -> Result<Vec<Told>> {
        self.template
            .outputs
            .iter()
            .filter(|output| self.includes(output.condition.as_deref()))
            .map(|output| self.output(output, asks))
            .collect()
    }

    fn output(&self, output: &Output, asks: &mut dyn Asks) -> Result<Told> {
        let malformed = |member: &str| {
            let message = "is malformed. The";
            let what = format!("{message} {member} field of every Outputs member must evaluate to a String.");
            Fault::validation(format!("Template format error: Output {} {what}", output.key))
        };
        let value = self.value(&output.value, asks)?;
        let export = match &output.export {
            None => None,
            Some(name) => {
                let name = self.value(name, asks)?;
                Some(
                    name.and_then(|name| name.scalar())
                        .ok_or_else(|| malformed("Name"))?,
                )
            }
        };
        Ok(Told {
            key: output.key.clone(),
            value: value
                .and_then(|value| value.scalar())
                .ok_or_else(|| malformed("Value"))?,
            description: output.description.clone(),
            export,
        })
    }

    /// A value with every function done; `None` for `AWS::NoValue`.
    ///
    /// # Errors
    /// As `properties`.
    pub fn value(&self, value: &Value, asks: &mut dyn Asks) -> Result<Option<Value>> {
        self.take(1)?;
        match value {
            Value::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(self.value(item, asks)?);
                }
                Ok(Some(Value::List(list)))
            }
            Value::Map(members) => {
                if let Some(function) = Function::of(value)? {
                    let came = self.call(function, asks)?;
                    self.take(came.as_ref().map_or(0, weight))?;
                    return Ok(came);
                }
                let mut map = Vec::with_capacity(members.len());
                for (name, member) in members {
                    if let Some(member) = self.value(member, asks)? {
                        map.push((name.clone(), member));
                    }
                }
                Ok(Some(Value::Map(map)))
            }
            scalar => Ok(Some(scalar.clone())),
        }
    }

    fn call(&self, function: Function<'_>, asks: &mut dyn Asks) -> Result<Option<Value>> {
        let argument = function.argument;
        let items = argument.as_list().unwrap_or_default();
        match (function.name, items) {
            ("Ref", _) => self.reference(argument.as_str().unwrap_or_default(), asks),
            ("Fn::GetAtt", _) => {
                let (resource, name) = function::attribute(argument)?;
                let name = match name {
                    Attribute::Named(name) => name.to_owned(),
                    Attribute::Function(function) => self.text(function, asks, "Fn::GetAtt")?,
                };
                asks.attribute(resource, &name).map(Some)
            }
            ("Fn::Sub", _) => self.substituted(argument, asks).map(Some),
            ("Fn::If", [Value::String(condition), then, otherwise]) => {
                let branch = if self.includes(Some(condition)) {
                    then
                } else {
                    otherwise
                };
                self.value(branch, asks)
            }
            ("Fn::Join", [delimiter, list]) => self.joined(delimiter, list, asks).map(Some),
            ("Fn::Split", [delimiter, source]) => {
                let wrong = || refused(function::SPLIT);
                let delimiter = self.text(delimiter, asks, "Fn::Split").map_err(|_| wrong())?;
                let source = self.text(source, asks, "Fn::Split")?;
                if delimiter.is_empty() {
                    return Err(wrong());
                }
                self.take(source.matches(&delimiter).count())?;
                Ok(Some(Value::List(
                    source.split(&delimiter).map(Value::text).collect(),
                )))
            }
            ("Fn::Select", [index, list]) => self.selected(index, list, asks).map(Some),
            ("Fn::FindInMap", [map, key, attribute, rest @ ..]) => {
                self.found([map, key, attribute], rest, asks)
            }
            ("Fn::Base64", _) => {
                let text = self.value(argument, asks)?;
                let text = text.and_then(|text| text.scalar());
                let text =
                    text.ok_or_else(|| refused("every Fn::Base64 object must have a String-typed value."))?;
                Ok(Some(Value::String(STANDARD.encode(text))))
            }
            ("Fn::Cidr", [block, count, rest @ ..]) => self.cut(block, count, rest, asks).map(Some),
            ("Fn::GetAZs", _) => {
                let region = self.text(argument, asks, "Fn::GetAZs")?;
                let region = if region.is_empty() {
                    self.facts.region.clone()
                } else {
                    region
                };
                let zones = asks.zones(&region)?;
                Ok(Some(Value::List(zones.into_iter().map(Value::String).collect())))
            }
            ("Fn::ImportValue", _) => {
                let name = self.text(argument, asks, "Fn::ImportValue")?;
                asks.import(&name).map(|value| Some(Value::String(value)))
            }
            ("Fn::Length", _) => match self.value(argument, asks)? {
                Some(Value::List(items)) => Ok(Some(Value::Number(items.len().to_string()))),
                _ => Err(refused(
                    "Fn::Length requires a list or a function that returns a list",
                )),
            },
            ("Fn::ToJsonString", _) => match self.value(argument, asks)? {
                Some(value @ (Value::List(_) | Value::Map(_))) => Ok(Some(Value::String(value.to_json()))),
                _ => Err(refused("Fn::ToJsonString requires a map or a list")),
            },
            _ if function.decides() => self.holds(function, asks).map(|flag| Some(Value::Bool(flag))),
            (name, _) => Err(refused(&format!("malformed arguments of {name}"))),
        }
    }

    /// Counts what is evaluated, before it is made where it can be large.
    fn take(&self, weight: usize) -> Result<()> {
        let left = self.room.get().checked_sub(weight).ok_or_else(|| {
            refused(&format!(
                "the template's functions come to more than {EXPANDED_MAX} bytes"
            ))
        })?;
        self.room.set(left);
        Ok(())
    }

    fn reference(&self, name: &str, asks: &mut dyn Asks) -> Result<Option<Value>> {
        let text = |text: &str| Ok(Some(Value::text(text)));
        match name {
            "AWS::AccountId" => text(&self.facts.account),
            "AWS::Region" => text(&self.facts.region),
            "AWS::StackName" => text(&self.facts.stack_name),
            "AWS::StackId" => text(&self.facts.stack_id),
            "AWS::Partition" => text("aws"),
            "AWS::URLSuffix" => text("amazonaws.com"),
            "AWS::NoValue" => Ok(None),
            "AWS::NotificationARNs" => {
                let arns = self.facts.notification_arns.iter().map(Value::text);
                Ok(Some(Value::List(arns.collect())))
            }
            _ => match self.settings.get(name) {
                Some(setting) => Ok(Some(parameter::value(setting))),
                None => asks.reference(name).map(Some),
            },
        }
    }

    pub(super) fn text(&self, value: &Value, asks: &mut dyn Asks, function: &str) -> Result<String> {
        let text = self.value(value, asks)?.and_then(|value| value.scalar());
        text.ok_or_else(|| {
            refused(&format!(
                "every {function} object must have a String-typed value."
            ))
        })
    }

    fn substituted(&self, argument: &Value, asks: &mut dyn Asks) -> Result<Value> {
        let (text, values) = function::text_of_sub(argument)?;
        let mut whole = String::with_capacity(text.len());
        for part in sub::parts(text)? {
            let name = match part {
                Part::Text(text) => {
                    whole.push_str(text);
                    continue;
                }
                Part::Literal(text) => {
                    whole.push_str("${");
                    whole.push_str(text);
                    whole.push('}');
                    continue;
                }
                Part::Name(name) => name,
            };
            let own = values.iter().find(|(known, _)| known == name);
            let value = match (own, name.split_once('.')) {
                (Some((_, value)), _) => self.value(value, asks)?,
                (None, Some((resource, attribute))) => Some(asks.attribute(resource, attribute)?),
                (None, None) => self.reference(name, asks)?,
            };
            let value = value.and_then(|value| value.scalar()).ok_or_else(|| {
                refused(&format!(
                    "variable {name} in Fn::Sub expression does not resolve to a string"
                ))
            })?;
            self.take(value.len().saturating_add(1))?;
            whole.push_str(&value);
        }
        Ok(Value::String(whole))
    }

    fn joined(&self, delimiter: &Value, list: &Value, asks: &mut dyn Asks) -> Result<Value> {
        let wrong = || refused(function::JOIN);
        let Value::String(delimiter) = delimiter else {
            return Err(wrong());
        };
        let list = self.value(list, asks)?;
        let items = list.as_ref().and_then(Value::as_list).ok_or_else(wrong)?;
        self.take(items.len().saturating_mul(delimiter.len()))?;
        let texts = items.iter().map(|item| item.scalar().ok_or_else(wrong));
        Ok(Value::String(texts.collect::<Result<Vec<_>>>()?.join(delimiter)))
    }

    fn selected(&self, index: &Value, list: &Value, asks: &mut dyn Asks) -> Result<Value> {
        let wrong = || refused(function::SELECT);
        let index = self.text(index, asks, "Fn::Select")?;
        let index: usize = index.parse().map_err(|_| wrong())?;
        let list = self.value(list, asks)?;
        let Some(Value::List(items)) = list else {
            return Err(wrong());
        };
        let found = items.into_iter().nth(index);
        found.ok_or_else(|| {
            refused(&format!(
                "Fn::Select cannot select nonexistent value at index {index}"
            ))
        })
    }

    fn found(&self, path: [&Value; 3], rest: &[Value], asks: &mut dyn Asks) -> Result<Option<Value>> {
        let wrong = |_| refused(function::FIND_IN_MAP);
        let [map, key, attribute] = path.map(|part| self.text(part, asks, "Fn::FindInMap").map_err(wrong));
        let (map, key, attribute) = (map?, key?, attribute?);
        let found = self
            .template
            .mappings
            .iter()
            .find(|(name, _)| *name == map)
            .and_then(|(_, keys)| keys.get(&key)?.get(&attribute));
        if let Some(found) = found {
            return Ok(Some(found.clone()));
        }
        match rest.first().and_then(|options| options.get("DefaultValue")) {
            Some(default) => self.value(default, asks),
            None => Err(refused(&format!(
                "Unable to get mapping for {map}::{key}::{attribute}"
            ))),
        }
    }

    fn cut(&self, block: &Value, count: &Value, rest: &[Value], asks: &mut dyn Asks) -> Result<Value> {
        let block = self.text(block, asks, "Fn::Cidr")?;
        let count = self.text(count, asks, "Fn::Cidr")?;
        let bits = match rest.first() {
            Some(bits) => self.text(bits, asks, "Fn::Cidr")?,
            None => return Err(refused(function::CIDR)),
        };
        let cut = match (count.parse(), bits.parse()) {
            (Ok(count), Ok(bits)) => cidr::cut(&block, count, bits),
            _ => None,
        };
        let blocks = cut.ok_or_else(|| {
            refused(&format!(
                "Fn::Cidr cannot cut {count} blocks of {bits} subnet bits from {block}"
            ))
        })?;
        Ok(Value::List(blocks.into_iter().map(Value::String).collect()))
    }

    fn made(&self, logical_id: &str) -> bool {
        self.template
            .resource(logical_id)
            .is_some_and(|resource| self.includes(resource.condition.as_deref()))
    }

    /// A copy in which every choice is made.
    fn chosen(&self, value: &Value) -> Value {
        match value {
            Value::Map(members) => match value.single() {
                Some(("Fn::If", Value::List(items))) => match items.as_slice() {
                    [Value::String(condition), then, otherwise] => {
                        self.chosen(if self.includes(Some(condition)) {
                            then
                        } else {
                            otherwise
                        })
                    }
                    _ => value.clone(),
                },
                _ => {
                    let members = members
                        .iter()
                        .map(|(name, member)| (name.clone(), self.chosen(member)));
                    Value::Map(members.collect())
                }
            },
            Value::List(items) => Value::List(items.iter().map(|item| self.chosen(item)).collect()),
            scalar => scalar.clone(),
        }
    }

    /// What is made names nothing that is not, and nothing in a circle.
    fn whole(&self) -> Result<()> {
        let mut lost = BTreeSet::new();
        let mut needs = BTreeMap::new();
        for resource in self.resources() {
            let needed = self.dependencies(resource)?;
            lost.extend(needed.iter().filter(|name| !self.made(name)).cloned());
            needs.insert(resource.logical_id.clone(), needed);
        }
        if !lost.is_empty() {
            return Err(check::unresolved(&lost, "Resources"));
        }
        check::refuse_circle(&needs)?;
        for output in &self.template.outputs {
            if self.includes(output.condition.as_deref()) {
                check::resources_named(self.template, &self.chosen(&output.value), &mut lost)?;
            }
        }
        lost.retain(|name| !self.made(name));
        if lost.is_empty() {
            return Ok(());
        }
        Err(check::unresolved(&lost, "Outputs"))
    }
}

/// Octets of text in a value, and one for each value.
fn weight(value: &Value) -> usize {
    let within = match value {
        Value::String(text) | Value::Number(text) => text.len(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Map(members) => members
            .iter()
            .map(|(name, member)| name.len().saturating_add(weight(member)))
            .sum(),
        _ => 0,
    };
    within.saturating_add(1)
}

pub(super) fn refused(message: &str) -> Fault {
    Fault::validation(format!("Template error: {message}"))
}
