//! `AWS::CloudFormation::CustomResource` and `Custom::…`: resources that a function of the template's author makes, changes and removes.
//!
//! The function is invoked as the stack's principal, with an event that names the URL of its response; the stack goes on when the response is
//! there.
//!
//! Source: CloudFormation Template Reference, "AWS::CloudFormation::CustomResource"; CloudFormation User Guide, "CloudFormation custom
//! resource request and response reference".
//!
//! Invariant: a function is told once of each deed, and no deed is done before its response said so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::Result;
use policy::Arn;
use serde_json::{Map, Value, json};
use wire::Fault;
use wire::fault::{Code, Common};

use super::{Await, Existing, Made, Property, ResourceType, Services, Wanted, invalid, is_absence};
use crate::cloudformation::callback::response_url;
use crate::cloudformation::evaluation::{Looking, from_json, to_json, without};
use crate::cloudformation::template::dynamic;
use crate::cloudformation::work::Pending;

/// Seconds that a response may take, unless the template says less.
const TIMEOUT: i64 = 3600;
/// Bytes of a physical id.
const PHYSICAL_ID_MAX: usize = 1024;
/// Bytes of a name that CloudFormation gives to what has none yet.
const NAME_MAX: usize = 128;
/// Letters of a type's name, `Custom::` with it.
const TYPE_MAX: usize = 60;

pub(crate) struct Custom;

/// Whether a type is a custom one with a name that AWS allows.
pub(super) fn is_custom(kind: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "_@-".contains(letter);
    let own = kind.strip_prefix("Custom::");
    own.is_some_and(|own| !own.is_empty() && kind.len() <= TYPE_MAX && own.chars().all(letter))
}

impl ResourceType for Custom {
    described!(
        "AWS::CloudFormation::CustomResource",
        [
            Property::new("ServiceTimeout"),
            Property::new("ServiceToken").required(),
        ],
        []
    );

    fn open(&self) -> bool {
        true
    }

    fn has_attribute(&self, _name: &str) -> bool {
        true
    }

    fn waits(&self) -> bool {
        true
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        if let Some(answer) = answered(services, true)? {
            return Ok(answer);
        }
        let awaited = ask(services, "Create", None, wanted.properties, None)?;
        Ok(Made::new(wanted.physical_name(NAME_MAX)).awaiting(awaited))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        if let Some(answer) = answered(services, true)? {
            return Ok(answer);
        }
        let (old, secrets) = match opened(services, existing.properties) {
            // What was referred to may be gone, and only then can it be told as it stands alone.
            Err(fault) if fault.code == Code::Common(Common::Validation) => {
                (existing.properties.clone(), Vec::new())
            }
            opened => opened?,
        };
        if old.get("ServiceToken") != wanted.properties.get("ServiceToken") {
            return Err(invalid("Modifying service token is not allowed."));
        }
        let physical = Some(existing.physical_id);
        let asked = ask(services, "Update", physical, wanted.properties, Some(&old));
        let awaited = asked.map_err(|fault| hushed(fault, &secrets))?;
        Ok(Made::new(existing.physical_id).awaiting(awaited))
    }

    fn delete(&self, _services: &mut Services<'_, '_>, _existing: &Existing<'_>) -> Result<()> {
        Err(Fault::internal("a custom resource is removed by its function"))
    }

