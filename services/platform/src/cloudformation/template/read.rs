//! From text to `Template`: the sections, what may stand in them, and the limits.
//!
//! Invariant: what is read here has the shapes that the other modules take for granted; whether its names lead anywhere, `check` says.
//!
//! Source: CloudFormation User Guide, "Template sections", "CloudFormation quotas".

use pipeline::operation::Result;
use wire::Fault;

use super::value::{DEPTH_MAX, Value};
use super::{Output, Parameter, Resource, Template, check, parameter, yaml};

/// The most octets that a template given as `TemplateBody` may have; CloudFormation's model says so too.
pub const BODY_BYTES_MAX: usize = 51_200;
/// The same for `TemplateURL`: 1 MB.
pub const URL_BYTES_MAX: usize = 1_048_576;

const RESOURCES_MAX: usize = 500;
const SECTION_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 1024;

/// `AWS::LanguageExtensions`, the one transform that is built.
pub const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// A template that is not what templates look like.
pub(super) fn malformed(message: impl AsRef<str>) -> Fault {
    Fault::validation(format!("Template format error: {}", message.as_ref()))
}

impl Template {
    /// Reads and checks a template of JSON or YAML.
    ///
    /// # Errors
    /// `ValidationError` in CloudFormation's words.
    pub fn read(body: &str) -> Result<Self> {
        let template = Self::parsed(body, parameter::declared)?;
        check::check(&template)?;
        Ok(template)
    }

    /// Reads a template that was checked when it was handed in: each step of an operation reads it again.
    ///
    /// # Errors
    /// As `read`, for what is no template at all.
    pub fn stored(body: &str) -> Result<Self> {
        Self::parsed(body, |_| Ok(()))
    }

    /// Reads the sections; `expect` looks at each parameter.
    fn parsed(body: &str, expect: fn(&Parameter) -> Result<()>) -> Result<Self> {
        let whole = value(body)?;
        let Value::Map(sections) = &whole else {
            return Err(malformed("unsupported structure."));
        };
        nulls(&whole, &mut String::new(), 0)?;
        known_sections(sections)?;
        let section = |name: &str| whole.get(name);
        if section("AWSTemplateFormatVersion")
            .is_some_and(|version| version.scalar().as_deref() != Some("2010-09-09"))
        {
            return Err(malformed("unsupported value for AWSTemplateFormatVersion."));
        }
        let transforms = transforms(section("Transform"))?;
        Ok(Self {
            description: text(section("Description"), "Description")?,
            metadata: section("Metadata").cloned(),
            parameters: named(section("Parameters"), "Parameters", SECTION_MAX)?
                .iter()
                .map(|(key, value)| {
                    let parameter = declaration(key, value)?;
                    expect(&parameter).map(|()| parameter)
                })
                .collect::<Result<_>>()?,
            mappings: mappings(
                section("Mappings"),
                transforms.iter().any(|name| name == LANGUAGE_EXTENSIONS),
            )?,
            conditions: named(section("Conditions"), "Conditions", usize::MAX)?.to_vec(),
            rules: named(section("Rules"), "Rules", SECTION_MAX)?.to_vec(),
            resources: resources(section("Resources"))?,
            outputs: named(section("Outputs"), "Outputs", SECTION_MAX)?
                .iter()
                .map(|(key, value)| output(key, value))
                .collect::<Result<_>>()?,
            transforms,
        })
    }

    /// The resource of the name.
    pub fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.logical_id == logical_id)
    }

    /// The parameter of the name.
    pub fn parameter(&self, key: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.key == key)
    }

    /// Whether the language's extensions were asked for.
    pub fn extended(&self) -> bool {
        self.transforms.iter().any(|name| name == LANGUAGE_EXTENSIONS)
    }

    /// What the caller must acknowledge (`CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`), and why, as GetTemplateSummary tells it.
    ///
    /// Source: CloudFormation User Guide, "Acknowledging IAM resources in CloudFormation templates".
    pub fn capabilities(&self) -> (Vec<&'static str>, Option<String>) {
        let mut kinds: Vec<&str> = Vec::new();
        let mut named = false;
        for resource in &self.resources {
            let name = match resource.kind.as_str() {
                "AWS::IAM::Role" => "RoleName",
                "AWS::IAM::User" => "UserName",
                "AWS::IAM::Group" => "GroupName",
                "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
                "AWS::IAM::InstanceProfile" => "InstanceProfileName",
                "AWS::IAM::AccessKey"
                | "AWS::IAM::Policy"
                | "AWS::IAM::RolePolicy"
                | "AWS::IAM::UserPolicy"
                | "AWS::IAM::GroupPolicy"
                | "AWS::IAM::UserToGroupAddition" => "",
                _ => continue,
            };
            named |= resource.properties.get(name).is_some();
            if !kinds.contains(&resource.kind.as_str()) {
                kinds.push(&resource.kind);
            }
        }
        if kinds.is_empty() {
            return (Vec::new(), None);
        }
        let capability = if named {
            "CAPABILITY_NAMED_IAM"
        } else {
            "CAPABILITY_IAM"
        };
        let reason = format!(
            "The following resource(s) require capabilities: [{}]",
            kinds.join(", ")
        );
        (vec![capability], Some(reason))
    }
}

