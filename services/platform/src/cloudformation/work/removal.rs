//! Removing: all of a stack, what a failed creation left, and what an update no longer names.
//!
//! Invariant: what something else still needs is not removed before that; what is to be retained is let go of and not touched.

use std::collections::BTreeSet;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Call, Result};

use super::{Kind, Next, Run, dispose};
use crate::cloudformation::change::lives;
use crate::cloudformation::resource::{self, StackResource};
use crate::cloudformation::stack::{NAMES, Stack};
use crate::cloudformation::submission::{PREVIOUS, forget_body};
use crate::cloudformation::{export, order, retention};

/// The logical ids of a stack's resources, each before what it needs.
pub(crate) fn backwards(call: &mut Call<'_>, stack: &Stack) -> Result<Vec<String>> {
    let rows = resource::all(call, stack)?;
    let rows = rows
        .into_iter()
        .filter(|(_, row)| lives(row) || row.status.ends_with("FAILED"));
    let (mut ids, mut needs) = (Vec::new(), std::collections::BTreeMap::new());
    for (id, row) in rows {
        needs.insert(id.clone(), row.needs.clone());
        ids.push(id);
    }
    let mut sorted = order::sorted(&ids, &needs);
    sorted.reverse();
    Ok(sorted)
}

impl Run {
    /// One step of removing everything.
    pub(super) fn remove(&mut self, call: &mut Call<'_>) -> Result<Next> {
        if let Some(garbage) = self.work.garbage.pop() {
            let retained = garbage.retained || self.work.retain.contains(&garbage.row.logical_id);
            return self.sweep(call, garbage.row, retained);
        }
        if self.work.queue.is_empty() {
            return self.removed(call);
        }
        let id = self.work.queue.remove(0);
        let Some(row) = resource::find(call, &self.stack, &id)? else {
            return Ok(Next::Step);
        };
        let mut row = (*row).clone();
        let making = self.work.kind == Kind::Create;
        let retained = row.is_retained(making) && !(making && self.work.retain_except_on_create);
        if retained || self.work.retain.contains(&id) {
            if let Some(physical) = &row.physical_id {
                resource::unlink(call, &self.stack, physical)?;
            }
            self.tell(call, &mut row, "DELETE_SKIPPED", None, None)?;
            resource::keep_gone(call, &self.stack, row)?;
            return Ok(Next::Step);
        }
        if self.needed_by_failed(call, &id)? {
            return Ok(Next::Step);
        }
        let resumed = self.resumed.take();
        if resumed.is_none() {
            self.tell(call, &mut row, "DELETE_IN_PROGRESS", None, None)?;
        }
        match dispose(call, self, &row, resumed.as_ref())? {
            Ok(Some(awaited)) => {
                let physical = row.physical_id.clone().unwrap_or_default();
                resource::keep(call, &self.stack, row)?;
                return self.wait(call, resumed, awaited, (physical, None));
            }
            Ok(None) => {
                if let Some(physical) = &row.physical_id {
                    resource::unlink(call, &self.stack, physical)?;
                }
                self.tell(call, &mut row, "DELETE_COMPLETE", None, None)?;
                resource::keep_gone(call, &self.stack, row)?;
            }
            Err(reason) => self.fail_removal(call, row, &reason)?,
        }
        Ok(Next::Step)
    }

    /// Notes that a resource could not be removed.
    pub(super) fn fail_removal(
        &mut self,
        call: &mut Call<'_>,
        mut row: StackResource,
        reason: &str,
    ) -> Result<()> {
        let failed = ("delete".to_owned(), row.logical_id.clone());
        self.work.failed.push(failed);
        self.tell(call, &mut row, "DELETE_FAILED", Some(reason), None)?;
        resource::keep(call, &self.stack, row)
    }

