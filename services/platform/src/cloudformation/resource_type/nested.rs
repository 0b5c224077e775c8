//! `AWS::CloudFormation::Stack`: a stack as a resource of another, made, changed and removed by CloudFormation's own operations.
//!
//! Source: CloudFormation Template Reference, "AWS::CloudFormation::Stack"; CloudFormation User Guide, "Split a template into reusable pieces
//! using nested stacks".
//!
//! Invariant: a nested stack acts in the name of the stack that it is of, and that stack goes on when the nested one's operation has ended.

use api::cloudformation::StackStatus;
use pipeline::Result;
use serde_json::{Map, Value, json};
use wire::Fault;

use super::{Await, Existing, Made, Property, ResourceType, Services, Wanted, answered, invalid, tag_list};
use crate::cloudformation::fault::expect_none;
use crate::cloudformation::stack::{Stack, find};
use crate::cloudformation::submission::{CURRENT, NESTED_PREVIOUS, body, keep_body};
use crate::cloudformation::{event, nesting};

/// Bytes of a stack's name.
const NAME_MAX: usize = 128;
const SERVICE: &str = "cloudformation";
/// Before the id of an operation that a stack only goes on with.
const CONTINUED: &str = "continued ";
/// What a stack acknowledges that becomes what it was: that was acknowledged before.
const CAPABILITIES: [&str; 3] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];
const UNCHANGED: &str = "No updates are to be performed.";

pub(crate) struct Nested;

impl ResourceType for Nested {
    described!(
        "AWS::CloudFormation::Stack",
        [
            Property::new("NotificationARNs"),
            Property::new("Parameters"),
            Property::new("Tags"),
            Property::new("TemplateURL").required(),
            Property::new("TimeoutInMinutes"),
        ],
        []
    );

    fn has_attribute(&self, name: &str) -> bool {
        name.strip_prefix("Outputs.")
            .is_some_and(|output| !output.is_empty())
    }

    fn waits(&self) -> bool {
        true
    }

    fn automatic(&self) -> bool {
        true
    }

    fn hands_on(&self) -> Option<&'static str> {
        // What they open to would otherwise be a parameter's value, which is shown.
        Some("Parameters")
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        if let Some(stack) = looked_at(services)? {
            return ended(services, &stack, "CREATE_COMPLETE", "created");
        }
        let subject = services.subject()?;
        nesting::expect_shallow(services.call, subject.stack)?;
        let mut input = described(wanted)?;
        input.insert("StackName".to_owned(), wanted.physical_name(NAME_MAX).into());
        input.insert("Capabilities".to_owned(), json!(subject.stack.capabilities));
        input.insert(
            "DisableRollback".to_owned(),
            subject.stack.disable_rollback.into(),
        );
        if let Some(minutes) = wanted.text("TimeoutInMinutes") {
            let minutes: i32 = minutes
                .parse()
                .map_err(|_| invalid("TimeoutInMinutes must be a number"))?;
            input.insert("TimeoutInMinutes".to_owned(), minutes.into());
        }
        let made = services.invoke(SERVICE, "CreateStack", Value::Object(input))?;
        let id = answered(&made, "/StackId")?;
        awaited(services, &id)
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        if let Some(stack) = looked_at(services)? {
            // One that went on with its own rollback is what it was; one whose update back failed is not.
            let pending = services.subject()?.pending;
            let continued = pending.is_some_and(|pending| pending.id.starts_with(CONTINUED));
            let good = match continued {
                true => "UPDATE_ROLLBACK_COMPLETE",
                false => "UPDATE_COMPLETE",
            };
            return ended(services, &stack, good, "updated");
        }
        let id = existing.physical_id;
        let subject = services.subject()?;
        let mut input = described(wanted)?;
        input.insert("StackName".to_owned(), id.into());
        let capabilities = match subject.back {
            true => json!(CAPABILITIES),
            false => json!(subject.stack.capabilities),
        };
        input.insert("Capabilities".to_owned(), capabilities);
        let stack = held(services, id)?;
        if subject.back && stack.status() == StackStatus::UpdateRollbackFailed {
            services.invoke(SERVICE, "ContinueUpdateRollback", json!({ "StackName": id }))?;
            let mut made = awaited(services, id)?;
            if let Some(awaited) = &mut made.awaits {
                awaited.id.insert_str(0, CONTINUED);
            }
            return Ok(made);
        }
        if subject.back {
            // What lies at the address may be another template by now.
            let text = body(services.call, &stack, NESTED_PREVIOUS)?;
            if !text.is_empty() {
                input.remove("TemplateURL");
                input.insert("TemplateBody".to_owned(), text.into());
            }
        } else {
            let text = body(services.call, &stack, CURRENT)?;
            keep_body(services.call, &stack, NESTED_PREVIOUS, &text)?;
        }
        match services.invoke(SERVICE, "UpdateStack", Value::Object(input)) {
            Ok(_) => awaited(services, id),
            Err(fault) if fault.message == UNCHANGED => {
                services.failed = None;
                outputs(services, &stack)
            }
            Err(fault) => Err(fault),
        }
    }

    fn delete(&self, _services: &mut Services<'_, '_>, _existing: &Existing<'_>) -> Result<()> {
        Err(Fault::internal("a nested stack is removed step by step"))
    }

    fn remove(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<Option<Await>> {
        if let Some(stack) = looked_at(services)? {
            let ended = if stack.is_deleted() {
                Ok(Made::new(existing.physical_id))
            } else {
                ended(services, &stack, "DELETE_COMPLETE", "deleted")
            };
            return ended.map(|made| made.awaits);
        }
        let id = existing.physical_id;
        services.invoke(SERVICE, "DeleteStack", json!({ "StackName": id }))?;
        if find(services.call, id)?.is_none_or(|stack| stack.is_deleted()) {
            return Ok(None);
        }
        awaited(services, id).map(|made| made.awaits)
    }
}

