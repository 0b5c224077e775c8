//! The faults of CloudWatch's metrics, in AWS's words.
//!
//! Invariant: a message names the parameter as the query protocol writes it, whatever protocol was spoken.

use api::cloudwatch::fault;
use wire::Fault;

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    fault::invalid_parameter_value_exception(message)
}

/// A value that the parameter cannot have.
pub(super) fn invalid_value(value: impl std::fmt::Display, parameter: &str) -> Fault {
    invalid(format!("The value {value} for parameter {parameter} is invalid."))
}

pub(super) fn missing(parameter: &str) -> Fault {
    fault::missing_required_parameter_exception(format!("The parameter {parameter} is required."))
}

pub(super) fn combination(message: impl Into<String>) -> Fault {
    fault::invalid_parameter_combination_exception(message)
}

/// What `GetMetricData` and the alarms answer to what they cannot take.
pub(super) fn validation(message: impl Into<String>) -> Fault {
    Fault::plain("ValidationError", 400, message)
}

pub(super) fn bad_token() -> Fault {
    fault::invalid_parameter_value_exception("Invalid nextToken")
}
