//! The refusals of Access Analyzer, with the members that its errors carry.

use api::accessanalyzer::fault as model;
use wire::{Document, Fault};

fn about(fault: Fault, kind: &str, id: &str) -> Fault {
    fault
        .with("resourceId", Document::String(id.to_owned()))
        .with("resourceType", Document::String(kind.to_owned()))
}

/// Nothing bears the name.
pub(super) fn missing(kind: &str, id: &str) -> Fault {
    let message = format!("The {} {id} could not be found.", kind.to_lowercase());
    about(model::resource_not_found_exception(message), kind, id)
}

/// Something bears the name already.
pub(super) fn taken(kind: &str, id: &str) -> Fault {
    let message = format!("The {} {id} already exists.", kind.to_lowercase());
    about(model::conflict_exception(message), kind, id)
}

/// One more is not to be had.
pub(super) fn quota(message: &str, kind: &str, id: &str) -> Fault {
    about(model::service_quota_exceeded_exception(message), kind, id)
}

/// A value that the model allows and the service does not.
pub(super) fn invalid(message: impl Into<String>) -> Fault {
    model::validation_exception(message).with("reason", Document::String("other".to_owned()))
}
