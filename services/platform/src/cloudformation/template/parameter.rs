//! Parameters: their types, what their declarations may say, and the values that a stack is given for them.
//!
//! Invariant: a `Setting` that was settled keeps every constraint of its declaration.
//!
//! Source: CloudFormation User Guide, "Parameters", "CloudFormation-supplied parameter types".

use pipeline::operation::Result;
use regex::Regex;
use wire::Fault;

use super::read::malformed;
use super::value::Value;
use super::{Given, MASK, Parameter, Setting, Sources, Template, yaml};

/// The most octets of a parameter's value.
const VALUE_BYTES_MAX: usize = 4096;

const SSM_NAME: &str = "AWS::SSM::Parameter::Name";
const SSM_VALUE: &str = "AWS::SSM::Parameter::Value<";

/// Types that name things of AWS; their values are taken as strings.
const SUPPLIED: [&str; 12] = [
    "AWS::EC2::AvailabilityZone::Name",
    "AWS::EC2::Image::Id",
    "AWS::EC2::Instance::Id",
    "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::PrefixList::Id",
    "AWS::EC2::SecurityGroup::GroupName",
    "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet::Id",
    "AWS::EC2::TransitGateway::Id",
    "AWS::EC2::VPC::Id",
    "AWS::EC2::Volume::Id",
    "AWS::Route53::HostedZone::Id",
];

/// Whether a type exists.
pub fn known(kind: &str) -> bool {
    let list = |kind: &str| {
        kind.strip_prefix("List<")
            .and_then(|rest| rest.strip_suffix('>'))
            .map(str::to_owned)
    };
    let plain = |kind: &str| {
        matches!(kind, "String" | "CommaDelimitedList")
            || SUPPLIED.contains(&kind)
            || list(kind).is_some_and(|item| item == "String" || SUPPLIED.contains(&item.as_str()))
    };
    match kind
        .strip_prefix(SSM_VALUE)
        .and_then(|rest| rest.strip_suffix('>'))
    {
        Some(inner) => plain(inner),
        None => plain(kind) && kind != "List<String>" || matches!(kind, "Number" | "List<Number>" | SSM_NAME),
    }
}

/// The type by which a value is judged: that of the Systems Manager parameter where it is one.
fn inner(kind: &str) -> &str {
    kind.strip_prefix(SSM_VALUE)
        .and_then(|rest| rest.strip_suffix('>'))
        .unwrap_or(kind)
}

fn is_list(kind: &str) -> bool {
    let kind = inner(kind);
    kind == "CommaDelimitedList" || kind.starts_with("List<")
}

fn is_number(kind: &str) -> bool {
    matches!(kind, "Number" | "List<Number>")
}

/// Refuses constraints on types that they are not for, and such as contradict themselves.
///
/// # Errors
/// `Template error: Parameter '…' … must be on a parameter of type …`
pub fn declared(parameter: &Parameter) -> Result<()> {
    let key = &parameter.key;
    let on = |set: bool, name: &str, kind: &str| {
        if set {
            return Err(Fault::validation(format!(
                "Template error: Parameter '{key}' {name} must be on a parameter of type {kind}"
            )));
        }
        Ok(())
    };
    let text = !is_number(&parameter.kind) && !is_list(&parameter.kind);
    on(!text && parameter.min_length.is_some(), "MinLength", "String")?;
    on(!text && parameter.max_length.is_some(), "MaxLength", "String")?;
    on(
        is_number(&parameter.kind) && parameter.allowed_pattern.is_some(),
        "AllowedPattern",
        "String",
    )?;
    on(
        !is_number(&parameter.kind) && parameter.min_value.is_some(),
        "MinValue",
        "Number",
    )?;
    on(
        !is_number(&parameter.kind) && parameter.max_value.is_some(),
        "MaxValue",
        "Number",
    )?;
    for (name, bound) in [
        ("MinValue", &parameter.min_value),
        ("MaxValue", &parameter.max_value),
    ] {
        if bound.as_ref().is_some_and(|bound| number(bound).is_none()) {
            return Err(malformed(format!(
                "[/Parameters/{key}/{name}] Every {name} member must be a number."
            )));
        }
    }
    let lengths = parameter.min_length.zip(parameter.max_length);
    let values = parameter
        .min_value
        .as_deref()
        .and_then(number)
        .zip(parameter.max_value.as_deref().and_then(number));
    if lengths.is_some_and(|(min, max)| min > max) {
        return Err(Fault::validation(format!(
            "Template error: Parameter '{key}' MinLength must be less than MaxLength."
        )));
    }
    if values.is_some_and(|(min, max)| min > max) {
        return Err(Fault::validation(format!(
            "Template error: Parameter '{key}' MinValue must be less than MaxValue."
        )));
    }
    let pattern = compiled(parameter)?;
    // What a default is for a parameter of Systems Manager is its name, which no constraint is about.
    match &parameter.default {
        Some(default) if !parameter.kind.starts_with("AWS::SSM::") => {
            fits(parameter, default, pattern.as_ref())
                .map_err(|fault| Fault::validation(format!("Template format error: {}", fault.message)))
        }
        _ => Ok(()),
    }
}

