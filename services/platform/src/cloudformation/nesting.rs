//! Stacks of stacks: who is whose, and in whose name the inner ones act.
//!
//! Invariant: an inner stack acts as the outer one does, and wakes it when its operation has ended.

use pipeline::{Call, Result};
use wire::Fault;

use super::actor::Actor;
use super::fault::invalid;
use super::stack::{STACKS, Stack, find};
use super::work::{self, WORK, Work, wake};

/// How deep stacks may lie in one another: a template that names itself would make stacks without end.
const DEPTH_MAX: usize = 32;

/// Refuses to nest a stack in one that lies too deep.
pub(crate) fn expect_shallow(call: &mut Call<'_>, stack: &Stack) -> Result<()> {
    let mut parent = stack.parent.clone();
    for _ in 1..DEPTH_MAX {
        let Some(id) = parent else {
            return Ok(());
        };
        parent = find(call, &id)?.and_then(|stack| stack.parent.clone());
    }
    Err(invalid(format!(
        "Stacks can be nested {DEPTH_MAX} deep in this version of Ringwork."
    )))
}

/// Makes a stack one of `parent`'s, whose operation on it has just begun, and gives the operation's id.
pub(crate) fn take_on(call: &mut Call<'_>, id: &str, parent: &Stack, actor: &Actor) -> Result<String> {
    let lost = || Fault::internal("a nested stack has no operation underway");
    let child = find(call, id)?.ok_or_else(lost)?;
    let mut child = (*child).clone();
    let work = work::find(call, &child)?.ok_or_else(lost)?;
    child.parent = Some(parent.id());
    child.root = Some(parent.root.clone().unwrap_or_else(|| parent.id()));
    child.role.clone_from(&parent.role);
    let work = Work {
        actor: actor.clone(),
        ..work
    };
    let (operation, place) = (work.id.clone(), child.place());
    call.put(&WORK, &place, work)?;
    child.keep(call)?;
    Ok(operation)
}

/// Tells a stack's parent that an operation of the stack has ended, if the parent waits for it: for this one, or for one whose place
/// another has taken (the deletion of a stack that is being made).
pub(super) fn wake_parent(call: &mut Call<'_>, child: &Stack) -> Result<()> {
    let Some(uuid) = child.parent.as_deref().and_then(|id| id.rsplit('/').next()) else {
        return Ok(());
    };
    let place = (child.account.as_str(), child.region.as_str(), uuid);
    let (Some(parent), Some(work)) = (call.get(&STACKS, &place)?, call.get(&WORK, &place)?) else {
        return Ok(());
    };
    let awaits = work.pending.as_ref();
    if awaits.is_some_and(|pending| pending.physical_id == child.id()) {
        wake(call, &parent, &work)?;
    }
    Ok(())
}

/// Whether the root of a stack is protected from deletion.
pub(crate) fn root_protected(call: &mut Call<'_>, stack: &Stack) -> Result<bool> {
    let Some(root) = &stack.root else {
        return Ok(false);
    };
    Ok(find(call, root)?.is_some_and(|root| root.protected && !root.is_deleted()))
}
