//! A call that has something to do in another region of its account: a replica that follows its primary.
//!
//! Invariant: what was judged, planned and told there belongs to the same call, and to its record.

use std::mem::take;

use crate::call::{Call, Look};
use crate::operation::Result;

impl Call<'_> {
    /// Runs `work` as if the call had been made in another region: the same caller, in the same transaction. The call's own
    /// record stays where it is; what it invokes there is recorded there.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn within_region<T>(
        &mut self,
        region: &str,
        work: impl FnOnce(&mut Call<'_>) -> Result<T>,
    ) -> Result<T> {
        let (environment, now, account) = (self.look.environment, self.look.now, self.look.account_shared());
        let brought = self.look.brought;
        let mut look = Look::new(&mut *self.look.tx, environment, now, region, account);
        look.brought = brought;
        let mut there = Call::new(look, self.identity, self.request, self.service);
        there.via = self.via;
        there.made_by = self.made_by;
        there.chain = self.chain.clone();
        there.cause = self.cause.clone();
        there.judgements = take(&mut self.judgements);
        there.resources = take(&mut self.resources);
        there.pending = take(&mut self.pending);
        there.shared_with = take(&mut self.shared_with);
        there.additional = take(&mut self.additional);
        there.invoked = take(&mut self.invoked);
        there.unkept = take(&mut self.unkept);
        there.measured = take(&mut self.measured);
        let worked = work(&mut there);
        let Call {
            look,
            judgements,
            resources,
            pending,
            shared_with,
            additional,
            invoked,
            unkept,
            measured,
            ..
        } = there;
        let (conflict, wanted) = (look.conflict, look.wanted);
        self.look.conflict |= conflict;
        self.look.wanted = self.look.wanted.take().or(wanted);
        self.judgements = judgements;
        self.resources = resources;
        self.pending = pending;
        self.shared_with = shared_with;
        self.additional = additional;
        self.invoked = invoked;
        self.unkept = unkept;
        self.measured = measured;
        worked
    }
}
