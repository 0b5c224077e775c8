//! A part of a call that may fail without failing the call: a job that goes on after a step that was refused.
//!
//! Invariant: what fails here leaves nothing but the records of what it read and of what was refused.

use std::mem::take;

use wire::Fault;

use crate::call::Call;
use crate::invoke::Invoked;
use crate::operation::Result;

impl Call<'_> {
    /// Runs `work`, and takes back whatever it wrote and planned if it fails. The outer error must be handed up: the run cannot go on
    /// (a conflict, or something from outside is wanted first). The inner one is `work`'s own.
    ///
    /// # Errors
    /// As said.
    pub fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<std::result::Result<T, Fault>> {
        let saved = self.look.tx.savepoint();
        let (planned, invoked) = (self.pending.len(), self.invoked.len());
        let before = take(&mut self.moves);
        let worked = work(self);
        let moved = std::mem::replace(&mut self.moves, before);
        match worked {
            Err(fault) if self.look.conflict || self.look.wanted.is_some() => Err(fault),
            Err(fault) => {
                self.look.tx.restore(saved);
                self.pending.truncate(planned);
                let tried = self.invoked.split_off(invoked);
                self.invoked
                    .extend(tried.into_iter().filter(Invoked::outlives_failure));
                Ok(Err(fault))
            }
            Ok(done) => {
                self.moves.join(moved);
                Ok(Ok(done))
            }
        }
    }
}
