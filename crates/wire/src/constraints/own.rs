//! Services that answer a broken constraint with an error of their own: one sentence and a reason, for the first that is broken.
//!
//! Source: Organizations API Reference, `InvalidInputException`; its model lists the reasons.

use crate::fault::Side;
use crate::model::{Kind, Service};
use crate::protocol::error_shape;
use crate::{Document, Fault};

/// The error, which the model has as any other.
const ERROR: &str = "InvalidInputException";

/// What the first broken constraint is, as such a service calls it.
#[derive(Clone, Copy)]
pub(super) enum Reason {
    Required,
    Pattern,
    Values,
    ListMember,
    TooLong,
    TooShort,
    TooGreat,
    TooSmall,
}

impl Reason {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Required => (
                "INPUT_REQUIRED",
                "You must include a value for all required parameters.",
            ),
            Self::Pattern => (
                "INVALID_PATTERN",
                "You provided a value that does not match the required pattern.",
            ),
            Self::Values => ("INVALID_ENUM", "You specified an invalid value."),
            Self::ListMember => (
                "INVALID_LIST_MEMBER",
                "You provided a list to a parameter that contains at least one invalid value.",
            ),
            Self::TooLong => (
                "MAX_LENGTH_EXCEEDED",
                "You provided a string parameter that is longer than allowed.",
            ),
            Self::TooShort => (
                "MIN_LENGTH_EXCEEDED",
                "You provided a string parameter that is shorter than allowed.",
            ),
            Self::TooGreat => (
                "MAX_VALUE_EXCEEDED",
                "You provided a numeric parameter that has a larger value than allowed.",
            ),
            Self::TooSmall => (
                "MIN_VALUE_EXCEEDED",
                "You provided a numeric parameter that has a smaller value than allowed.",
            ),
        }
    }
}

/// The service's own error, if its model has one that tells patterns from lengths.
pub(super) fn fault(service: &Service, reason: Reason) -> Option<Fault> {
    let shape = error_shape(service, ERROR)?;
    let Kind::Structure(structure) = &shape.kind else {
        return None;
    };
    let told = structure.members.iter().find(|member| member.name == "Reason")?;
    match &service.shape(told.shape)?.kind {
        Kind::String { values } if values.contains(&"INVALID_PATTERN") => {}
        _ => return None,
    }
    let (word, message) = reason.words();
    let mut fault = Fault::modeled(ERROR, ERROR, 400, Side::Sender, message);
    fault.members.push(("Reason", Document::String(word.to_owned())));
    Some(fault)
}
