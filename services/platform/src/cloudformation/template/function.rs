//! The intrinsic functions: which there are, the form of their arguments, and what a value mentions by them.
//!
//! Invariant: `formed` is asked of every function of a template before any of them is evaluated.
//!
//! Source: CloudFormation User Guide, "Intrinsic function reference", "Rule-specific intrinsic functions".

use pipeline::operation::Result;
use wire::Fault;

use super::sub::{self, Part};
use super::value::Value;

/// The functions that CloudFormation names when it meets one that it does not know.
pub const SUPPORTED: [&str; 23] = [
    "Fn::Base64",
    "Fn::GetAtt",
    "Fn::GetAZs",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::Select",
    "Ref",
    "Fn::Equals",
    "Fn::If",
    "Fn::Not",
    "Condition",
    "Fn::And",
    "Fn::Or",
    "Fn::Contains",
    "Fn::EachMemberEquals",
    "Fn::EachMemberIn",
    "Fn::ValueOf",
    "Fn::ValueOfAll",
    "Fn::RefAll",
    "Fn::Sub",
    "Fn::Cidr",
];

/// What the language's extensions add.
const EXTENSIONS: [&str; 2] = ["Fn::Length", "Fn::ToJsonString"];

/// A function with its argument, unevaluated.
#[derive(Clone, Copy)]
pub struct Function<'a> {
    pub name: &'static str,
    pub argument: &'a Value,
}

impl<'a> Function<'a> {
    /// The function that a value is, if it is one. `Condition` is one only where `deciding` says so.
    ///
    /// # Errors
    /// Functions of rules that are not built.
    pub fn of(value: &'a Value) -> Result<Option<Self>> {
        let Some((name, argument)) = value.single() else {
            return Ok(None);
        };
        let mut known = SUPPORTED.iter().chain(&EXTENSIONS);
        let Some(name) = known.find(|known| **known == name).copied() else {
            return Ok(None);
        };
        match name {
            "Condition" => Ok(None),
            "Fn::ValueOf" | "Fn::ValueOfAll" | "Fn::RefAll" => Err(Fault::validation(format!(
                "{name} is not implemented by this version of Ringwork."
            ))),
            name => Ok(Some(Self { name, argument })),
        }
    }

    /// The same where a boolean is wanted: there `{"Condition": "Name"}` is a function too.
    ///
    /// # Errors
    /// As `of`.
    pub fn deciding(value: &'a Value) -> Result<Option<Self>> {
        match value.single() {
            Some(("Condition", argument)) if argument.as_str().is_some() => Ok(Some(Self {
                name: "Condition",
                argument,
            })),
            _ => Self::of(value),
        }
    }

    /// Whether it comes to true or false.
    pub fn decides(&self) -> bool {
        matches!(
            self.name,
            "Fn::And"
                | "Fn::Or"
                | "Fn::Not"
                | "Fn::Equals"
                | "Condition"
                | "Fn::Contains"
                | "Fn::EachMemberEquals"
                | "Fn::EachMemberIn"
        )
    }

    /// Checks the form of the argument, as far as it is told without values.
    ///
    /// # Errors
    /// `Template error: …` as CloudFormation says it of each function.
    pub fn formed(&self, extended: bool) -> Result<()> {
        let items = self.argument.as_list();
        let count = items.map(<[Value]>::len);
        let refuse = |message: &str| Err(Fault::validation(format!("Template error: {message}")));
        match self.name {
            "Ref" if self.argument.as_str().is_none() => refuse("All References must be of type string"),
            "Fn::GetAtt" => attribute(self.argument).map(|_| ()),
            "Fn::Sub" => text_of_sub(self.argument).map(|_| ()),
            "Fn::If" if items.and_then(<[Value]>::first).and_then(Value::as_str).is_none() => {
                refuse("Fn::If requires a list argument with the first element being a condition")
            }
            "Fn::If" if count != Some(3) => refuse("Fn::If requires a list argument with three elements"),
            "Fn::Equals" if count != Some(2) => {
                refuse("Fn::Equals requires a list argument with two elements")
            }
            "Fn::And" | "Fn::Or"
                if !items.is_some_and(|items| (2..=10).contains(&items.len()) && all_decide(items)) =>
            {
                refuse(&format!(
                    "every {} object requires a list of at least 2 and at most 10 boolean parameters.",
                    self.name
                ))
            }
            "Fn::Not" if !items.is_some_and(|items| items.len() == 1 && all_decide(items)) => {
                refuse("every Fn::Not object requires one boolean parameter.")
            }
            "Fn::Join" if count != Some(2) => refuse(JOIN),
            "Fn::Split" if count != Some(2) => refuse(SPLIT),
            "Fn::Select" if count != Some(2) => refuse(SELECT),
            "Fn::FindInMap" if count != Some(3) && !(extended && count == Some(4)) => refuse(FIND_IN_MAP),
            "Fn::Cidr" if !matches!(count, Some(2 | 3)) => refuse(CIDR),
            "Fn::Contains" | "Fn::EachMemberEquals" | "Fn::EachMemberIn" if count != Some(2) => refuse(
                &format!("every {} object requires a list with two elements", self.name),
            ),
            "Fn::Length" | "Fn::ToJsonString" if !extended => refuse(&format!(
                "Encountered unsupported function: {} Supported functions are: [{}]",
                self.name,
                SUPPORTED.join(", ")
            )),
            _ => Ok(()),
        }
    }
}

pub const JOIN: &str = "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be \
     joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
pub const SPLIT: &str = "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a \
     function that returns a string to be split.";