    fn remove(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<Option<Await>> {
        let opened = opened(services, existing.properties);
        let secrets = match &opened {
            Ok((_, secrets)) => secrets.clone(),
            Err(_) => Vec::new(),
        };
        let hush = |fault| hushed(fault, &secrets);
        if answered(services, false).map_err(hush)?.is_some() {
            return Ok(None);
        }
        let (properties, _) = opened?;
        let physical = Some(existing.physical_id);
        let asked = ask(services, "Delete", physical, &properties, None);
        asked.map_err(hush).map(Some)
    }
}

/// Properties as rows keep them, with their dynamic references opened, and the secrets that these opened to.
fn opened(
    services: &mut Services<'_, '_>,
    properties: &Map<String, Value>,
) -> Result<(Map<String, Value>, Vec<String>)> {
    let value = from_json(&Value::Object(properties.clone()))?;
    let kind = services.subject()?.kind;
    let mut looking = Looking {
        call: &mut *services.call,
        acting: services.acting,
        secrets: Vec::new(),
    };
    let opened = dynamic::resolve(&value, kind, &mut looking).map_err(|fault| match is_absence(&fault) {
        // Nor is the resource gone with what it refers to.
        true => invalid(fault.message),
        false => fault,
    })?;
    let secrets = looking.secrets;
    match to_json(&opened)? {
        Value::Object(opened) => Ok((opened, secrets)),
        _ => Err(invalid("Properties must be a map")),
    }
}

/// A fault that tells no secret.
fn hushed(mut fault: Fault, secrets: &[String]) -> Fault {
    fault.message = without(fault.message, secrets.iter().map(String::as_str));
    fault
}

/// Hands a request to the function, and says what is waited for.
fn ask(
    services: &mut Services<'_, '_>,
    request: &str,
    physical_id: Option<&str>,
    properties: &Map<String, Value>,
    old: Option<&Map<String, Value>>,
) -> Result<Await> {
    let function = function(services, properties)?;
    let seconds = timeout(properties)?;
    let id = services.call.uuid()?;
    let deadline = services.call.now.0 + seconds * 1000;
    let subject = services.subject()?;
    let place = (subject.logical_id, id.as_str());
    let url = response_url(services.call, subject.stack, place, deadline)?;
    let mut event = json!({
        "RequestType": request,
        "ServiceToken": function,
        "ResponseURL": url,
        "StackId": subject.stack.id(),
        "RequestId": id,
        "LogicalResourceId": subject.logical_id,
        "ResourceType": subject.kind,
        "ResourceProperties": texts(&Value::Object(properties.clone())),
    });
    if let Some(members) = event.as_object_mut() {
        if let Some(physical) = physical_id {
            members.insert("PhysicalResourceId".to_owned(), physical.into());
        }
        if let Some(old) = old {
            let old = texts(&Value::Object(old.clone()));
            members.insert("OldResourceProperties".to_owned(), old);
        }
    }
    let input = json!({
        "FunctionName": function, "InvocationType": "Event", "Payload": STANDARD.encode(event.to_string()),
    });
    if let Err(fault) = services.invoke("lambda", "Invoke", input) {
        if is_absence(&fault) {
            // It is the function that is gone, not the resource.
            services.failed = None;
            return Err(invalid(fault.message));
        }
        return Err(fault);
    }
    Ok(Await {
        id,
        deadline,
        shown: false,
    })
}

/// The function of a service token.
fn function(services: &Services<'_, '_>, properties: &Map<String, Value>) -> Result<String> {
    let token = properties.get("ServiceToken").and_then(Value::as_str);
    let token = token.ok_or_else(|| invalid("ServiceToken must be a string"))?;
    let Some(arn) = Arn::parse(token) else {
        return Err(invalid(format!("Invalid service token: {token}")));
    };
    match arn.service() {
        "lambda" => {}
        "sns" => {
            return Err(Fault::common(
                Common::NotImplemented,
                format!("{token} is a topic of SNS, which is not implemented by this version of Ringwork."),
            ));
        }
        _ => return Err(invalid(format!("Invalid service token: {token}"))),
    }
    let region = services.call.region();
    if arn.region() != region {
        return Err(invalid(format!(
            "The service token {token} must be from the stack's region, {region}"
        )));
    }
    Ok(token.to_owned())
}

/// Seconds that the response may take.
fn timeout(properties: &Map<String, Value>) -> Result<i64> {
    let given = match properties.get("ServiceTimeout") {
        None | Some(Value::Null) => return Ok(TIMEOUT),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_i64(),
    };
    let sound = given.filter(|seconds| (1..=TIMEOUT).contains(seconds));
    sound.ok_or_else(|| invalid(format!("ServiceTimeout must be an integer from 1 to {TIMEOUT}")))
}

/// Properties as functions get them: every scalar is a text.
fn texts(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => flag.to_string().into(),
        Value::Number(number) => number.to_string().into(),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| (name.clone(), texts(member)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// What came of a request, if one was made: what the function said, or a failure; nothing before the first look.
fn answered(services: &mut Services<'_, '_>, makes: bool) -> Result<Option<Made>> {
    let subject = services.subject()?;
    let Some(pending) = subject.pending else {
        return Ok(None);
    };
    if pending.too_long {
        return Err(invalid("Response object is too long."));
    }
    let Some(answer) = &pending.answer else {
        return Err(invalid(format!(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [{}].",
            pending.id
        )));
    };
    let text: String = answer.open(services.call, subject.stack.bond())?;
    let Ok(Value::Object(answer)) = serde_json::from_str(&text) else {
        return Err(invalid("Invalid response object: it is no object of JSON."));
    };
    let own = [
        ("StackId", subject.stack.id()),
        ("RequestId", pending.id.clone()),
        ("LogicalResourceId", subject.logical_id.to_owned()),
    ];
    for (name, own) in own {
        if answer.get(name).is_some_and(|said| *said != own) {
            return Err(invalid(format!(
                "Invalid response object: {name} is not the request's."
            )));
        }
    }
    let physical = physical_id(&answer);
    services.left.clone_from(&physical);
    match answer.get("Status").and_then(Value::as_str) {
        Some("SUCCESS") => {}
        Some("FAILED") => return Err(failed(&answer, pending)),
        _ => {
            return Err(invalid(
                "Invalid response object: Status must be SUCCESS or FAILED.",
            ));
        }
    }
    if !makes {
        return Ok(Some(Made::new(pending.physical_id.clone())));
    }
    let physical = physical.ok_or_else(|| invalid("Invalid PhysicalResourceId"))?;
    let mut made = Made::new(physical);
    made.no_echo = matches!(answer.get("NoEcho"), Some(Value::Bool(true)))
        || answer.get("NoEcho").and_then(Value::as_str) == Some("true");
    match answer.get("Data") {
        None | Some(Value::Null) => {}
        Some(Value::Object(data)) => made.attributes.extend(data.clone()),
        Some(_) => return Err(invalid("Invalid response object: Data must be a map.")),
    }
    Ok(Some(made))
}

fn physical_id(answer: &Map<String, Value>) -> Option<String> {
    let said = answer.get("PhysicalResourceId").and_then(Value::as_str);
    let sound = said.filter(|said| (1..=PHYSICAL_ID_MAX).contains(&said.len()));
    sound.map(str::to_owned)
}

fn failed(answer: &Map<String, Value>, pending: &Pending) -> Fault {
    let reason = answer.get("Reason").and_then(Value::as_str).unwrap_or_default();
    invalid(format!(
        "Received response status [FAILED] from custom resource. Message returned: {reason} (RequestId: {})",
        pending.id
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_are_of_60_letters() {
        assert!(is_custom("Custom::A_b@c-1"));
        assert!(!is_custom("Custom::"));
        assert!(!is_custom("Custom::a b"));
        assert!(!is_custom(&format!("Custom::{}", "a".repeat(53))));
        assert!(is_custom(&format!("Custom::{}", "a".repeat(52))));
    }

    #[test]
    fn scalars_are_told_as_texts() {
        let given = json!({ "a": [true, 1.5, { "b": 7 }], "c": "d", "e": null });
        let told = json!({ "a": ["true", "1.5", { "b": "7" }], "c": "d", "e": null });
        assert_eq!(texts(&given), told);
    }

    #[test]
    fn a_timeout_is_a_second_to_an_hour() {
        let of = |value: Value| timeout(json!({ "ServiceTimeout": value }).as_object().unwrap()).ok();
        assert_eq!(of(json!("35")), Some(35));
        assert_eq!(of(json!(1)), Some(1));
        assert_eq!(of(Value::Null), Some(3600));
        for wrong in [json!(0), json!(3601), json!("soon"), json!(1.5)] {
            assert_eq!(of(wrong.clone()), None, "{wrong}");
        }
    }
}
