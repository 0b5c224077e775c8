//! What a template asks of the world, asked: resources that were made, exports of other stacks, and the services behind references.
//!
//! Invariant: references are opened in the name of the stack's principal, so that a stack reads no secret that its caller may not.

use std::collections::BTreeSet;

use pipeline::{Acting, Call, Result};
use serde_json::{Value as Json, json};
use wire::Fault;
use wire::fault::{Code, Common};

use super::export;
use super::fault::invalid;
use super::resource::{self, Contents, StackResource};
use super::resource_type::{self, ResourceType, Services, is_absence};
use super::stack::Stack;
use super::template::{Asks, Facts, MASK, Setting, Sources, Value};

/// What change sets show of values that only the execution brings.
pub(crate) const KNOWN_AFTER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";
/// Attributes that are secrets.
const SECRET: [&str; 2] = ["SecretAccessKey", "PrivateKey"];

/// The pseudo parameters of a stack.
pub(crate) fn facts(stack: &Stack) -> Facts {
    Facts {
        account: stack.account.clone(),
        region: stack.region.clone(),
        stack_name: stack.name.clone(),
        stack_id: stack.id(),
        notification_arns: Vec::new(),
    }
}

/// The same settings with those masked that are not to be shown.
pub(crate) fn masked(settings: &[Setting]) -> Vec<Setting> {
    let mask = |setting: &Setting| {
        let mut setting = setting.clone();
        if setting.no_echo {
            setting.value = MASK.to_owned();
            setting.resolved = None;
        }
        setting
    };
    settings.iter().map(mask).collect()
}

/// Letters of the shortest text that is looked for as a secret: shorter ones stand in every sentence.
const SECRET_MIN: usize = 4;

/// A message without secrets: services tell what was wrong with a value by the value.
pub(crate) fn without<'s>(message: String, secrets: impl Iterator<Item = &'s str>) -> String {
    let mut secrets: Vec<&str> = secrets.filter(|secret| secret.len() >= SECRET_MIN).collect();
    // One may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let hide = |message: String, secret: &str| message.replace(secret, MASK);
    secrets.into_iter().fold(message, hide)
}

/// The texts among the attributes of a resource that are not to be shown.
fn secrets_of(contents: &Contents) -> Vec<String> {
    let mut found = Vec::new();
    let own = |(name, _): &(&String, &Json)| contents.no_echo || SECRET.contains(&name.as_str());
    let mut open: Vec<&Json> = contents
        .attributes
        .iter()
        .filter(own)
        .map(|(_, value)| value)
        .collect();
    while let Some(value) = open.pop() {
        match value {
            Json::String(text) => found.push(text.clone()),
            Json::Number(number) => found.push(number.to_string()),
            Json::Array(items) => open.extend(items),
            Json::Object(members) => open.extend(members.values()),
            Json::Null | Json::Bool(_) => {}
        }
    }
    found
}

/// A message about a resource without what the attributes of it and of its stack's others hold that is not to be shown.
pub(crate) fn without_attributes(
    call: &mut Call<'_>,
    stack: &Stack,
    row: &StackResource,
    message: String,
) -> Result<String> {
    let rows = resource::all(call, stack)?;
    // What no seal opens was told to nobody either.
    let contents = rows.values().map(|row| &**row).chain([row]);
    let contents = contents.filter_map(|row| row.contents(call, stack).ok());
    let secrets: Vec<String> = contents.flat_map(|contents| secrets_of(&contents)).collect();
    Ok(without(message, secrets.iter().map(String::as_str)))
}

/// Answers what evaluating asks, from the stack's rows.
pub(crate) struct Asking<'c, 'a> {
    pub call: &'c mut Call<'a>,
    pub stack: &'c Stack,
    /// Resources whose values nobody knows yet: change sets.
    pub unknown: &'c BTreeSet<String>,
    /// Secrets among the attributes are masked.
    pub mask: bool,
    /// What custom resources and nested stacks may yet say is known after the execution: an update is only compared.
    pub ahead: bool,
    /// Names of exports that were asked for.
    pub imports: BTreeSet<String>,
}

impl<'c, 'a> Asking<'c, 'a> {
    pub(crate) fn new(call: &'c mut Call<'a>, stack: &'c Stack, unknown: &'c BTreeSet<String>) -> Self {
        Self {
            call,
            stack,
            unknown,
            mask: false,
            ahead: false,
            imports: BTreeSet::new(),
        }
    }
}

impl Asks for Asking<'_, '_> {
    fn reference(&mut self, logical_id: &str) -> Result<Value> {
        if self.unknown.contains(logical_id) {
            return Ok(Value::text(KNOWN_AFTER));
        }
        let row = resource::find(self.call, self.stack, logical_id)?;
        let physical = row.and_then(|row| row.physical_id.clone());
        physical
            .map(Value::String)
            .ok_or_else(|| invalid(format!("Resource {logical_id} has no physical id")))
    }

