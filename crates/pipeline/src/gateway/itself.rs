//! What a service does by itself because something outside of any request asks it to: an instance that wants its role's credentials,
//! or that has ended.
//!
//! Invariant: as with a request, what was written and the records of what other services were asked are one commit; a failure keeps
//! nothing.

use wire::Fault;
use wire::fault::Common;

use super::{ATTEMPTS_MAX, Gateway};
use crate::call::{Call, Look, RequestFacts};
use crate::gateway::caught;
use crate::identity::Identity;
use crate::invoke::Invoked;
use crate::operation::Result;

impl Gateway {
    /// Runs `work` as a service in an account and region, in one transaction. `by` is the service's principal
    /// (`ec2.amazonaws.com`). It can have no errands done; it may plan jobs that do.
    ///
    /// # Errors
    /// What `work` answers, which then keeps nothing, or the store's failure as a fault.
    pub async fn by_itself<T: Send>(
        &self,
        (service, by): (&'static str, &'static str),
        (account, region): (&str, &str),
        work: impl Fn(&mut Call<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        let identity = Identity::service(by, account);
        let facts = RequestFacts {
            id: self.environment.draw_id(self.environment.clock.wall().0),
            source_ip: by.to_owned(),
            user_agent: Some(by.to_owned()),
            secure: true,
            ..RequestFacts::default()
        };
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let now = self.environment.clock.now();
            let look = Look::new(&mut tx, &self.environment, now, region, account.into());
            let mut call = Call::new(look, &identity, &facts, service);
            let worked = caught(|| work(&mut call));
            if call.look.conflict {
                continue;
            }
            let worked = worked?;
            let Call {
                invoked,
                unkept,
                pending,
                moves,
                ..
            } = call;
            unkept.write(&mut tx).map_err(Fault::internal)?;
            let told = invoked.into_iter();
            let appends = told.flat_map(|Invoked { record, shared_with }| self.appends(record, &shared_with));
            match self.store.commit(tx, appends.collect()).await {
                Ok(committed) => {
                    let released = moves.committed();
                    self.environment.yard.release(released, committed.version).await;
                    unkept.committed();
                    if !pending.is_empty() {
                        self.replanned.notify_one();
                    }
                    return Ok(worked);
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => {
                    moves.uncertain();
                    return Err(Fault::internal(error));
                }
            }
        }
        Err(Fault::common(Common::Unavailable, ""))
    }
}
