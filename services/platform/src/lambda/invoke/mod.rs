//! Invocation: who may, of which version, and what comes back.
//!
//! Other services invoke functions through `Call::invoke_as_service("SERVICE.amazonaws.com", Some(resource_arn), "lambda", "Invoke", …)`,
//! with the function's name or ARN as `FunctionName` and the JSON event as `Payload` (a blob): the function's resource policy judges the
//! service principal, with `AWS:SourceArn` and `AWS:SourceAccount` of the resource for which the service acts. The answer's `Payload` is what
//! the function returned; `FunctionError` is there if it failed. In a job or an operation alike the run may end and begin again while the
//! function runs: hand its fault up.
//!
//! Source: Lambda API Reference, `Invoke`.
//!
//! Invariant: an answer without a fault came of a function that ran, or of an event that is kept.

mod destination;
pub mod event;
mod lineage;
mod run;

use api::lambda as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pipeline::errand::Outcome;
use pipeline::functions::Ran;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Blob;

use super::fault::{expect_none, too_large, unreadable};
use super::function::FunctionTarget;
use super::naming::resolve;

/// Bytes of a payload that somebody waits for the answer of, and of one that nobody does (Lambda Developer Guide, "Lambda quotas").
const PAYLOAD_MAX: usize = 6 << 20;
const EVENT_MAX: usize = 1 << 20;
/// Bytes of a client context, in base64.
const CLIENT_CONTEXT_MAX: usize = 3583;

/// Runs a function and waits for it, puts an event into its queue, or only says whether the caller may.
pub struct Invoke;

impl Operation for Invoke {
    type Input = model::InvocationRequest;
    type Output = model::InvocationResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:InvokeFunction");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        expect_none("DurableExecutionName", input.durable_execution_name.is_some())?;
        expect_none("TenantId", input.tenant_id.is_some())?;
        let kind = input
            .invocation_type
            .unwrap_or(model::InvocationType::RequestResponse);
        let payload = payload(input.payload, kind)?;
        let chosen = run::choose(call, &target)?;
        let status = |status| model::InvocationResponse {
            status_code: Some(status),
            ..model::InvocationResponse::default()
        };
        match kind {
            model::InvocationType::DryRun => Ok(status(204)),
            model::InvocationType::Event => {
                event::accept(call, &target, &payload)?;
                Ok(status(202))
            }
            model::InvocationType::RequestResponse => {
                let version = chosen.name();
                let trace = lineage::joined(call, &target)?;
                lineage::expect_no_loop(&trace, &target)?;
                let asked = run::Asked {
                    function: &target,
                    configuration: &chosen,
                    invoked_arn: target.qualified_arn(),
                    payload,
                    client_context: client_context(input.client_context.as_deref())?,
                    request_id: call.request.id.clone(),
                    trace: Some(trace),
                    tail: input.log_type == Some(model::LogType::Tail),
                };
                let outcome = run::run(call, &asked)?;
                let Outcome::Invoked(ended) = &*outcome else {
                    return Err(wire::Fault::internal(
                        "a function was asked for, and something else was done",
                    ));
                };
                let ran = ended.as_ref().map_err(|why| run::not_run(&target, why))?;
                Ok(answer(ran, version))
            }
        }
    }
}

fn answer(ran: &Ran, version: String) -> model::InvocationResponse {
    model::InvocationResponse {
        durable_execution_arn: None,
        executed_version: Some(version),
        function_error: ran.error.map(|error| error.as_str().to_owned()),
        log_result: ran.log_tail.as_ref().map(|tail| STANDARD.encode(tail)),
        payload: Some(Blob(ran.payload.to_vec())),
        status_code: Some(200),
    }
}

/// The event of a request: JSON, an empty object if there is none.
fn payload(given: Option<Blob>, kind: model::InvocationType) -> Result<Bytes> {
    let bytes = given.map(|blob| blob.0).unwrap_or_default();
    if bytes.len() > PAYLOAD_MAX {
        return Err(too_large(format!(
            "Request must be smaller than {PAYLOAD_MAX} bytes for the InvokeFunction operation"
        )));
    }
    if kind == model::InvocationType::Event && bytes.len() > EVENT_MAX {
        return Err(too_large(format!(
            "{} byte payload is too large for the Event invocation type (limit {EVENT_MAX} bytes)",
            bytes.len()
        )));
    }
    if bytes.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        return Err(unreadable(format!(
            "Could not parse request body into json: Could not parse payload into json: {error}"
        )));
    }
    Ok(Bytes::from(bytes))
}

/// The JSON of a client context.
fn client_context(given: Option<&str>) -> Result<Option<String>> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    let wrong = || unreadable("Client context must be a valid Base64-encoded JSON object.");
    if given.len() > CLIENT_CONTEXT_MAX {
        return Err(unreadable(format!(
            "Client context must be no more than {CLIENT_CONTEXT_MAX} bytes when base64-encoded."
        )));
    }
    let bytes = STANDARD.decode(given).map_err(|_| wrong())?;
    let object: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    if object.is_object() {
        Ok(Some(object.to_string()))
    } else {
        Err(wrong())
    }
}