/// The pattern of a parameter that has one, which may be as costly as a pattern can be: it is compiled where a template is handed in, and
/// where a value is set.
fn compiled(parameter: &Parameter) -> Result<Option<Regex>> {
    let Some(pattern) = &parameter.allowed_pattern else {
        return Ok(None);
    };
    // The whole value must match, as in Java's `matches`.
    let compiled = Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
        Fault::validation(format!(
            "Template error: Parameter '{}' AllowedPattern must be a valid regular expression.",
            parameter.key
        ))
    })?;
    Ok(Some(compiled))
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let plain = text.strip_prefix('-').unwrap_or(text).trim_start_matches('0');
    let shown = if plain.is_empty() || plain.starts_with('.') {
        format!("0{plain}")
    } else {
        plain.to_owned()
    };
    if text.is_empty() || !yaml::is_number(&shown) {
        return None;
    }
    text.parse().ok()
}

/// Whether a value keeps the constraints.
fn fits(parameter: &Parameter, value: &str, pattern: Option<&Regex>) -> Result<()> {
    let key = &parameter.key;
    let refuse = |rule: String| {
        Err(Fault::validation(match &parameter.constraint_description {
            Some(description) => format!("Parameter '{key}' failed to satisfy constraint: {description}"),
            None => format!("Parameter '{key}' {rule}"),
        }))
    };
    if value.len() > VALUE_BYTES_MAX {
        return Err(Fault::validation(format!(
            "Parameter '{key}' must be no longer than {VALUE_BYTES_MAX} bytes"
        )));
    }
    let items: Vec<&str> = if is_list(&parameter.kind) {
        value.split(',').map(str::trim).collect()
    } else {
        vec![value]
    };
    for item in items {
        if !parameter.allowed_values.is_empty()
            && !parameter.allowed_values.iter().any(|allowed| allowed == item)
        {
            return refuse("must be one of AllowedValues".to_owned());
        }
        if let (Some(compiled), Some(pattern)) = (pattern, &parameter.allowed_pattern)
            && !compiled.is_match(item)
        {
            return refuse(format!("must match pattern {pattern}"));
        }
        if is_number(&parameter.kind) {
            let Some(number) = number(item) else {
                return refuse("must be a number".to_owned());
            };
            if let Some(min) = &parameter.min_value
                && self::number(min).is_some_and(|min| number < min)
            {
                return refuse(format!("must be a number not less than {min}"));
            }
            if let Some(max) = &parameter.max_value
                && self::number(max).is_some_and(|max| number > max)
            {
                return refuse(format!("must be a number not greater than {max}"));
            }
        }
    }
    let length = u64::try_from(value.chars().count()).unwrap_or(u64::MAX);
    if let Some(min) = parameter.min_length
        && length < min
    {
        return refuse(format!("must contain at least {min} characters"));
    }
    if let Some(max) = parameter.max_length
        && length > max
    {
        return refuse(format!("must contain at most {max} characters"));
    }
    Ok(())
}