/// What a template says of the stack, as input of the operations that make and change one.
fn described(wanted: &Wanted<'_>) -> Result<Map<String, Value>> {
    let notified = wanted.property("NotificationARNs").and_then(Value::as_array);
    expect_none("NotificationARNs", notified.is_some_and(|arns| !arns.is_empty()))?;
    let mut input = wanted.pick(&["TemplateURL"]);
    let mut parameters = Vec::new();
    match wanted.property("Parameters") {
        None => {}
        Some(Value::Object(given)) => {
            for (key, value) in given {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    Value::Bool(flag) => flag.to_string(),
                    _ => return Err(not_simple()),
                };
                parameters.push(json!({ "ParameterKey": key, "ParameterValue": text }));
            }
        }
        Some(_) => return Err(not_simple()),
    }
    input.insert("Parameters".to_owned(), parameters.into());
    input.insert("Tags".to_owned(), tag_list(&wanted.all_tags("Tags")));
    Ok(input)
}

fn not_simple() -> Fault {
    invalid("Value of property Parameters must be an object with String (or simple type) properties")
}

fn held(services: &mut Services<'_, '_>, id: &str) -> Result<Stack> {
    let found = find(services.call, id)?;
    let found = found.ok_or_else(|| invalid(format!("Stack [{id}] does not exist")))?;
    Ok((*found).clone())
}

/// The nested stack, if its operation has begun.
fn looked_at(services: &mut Services<'_, '_>) -> Result<Option<Stack>> {
    match services.subject()?.pending {
        Some(pending) => held(services, &pending.physical_id).map(Some),
        None => Ok(None),
    }
}

/// Takes the nested stack's operation on, and says that it is waited for.
fn awaited(services: &mut Services<'_, '_>, id: &str) -> Result<Made> {
    let subject = services.subject()?;
    let operation = nesting::take_on(services.call, id, subject.stack, subject.actor)?;
    Ok(Made::new(id).awaiting(Await {
        id: operation,
        deadline: i64::MAX,
        shown: true,
    }))
}

/// What came of the nested stack's operation.
fn ended(services: &mut Services<'_, '_>, stack: &Stack, good: &str, verb: &str) -> Result<Made> {
    let subject = services.subject()?;
    let id = stack.id();
    if stack.status == good {
        return outputs(services, stack);
    }
    if stack.busy() {
        let (Some(pending), now) = (subject.pending, services.call.now.0) else {
            return Err(Fault::internal("a nested stack that nobody waits for"));
        };
        if now >= pending.deadline {
            return Err(invalid(format!("Embedded stack {id} was not {verb} in time.")));
        }
        return Ok(Made::new(id).awaiting(Await {
            id: pending.id.clone(),
            deadline: pending.deadline,
            shown: true,
        }));
    }
    let reason = event::failure(services.call, stack)?;
    Err(invalid(format!(
        "Embedded stack {id} was not successfully {verb}: {reason}"
    )))
}

/// The nested stack with its outputs as attributes.
fn outputs(services: &mut Services<'_, '_>, stack: &Stack) -> Result<Made> {
    // Its last step may have run in this transaction.
    let stack = held(services, &stack.id())?;
    let mut made = Made::new(stack.id());
    for output in stack.inner(services.call)?.outputs {
        made = made.with(&format!("Outputs.{}", output.key), output.value);
    }
    Ok(made)
}
