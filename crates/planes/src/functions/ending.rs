//! How runs end, and how AWS words it.
//!
//! Source: Lambda Developer Guide, "Troubleshoot invocation issues in Lambda", "Monitoring and troubleshooting Lambda functions".

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use pipeline::functions::{FunctionError, Ran};
use serde_json::{Value as Json, json};
use wire::Timestamp;

use super::runtime_api::ANSWER_MAX;

/// How a run came to its end.
pub(super) enum End {
    Answer(Bytes),
    Error(Bytes, Option<String>),
    TooLong,
    InitError(Bytes),
    Exit(Option<ExitStatus>),
    TimedOut,
    OutOfMemory,
}

impl End {
    /// Whether the process can go on with the next event.
    pub(super) const fn survives(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Error(..) | Self::TooLong)
    }
}

/// What is told of a run.
pub(super) struct Facts {
    pub(super) request_id: String,
    /// The function's timeout.
    pub(super) seconds: f64,
    pub(super) duration: Duration,
    pub(super) init: Option<Duration>,
    pub(super) memory_mb: u32,
    pub(super) used_mb: u32,
}

impl Facts {
    pub(super) fn billed(&self) -> Duration {
        let whole = self.duration + self.init.unwrap_or_default();
        Duration::from_millis(u64::try_from(whole.as_micros().div_ceil(1000)).unwrap_or(u64::MAX))
    }

    /// The type and the words of an end that the function did not tell itself.
    pub(super) fn failure(&self, end: &End) -> Option<(&'static str, String)> {
        let words = match end {
            End::TimedOut => {
                let words = format!("Task timed out after {:.2} seconds", self.seconds);
                return Some(("Sandbox.Timedout", words));
            }
            End::OutOfMemory => {
                let words = "Runtime exited with error: signal: killed".to_owned();
                return Some(("Runtime.OutOfMemory", words));
            }
            End::TooLong => {
                let words = format!(
                    "Response payload size exceeded maximum allowed payload size ({ANSWER_MAX} bytes)."
                );
                return Some(("Function.ResponseSizeTooLarge", words));
            }
            End::Exit(status) => exit_words(*status),
            End::Answer(_) | End::Error(..) | End::InitError(_) => return None,
        };
        Some(("Runtime.ExitError", words))
    }

    pub(super) fn ran(self, end: End) -> Ran {
        let failure = self.failure(&end);
        let (payload, error) = match (end, failure) {
            (End::Answer(body), _) => (body, None),
            (End::Error(body, kind), _) => {
                let handled = kind.is_some_and(|kind| kind == "Handled");
                let error = if handled {
                    FunctionError::Handled
                } else {
                    FunctionError::Unhandled
                };
                (body, Some(error))
            }
            (End::InitError(body), _) => (self.named(body), Some(FunctionError::Unhandled)),
            (end, failure) => {
                let (kind, words) = failure.unwrap_or(("Runtime.ExitError", String::new()));
                let words = match end {
                    End::TooLong => words,
                    _ => format!("RequestId: {} Error: {words}", self.request_id),
                };
                let told = json!({"errorType": kind, "errorMessage": words});
                (Bytes::from(told.to_string()), Some(FunctionError::Unhandled))
            }
        };
        Ran {
            payload,
            error,
            log_tail: None,
            duration: self.duration,
            billed: self.billed(),
            init: self.init,
            memory_used_mb: self.used_mb,
            request_id: self.request_id,
        }
    }

    /// An error of the start with the id of the run that it is told to.
    fn named(&self, body: Bytes) -> Bytes {
        let Ok(Json::Object(mut told)) = serde_json::from_slice(&body) else {
            return body;
        };
        if told.get("requestId").is_some_and(|id| id == "") {
            told.insert("requestId".to_owned(), Json::from(self.request_id.clone()));
        }
        Bytes::from(Json::Object(told).to_string())
    }
}

fn exit_words(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Some(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        // A jail's shell tells of a signal by a number above 128.
        Some(status) => match (
            status.code(),
            status.signal().or(status.code().map(|code| code - 128)),
        ) {
            (Some(code), _) if code <= 128 || code > 128 + 31 => {
                format!("Runtime exited with error: exit status {code}")
            }
            (_, Some(9)) => "Runtime exited with error: signal: killed".to_owned(),
            (_, Some(11)) => "Runtime exited with error: signal: segmentation fault".to_owned(),
            (_, Some(6)) => "Runtime exited with error: signal: aborted".to_owned(),
            (_, Some(15)) => "Runtime exited with error: signal: terminated".to_owned(),
            (_, Some(7)) => "Runtime exited with error: signal: bus error".to_owned(),
            (_, signal) => format!(
                "Runtime exited with error: signal: {}",
                signal.unwrap_or_default()
            ),
        },
        None => "Runtime exited without providing a reason".to_owned(),
    }
}

/// The run of a function for a `provided` runtime whose code has nothing to start.
pub(super) fn without_bootstrap(request_id: &str) -> Ran {
    let words = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
    let told = json!({
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": format!("RequestId: {request_id} Error: {words}"),
    });
    Ran {
        payload: Bytes::from(told.to_string()),
        error: Some(FunctionError::Unhandled),
        log_tail: None,
        request_id: request_id.to_owned(),
        duration: Duration::ZERO,
        billed: Duration::ZERO,
        init: None,
        memory_used_mb: 0,
    }
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(super) fn iso8601_millis(at: Timestamp) -> String {
    let whole = at.iso8601();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), at.0.rem_euclid(1000))
}