fn value(body: &str) -> Result<Value> {
    if body.len() > URL_BYTES_MAX {
        return Err(malformed("template is larger than 1048576 bytes"));
    }
    if !body.trim_start().starts_with('{') {
        return yaml::read(body);
    }
    Value::from_json(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        malformed(format!("JSON not well-formed. (line {line}, column {column})"))
    })
}

/// Refuses nulls, and what is nested too deep for us to walk.
fn nulls(value: &Value, path: &mut String, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(malformed("template is nested too deeply"));
    }
    let length = path.len();
    match value {
        Value::Null => {
            let place = if path.is_empty() { "/" } else { path.as_str() };
            return Err(malformed(format!(
                "[{place}] 'null' values are not allowed in templates"
            )));
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                nulls(item, path, depth.saturating_add(1))?;
                path.truncate(length);
            }
        }
        Value::Map(members) => {
            for (name, member) in members {
                path.push('/');
                path.push_str(name);
                nulls(member, path, depth.saturating_add(1))?;
                path.truncate(length);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

fn known_sections(sections: &[(String, Value)]) -> Result<()> {
    const KNOWN: [&str; 11] = [
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    ];
    let unknown = |name: &str| !KNOWN.contains(&name);
    let names: Vec<&str> = sections
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| unknown(name))
        .collect();
    if !names.is_empty() {
        return Err(Fault::validation(format!(
            "Invalid template property or properties [{}]",
            names.join(", ")
        )));
    }
    if sections.iter().any(|(name, _)| name == "Hooks") {
        return Err(Fault::validation(
            "The Hooks section is not implemented by this version of Ringwork.",
        ));
    }
    Ok(())
}

fn text(value: Option<&Value>, what: &str) -> Result<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    let text = value
        .scalar()
        .ok_or_else(|| malformed(format!("[/{what}] Every {what} member must be a string.")))?;
    if text.len() > DESCRIPTION_BYTES_MAX {
        return Err(malformed(format!(
            "'{what}' length is greater than {DESCRIPTION_BYTES_MAX}"
        )));
    }
    Ok(Some(text))
}

fn transforms(value: Option<&Value>) -> Result<Vec<String>> {
    let names: Vec<String> = match value {
        None => Vec::new(),
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::List(items)) if items.iter().all(|item| item.as_str().is_some()) => {
            items.iter().filter_map(Value::scalar).collect()
        }
        Some(Value::Map(members)) => match members.iter().find(|(name, _)| name == "Name") {
            Some((_, Value::String(name))) => vec![name.clone()],
            _ => {
                return Err(malformed(
                    "[/Transform] Every Transform object must contain a Name member.",
                ));
            }
        },
        Some(_) => return Err(malformed("[/Transform] transforms must be named by strings")),
    };
    match names.iter().find(|name| *name != LANGUAGE_EXTENSIONS) {
        Some(name) if name.starts_with("AWS::") => Err(Fault::validation(format!(
            "Transform {name} is not implemented by this version of Ringwork."
        ))),
        Some(name) => Err(Fault::validation(format!("No transform named {name} found."))),
        None => Ok(names),
    }
}

/// A section's members. Names of parameters, resources and outputs are alphanumeric.
fn named<'a>(value: Option<&'a Value>, section: &str, max: usize) -> Result<&'a [(String, Value)]> {
    let Some(value) = value else { return Ok(&[]) };
    let members = value
        .as_map()
        .ok_or_else(|| malformed(format!("[/{section}] {section} section must be an object")))?;
    if members.len() > max {
        return Err(malformed(format!(
            "Number of {}, {}, is greater than maximum allowed, {max}",
            section.to_ascii_lowercase(),
            members.len()
        )));
    }
    let singular = section.trim_end_matches('s');
    let odd = |name: &str| name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    for (name, _) in members {
        let strict = matches!(
            section,
            "Parameters" | "Resources" | "Outputs" | "Mappings" | "Rules"
        );
        if strict && (odd(name) || name.len() > 255) && !name.starts_with("Fn::") {
            return Err(malformed(format!("{singular} name {name} is non alphanumeric.")));
        }
        if name.starts_with("Fn::") {
            return Err(Fault::validation(format!(
                "{name} is not implemented by this version of Ringwork."
            )));
        }
    }
    Ok(members)
}