    /// Whether a resource that could not be removed needs this one, directly or not: then it stays.
    fn needed_by_failed(&self, call: &mut Call<'_>, id: &str) -> Result<bool> {
        let failed = self.work.failed.iter().filter(|(verb, _)| verb == "delete");
        let mut open: Vec<String> = failed.map(|(_, id)| id.clone()).collect();
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop() {
            let Some(row) = resource::find(call, &self.stack, &next)? else {
                continue;
            };
            if row.needs.contains(id) {
                return Ok(true);
            }
            let further = row.needs.iter().filter(|need| seen.insert((*need).clone()));
            open.extend(further.cloned());
        }
        Ok(false)
    }

    /// Nothing is left to remove.
    fn removed(&mut self, call: &mut Call<'_>) -> Result<Next> {
        let rolled_back = self.work.kind == Kind::Create && !self.stack.status.starts_with("DELETE");
        if !self.work.failed.iter().all(|(verb, _)| verb != "delete") {
            self.work.failed.retain(|(verb, _)| verb == "delete");
            let reason = self.failures();
            let status = if rolled_back {
                StackStatus::RollbackFailed
            } else {
                StackStatus::DeleteFailed
            };
            self.turn(call, status, Some(&reason))?;
            return Ok(Next::End);
        }
        let held = std::mem::take(&mut self.stack.imports)
            .into_iter()
            .chain(std::mem::take(&mut self.work.imports));
        export::release(call, &self.stack, held, &BTreeSet::new())?;
        if rolled_back {
            self.turn(call, StackStatus::RollbackComplete, None)?;
            return Ok(Next::End);
        }
        export::settle(call, &mut self.stack, &[])?;
        let (account, region, _) = self.stack.place();
        let name = self.stack.name.clone();
        call.delete(&NAMES, &(account, region, name))?;
        self.turn(call, StackStatus::DeleteComplete, None)?;
        self.stack.deleted = Some(call.now.0);
        retention::plan(call, &self.stack)?;
        Ok(Next::End)
    }

    /// One step of removing what an update, or its undoing, left behind.
    pub(super) fn clean_up(&mut self, call: &mut Call<'_>) -> Result<Next> {
        if let Some(garbage) = self.work.garbage.pop() {
            let retained = garbage.retained;
            return self.sweep(call, garbage.row, retained);
        }
        forget_body(call, &self.stack, PREVIOUS)?;
        let status = if self.stack.status().as_str().starts_with("UPDATE_ROLLBACK") {
            StackStatus::UpdateRollbackComplete
        } else {
            StackStatus::UpdateComplete
        };
        self.turn(call, status, None)?;
        Ok(Next::End)
    }

    /// Removes something that no template names. What cannot be removed is let go of, as on AWS.
    fn sweep(&mut self, call: &mut Call<'_>, mut row: StackResource, retained: bool) -> Result<Next> {
        let current = resource::find(call, &self.stack, &row.logical_id)?;
        if current.is_some_and(|current| current.physical_id == row.physical_id) {
            resource::forget(call, &self.stack, &row.logical_id)?;
        }
        if let Some(physical) = &row.physical_id {
            resource::unlink(call, &self.stack, physical)?;
        }
        if retained {
            self.tell(call, &mut row, "DELETE_SKIPPED", None, None)?;
            return Ok(Next::Step);
        }
        let resumed = self.resumed.take();
        if resumed.is_none() {
            self.tell(call, &mut row, "DELETE_IN_PROGRESS", None, None)?;
        }
        match dispose(call, self, &row, resumed.as_ref())? {
            Ok(Some(awaited)) => {
                let physical = row.physical_id.unwrap_or_default();
                return self.wait(call, resumed, awaited, (physical, None));
            }
            Ok(None) => self.tell(call, &mut row, "DELETE_COMPLETE", None, None)?,
            Err(reason) => self.tell(call, &mut row, "DELETE_FAILED", Some(&reason), None)?,
        }
        Ok(Next::Step)
    }
}
