//! `ringwork policy`: policies checked, tested and compared without a server, by the evaluator that a server judges with; and policies made
//! from what a server recorded.

mod check;
mod diff;
pub(super) mod file;
pub(super) mod judge;
mod new;
mod report;
mod run;
mod table;

#[cfg(test)]
mod tests;

use crate::arguments::{Policy, PolicyTask};
use crate::error::Error;

pub(crate) async fn run(options: &Policy) -> Result<(), Error> {
    match &options.task {
        PolicyTask::Test { files, junit, sarif } => run::run(files, junit.as_deref(), sarif.as_deref()),
        PolicyTask::Check {
            files,
            kind,
            json,
            sarif,
        } => check::run(files, kind, *json, sarif.as_deref()),
        PolicyTask::Diff {
            old,
            new,
            requests,
            layer,
            json,
        } => diff::run(old, new, requests, layer, *json),
        PolicyTask::New {
            server,
            caller,
            since,
            resources,
        } => new::run(server, caller, since, *resources).await,
    }
}