fn declaration(key: &str, value: &Value) -> Result<Parameter> {
    let place = format!("[/Parameters/{key}]");
    let members = value
        .as_map()
        .ok_or_else(|| malformed(format!("{place} Any Parameters member must be a JSON object.")))?;
    const KNOWN: [&str; 11] = [
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Default",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
        "Type",
    ];
    if let Some((name, _)) = members.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(Fault::validation(format!(
            "Invalid template parameter property '{name}'"
        )));
    }
    let scalar = |name: &str| match value.get(name) {
        None => Ok(None),
        Some(member) => member.scalar().map(Some).ok_or_else(|| {
            let place = format!("[/Parameters/{key}/{name}]");
            malformed(format!("{place} Every {name} member must be a string."))
        }),
    };
    let count = |name: &str| match scalar(name)? {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
            malformed(format!(
                "[/Parameters/{key}/{name}] Every {name} member must be a number."
            ))
        }),
    };
    let kind = scalar("Type")?.ok_or_else(|| {
        malformed(format!(
            "{place} Every Parameters object must contain a Type member."
        ))
    })?;
    if !parameter::known(&kind) {
        return Err(malformed(format!("Unrecognized parameter type: {kind}")));
    }
    let allowed_values = match value.get("AllowedValues") {
        None => Vec::new(),
        Some(Value::List(items)) => items
            .iter()
            .map(|item| {
                item.scalar()
                    .ok_or_else(|| malformed(format!("{place} Every AllowedValues value must be a string.")))
            })
            .collect::<Result<_>>()?,
        Some(_) => return Err(malformed(format!("{place} AllowedValues must be a list"))),
    };
    Ok(Parameter {
        key: key.to_owned(),
        kind,
        default: scalar("Default")?,
        no_echo: scalar("NoEcho")?.is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        description: scalar("Description")?,
        allowed_values,
        allowed_pattern: scalar("AllowedPattern")?,
        constraint_description: scalar("ConstraintDescription")?,
        min_length: count("MinLength")?,
        max_length: count("MaxLength")?,
        min_value: scalar("MinValue")?,
        max_value: scalar("MaxValue")?,
    })
}

fn mappings(value: Option<&Value>, extended: bool) -> Result<Vec<(String, Value)>> {
    let maps = named(value, "Mappings", SECTION_MAX)?;
    for (map, keys) in maps {
        let member = |place: String| malformed(format!("[{place}] Every Mappings member must be a map"));
        let keys = keys.as_map().ok_or_else(|| member(format!("/Mappings/{map}")))?;
        if keys.len() > SECTION_MAX {
            return Err(malformed(format!(
                "Number of mapping attributes, {}, is greater than maximum allowed, {SECTION_MAX}",
                keys.len()
            )));
        }
        for (key, attributes) in keys {
            let place = format!("/Mappings/{map}/{key}");
            let attributes = attributes.as_map().ok_or_else(|| member(place.clone()))?;
            for (attribute, value) in attributes {
                if matches!(value, Value::Map(_)) && !extended {
                    return Err(malformed(format!(
                        "[{place}/{attribute}] Every Mappings attribute must be a String or a List."
                    )));
                }
            }
        }
    }
    Ok(maps.to_vec())
}

fn resources(value: Option<&Value>) -> Result<Vec<Resource>> {
    let members = named(value, "Resources", RESOURCES_MAX)?;
    if members.is_empty() {
        return Err(malformed("At least one Resources member must be defined."));
    }
    members
        .iter()
        .map(|(logical_id, value)| resource(logical_id, value))
        .collect()
}

