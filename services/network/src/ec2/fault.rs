//! EC2's faults. Its model lists none, so every one of them is made here.
//!
//! Source: Amazon EC2 Developer Guide, "Error codes for the Amazon EC2 API".
//!
//! Invariant: codes are AWS's; what this version does not build is refused by name and never passed over.

use pipeline::Result;
use wire::Fault;

/// A value that EC2 does not take.
pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::plain("InvalidParameterValue", 400, message)
}

/// A value of a parameter that EC2 does not take, in the words that it has for all of them.
pub(super) fn invalid_value(value: &str, parameter: &str, why: &str) -> Fault {
    invalid(format!(
        "Value ({value}) for parameter {parameter} is invalid. {why}"
    ))
}

/// Parameters that do not go together.
pub(super) fn combination(message: impl Into<String>) -> Fault {
    Fault::plain("InvalidParameterCombination", 400, message)
}

/// A parameter that is not there.
pub(super) fn missing(parameter: &str) -> Fault {
    Fault::plain(
        "MissingParameter",
        400,
        format!("The request must contain the parameter {parameter}"),
    )
}

/// What this version does not do.
pub(super) fn unsupported(message: impl Into<String>) -> Fault {
    Fault::plain("UnsupportedOperation", 400, message)
}

/// Refuses a parameter that names what is not built, rather than passing it over.
pub(super) fn expect_none(parameter: &str, given: bool) -> Result<()> {
    if given {
        return Err(unsupported(format!(
            "The parameter {parameter} is not supported by this version of Ringwork."
        )));
    }
    Ok(())
}

/// An id that cannot be one. `code` is the code's first word (`InvalidInstanceID`).
pub(super) fn malformed(code: &'static str, id: &str) -> Fault {
    Fault::plain(code, 400, format!("Invalid id: \"{id}\""))
}

/// Instances that are not there.
pub(super) fn no_instances(ids: &[String]) -> Fault {
    let message = match ids {
        [id] => format!("The instance ID '{id}' does not exist"),
        ids => format!("The instance IDs '{}' do not exist", ids.join(", ")),
    };
    Fault::plain("InvalidInstanceID.NotFound", 400, message)
}

/// An image that is not there, or not for the caller.
pub(super) fn no_image(id: &str) -> Fault {
    Fault::plain(
        "InvalidAMIID.NotFound",
        400,
        format!("The image id '[{id}]' does not exist"),
    )
}

/// A key pair that is not there.
pub(super) fn no_key_pair(name: &str) -> Fault {
    Fault::plain(
        "InvalidKeyPair.NotFound",
        400,
        format!("The key pair '{name}' does not exist"),
    )
}

/// An instance that is in another state. `what` is what it cannot be (`started`).
pub(super) fn wrong_state(id: &str, what: &str) -> Fault {
    Fault::plain(
        "IncorrectInstanceState",
        400,
        format!("The instance '{id}' is not in a state from which it can be {what}."),
    )
}

/// What a resource's own settings forbid.
pub(super) fn not_permitted(message: impl Into<String>) -> Fault {
    Fault::plain("OperationNotPermitted", 400, message)
}

/// A request with a token that came with another request.
pub(super) fn mismatch() -> Fault {
    Fault::plain(
        "IdempotentParameterMismatch",
        400,
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    )
}

/// Ends a request that only asks whether it would have been allowed. Call it after all that is asked of policies.
pub(super) fn dry_run(asked: Option<bool>) -> Result<()> {
    if asked == Some(true) {
        return Err(Fault::plain(
            "DryRunOperation",
            412,
            "Request would have succeeded, but DryRun flag is set.",
        ));
    }
    Ok(())
}
