//! Going back: what an update changed is changed again, the last first.
//!
//! Invariant: what was replaced is itself again without a call; what was made goes in the cleaning up; what was changed in place is
//! changed to what it was by its service, with dynamic references opened anew.

use std::collections::BTreeSet;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Call, Result};

use super::{Garbage, Next, Phase, Run, Undo};
use crate::cloudformation::export;
use crate::cloudformation::hidden::Hidden;
use crate::cloudformation::resource::{self, Contents, StackResource};
use crate::cloudformation::resource_type::{self, Existing};
use crate::cloudformation::submission::{CURRENT, PREVIOUS, body, keep_body};

impl Run {
    /// One step of undoing an update.
    pub(super) fn go_back(&mut self, call: &mut Call<'_>) -> Result<Next> {
        let Some(undo) = self.work.undo.pop() else {
            return self.went_back(call);
        };
        let now = resource::find(call, &self.stack, &undo.logical_id)?;
        let Some(now) = now.map(|row| (*row).clone()) else {
            return Ok(Next::Step);
        };
        let Some(before) = undo.before.clone() else {
            let retained =
                now.physical_id.is_some() && now.is_retained(true) && !self.work.retain_except_on_create;
            self.work.garbage.push(Garbage { row: now, retained });
            return Ok(Next::Step);
        };
        if before.physical_id != now.physical_id {
            // What was to be removed stays, and its successor goes.
            self.work
                .garbage
                .retain(|garbage| garbage.row.physical_id != before.physical_id);
            self.work.garbage.push(Garbage {
                row: now,
                retained: false,
            });
            self.restore(call, before)?;
            return Ok(Next::Step);
        }
        if before.hidden == now.hidden && before.status == now.status && before.at == now.at {
            // Nothing was done to it, but that its template says otherwise what becomes of it.
            resource::keep(call, &self.stack, before)?;
            return Ok(Next::Step);
        }
        if before.hidden == now.hidden {
            self.restore(call, before)?;
            return Ok(Next::Step);
        }
        self.change_back(call, undo, before, now)
    }

    fn restore(&mut self, call: &mut Call<'_>, mut before: StackResource) -> Result<()> {
        self.tell(call, &mut before, "UPDATE_COMPLETE", None, None)?;
        resource::keep(call, &self.stack, before)
    }

    fn change_back(
        &mut self,
        call: &mut Call<'_>,
        undo: Undo,
        mut before: StackResource,
        now: StackResource,
    ) -> Result<Next> {
        let Some(kind) = resource_type::find(&before.kind) else {
            self.restore(call, before)?;
            return Ok(Next::Step);
        };
        let (old, new) = (
            before.contents(call, &self.stack)?,
            now.contents(call, &self.stack)?,
        );
        let existing = Existing {
            physical_id: now.physical_id.as_deref().unwrap_or_default(),
            properties: &new.properties,
            attributes: &new.attributes,
            tags: &new.tags,
        };
        let resumed = self.resumed.take();
        if resumed.is_none() {
            self.tell(call, &mut before, "UPDATE_IN_PROGRESS", None, None)?;
        }
        let wish = (&old.properties, &old.tags, resumed.as_ref());
        let made = self.call_service(call, kind, &before, wish, Some(&existing))?;
        match made {
            Ok(made) => {
                if let Some(awaited) = made.awaits {
                    return self.wait(call, resumed, awaited, (made.physical_id, None));
                }
                if now.physical_id.as_ref() != Some(&made.physical_id) {
                    // A custom resource that was made anew to be what it was.
                    self.work.garbage.push(Garbage {
                        row: now,
                        retained: false,
                    });
                }
                before.physical_id = Some(made.physical_id);
                let contents = Contents {
                    attributes: made.attributes,
                    no_echo: made.no_echo,
                    ..old
                };
                before.hidden = Hidden::seal(call, self.stack.bond(), &contents)?;
                self.restore(call, before)?;
            }
            Err(failure) => self.defer(call, undo, now, &failure.reason)?,
        }
        Ok(Next::Step)
    }

    /// Notes that a resource could not be changed back; `ContinueUpdateRollback` tries it again.
    pub(super) fn defer(
        &mut self,
        call: &mut Call<'_>,
        undo: Undo,
        mut now: StackResource,
        reason: &str,
    ) -> Result<()> {
        self.tell(call, &mut now, "UPDATE_FAILED", Some(reason), None)?;
        resource::keep(call, &self.stack, now)?;
        let failed = ("update".to_owned(), undo.logical_id.clone());
        self.work.failed.push(failed);
        self.work.deferred.push(undo);
        Ok(())
    }

    /// Everything is undone that could be.
    fn went_back(&mut self, call: &mut Call<'_>) -> Result<Next> {
        if !self.work.deferred.is_empty() {
            self.work.undo = std::mem::take(&mut self.work.deferred);
            let reason = self.failures();
            self.work.failed.clear();
            self.turn(call, StackStatus::UpdateRollbackFailed, Some(&reason))?;
            return Ok(Next::Rest);
        }
        if let Some(before) = self.work.before.take() {
            // Exports changed with the outputs, in an update's last step, after which nothing is undone.
            self.stack.description = before.description;
            self.stack.capabilities = before.capabilities;
            self.stack.tags = before.tags;
            self.stack.hidden = before.hidden;
            let kept: BTreeSet<String> = before.imports.iter().cloned().collect();
            let held = std::mem::take(&mut self.work.imports);
            export::release(call, &self.stack, held, &kept)?;
            self.stack.imports = before.imports;
        }
        let text = body(call, &self.stack, PREVIOUS)?;
        if !text.is_empty() {
            keep_body(call, &self.stack, CURRENT, &text)?;
        }
        self.work.phase = Phase::Cleanup;
        self.turn(call, StackStatus::UpdateRollbackCompleteCleanupInProgress, None)?;
        Ok(Next::Step)
    }
}
