//! Deleted stacks are known for ninety days, and then forgotten with their events.
//!
//! Source: CloudFormation API Reference, `ListStacks`.
//!
//! Invariant: a stack that is not deleted is never forgotten, and a run removes no more than a bounded number of rows.

use pipeline::{Call, Result};
use serde_json::{Value, json};
use store::{Key, Record, Table};
use wire::Timestamp;

use super::event::EVENTS;
use super::resource::RESOURCES;
use super::signal::SIGNALS;
use super::stack::{BY_AGE, STACKS, Stack};
use super::submission::BODIES;

/// The job that forgets a stack.
pub(crate) const JOB: &str = "cloudformation.Forget";
/// Milliseconds: ninety days.
const KEPT: i64 = 90 * 86_400_000;
/// Rows of a kind that a run removes.
const STRETCH: usize = 500;

/// Plans to forget a stack that was just deleted.
pub(crate) fn plan(call: &mut Call<'_>, stack: &Stack) -> Result<()> {
    let due = Timestamp(call.now.0 + KEPT);
    call.schedule(JOB, due, json!({ "stack": stack.uuid })).map(drop)
}

/// Forgets a stack, or a part of it and plans the rest.
pub(crate) fn run(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let uuid = payload.get("stack").and_then(Value::as_str).unwrap_or_default();
    let place = (
        call.account().to_owned(),
        call.region().to_owned(),
        uuid.to_owned(),
    );
    let Some(stack) = call.get(&STACKS, &place)?.filter(|stack| stack.is_deleted()) else {
        return Ok(());
    };
    let more = sweep(call, &EVENTS, &stack)?
        | sweep(call, &RESOURCES, &stack)?
        | sweep(call, &BODIES, &stack)?
        | sweep(call, &SIGNALS, &stack)?;
    if more {
        let now = call.now;
        return call.schedule(JOB, now, payload.clone()).map(drop);
    }
    let (account, region, uuid) = place.clone();
    let age = (account, region, stack.created.unsigned_abs(), uuid);
    call.delete(&BY_AGE, &age)?;
    call.delete(&STACKS, &place)
}

/// Removes rows of a stack; whether there may be more.
fn sweep<L: Key + Clone + store::AsKey<L>, V: Record>(
    call: &mut Call<'_>,
    table: &Table<(String, String, String, L), V>,
    stack: &Stack,
) -> Result<bool> {
    let rows = call.range(table, &stack.bond(), None, STRETCH)?;
    for (place, _) in &rows {
        call.delete(table, place)?;
    }
    Ok(rows.len() == STRETCH)
}
