//! `ringwork policy`: policies tested and compared without a server, by the evaluator that a server judges with.

mod diff;
mod file;
mod judge;
mod report;
mod run;
mod table;

#[cfg(test)]
mod tests;

use crate::arguments::{Policy, PolicyTask};
use crate::error::Error;

pub(crate) fn run(options: &Policy) -> Result<(), Error> {
    match &options.task {
        PolicyTask::Test { files, junit, sarif } => run::run(files, junit.as_deref(), sarif.as_deref()),
        PolicyTask::Diff {
            old,
            new,
            requests,
            layer,
            json,
        } => diff::run(old, new, requests, layer, *json),
    }
}
