//! Events: what happened to a stack and its resources, in order.
//!
//! Invariant: an event is written in the transaction of what it tells of; events of a deleted stack stay.

use api::cloudformation as model;
use model::ResourceStatus;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;

use super::fault::absent_to_change;
use super::hidden::Hidden;
use super::page;
use super::stack::{Stack, StackTarget, moment, resolve};

/// The type of a stack in its own events.
const STACK: &str = "AWS::CloudFormation::Stack";

/// An event.
#[derive(Clone, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub kind: String,
    pub status: String,
    pub reason: Option<String>,
    /// Milliseconds since the epoch.
    pub at: i64,
    pub token: Option<String>,
    pub operation: Option<String>,
    /// JSON, sealed.
    pub(crate) properties: Hidden,
}

store::record!(Event, 1);

/// By account, region, the stack's id, and number.
pub static EVENTS: Table<(String, String, String, u64), Event> = Table::new(0x0623, "cloudformation.events");

/// What is to be told of a resource.
pub(crate) struct Occurrence<'a> {
    pub logical_id: &'a str,
    pub physical_id: Option<&'a str>,
    pub kind: &'a str,
    pub status: &'a str,
    pub reason: Option<&'a str>,
    /// JSON in which what is not to be shown is masked.
    pub properties: Option<&'a str>,
}

/// By which operation events are told.
#[derive(Clone, Default)]
pub(crate) struct By {
    pub token: Option<String>,
    pub operation: Option<String>,
}

/// Tells what happened to a resource.
pub(crate) fn tell(
    call: &mut Call<'_>,
    stack: &mut Stack,
    by: &By,
    occurrence: &Occurrence<'_>,
) -> Result<()> {
    let properties = match occurrence.properties {
        Some(properties) => Hidden::seal(call, stack.bond(), &properties)?,
        None => Hidden::default(),
    };
    // Clients put events in order by their moments, so no two of a stack have the same.
    stack.last_event = call.now.0.max(stack.last_event + 1);
    let event = Event {
        id: call.uuid()?,
        logical_id: occurrence.logical_id.to_owned(),
        physical_id: occurrence.physical_id.map(str::to_owned),
        kind: occurrence.kind.to_owned(),
        status: occurrence.status.to_owned(),
        reason: occurrence.reason.map(str::to_owned),
        at: stack.last_event,
        token: by.token.clone(),
        operation: by.operation.clone(),
        properties,
    };
    stack.events += 1;
    let (account, region, uuid) = stack.place();
    call.put(&EVENTS, &(account, region, uuid, stack.events), event)
}

/// Why a stack's last operation failed: the newest reason that its own events give.
pub(crate) fn failure(look: &mut Look<'_>, stack: &Stack) -> Result<String> {
    let own = |event: &Event| event.kind == STACK && event.physical_id.as_ref() == Some(&stack.id());
    let mut before = None;
    loop {
        let rows = look.range_rev(&EVENTS, &stack.bond(), before.as_ref(), page::ITEMS)?;
        for (_, event) in &rows {
            let told = event.reason.as_deref().filter(|_| own(event));
            match told {
                Some("User Initiated") => return Ok(String::new()),
                Some(reason) => return Ok(reason.to_owned()),
                None => {}
            }
        }
        let Some((place, _)) = rows.last() else {
            return Ok(String::new());
        };
        before = Some(place.clone());
    }
}

/// Brings a stack into a state, and tells of it.
pub(crate) fn turn(
    call: &mut Call<'_>,
    stack: &mut Stack,
    by: &By,
    status: model::StackStatus,
    reason: Option<&str>,
) -> Result<()> {
    stack.status = status.as_str().to_owned();
    stack.reason = reason.map(str::to_owned);
    let (id, name) = (stack.id(), stack.name.clone());
    let occurrence = Occurrence {
        logical_id: &name,
        physical_id: Some(&id),
        kind: STACK,
        status: status.as_str(),
        reason,
        properties: None,
    };
    tell(call, stack, by, &occurrence)
}

/// Lists a stack's events, the newest first.
pub struct DescribeStackEvents;

impl Operation for DescribeStackEvents {
    type Input = model::DescribeStackEventsInput;
    type Output = model::DescribeStackEventsOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::read("cloudformation:DescribeStackEvents");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve(look, &input.stack_name, absent_to_change)
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("events {}", stack.uuid);
        let after = page::after(call, &list, input.next_token.as_deref())?;
        let prefix = (stack.account.as_str(), stack.region.as_str(), stack.uuid.as_str());
        let before = after.and_then(|after| after.parse().ok()).map(|number: u64| {
            let (account, region, uuid) = stack.place();
            (account, region, uuid, number)
        });
        let rows = call.range_rev(&EVENTS, &prefix, before.as_ref(), page::ITEMS)?;
        let next_token = match rows.last() {
            Some(((.., number), _)) if *number > 1 => Some(page::token(call, &list, &number.to_string())?),
            _ => None,
        };
        let mut stack_events = Vec::with_capacity(rows.len());
        for (_, event) in rows {
            stack_events.push(shown(call, &stack, &event)?);
        }
        Ok(model::DescribeStackEventsOutput {
            stack_events: Some(stack_events),
            next_token,
        })
    }
}

fn shown(look: &Look<'_>, stack: &Stack, event: &Event) -> Result<model::StackEvent> {
    let properties: String = event.properties.open(look, stack.bond())?;
    Ok(model::StackEvent {
        client_request_token: event.token.clone(),
        event_id: event.id.clone(),
        logical_resource_id: Some(event.logical_id.clone()),
        operation_id: event.operation.clone(),
        physical_resource_id: Some(event.physical_id.clone().unwrap_or_default()),
        resource_properties: Some(properties).filter(|properties| !properties.is_empty()),
        resource_status: ResourceStatus::parse(&event.status),
        resource_status_reason: event.reason.clone(),
        resource_type: Some(event.kind.clone()),
        stack_id: stack.id(),
        stack_name: stack.name.clone(),
        timestamp: moment(event.at),
        ..model::StackEvent::default()
    })
}
