//! Going forward: resources in the order of their needs, then the outputs.
//!
//! Invariant: a stack is complete only when everything that its template says is there, its outputs and exports included.

use std::collections::BTreeSet;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Call, Result};

use super::making::Plan;
use super::removal::backwards;
use super::{Garbage, Kind, Next, Phase, Run, words};
use crate::cloudformation::change::lives;
use crate::cloudformation::evaluation::{Asking, facts};
use crate::cloudformation::export;
use crate::cloudformation::resource::{self, StackResource};
use crate::cloudformation::stack::KeptOutput;
use crate::cloudformation::stack_policy::{self, Deed};
use crate::cloudformation::submission::{CURRENT, body};
use crate::cloudformation::template::{Evaluation, Template};

impl Run {
    /// One step of making the stack what its template says.
    pub(super) fn go_forward(&mut self, call: &mut Call<'_>) -> Result<Next> {
        // What waits is looked at before the operation ends.
        let waits = self.resumed.is_some();
        if self.work.cancelled && !waits {
            return self.give_up(call, "User Initiated");
        }
        if !waits && self.work.deadline.is_some_and(|deadline| call.now.0 > deadline) {
            return self.give_up(call, "Stack creation time exceeded the specified timeout. ");
        }
        let text = body(call, &self.stack, CURRENT)?;
        let inner = self.stack.inner(call)?;
        let plan = Plan {
            template: Template::stored(&text)?,
            settings: inner.settings.into_iter().map(Into::into).collect(),
            facts: facts(&self.stack),
        };
        if self.work.queue.is_empty() {
            return self.complete(call, &plan);
        }
        let id = self.work.queue.remove(0);
        if let Some(next) = self.make(call, &plan, &id)? {
            return Ok(next);
        }
        let reason = self.failures();
        self.give_up(call, &reason)
    }

    /// Everything is made: the outputs, and what is to go.
    fn complete(&mut self, call: &mut Call<'_>, plan: &Plan) -> Result<Next> {
        let gone = match self.gone(call, plan)? {
            Ok(gone) => gone,
            Err((mut row, reason)) => {
                let verb = ("delete".to_owned(), row.logical_id.clone());
                self.work.failed.push(verb);
                self.tell(call, &mut row, "DELETE_FAILED", Some(&reason), None)?;
                return self.give_up(call, &reason);
            }
        };
        let settled = call.attempt(|call| self.tell_outputs(call, plan))?;
        if let Err(fault) = settled {
            return self.give_up(call, &words(&fault));
        }
        let (held, kept) = (self.stack.imports.clone(), self.work.imports.clone());
        export::release(call, &self.stack, held, &kept)?;
        self.stack.imports = kept.into_iter().collect();
        if self.work.kind == Kind::Create {
            self.turn(call, StackStatus::CreateComplete, None)?;
            return Ok(Next::End);
        }
        // The last of the list is removed first: what was replaced goes before what is no longer named.
        self.work.garbage.splice(0..0, gone);
        self.work.phase = Phase::Cleanup;
        self.turn(call, StackStatus::UpdateCompleteCleanupInProgress, None)?;
        Ok(Next::Step)
    }

    fn tell_outputs(&mut self, call: &mut Call<'_>, plan: &Plan) -> Result<()> {
        let evaluation = Evaluation::new(&plan.template, &plan.settings, &plan.facts)?;
        let none = BTreeSet::new();
        let mut asking = Asking::new(call, &self.stack, &none);
        let outputs = evaluation.outputs(&mut asking)?;
        let imports = std::mem::take(&mut asking.imports);
        export::hold(call, &self.stack, &imports)?;
        self.work.imports.extend(imports);
        let outputs: Vec<KeptOutput> = outputs.into_iter().map(Into::into).collect();
        let mut stack = self.stack.clone();
        export::settle(call, &mut stack, &outputs)?;
        self.stack = stack;
        let mut inner = self.stack.inner(call)?;
        inner.outputs = outputs;
        self.stack.conceal(call, &inner)
    }

    /// What the template no longer names, the first to be removed last; or what the stack's policy keeps.
    fn gone(
        &self,
        call: &mut Call<'_>,
        plan: &Plan,
    ) -> Result<std::result::Result<Vec<Garbage>, (StackResource, String)>> {
        let evaluation = Evaluation::new(&plan.template, &plan.settings, &plan.facts)?;
        let wanted: BTreeSet<&str> = evaluation
            .resources()
            .map(|resource| resource.logical_id.as_str())
            .collect();
        let policy = self.work.policy.as_deref().or(self.stack.policy.as_deref());
        let mut gone = Vec::new();
        for id in backwards(call, &self.stack)? {
            if wanted.contains(id.as_str()) {
                continue;
            }
            let Some(row) = resource::find(call, &self.stack, &id)? else {
                continue;
            };
            let row = (*row).clone();
            if !lives(&row) {
                resource::forget(call, &self.stack, &id)?;
                continue;
            }
            if let Err(reason) = stack_policy::judge(policy, Deed::Delete, &id, &row.kind) {
                return Ok(Err((row, reason)));
            }
            let retained = row.is_retained(false);
            gone.push(Garbage { row, retained });
        }
        gone.reverse();
        Ok(Ok(gone))
    }

    /// Something failed: back, away with it, or stay as it is, as the caller wished.
    pub(super) fn give_up(&mut self, call: &mut Call<'_>, reason: &str) -> Result<Next> {
        self.work.queue.clear();
        let delete = self.stack.on_failure == model::OnFailure::Delete.as_str();
        let stay = self.work.disable_rollback && !self.work.cancelled;
        match (self.work.kind, stay) {
            (Kind::Create, true) => self.turn(call, StackStatus::CreateFailed, Some(reason))?,
            (Kind::Create, false) if delete => {
                self.turn(call, StackStatus::DeleteInProgress, Some(reason))?;
            }
            (Kind::Create, false) => {
                let reason = format!("{reason}Rollback requested by user.");
                self.turn(call, StackStatus::RollbackInProgress, Some(&reason))?;
            }
            (_, true) => {
                self.stack.leftover = std::mem::take(&mut self.work.garbage)
                    .into_iter()
                    .filter(|garbage| !garbage.retained)
                    .map(|garbage| garbage.row)
                    .collect();
                self.turn(call, StackStatus::UpdateFailed, Some(reason))?;
            }
            (_, false) => self.turn(call, StackStatus::UpdateRollbackInProgress, Some(reason))?,
        }
        if stay {
            let (held, kept) = (
                BTreeSet::from_iter(self.stack.imports.clone()),
                &self.work.imports,
            );
            self.stack.imports = held.union(kept).cloned().collect();
            return Ok(Next::End);
        }
        if self.work.kind == Kind::Create {
            self.work.failed.clear();
            self.work.phase = Phase::Removal;
            self.work.queue = backwards(call, &self.stack)?;
        } else {
            self.work.failed.clear();
            self.work.phase = Phase::Rollback;
        }
        Ok(Next::Step)
    }
}
