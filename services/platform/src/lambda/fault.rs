//! Lambda's faults with their `Type`, which tells whose fault they are.
//!
//! Invariant: every fault of Lambda's own is made here or by the model's constructors, with AWS's words.

use api::lambda::fault as model;
use wire::fault::Common;
use wire::{Document, Fault};

fn typed(mut fault: Fault) -> Fault {
    fault.members.push(("Type", Document::String("User".to_owned())));
    fault
}

/// A value that Lambda does not take.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    typed(model::invalid_parameter_value_exception(message))
}

/// Something that is not there.
pub(crate) fn not_found(message: impl Into<String>) -> Fault {
    typed(model::resource_not_found_exception(message))
}

/// Something that is there already, or in the way.
pub(crate) fn conflict(message: impl Into<String>) -> Fault {
    typed(model::resource_conflict_exception(message))
}

/// A revision that is no longer the latest. `call` is how to learn the latest (`GetFunction/GetAlias`).
pub(crate) fn stale(call: &str) -> Fault {
    typed(model::precondition_failed_exception(format!(
        "The Revision Id provided does not match the latest Revision Id. Call the {call} API to retrieve the latest Revision Id"
    )))
}

/// A payload that is larger than the invocation may have.
pub(crate) fn too_large(message: impl Into<String>) -> Fault {
    typed(model::request_too_large_exception(message))
}

/// A payload or header that cannot be read.
pub(crate) fn unreadable(message: impl Into<String>) -> Fault {
    typed(model::invalid_request_content_exception(message))
}

/// An invocation that would go on with a loop.
pub(crate) fn recursive() -> Fault {
    typed(model::recursive_invocation_exception(
        "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your function's invocation.",
    ))
}

/// More runs at a time than there may be. `reason` is AWS's word for the limit.
pub(crate) fn throttled(reason: &str) -> Fault {
    let mut fault = typed(model::too_many_requests_exception("Rate Exceeded."));
    fault
        .members
        .push(("Reason", Document::String(reason.to_owned())));
    fault
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
