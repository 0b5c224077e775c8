//! `AWS::CloudFormation::WaitCondition` and `AWS::CloudFormation::WaitConditionHandle`: a stack that waits for signals from elsewhere.
//!
//! Source: CloudFormation Template Reference, the pages of these types; CloudFormation User Guide, "Create wait conditions in a CloudFormation
//! template".
//!
//! Invariant: a condition holds when as many signals of success as it counts have come, each known by its own id, and fails by the first
//! that tells of a failure.

use pipeline::Result;
use serde_json::{Map, Value};

use super::difference::same;
use super::{Await, Existing, Made, Property, ResourceType, Services, Wanted, invalid};
use crate::cloudformation::callback::{handle_request, signal_url};
use crate::cloudformation::resource;
use crate::cloudformation::signal;

/// The type, which is made after all that does not need it.
pub(crate) const CONDITION: &str = "AWS::CloudFormation::WaitCondition";
const HANDLE: &str = "AWS::CloudFormation::WaitConditionHandle";
/// Seconds that a condition may wait.
const TIMEOUT_MAX: i64 = 43_200;
/// Milliseconds that a handle's URL is good for: a day.
const GOOD: i64 = 86_400_000;

pub(crate) struct WaitConditionHandle;

impl ResourceType for WaitConditionHandle {
    fn name(&self) -> &'static str {
        HANDLE
    }

    fn properties(&self) -> &'static [Property] {
        &[]
    }

    fn attributes(&self) -> &'static [&'static str] {
        &["Id"]
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let id = format!("{}/{}", wanted.logical_id, wanted.random);
        let until = services.call.now.0 + GOOD;
        let url = signal_url(services.call, services.subject()?.stack, &id, until)?;
        Ok(Made::new(url).with("Id", id))
    }

    fn update(&self, _: &mut Services<'_, '_>, existing: &Existing<'_>, _: &Wanted<'_>) -> Result<Made> {
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let id = existing.attributes.get("Id").and_then(Value::as_str);
        let stack = services.subject()?.stack;
        signal::forget(services.call, stack, id.unwrap_or_default())
    }
}

pub(crate) struct WaitCondition;

impl ResourceType for WaitCondition {
    described!(
        CONDITION,
        [
            Property::new("Count"),
            Property::new("Handle").required(),
            Property::new("Timeout").required(),
        ],
        ["Data", "Id"]
    );

    fn waits(&self) -> bool {
        true
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let count = number(wanted, "Count", i64::from(i32::MAX))?.unwrap_or(1);
        let seconds = number(wanted, "Timeout", TIMEOUT_MAX)?.unwrap_or_default();
        let handle = handle(services, &wanted.text("Handle").unwrap_or_default())?;
        let subject = services.subject()?;
        let id = format!("{}/{}", subject.stack.id(), subject.logical_id);
        let (mut told, mut successes) = (Map::new(), 0);
        for (unique, signal) in signal::of(services.call, subject.stack, &handle)? {
            if !signal.success {
                let reason = signal.reason;
                return Err(invalid(format!(
                    "WaitCondition received failed message: '{reason}' for uniqueId: {unique}"
                )));
            }
            successes += 1;
            told.insert(unique, signal.data.into());
        }
        if successes >= count {
            let told = Value::Object(told).to_string();
            return Ok(Made::new(id.clone()).with("Data", told).with("Id", id));
        }
        let now = services.call.now.0;
        let deadline = match subject.pending {
            Some(pending) => pending.deadline,
            None => now + seconds * 1000,
        };
        if subject.pending.is_some() && now >= deadline {
            return Err(invalid(format!(
                "WaitCondition timed out. Received {successes} conditions when expecting {count}"
            )));
        }
        Ok(Made::new(id).awaiting(Await {
            id: handle_request(&handle),
            deadline,
            shown: true,
        }))
    }

    fn update(&self, _: &mut Services<'_, '_>, _: &Existing<'_>, _: &Wanted<'_>) -> Result<Made> {
        Err(invalid(format!(
            "Update to resource type {CONDITION} is not supported."
        )))
    }

    fn delete(&self, _: &mut Services<'_, '_>, _: &Existing<'_>) -> Result<()> {
        Ok(())
    }
}

/// A whole number of a property, from one on.
fn number(wanted: &Wanted<'_>, name: &str, most: i64) -> Result<Option<i64>> {
    let Some(text) = wanted.text(name) else {
        return Ok(None);
    };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    let wrong = || invalid(format!("{name} must be a whole number from 1 to {most}"));
    number.ok_or_else(wrong).map(Some)
}

/// The id of the handle of the stack that has this URL.
fn handle(services: &mut Services<'_, '_>, url: &str) -> Result<String> {
    let stack = services.subject()?.stack;
    for row in resource::all(services.call, stack)?.into_values() {
        if row.kind == HANDLE && row.physical_id.as_deref() == Some(url) {
            let contents = row.contents(services.call, stack)?;
            let id = contents.attributes.get("Id").and_then(Value::as_str);
            return Ok(id.unwrap_or_default().to_owned());
        }
    }
    Err(invalid(
        "Handle must refer to a WaitConditionHandle of the same stack",
    ))
}