    fn attribute(&mut self, logical_id: &str, attribute: &str) -> Result<Value> {
        if self.unknown.contains(logical_id) {
            return Ok(Value::text(KNOWN_AFTER));
        }
        if self.mask && SECRET.contains(&attribute) {
            return Ok(Value::text(MASK));
        }
        let row = resource::find(self.call, self.stack, logical_id)?;
        let row = row.ok_or_else(|| invalid(format!("Resource {logical_id} does not exist")))?;
        let contents = row.contents(self.call, self.stack)?;
        if self.mask && contents.no_echo {
            return Ok(Value::text(MASK));
        }
        let kind = resource_type::find(&row.kind);
        let open = kind.is_some_and(ResourceType::open);
        // Neither what a custom resource will answer is known before the update, nor what outputs a nested stack will have.
        let late = open || kind.is_some_and(|kind| kind.automatic() && kind.has_attribute(attribute));
        if late && self.ahead && !contents.attributes.contains_key(attribute) {
            return Ok(Value::text(KNOWN_AFTER));
        }
        let found = contents.attributes.get(attribute).ok_or_else(|| {
            if open {
                let id = self.stack.id();
                return invalid(format!(
                    "CustomResource attribute error: Vendor response doesn't contain {attribute} attribute in object {id}|{logical_id}"
                ));
            }
            invalid(format!(
                "Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt"
            ))
        })?;
        from_json(found)
    }

    fn import(&mut self, name: &str) -> Result<String> {
        self.imports.insert(name.to_owned());
        export::value(self.call, name)
    }

    fn zones(&mut self, region: &str) -> Result<Vec<String>> {
        Err(Fault::common(
            Common::NotImplemented,
            format!(
                "Fn::GetAZs is not implemented by this version of Ringwork, which has no zones in {region}."
            ),
        ))
    }
}

/// A value of JSON as the language has it.
pub(crate) fn from_json(value: &Json) -> Result<Value> {
    Value::from_json(&value.to_string()).map_err(Fault::internal)
}

/// A value of the language as JSON.
pub(crate) fn to_json(value: &Value) -> Result<Json> {
    serde_json::to_value(value).map_err(Fault::internal)
}

/// Looks references up, in the name of the stack's principal.
pub(crate) struct Looking<'c, 'a> {
    pub call: &'c mut Call<'a>,
    pub acting: &'c Acting,
    /// Secrets that references opened to.
    pub secrets: Vec<String>,
}

impl Looking<'_, '_> {
    /// A parameter's value and type.
    fn held(&mut self, name: &str, decrypted: bool) -> Result<(String, String)> {
        let input = json!({ "Names": [name], "WithDecryption": decrypted });
        let answer = self.invoke("ssm", "GetParameters", input)?;
        let text = |member: &str| {
            let found = answer.pointer(&format!("/Parameters/0/{member}"));
            found.and_then(Json::as_str).map(str::to_owned)
        };
        match (text("Value"), text("Type")) {
            (Some(value), Some(kind)) => Ok((value, kind)),
            _ => Err(invalid(format!(
                "Unable to fetch parameters [{name}] from parameter store for this account."
            ))),
        }
    }

    fn invoke(&mut self, service: &str, operation: &str, input: Json) -> Result<Json> {
        let mut services = Services::new(&mut *self.call, self.acting);
        let answer = services.invoke(service, operation, input);
        answer.map_err(|fault| {
            // What the caller may not do is told in the service's own words, as a template that is not valid for the caller.
            if fault.code == Code::Common(Common::AccessDenied) {
                return invalid(fault.message);
            }
            fault
        })
    }
}

impl Sources for Looking<'_, '_> {
    fn revealed(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    fn parameter(&mut self, name: &str) -> Result<String> {
        let (value, kind) = self.held(name, false)?;
        if kind == "SecureString" {
            return Err(invalid(format!(
                "Parameters [{name}] referenced by template have types not supported by CloudFormation."
            )));
        }
        Ok(value)
    }

    fn secure_parameter(&mut self, name: &str) -> Result<String> {
        self.held(name, true).map(|(value, _)| value)
    }

    fn secret(&mut self, id: &str, stage: Option<&str>, version: Option<&str>) -> Result<String> {
        let mut input = json!({ "SecretId": id });
        if let Some(members) = input.as_object_mut() {
            let given = [("VersionStage", stage), ("VersionId", version)];
            for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                members.insert(name.to_owned(), Json::from(value));
            }
        }
        let answer = self.invoke("secretsmanager", "GetSecretValue", input);
        let answer = answer.map_err(|fault| {
            if is_absence(&fault) {
                return invalid(format!("Secrets Manager can't find the specified secret. ({id})"));
            }
            fault
        })?;
        let text = answer.get("SecretString").and_then(Json::as_str);
        text.map(str::to_owned)
            .ok_or_else(|| invalid(format!("The secret {id} has no SecretString")))
    }
}
