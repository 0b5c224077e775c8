//! The end of an account: its instances stop when it is closed and are terminated when it is gone for good, protected or not.
//!
//! Source: AWS Account Management Reference Guide, "Close an AWS account": nothing of the account can be used once it is closed, and what is
//! in it is deleted after ninety days.
//!
//! Invariant: no instance of a closed account stays running; one that is on its way there when the account is closed is stopped as soon as
//! it has come.

use pipeline::{Call, Closure, Result};
use serde_json::json;

use super::instance::{INSTANCES, Instance, State};
use super::work;

/// EC2's part.
pub(super) const CLOSURE: Closure = Closure { closed, gone };

/// Has a running instance stopped; the caller keeps the row.
pub(super) fn stop(call: &mut Call<'_>, instance: &mut Instance) -> Result<()> {
    because(instance);
    instance.state = State::Stopping;
    work::plan_with(call, work::STOP, instance, json!({ "force": false }))
}

fn because(instance: &mut Instance) {
    let code = "Server.ScheduledStop";
    instance.transition_reason = code.to_owned();
    let message = format!("{code}: The account of the instance was closed");
    instance.state_reason = Some((code.to_owned(), message));
}

fn closed(call: &mut Call<'_>) -> Result<()> {
    each(call, |call, instance| match instance.state {
        State::Running => stop(call, instance),
        // What is on its way to run stops by `work::start`; the rest does not run.
        _ => Ok(()),
    })
}

fn gone(call: &mut Call<'_>) -> Result<()> {
    each(call, |call, instance| {
        if instance.state.is_gone() {
            return Ok(());
        }
        because(instance);
        instance.state = State::ShuttingDown;
        work::plan(call, work::TERMINATE, instance)
    })
}

/// Does something with every instance of the account that does change it.
fn each(
    call: &mut Call<'_>,
    mut change: impl FnMut(&mut Call<'_>, &mut Instance) -> Result<()>,
) -> Result<()> {
    let account = call.account().to_owned();
    for (_, row) in call.every(&INSTANCES, &(account.as_str(),))? {
        let mut instance = (*row).clone();
        change(call, &mut instance)?;
        if instance.state != row.state {
            instance.keep(call)?;
        }
    }
    Ok(())
}
