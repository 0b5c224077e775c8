//! The delivery of an event: S3 invokes the function, which keeps the event until it has run.
//!
//! Invariant: an event's job goes in the transaction in which the function took the event, or after six hours in which it never did.
//! Each try is in the trail.

use bytes::Bytes;
use pipeline::jobs::JobKind;
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::{Document, Fault, Timestamp};

use super::BY;
use crate::s3::bucket::{self, Bucket};

const NAME: &str = "s3.Notify";
/// Milliseconds before the first try again; each further wait is twice as long, up to the second.
const WAITS: (i64, i64) = (1_000, 3_600_000);
/// Milliseconds after which an event that no try delivered is let go.
const AGE_MAX: i64 = 6 * 3_600_000;

/// What delivers.
pub const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    // The invocation is in the trail.
    event: "",
    run: deliver,
};

/// An event on its way.
#[derive(Serialize, Deserialize)]
struct Due {
    bucket: String,
    function: String,
    message: Value,
    /// When it happened, in milliseconds since the epoch.
    since: i64,
    tries: u32,
    /// The chain of requests that it belongs to: a function that writes where it is told of ends like any other loop (Lambda Developer
    /// Guide, "Use Lambda recursive loop detection to prevent infinite loops").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

/// Plans a delivery that is due at once.
pub(super) fn plan(call: &mut Call<'_>, bucket: &Bucket, function: &str, message: Value) -> Result<()> {
    let due = Due {
        bucket: bucket.name.clone(),
        function: function.to_owned(),
        message,
        since: call.now.0,
        tries: 0,
        trace: call.trace().map(str::to_owned),
    };
    let payload = serde_json::to_value(due).map_err(Fault::internal)?;
    let now = call.now;
    call.within(&bucket.account, |call| {
        call.schedule_in(&bucket.region, NAME, now, payload)
    })?;
    Ok(())
}

fn deliver(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let mut due = Due::deserialize(payload).map_err(Fault::internal)?;
    let account = call.account().to_owned();
    let message = serde_json::to_vec(&due.message).map_err(Fault::internal)?;
    let input = Document::Structure(vec![
        ("FunctionName", Document::String(due.function.clone())),
        ("InvocationType", Document::String("Event".to_owned())),
        ("Payload", Document::Blob(message)),
    ]);
    let cause = bucket::arn(&due.bucket);
    call.continue_trace(due.trace.clone());
    let invoked = call.deliver_as_service(BY, (&cause, &account), "lambda", "Invoke", (input, Bytes::new()));
    // Whether the store asks for another run is known to the pipeline; what is planned here is then thrown away.
    if invoked.is_ok() || call.now.0 - due.since >= AGE_MAX {
        return Ok(());
    }
    let (first, longest) = WAITS;
    let wait = first.saturating_mul(1_i64.checked_shl(due.tries).unwrap_or(i64::MAX));
    due.tries = due.tries.saturating_add(1);
    let at = Timestamp(call.now.0.saturating_add(wait.min(longest)));
    let payload = serde_json::to_value(due).map_err(Fault::internal)?;
    call.schedule(NAME, at, payload)?;
    Ok(())
}