pub const SELECT: &str = "Fn::Select requires a list argument with two elements: an integer index and a list";
pub const FIND_IN_MAP: &str = "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for \
     return value";
pub const CIDR: &str = "every Fn::Cidr object requires two or three parameters, the IP block, the count of blocks and the number of \
     their subnet bits";
const SUB: &str = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as \
     first argument, and an optional second argument to specify a mapping of values to replace in the string";

fn all_decide(items: &[Value]) -> bool {
    items
        .iter()
        .all(|item| matches!(Function::deciding(item), Ok(Some(function)) if function.decides()))
}

/// The resource and the attribute of `Fn::GetAtt`; the attribute may be a function itself.
///
/// # Errors
/// `every Fn::GetAtt object requires two non-empty parameters…`
pub fn attribute(argument: &Value) -> Result<(&str, Attribute<'_>)> {
    let parts = match argument {
        Value::String(text) => text
            .split_once('.')
            .map(|(resource, attribute)| (resource, Attribute::Named(attribute))),
        Value::List(items) => match items.as_slice() {
            [Value::String(resource), Value::String(attribute)] => {
                Some((resource.as_str(), Attribute::Named(attribute)))
            }
            [Value::String(resource), function @ Value::Map(_)] => {
                Some((resource.as_str(), Attribute::Function(function)))
            }
            _ => None,
        },
        _ => None,
    };
    match parts {
        Some((resource, attribute))
            if !resource.is_empty() && !matches!(attribute, Attribute::Named(name) if name.is_empty()) =>
        {
            Ok((resource, attribute))
        }
        _ => Err(Fault::validation(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the \
             resource attribute",
        )),
    }
}

/// Which attribute `Fn::GetAtt` asks for.
pub enum Attribute<'a> {
    Named(&'a str),
    Function(&'a Value),
}

/// The text of `Fn::Sub`, and the values that it brings along.
///
/// # Errors
/// `One or more Fn::Sub intrinsic functions don't specify expected arguments…`
pub fn text_of_sub(argument: &Value) -> Result<(&str, &[(String, Value)])> {
    match argument {
        Value::String(text) => Ok((text, &[])),
        Value::List(items) => match items.as_slice() {
            [Value::String(text), Value::Map(values)] => Ok((text, values)),
            _ => Err(Fault::validation(SUB)),
        },
        _ => Err(Fault::validation(SUB)),
    }
}

/// What a function mentions.
pub enum Mention<'a> {
    /// `Ref`, or a name in the text of `Fn::Sub`.
    Reference(&'a str),
    /// `Fn::GetAtt`, or its form in the text of `Fn::Sub`.
    Attribute {
        resource: &'a str,
        /// `None` where a function says it.
        name: Option<&'a str>,
        in_text: bool,
    },
    Condition(&'a str),
    Mapping(&'a str),
    Import,
    Zones,
}

/// Tells of everything that is mentioned in a value, in both branches of every choice.
///
/// # Errors
/// As the form of arguments, where it must be known to read them.
pub fn mentions<'a>(value: &'a Value, see: &mut dyn FnMut(Mention<'a>)) -> Result<()> {
    if let Some(("Condition", Value::String(name))) = value.single() {
        // Only conditions and the functions below bring this here as a whole value; among properties it would be data.
        see(Mention::Condition(name));
        return Ok(());
    }
    within(value, see)
}

fn within<'a>(value: &'a Value, see: &mut dyn FnMut(Mention<'a>)) -> Result<()> {
    let members = match value {
        Value::List(items) => return items.iter().try_for_each(|item| within(item, see)),
        Value::Map(members) => members,
        _ => return Ok(()),
    };
    let Some(function) = Function::of(value)? else {
        return members.iter().try_for_each(|(_, member)| within(member, see));
    };
    match function.name {
        "Ref" => {
            if let Some(name) = function.argument.as_str() {
                see(Mention::Reference(name));
            }
            return Ok(());
        }
        "Fn::GetAtt" => {
            let (resource, name) = attribute(function.argument)?;
            let (name, function) = match name {
                Attribute::Named(name) => (Some(name), None),
                Attribute::Function(function) => (None, Some(function)),
            };
            see(Mention::Attribute {
                resource,
                name,
                in_text: false,
            });
            return function.map_or(Ok(()), |function| within(function, see));
        }
        "Fn::Sub" => {
            let (text, values) = text_of_sub(function.argument)?;
            for part in sub::parts(text)? {
                let Part::Name(name) = part else { continue };
                if values.iter().any(|(known, _)| known == name) {
                    continue;
                }
                match name.split_once('.') {
                    Some((resource, name)) => see(Mention::Attribute {
                        resource,
                        name: Some(name),
                        in_text: true,
                    }),
                    None => see(Mention::Reference(name)),
                }
            }
            return values.iter().try_for_each(|(_, value)| within(value, see));
        }
        "Fn::And" | "Fn::Or" | "Fn::Not" => {
            let items = function.argument.as_list().unwrap_or_default();
            return items.iter().try_for_each(|item| mentions(item, see));
        }
        "Fn::If" => {
            if let Some([Value::String(name), ..]) = function.argument.as_list() {
                see(Mention::Condition(name));
            }
        }
        "Fn::FindInMap" => {
            if let Some([Value::String(name), ..]) = function.argument.as_list() {
                see(Mention::Mapping(name));
            }
        }
        "Fn::ImportValue" => see(Mention::Import),
        "Fn::GetAZs" => see(Mention::Zones),
        _ => {}
    }
    within(function.argument, see)
}
