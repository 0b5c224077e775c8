//! What functions and programs tell a stack without credentials: the responses of custom resources, and signals of wait conditions.
//!
//! Invariant: what is told is kept with the stack before its sender is answered, and moves the stack on by a job.

use pipeline::{Address, Call, CallbackRules, Result};
use serde_json::{Map, json};

use super::PRINCIPAL;
use super::hidden::Hidden;
use super::signal;
use super::stack::{STACKS, Stack};
use super::work::{WORK, wake};

/// Bytes of a response (CloudFormation Template Reference, "CloudFormation custom resource request and response reference").
const CALLBACK_MAX: usize = 4096;

/// Before the id of a handle in an address.
const SIGNAL: &str = "signal ";

/// CloudFormation's callbacks.
pub static CALLBACKS: CallbackRules = CallbackRules {
    service: "cloudformation",
    by: PRINCIPAL,
    key_id: "AKIARINGWORKCALLBACK",
    bytes_max: CALLBACK_MAX,
    take,
};

/// The URL to which the response of a custom resource is put, until a moment (in milliseconds).
pub(crate) fn response_url(
    call: &Call<'_>,
    stack: &Stack,
    (logical_id, request): (&str, &str),
    expires: i64,
) -> Result<String> {
    let region = stack.region.replace('-', "");
    let bucket = format!("cloudformation-custom-resource-response-{region}");
    let key = format!("{}|{logical_id}|{request}", stack.id());
    let address = Address {
        account: stack.account.clone(),
        region: stack.region.clone(),
        subject: stack.uuid.clone(),
        request: request.to_owned(),
        expires,
    };
    call.callback_url(&CALLBACKS, (&bucket, &key), &address)
}

/// The URL to which signals of a wait condition's handle are put, until a moment (in milliseconds).
pub(crate) fn signal_url(call: &Call<'_>, stack: &Stack, handle: &str, expires: i64) -> Result<String> {
    let bucket = format!("cloudformation-waitcondition-{}", stack.region);
    let logical_id = handle.split('/').next().unwrap_or_default();
    let key = format!("{}/{logical_id}", stack.id());
    let address = Address {
        account: stack.account.clone(),
        region: stack.region.clone(),
        subject: stack.uuid.clone(),
        request: handle_request(handle),
        expires,
    };
    call.callback_url(&CALLBACKS, (&bucket, &key), &address)
}

/// What callbacks to a handle answer.
pub(crate) fn handle_request(handle: &str) -> String {
    format!("{SIGNAL}{handle}")
}

fn take(call: &mut Call<'_>, address: &Address, body: Option<&[u8]>) -> Result<()> {
    let place = (
        address.account.as_str(),
        address.region.as_str(),
        address.subject.as_str(),
    );
    let Some(stack) = call.get(&STACKS, &place)? else {
        return Ok(());
    };
    let handle = address.request.strip_prefix(SIGNAL);
    if let Some(handle) = handle {
        signal::keep(call, &stack, handle, body)?;
    }
    let mut details = Map::new();
    details.insert("stackId".to_owned(), stack.id().into());
    details.insert("requestId".to_owned(), json!(address.request));
    let event = match handle {
        Some(_) => "WaitConditionSignal",
        None => "CustomResourceResponse",
    };
    call.service_event(event, details, None);
    let Some(work) = call.get(&WORK, &place)? else {
        return Ok(());
    };
    if handle.is_some() {
        let awaits = work.pending.as_ref();
        if awaits.is_some_and(|pending| pending.id == address.request) {
            wake(call, &stack, &work)?;
        }
        return Ok(());
    }
    let mut work = (*work).clone();
    let Some(pending) = &mut work.pending else {
        return Ok(());
    };
    // The first response counts, and one that nobody waits for any more does not.
    if pending.id != address.request || pending.answer.is_some() || pending.too_long {
        return Ok(());
    }
    match body {
        Some(body) => {
            let text = String::from_utf8_lossy(body);
            pending.answer = Some(Hidden::seal(call, stack.bond(), &text)?);
        }
        None => pending.too_long = true,
    }
    wake(call, &stack, &work)?;
    call.put(&WORK, &stack.place(), work)
}
