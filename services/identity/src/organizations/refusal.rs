//! Refusals of Organizations that carry a reason, and those that several operations share.
//!
//! Source: Organizations API Reference, "Errors" of each operation.

use api::organizations::fault;
use wire::{Document, Fault};

fn with_reason(mut fault: Fault, reason: &'static str) -> Fault {
    fault
        .members
        .push(("Reason", Document::String(reason.to_owned())));
    fault
}

/// `ConstraintViolationException`
pub(crate) fn constraint(reason: &'static str, message: impl Into<String>) -> Fault {
    with_reason(fault::constraint_violation_exception(message), reason)
}

/// `HandshakeConstraintViolationException`
pub(super) fn handshake(reason: &'static str, message: impl Into<String>) -> Fault {
    with_reason(fault::handshake_constraint_violation_exception(message), reason)
}

/// `InvalidInputException`
pub(crate) fn invalid(reason: &'static str, message: impl Into<String>) -> Fault {
    with_reason(fault::invalid_input_exception(message), reason)
}

/// Of callers whose account is in no organization.
pub(crate) fn not_in_use() -> Fault {
    fault::aws_organizations_not_in_use_exception("Your account is not a member of an organization.")
}

/// Of members that only the management account, or one that it named, may stand in for.
pub(crate) fn not_permitted() -> Fault {
    Fault::access_denied("You don't have permissions to access this resource.")
}

pub(super) fn no_account() -> Fault {
    fault::account_not_found_exception("You specified an account that doesn't exist.")
}

pub(super) fn no_parent() -> Fault {
    fault::parent_not_found_exception("You specified parent that doesn't exist.")
}

pub(super) fn no_child() -> Fault {
    fault::child_not_found_exception("You specified a child that doesn't exist.")
}

pub(super) fn no_unit() -> Fault {
    fault::organizational_unit_not_found_exception("You specified an organizational unit that doesn't exist.")
}

pub(crate) fn no_target() -> Fault {
    fault::target_not_found_exception("You specified a target that doesn't exist.")
}

/// Of an organization that has the consolidated billing features alone.
pub(crate) fn not_all_features() -> Fault {
    constraint(
        "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE",
        "This operation can be called only for organizations with ALL features enabled.",
    )
}
