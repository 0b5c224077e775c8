//! The commands that talk to a server, or to a stopped server's folder.

mod client;
pub(crate) mod clock;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod image;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod policy;
pub(crate) mod reach;
pub(crate) mod replay;
pub(crate) mod rotation_function;
pub(crate) mod seal;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod why;

use pipeline::setback::Setback;
use serde::Serialize;
use wire::Timestamp;

use crate::error::Error;

/// Prints a report as JSON.
fn print_json(report: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(report).map_err(|error| Error::Pipeline(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// A job that failed, in a line.
fn told(setback: &Setback) -> String {
    format!(
        "{} of account {} in {} failed {} times and is tried again at {}: {}",
        setback.kind,
        setback.account,
        setback.region,
        setback.failures,
        Timestamp(setback.next).iso8601(),
        setback.reason
    )
}