/// What a stack's parameters come to: what was given, what was there before, or the defaults. `previous` is empty for a new stack.
///
/// # Errors
/// `ValidationError` in CloudFormation's words, and what `sources` say.
pub fn settle(
    template: &Template,
    given: &[Given],
    previous: &[Setting],
    sources: &mut dyn Sources,
) -> Result<Vec<Setting>> {
    let strange: Vec<&str> = given
        .iter()
        .map(|given| given.key.as_str())
        .filter(|key| template.parameter(key).is_none())
        .collect();
    if !strange.is_empty() {
        return Err(Fault::validation(format!(
            "Parameters: [{}] do not exist in the template",
            strange.join(", ")
        )));
    }
    let mut settings = Vec::with_capacity(template.parameters.len());
    let mut missing = Vec::new();
    for parameter in &template.parameters {
        let key = &parameter.key;
        let mut asked = given.iter().filter(|given| given.key == *key);
        let (first, second) = (asked.next(), asked.next());
        if second.is_some() {
            return Err(Fault::validation(format!("Duplicate parameter key {key}")));
        }
        // What was given as a secret stays one, whatever another template says of it.
        let mut secret = parameter.no_echo;
        let value = match first {
            Some(given) if given.use_previous => {
                if given.value.is_some() {
                    return Err(Fault::validation(format!(
                        "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty \
                         value for a parameter"
                    )));
                }
                let before = previous.iter().find(|setting| setting.key == *key);
                let before = before.ok_or_else(|| {
                    Fault::validation(format!(
                        "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a \
                         parameter key not in the previous template"
                    ))
                })?;
                secret |= before.no_echo;
                let name = parameter.kind.starts_with(SSM_VALUE);
                if before.no_echo && name && before.resolved.is_none() {
                    // It would be asked for by name, and stand in what is said and recorded of that.
                    return Err(Fault::validation(format!(
                        "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter whose \
                         type changed to {} and whose previous value is not shown",
                        parameter.kind
                    )));
                }
                Some(before.value.clone())
            }
            Some(Given {
                value: Some(value), ..
            }) => Some(value.clone()),
            Some(Given { value: None, .. }) | None => parameter.default.clone(),
        };
        match value {
            Some(value) => {
                let mut setting = setting(parameter, value, secret, sources)?;
                setting.no_echo = secret;
                settings.push(setting);
            }
            None => missing.push(key.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(Fault::validation(format!(
            "Parameters: [{}] must have values",
            missing.join(", ")
        )));
    }
    Ok(settings)
}

fn setting(parameter: &Parameter, value: String, secret: bool, sources: &mut dyn Sources) -> Result<Setting> {
    let mut resolved = None;
    if parameter.kind.starts_with(SSM_VALUE) {
        if value.len() > VALUE_BYTES_MAX {
            return Err(Fault::validation(format!(
                "Parameter '{}' must be no longer than {VALUE_BYTES_MAX} bytes",
                parameter.key
            )));
        }
        let found = sources.parameter(&value).map_err(|mut fault| {
            if secret && !value.is_empty() {
                // Systems Manager's words name what was asked for.
                fault.message = fault.message.replace(&value, MASK);
                fault.source = None;
            }
            fault
        });
        resolved = Some(found?);
    } else {
        fits(parameter, &value, compiled(parameter)?.as_ref())?;
    }
    Ok(Setting {
        key: parameter.key.clone(),
        value,
        resolved,
        no_echo: parameter.no_echo,
        list: is_list(&parameter.kind),
    })
}

/// What `Ref` gives of a setting.
pub fn value(setting: &Setting) -> Value {
    let text = setting.resolved.as_deref().unwrap_or(&setting.value);
    if !setting.list {
        return Value::text(text);
    }
    if text.is_empty() {
        return Value::List(Vec::new());
    }
    Value::List(text.split(',').map(|item| Value::text(item.trim())).collect())
}
