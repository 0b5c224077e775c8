//! What a run of a function takes: the version, the role's credentials, the environment, the code, the limits.
//!
//! Invariant: all of it is gathered for the run itself, in the account of the function; the caller lends it nothing.

use std::sync::Arc;
use std::time::Duration;

use api::lambda::fault::{invalid_runtime_exception, invalid_zip_file_exception, service_exception};
use bytes::Bytes;
use pipeline::errand::Outcome;
use pipeline::functions::{Concurrency, Invocation, NotRun};
use pipeline::{Call, Look, Result};
use wire::{Fault, Timestamp};

use crate::lambda::fault::throttled;
use crate::lambda::function::{Configuration, Function, FunctionTarget};
use crate::lambda::layer::used;
use crate::lambda::naming::{self, Meant, missing};
use crate::lambda::usage::{self, CONCURRENT_MAX};
use crate::lambda::{code, environment, role};

/// AWS's word for a function that may not run more often at a time.
const RESERVED: &str = "ReservedFunctionConcurrentInvocationLimitExceeded";

/// The version that an invocation runs: an alias shares them out by the id of the request, so that a request that is tried again runs the
/// same.
pub(crate) fn choose(call: &mut Call<'_>, target: &FunctionTarget) -> Result<Arc<Configuration>> {
    let id = call.request.id.clone();
    choose_for(call, target, &id)
}

/// The same for the request with this id.
pub(crate) fn choose_for(
    look: &mut Look<'_>,
    target: &FunctionTarget,
    id: &str,
) -> Result<Arc<Configuration>> {
    match naming::meant(look, target)? {
        Meant::Version(configuration) => Ok(configuration),
        Meant::Alias(alias) => {
            let version = alias.pick(drawn(id)).to_owned();
            let found = naming::version(look, target, &version)?;
            found.ok_or_else(|| missing(&target.arn(Some(&version))))
        }
    }
}

/// A number between 0 and 1 that the id of a request stands for.
fn drawn(id: &str) -> f64 {
    let [one, two, three, four, ..] = crypto::digest::sha256(id.as_bytes());
    f64::from(u32::from_be_bytes([one, two, three, four])) / (f64::from(u32::MAX) + 1.0)
}

/// A run of a version.
pub(crate) struct Asked<'a> {
    pub(crate) function: &'a Function,
    pub(crate) configuration: &'a Configuration,
    /// As the caller named it.
    pub(crate) invoked_arn: String,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<String>,
    pub(crate) request_id: String,
    pub(crate) trace: Option<String>,
    pub(crate) tail: bool,
}

/// Runs it, between two runs of this call.
pub(crate) fn run(call: &mut Call<'_>, asked: &Asked<'_>) -> Result<Arc<Outcome>> {
    if asked.function.reserved == Some(0) {
        return Err(throttled(RESERVED));
    }
    let name = asked.function.arn(None);
    let account = asked.function.account.clone();
    call.within(&account, |call| {
        let outcome = call.run_function(&name, |call| {
            if waits(call, asked)? {
                bare(call, asked)
            } else {
                whole(call, asked)
            }
        })?;
        match &*outcome {
            // Another run took the process that waited.
            Outcome::Invoked(Err(NotRun::Cold)) => call.run_function(&name, |call| whole(call, asked)),
            _ => Ok(outcome),
        }
    })
}

/// Whether a process waits for the run, with credentials that last for it.
fn waits(call: &mut Call<'_>, asked: &Asked<'_>) -> Result<bool> {
    let (function, configuration) = (asked.function, asked.configuration);
    let lasts = i64::from(configuration.timeout_seconds) * 1000;
    let until = Timestamp(call.now.0.saturating_add(lasts));
    call.function_waits(
        &function.arn(Some(&configuration.name())),
        &configuration.revision,
        until,
    )
}

/// A run in a new process, which gets the role's credentials, the variables and the code: once for all events that it will have (Lambda
/// Developer Guide, "Understanding the Lambda execution environment lifecycle").
fn whole(call: &mut Call<'_>, asked: &Asked<'_>) -> Result<Invocation> {
    let (function, configuration) = (asked.function, asked.configuration);
    let arn = function.arn(None);
    let session = role::assume_to_run(call, &arn, &function.name, &configuration.role)?;
    let environment = environment::opened(call, function, configuration, &session)?;
    let zip = if call.holds_code(&configuration.code_sha256) {
        None
    } else {
        Some(code::open(
            call,
            &code::Home::of(function),
            &configuration.code_sha256,
        )?)
    };
    let layers = used::of_run(call, function, &configuration.layers, true)?;
    Ok(Invocation {
        zip,
        layers,
        environment,
        credentials: Some(session.into_credentials()),
        warm: false,
        ..bare(call, asked)?
    })
}

/// A run in a process that waits.
fn bare(call: &mut Call<'_>, asked: &Asked<'_>) -> Result<Invocation> {
    let (function, configuration) = (asked.function, asked.configuration);
    let unsigned = |number: i32| u32::try_from(number).unwrap_or_default();
    Ok(Invocation {
        function_arn: function.arn(Some(&configuration.name())),
        invoked_arn: asked.invoked_arn.clone(),
        configuration: configuration.revision.clone(),
        code_sha256: configuration.code_sha256.clone(),
        zip: None,
        layers: used::of_run(call, function, &configuration.layers, false)?,
        runtime: configuration.runtime.clone(),
        handler: configuration.handler.clone(),
        memory_mb: unsigned(configuration.memory_mb),
        storage_mb: unsigned(configuration.storage_mb),
        timeout: Duration::from_secs(u64::from(unsigned(configuration.timeout_seconds))),
        environment: Vec::new(),
        credentials: None,
        region: function.region.clone(),
        log_group: configuration.logging.group.clone(),
        log_form: configuration.logging.form(),
        payload: asked.payload.clone(),
        client_context: asked.client_context.clone(),
        request_id: asked.request_id.clone(),
        trace_id: asked.trace.clone(),
        log_tail: asked.tail,
        concurrency: limits(call, function)?,
        now: call.now,
        warm: true,
    })
}

/// The limits that a run counts towards: the function's own, or what is left to all that have none.
fn limits(look: &mut Look<'_>, function: &Function) -> Result<Vec<Concurrency>> {
    let size = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    if let Some(reserved) = function.reserved {
        let of = function.arn(None);
        let limit = size(reserved);
        return Ok(vec![Concurrency { of, limit }]);
    }
    let used = usage::of(look, &function.account, &function.region)?;
    let of = format!("{}:{}", function.account, function.region);
    let limit = size(CONCURRENT_MAX.saturating_sub(used.reserved));
    Ok(vec![Concurrency { of, limit }])
}

/// Why a function was not run, as the caller learns it.
pub(crate) fn not_run(function: &Function, why: &NotRun) -> Fault {
    match why {
        NotRun::RuntimeMissing { what } => invalid_runtime_exception(what.clone()),
        NotRun::BadCode { reason } => {
            invalid_zip_file_exception(format!("Lambda could not unzip the deployment package: {reason}"))
        }
        NotRun::Throttled { of } if *of == function.arn(None) => throttled(RESERVED),
        NotRun::Throttled { .. } => throttled("ConcurrentInvocationLimitExceeded"),
        NotRun::CodeMissing | NotRun::Cold => service_exception("The runner has lost the code. Try again."),
        NotRun::StartFailed { reason } => {
            service_exception(format!("The function could not be started: {reason}"))
        }
        NotRun::Refused => service_exception("This Ringwork runs no functions now."),
    }
}
