//! Asynchronous invocation: events are kept, run by a job, and tried again.
//!
//! An event whose function fails is tried again after one minute and then after two, at most as often as the function's settings say; one
//! that could not be run for other reasons (no room, no credentials) after ever longer waits, until it is too old.
//!
//! Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
//!
//! Invariant: an event that was accepted is there until its function ended well or it was given up, and then it is told to a destination
//! if there is one.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pipeline::errand::Outcome;
use pipeline::functions::Ran;
use pipeline::{Call, Look, Resource as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::{Fault, Timestamp};

use super::destination::{self, End};
use super::lineage;
use super::run::{self, Asked};
use crate::lambda::function::{EventInvoke, FUNCTIONS, Function, FunctionTarget, LATEST};

/// The job that runs an event.
pub(crate) const JOB: &str = "lambda.InvokeEvent";
/// What the ledger calls a run of it.
pub(crate) const EVENT: &str = "InvokeEvent";
const NAME: &str = "lambda.events";
/// Tries after the first, unless the settings say otherwise.
const RETRIES: i32 = 2;
/// Seconds that an event is kept, unless the settings say otherwise: six hours.
const AGE_SECONDS: i32 = 21_600;
/// Milliseconds before the first try again, for each of the tries.
const MINUTE: i64 = 60_000;
/// Milliseconds between tries of an event that could not be run: from one second to five minutes.
const WAITS: (i64, i64) = (1_000, 300_000);
/// Rows removed at a time.
const STRETCH: usize = 200;

/// An event that waits for its function.
#[derive(Clone, Serialize, Deserialize)]
pub struct Event {
    /// As the caller gave it.
    pub qualifier: Option<String>,
    /// The id of the request that brought it, by which the function knows it.
    pub request_id: String,
    /// Milliseconds since the epoch.
    pub accepted: i64,
    /// Runs that ended, all in failure.
    pub runs: i32,
    /// Times that it could not be run.
    pub turned_back: u32,
    /// The chain of requests that it belongs to, with this invocation.
    #[serde(default)]
    pub trace: Option<String>,
    /// Sealed, in base64.
    payload: String,
}

store::record!(Event, 1);

/// By account, region, name of the function, and id.
pub static EVENTS: Table<(String, String, String, String), Event> = Table::new(0x0605, NAME);

type Place = (String, String, String, String);

fn bond((account, region, name, id): &Place) -> Vec<u8> {
    format!("{account}\n{region}\n{name}\n{id}").into_bytes()
}

/// Keeps an event, to be run at once.
pub(crate) fn accept(call: &mut Call<'_>, target: &FunctionTarget, payload: &[u8]) -> Result<()> {
    let (account, region, name) = target.place();
    let place = (account.clone(), region, name, call.uuid()?);
    let sealed = call.seal(NAME, &bond(&place), payload)?;
    let event = Event {
        qualifier: target.qualifier.clone(),
        request_id: call.request.id.clone(),
        accepted: call.now.0,
        runs: 0,
        turned_back: 0,
        trace: Some(lineage::joined(call, target)?),
        payload: STANDARD.encode(sealed),
    };
    call.put(&EVENTS, &place, event)?;
    let now = call.now;
    call.within(&account, |call| plan(call, &place, now))
}

fn plan(call: &mut Call<'_>, place: &Place, due: Timestamp) -> Result<()> {
    let payload = json!({ "function": place.2, "event": place.3 });
    call.schedule(JOB, due, payload).map(drop)
}

/// Removes the events of a function.
pub(crate) fn forget(call: &mut Call<'_>, function: &Function) -> Result<()> {
    let (account, region, name) = function.place();
    let prefix = (account.as_str(), region.as_str(), name.as_str());
    loop {
        let rows = call.range(&EVENTS, &prefix, None, STRETCH)?;
        for (place, _) in &rows {
            call.delete(&EVENTS, place)?;
        }
        if rows.len() < STRETCH {
            return Ok(());
        }
    }
}

/// How a try came out.
enum Tried {
    /// The function ended, well or not; which version it was.
    Ended(Arc<Outcome>, String),
    /// It could not be run; perhaps later.
    TurnedBack,
    /// It never will be.
    Stopped,
}

/// Runs an event.
pub(crate) fn run(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let text = |member| {
        payload
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let place: Place = (
        call.account().to_owned(),
        call.region().to_owned(),
        text("function"),
        text("event"),
    );
    let Some(event) = call.get(&EVENTS, &place)? else {
        return Ok(());
    };
    let key = (place.0.as_str(), place.1.as_str(), place.2.as_str());
    let Some(function) = call.get(&FUNCTIONS, &key)? else {
        return call.delete(&EVENTS, &place);
    };
    let target = FunctionTarget::new(function, event.qualifier.clone());
    call.mention(target.qualified_arn(), &place.0, FunctionTarget::TYPE);
    let sealed = STANDARD.decode(&event.payload).map_err(Fault::internal)?;
    let clear = call.open(NAME, &bond(&place), &sealed)?;
    let clear = Bytes::copy_from_slice(clear.expose());
    let settings = settings(&target);
    let ends = event.accepted + i64::from(settings.age_seconds.unwrap_or(AGE_SECONDS)) * 1000;
    if call.now.0 >= ends {
        return give_up(call, (&place, &event), &target, &clear, End::Aged);
    }
    let times = lineage::times(event.trace.as_deref(), &target);
    if times > lineage::TIMES_MAX && !target.recursion_allowed {
        return give_up(call, (&place, &event), &target, &clear, End::Recursive { times });
    }
    match attempt(call, &target, &event, &clear)? {
        Tried::Stopped => give_up(call, (&place, &event), &target, &clear, End::Stopped),
        Tried::TurnedBack => {
            let (least, most) = WAITS;
            let wait = least.saturating_mul(1 << event.turned_back.min(16)).min(most);
            let later = Event {
                turned_back: event.turned_back + 1,
                ..(*event).clone()
            };
            call.put(&EVENTS, &place, later)?;
            let due = call.now.0.saturating_add(wait).min(ends);
            plan(call, &place, Timestamp(due))
        }
        Tried::Ended(outcome, version) => {
            let Outcome::Invoked(Ok(ran)) = &*outcome else {
                return Err(Fault::internal("a function ended without an end"));
            };
            ended(call, (&place, &event), &target, &clear, (ran, &version, ends))
        }
    }
}

fn settings(target: &FunctionTarget) -> EventInvoke {
    let key = target.qualifier.as_deref().unwrap_or(LATEST);
    target.event_invoke.get(key).cloned().unwrap_or_default()
}

fn attempt(call: &mut Call<'_>, target: &FunctionTarget, event: &Event, payload: &Bytes) -> Result<Tried> {
    if target.reserved == Some(0) {
        return Ok(Tried::Stopped);
    }
    let Ok(chosen) = run::choose_for(call, target, &event.request_id) else {
        return Ok(Tried::TurnedBack);
    };
    let asked = Asked {
        function: target,
        configuration: &chosen,
        invoked_arn: target.qualified_arn(),
        payload: payload.clone(),
        client_context: None,
        request_id: event.request_id.clone(),
        trace: event.trace.clone(),
        tail: false,
    };
    // A run that is cut short to have the function run is dropped whole, whatever is made of its fault here.
    Ok(match run::run(call, &asked) {
        Ok(outcome) if matches!(&*outcome, Outcome::Invoked(Ok(_))) => Tried::Ended(outcome, chosen.name()),
        _ => Tried::TurnedBack,
    })
}

/// What follows on the end of a run.
fn ended(
    call: &mut Call<'_>,
    (place, event): (&Place, &Event),
    target: &FunctionTarget,
    payload: &Bytes,
    (ran, version, ends): (&Ran, &str, i64),
) -> Result<()> {
    let runs = event.runs + 1;
    if ran.error.is_none() {
        call.delete(&EVENTS, place)?;
        let end = End::Success { ran, version };
        return destination::tell(call, target, &settings(target), (event, runs), payload, end);
    }
    if runs > settings(target).retries.unwrap_or(RETRIES) {
        call.delete(&EVENTS, place)?;
        let end = End::Exhausted { ran, version };
        return destination::tell(call, target, &settings(target), (event, runs), payload, end);
    }
    let later = Event {
        runs,
        turned_back: 0,
        ..event.clone()
    };
    call.put(&EVENTS, place, later)?;
    let due = call.now.0.saturating_add(i64::from(runs) * MINUTE).min(ends);
    plan(call, place, Timestamp(due))
}

fn give_up(
    call: &mut Call<'_>,
    (place, event): (&Place, &Event),
    target: &FunctionTarget,
    payload: &Bytes,
    end: End<'_>,
) -> Result<()> {
    call.delete(&EVENTS, place)?;
    destination::tell(call, target, &settings(target), (event, event.runs), payload, end)
}

/// Events that wait, for tests and figures.
///
/// # Errors
/// The store's, as a fault.
pub fn waiting(look: &mut Look<'_>, account: &str, region: &str, function: &str) -> Result<usize> {
    let rows = look.range(&EVENTS, &(account, region, function), None, STRETCH)?;
    Ok(rows.len())
}
