//! CloudFormation's words for what is refused.
//!
//! Source: CloudFormation API Reference, "Common errors" and each operation's errors.

use wire::Fault;
use wire::fault::Common;

/// `ValidationError`
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::validation(message)
}

/// A stack that is not there.
pub(crate) fn absent(name: &str) -> Fault {
    invalid(format!("Stack with id {name} does not exist"))
}

/// The same in the words of those operations that change a stack.
pub(crate) fn absent_to_change(name: &str) -> Fault {
    invalid(format!("Stack [{name}] does not exist"))
}

/// Refuses what this version does not do, rather than passing it over.
pub(crate) fn expect_none(member: &str, given: bool) -> Result<(), Fault> {
    if given {
        return Err(Fault::common(
            Common::NotImplemented,
            format!("{member} is not implemented by this version of Ringwork."),
        ));
    }
    Ok(())
}
