//! Services that answer a broken constraint with an error of their own: one sentence and a reason, for the first that is broken.
//!
//! Source: Organizations API Reference, `InvalidInputException`; its model lists the reasons.

use super::Told;
use crate::fault::Side;
use crate::model::{Kind, Service, ShapeId};
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

/// S3's answer: what is wrong in a body is malformed, what is wrong elsewhere is an argument.
pub(super) fn of_objects(service: &Service, shape: ShapeId, member: Option<&str>, shown: &[String]) -> Fault {
    let structure = service.shape(shape).and_then(|shape| match &shape.kind {
        Kind::Structure(structure) => Some(structure),
        _ => None,
    });
    let broken =
        structure.and_then(|structure| structure.members.iter().find(|known| Some(known.name) == member));
    match broken {
        Some(broken) if broken.location.is_some() => Fault::plain("InvalidArgument", 400, shown.join("; "))
            .with(
                "ArgumentName",
                Document::String(broken.wire_name.unwrap_or(broken.name).to_owned()),
            ),
        _ => Fault::plain(
            "MalformedXML",
            400,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ),
    }
}

/// EC2's answer: the first that is broken, by the name that the parameter has in a query (Amazon EC2 Developer Guide, "Error codes for the
/// Amazon EC2 API").
pub(super) fn of_ec2(service: &Service, shape: ShapeId, member: Option<&str>, told: Told) -> Fault {
    let structure = service.shape(shape).and_then(|shape| match &shape.kind {
        Kind::Structure(structure) => Some(structure),
        _ => None,
    });
    let broken =
        structure.and_then(|structure| structure.members.iter().find(|known| Some(known.name) == member));
    let own = broken.map(|broken| broken.query_name.or(broken.wire_name).unwrap_or(broken.name));
    let own = own.unwrap_or_default();
    // What is behind the member of the input.
    let rest = told.path.split_once('.').map(|(_, rest)| format!(".{rest}"));
    let rest = rest.unwrap_or_default().replace(".member", "");
    let Some(constraint) = told.constraint else {
        let mut letters = own.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let name: String = first.into_iter().chain(letters).collect();
        return Fault::plain(
            "MissingParameter",
            400,
            format!("The request must contain the parameter {name}{rest}"),
        );
    };
    let name = super::lower_first(own);
    let value = told.value.unwrap_or_default();
    Fault::plain(
        "InvalidParameterValue",
        400,
        format!("Value ({value}) for parameter {name}{rest} is invalid. {constraint}"),
    )
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
