//! The way of the installation itself: bootstrap, seeds of what no operation makes, and the control plane's reads.

use std::sync::Arc;

use wire::Fault;
use wire::fault::Common;

use super::{ATTEMPTS_MAX, Gateway};
use crate::call::{Call, Look, RequestFacts};
use crate::identity::Identity;
use crate::operation::Result;

impl Gateway {
    /// Runs `work` as the installation itself, in one transaction without a decision: the bootstrap and the control
    /// plane's reads. Blocks; not for handlers.
    ///
    /// # Errors
    /// What `work` answers, or the store's failure as a fault.
    pub fn system<T>(&self, region: &str, mut work: impl FnMut(&mut Call<'_>) -> Result<T>) -> Result<T> {
        let identity = Identity::installation(&self.environment.management_account);
        let facts = RequestFacts {
            source_ip: "127.0.0.1".to_owned(),
            secure: true,
            ..RequestFacts::default()
        };
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let account = Arc::clone(&self.environment.management_account);
            let look = Look::new(
                &mut tx,
                &self.environment,
                self.environment.clock.now(),
                region,
                account,
            );
            let mut call = Call::new(look, &identity, &facts, "ringwork");
            let worked = work(&mut call);
            if call.look.conflict {
                continue;
            }
            let moves = std::mem::take(&mut call.moves);
            let worked = worked?;
            match self.store.commit(tx, Vec::new()).wait() {
                Ok(committed) => {
                    let released = moves.committed();
                    self.environment.yard.release_now(released, committed.version);
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
