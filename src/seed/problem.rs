//! Why a seed is refused, and where in the file.
//!
//! Invariant: a refusal names the item and its place, and never a secret.

use std::path::Path;

use wire::Fault;
use wire::fault::{Code, Common};
use wire::model::Protocol;
use wire::protocol;

use super::document::Place;
use crate::error::Error;

/// An item of the file: `users[0] alice`, and where it stands.
#[derive(Clone)]
pub(super) struct Spot {
    pub(super) place: Place,
    /// Empty for the file as a whole.
    pub(super) subject: String,
}

/// What ends a seed.
pub(super) enum Stop {
    /// Something in the file.
    Refused { spot: Spot, message: String },
    /// Something else.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Spot {
    pub(super) fn of(list: &str, index: usize, name: &str, place: Place) -> Self {
        Self {
            place,
            subject: format!("{list}[{index}] {name}"),
        }
    }

    /// The same item, at a more exact place.
    pub(super) fn at(&self, place: Place) -> Self {
        Self {
            place,
            subject: self.subject.clone(),
        }
    }

    pub(super) fn refuse(&self, message: impl Into<String>) -> Stop {
        Stop::Refused {
            spot: self.clone(),
            message: message.into(),
        }
    }

    /// What the API said of the item.
    pub(super) fn fault(&self, fault: &Fault) -> Stop {
        if fault.code == Code::Common(Common::Internal) {
            return Stop::Failed(Error::fault(fault));
        }
        let code = protocol::spell(api::models::service("iam"), Protocol::AwsQuery, fault).code;
        self.refuse(format!("{code}: {}", fault.message))
    }
}

/// All refusals as one error, a line each.
pub(super) fn error(file: &Path, stops: Vec<Stop>) -> Error {
    let mut lines = Vec::new();
    for stop in stops {
        match stop {
            Stop::Failed(error) => return error,
            Stop::Refused {
                spot: Spot { place, subject },
                message,
            } => {
                let subject = if subject.is_empty() {
                    subject
                } else {
                    format!("{subject}: ")
                };
                let Place { line, column } = place;
                lines.push(format!("{}:{line}:{column}: {subject}{message}", file.display()));
            }
        }
    }
    Error::Usage(lines.join("\n"))
}
