//! A step that breaks for a reason of the stack's own rows, not of a resource's service: what it was about is told to have failed, and the
//! operation goes on with the rest.
//!
//! Invariant: what was still to be undone or removed stays written down, in the operation's row or in the stack's, until it is.

use api::cloudformation::StackStatus;
use pipeline::{Call, Result};
use wire::Fault;

use super::{Garbage, Kind, Next, Phase, Run, words};
use crate::cloudformation::resource;

impl Run {
    /// Goes on after a step that broke, of which nothing was written.
    pub(super) fn go_on(&mut self, call: &mut Call<'_>, fault: &Fault) -> Result<Next> {
        let reason = words(fault);
        self.work.pending = None;
        match self.work.phase {
            Phase::Forward => return self.give_up(call, &format!("{reason}. ")),
            Phase::Rollback => {
                if let Some(undo) = self.work.undo.pop() {
                    if let Some(row) = resource::find(call, &self.stack, &undo.logical_id)? {
                        self.defer(call, undo, (*row).clone(), &reason)?;
                    }
                    return Ok(Next::Step);
                }
            }
            Phase::Cleanup => {
                if let Some(garbage) = self.work.garbage.pop() {
                    self.leave(call, garbage, &reason)?;
                    return Ok(Next::Step);
                }
            }
            Phase::Removal => {
                if let Some(garbage) = self.work.garbage.pop() {
                    let id = garbage.row.logical_id.clone();
                    self.work.failed.push(("delete".to_owned(), id));
                    self.leave(call, garbage, &reason)?;
                    return Ok(Next::Step);
                }
                if !self.work.queue.is_empty() {
                    let id = self.work.queue.remove(0);
                    if let Some(row) = resource::find(call, &self.stack, &id)? {
                        self.fail_removal(call, (*row).clone(), &reason)?;
                    }
                    return Ok(Next::Step);
                }
            }
        }
        self.rest(call, fault)
    }

    /// Leaves something that could not be removed to the stack's next operation.
    fn leave(&mut self, call: &mut Call<'_>, garbage: Garbage, reason: &str) -> Result<()> {
        let mut row = garbage.row;
        self.tell(call, &mut row, "DELETE_FAILED", Some(reason), None)?;
        if !garbage.retained {
            self.stack.leftover.push(row);
        }
        Ok(())
    }

    /// Ends an operation that cannot go on, with all that is still to be undone and removed in its row: `ContinueUpdateRollback` and
    /// `DeleteStack` find it there.
    pub(super) fn rest(&mut self, call: &mut Call<'_>, fault: &Fault) -> Result<Next> {
        let rolled_back = self.stack.status.starts_with("UPDATE_ROLLBACK");
        let status = match (self.work.kind, self.work.phase) {
            (Kind::Create, Phase::Forward) => StackStatus::CreateFailed,
            (Kind::Create, _) => StackStatus::RollbackFailed,
            (Kind::Delete, _) => StackStatus::DeleteFailed,
            (Kind::Update, Phase::Cleanup) if !rolled_back => {
                let left = std::mem::take(&mut self.work.garbage).into_iter();
                let left = left.filter(|garbage| !garbage.retained);
                self.stack.leftover.extend(left.map(|garbage| garbage.row));
                StackStatus::UpdateFailed
            }
            (Kind::Update, Phase::Forward) => {
                self.work.queue.clear();
                self.work.phase = Phase::Rollback;
                StackStatus::UpdateRollbackFailed
            }
            (Kind::Update, _) => {
                let mut deferred = std::mem::take(&mut self.work.deferred);
                self.work.undo.append(&mut deferred);
                StackStatus::UpdateRollbackFailed
            }
        };
        self.turn(call, status, Some(&words(fault)))?;
        Ok(Next::Rest)
    }
}