fn resource(logical_id: &str, value: &Value) -> Result<Resource> {
    const KNOWN: [&str; 11] = [
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Description",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
        // Of custom resources.
        "Version",
    ];
    let place = format!("[/Resources/{logical_id}]");
    let members = value
        .as_map()
        .ok_or_else(|| malformed(format!("{place} resource definition is malformed")))?;
    if let Some((name, _)) = members.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(Fault::validation(format!(
            "Invalid template resource property '{name}'"
        )));
    }
    let string = |name: &str| match value.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(format!(
            "[/Resources/{logical_id}/{name}] Every {name} member must be a string."
        ))),
    };
    let kind = string("Type")?.ok_or_else(|| {
        malformed(format!(
            "{place} Every Resources object must contain a Type member."
        ))
    })?;
    let properties = match value.get("Properties") {
        None => Value::empty(),
        Some(Value::Map(properties)) => Value::Map(properties.clone()),
        Some(_) => {
            return Err(malformed(format!(
                "[/Resources/{logical_id}/Properties] Properties must be an object"
            )));
        }
    };
    let depends_on = match value.get("DependsOn") {
        None => Vec::new(),
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::List(items)) if items.iter().all(|item| item.as_str().is_some()) => {
            items.iter().filter_map(Value::scalar).collect()
        }
        Some(_) => {
            return Err(malformed(format!(
                "{place} DependsOn must be a string or list of strings."
            )));
        }
    };
    let policy = |name: &str, allowed: &[&str]| match value.get(name) {
        None => Ok(None),
        Some(given) => policy(logical_id, &kind, name, (given, allowed)).map(Some),
    };
    Ok(Resource {
        logical_id: logical_id.to_owned(),
        properties,
        condition: string("Condition")?,
        depends_on,
        deletion_policy: policy(
            "DeletionPolicy",
            &["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"],
        )?,
        update_replace_policy: policy("UpdateReplacePolicy", &["Delete", "Retain", "Snapshot"])?,
        creation_policy: value.get("CreationPolicy").cloned(),
        update_policy: value.get("UpdatePolicy").cloned(),
        metadata: value.get("Metadata").cloned(),
        kind,
    })
}

/// A `DeletionPolicy` or an `UpdateReplacePolicy`.
fn policy(logical_id: &str, kind: &str, name: &str, (given, allowed): (&Value, &[&str])) -> Result<Value> {
    match given {
        Value::String(policy) if allowed.contains(&policy.as_str()) => {
            if policy == "Snapshot" && !takes_snapshots(kind) {
                let words = if name == "DeletionPolicy" {
                    "deletion policy"
                } else {
                    "update replace policy"
                };
                return Err(Fault::validation(format!(
                    "Template error: resource type {kind} does not support {words} Snapshot"
                )));
            }
            Ok(given.clone())
        }
        Value::String(policy) => Err(malformed(format!(
            "Unrecognized {name} {policy} for resource {logical_id}"
        ))),
        // The language's extensions let a parameter or a mapping say it.
        Value::Map(_) => Ok(given.clone()),
        _ => Err(malformed(format!("Every {name} member must be a string."))),
    }
}

/// Types that can be kept as a snapshot (CloudFormation User Guide, "DeletionPolicy attribute").
fn takes_snapshots(kind: &str) -> bool {
    matches!(
        kind,
        "AWS::DocDB::DBCluster"
            | "AWS::EC2::Volume"
            | "AWS::ElastiCache::CacheCluster"
            | "AWS::ElastiCache::ReplicationGroup"
            | "AWS::Neptune::DBCluster"
            | "AWS::RDS::DBCluster"
            | "AWS::RDS::DBInstance"
            | "AWS::Redshift::Cluster"
    )
}

fn output(key: &str, value: &Value) -> Result<Output> {
    let place = format!("[/Outputs/{key}]");
    let members = value
        .as_map()
        .ok_or_else(|| malformed(format!("{place} Any Outputs member must be a JSON object.")))?;
    const KNOWN: [&str; 4] = ["Condition", "Description", "Export", "Value"];
    if let Some((name, _)) = members.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(malformed(format!("{place} Invalid output property '{name}'")));
    }
    let export = match value.get("Export") {
        None => None,
        Some(export) => match export.as_map() {
            Some([(name, value)]) if name == "Name" => Some(value.clone()),
            _ => {
                return Err(malformed(format!(
                    "[/Outputs/{key}/Export] Every Export object must contain a Name member and no other."
                )));
            }
        },
    };
    Ok(Output {
        key: key.to_owned(),
        description: text(value.get("Description"), "Description")?,
        value: value.get("Value").cloned().ok_or_else(|| {
            malformed(format!(
                "{place} Every Outputs member must contain a Value object"
            ))
        })?,
        condition: match value.get("Condition") {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => {
                return Err(malformed(format!(
                    "{place} Every Condition member must be a string."
                )));
            }
        },
        export,
    })
}
