//! What services do when an account is closed, and when it is gone for good: what runs for it stops.
//!
//! Source: AWS Account Management Reference Guide, "Close an AWS account".
//!
//! Invariant: it is planned in the transaction that closes the account.

use crate::call::Call;
use crate::operation::Result;

/// One service's part in the end of an account. Both run within the account, for all regions of it.
pub struct Closure {
    /// The account was closed: nobody can use it, but it could come back for ninety days.
    pub closed: fn(&mut Call<'_>) -> Result<()>,
    /// The ninety days are over.
    pub gone: fn(&mut Call<'_>) -> Result<()>,
}

impl Call<'_> {
    /// Lets every service stop what runs for an account that was closed.
    ///
    /// # Errors
    /// Those of the services: the store's.
    pub fn tell_closed(&mut self, account: &str) -> Result<()> {
        self.tell_closures(account, |closure| closure.closed)
    }

    /// Lets every service end what it still has of an account that is gone for good.
    ///
    /// # Errors
    /// As `tell_closed`.
    pub fn tell_gone(&mut self, account: &str) -> Result<()> {
        self.tell_closures(account, |closure| closure.gone)
    }

    fn tell_closures(
        &mut self,
        account: &str,
        part: impl Fn(&Closure) -> fn(&mut Call<'_>) -> Result<()>,
    ) -> Result<()> {
        let environment = self.look.environment;
        self.within(account, |call| {
            let closures = environment.services.closures();
            closures.iter().try_for_each(|closure| part(closure)(call))
        })
    }
}
