//! What one service has ready for the others though no operation of it makes it: the key that KMS makes for a service at its first
//! use. A service publishes it here, and those that need it ask by name without knowing the service.
//!
//! Invariant: what is made is made in the asking call's own transaction, and is gone if that call fails.

use wire::Fault;

use crate::call::Call;
use crate::operation::Result;

/// One thing that a service has ready.
pub struct Provider {
    /// `kms.aws-managed-key`: service and thing.
    pub name: &'static str,
    /// Makes it in the account and region of the call, if there is none yet, and tells its ARN. The text says for whom or what.
    pub make: fn(&mut Call<'_>, &str) -> Result<String>,
}

/// KMS's provider of AWS managed keys, for the service (`s3`) that encrypts with one.
pub const AWS_MANAGED_KEY: &str = "kms.aws-managed-key";

impl Call<'_> {
    /// Asks for what another service has ready. The caller's permission to use it is asked when it is used.
    ///
    /// # Errors
    /// The provider's; `InternalFailure` where no service has it.
    pub fn provide(&mut self, name: &str, what: &str) -> Result<String> {
        let provider = self.look.environment.services.provider(name);
        match provider {
            Some(provider) => (provider.make)(self, what),
            None => Err(Fault::internal(format!("no service provides {name}"))),
        }
    }
}
