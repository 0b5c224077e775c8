//! Destinations: who learns how an event ended (Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations").
//!
//! Invariant: a record is delivered with the permissions of the execution role; what the role may not do is not done, and the ledger
//! tells.

use bytes::Bytes;
use pipeline::functions::Ran;
use pipeline::{Call, Result};
use serde_json::{Value, json};
use wire::Document;

use super::event::Event;
use super::lineage;
use crate::lambda::function::{EventInvoke, FunctionTarget, LATEST, PRINCIPAL};
use crate::lambda::role;

/// How an event ended.
pub(crate) enum End<'a> {
    Success {
        ran: &'a Ran,
        version: &'a str,
    },
    /// It was tried as often as it may be.
    Exhausted {
        ran: &'a Ran,
        version: &'a str,
    },
    /// It became too old.
    Aged,
    /// The function reserves no runs at all, so that it will not run.
    Stopped,
    /// It was invoked too often in one chain of requests.
    Recursive {
        times: u32,
    },
}

impl End<'_> {
    const fn condition(&self) -> &'static str {
        match self {
            Self::Success { .. } => "Success",
            Self::Exhausted { .. } => "RetriesExhausted",
            Self::Aged => "EventAgeExceeded",
            Self::Stopped => "ZeroReservedConcurrency",
            Self::Recursive { .. } => "RecursiveInvocation",
        }
    }
}

/// Tells the destination of an end, if there is one.
pub(crate) fn tell(
    call: &mut Call<'_>,
    target: &FunctionTarget,
    settings: &EventInvoke,
    (event, runs): (&Event, i32),
    payload: &Bytes,
    end: End<'_>,
) -> Result<()> {
    let destination = match end {
        End::Success { .. } => &settings.on_success,
        _ => &settings.on_failure,
    };
    let Some(destination) = destination.clone() else {
        return Ok(());
    };
    // The first event that is stopped is told of. What comes back of that has been told, or two that tell each other would never end.
    if matches!(end, End::Recursive { times } if times > lineage::TIMES_MAX + 1) {
        return Ok(());
    }
    let record = record(call, target, (event, runs), payload, &end);
    let input = Document::Structure(vec![
        ("FunctionName", Document::String(destination)),
        ("InvocationType", Document::String("Event".to_owned())),
        ("Payload", Document::Blob(record.to_string().into_bytes())),
    ]);
    // What cannot be delivered is lost on AWS as well, where a metric counts it.
    let arn = target.arn(None);
    call.continue_trace(event.trace.clone());
    if let Ok(session) = role::assume_to_run(call, &arn, &target.name, &target.latest.role) {
        let _ = call.invoke_as_session(PRINCIPAL, session.credential(), "lambda", "Invoke", input);
    }
    Ok(())
}

fn record(
    call: &Call<'_>,
    target: &FunctionTarget,
    (event, runs): (&Event, i32),
    payload: &Bytes,
    end: &End<'_>,
) -> Value {
    let json_of = |bytes: &[u8]| -> Value {
        serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
    };
    let (version, context, response) = match end {
        End::Success { ran, version } | End::Exhausted { ran, version } => {
            let mut context = json!({ "statusCode": 200, "executedVersion": version });
            if let (Some(error), Some(members)) = (ran.error, context.as_object_mut()) {
                members.insert("functionError".to_owned(), error.as_str().into());
            }
            (*version, context, json_of(&ran.payload))
        }
        End::Aged | End::Stopped | End::Recursive { .. } => (
            target.qualifier.as_deref().unwrap_or(LATEST),
            Value::Null,
            Value::Null,
        ),
    };
    let seconds = wire::Timestamp::from_seconds(call.now.0.div_euclid(1000)).iso8601();
    let timestamp = format!(
        "{}.{:03}Z",
        seconds.trim_end_matches('Z'),
        call.now.0.rem_euclid(1000)
    );
    json!({
        "version": "1.0",
        "timestamp": timestamp,
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": target.arn(Some(version)),
            "condition": end.condition(),
            "approximateInvokeCount": runs,
        },
        "requestPayload": json_of(payload),
        "responseContext": context,
        "responsePayload": response,
    })
}
