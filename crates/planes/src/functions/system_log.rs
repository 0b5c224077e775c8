//! The runner's own lines in a function's log: as text, or as JSON for functions that log so.
//!
//! Invariant: as text every line is written; as JSON, those that the function's system log level lets through.
//!
//! Source: Lambda Developer Guide, "Lambda Telemetry API Event schema reference", "System log level event mapping".

use std::time::Duration;

use pipeline::functions::LogForm;
use serde_json::{Value, json};
use wire::Timestamp;

use super::ending::{End, Facts, iso8601_millis, millis};
use super::sandbox::Traits;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Debug,
    Info,
    Warn,
}

/// A line of JSON; `None` if it is below the level that is logged.
fn event(least: &str, level: Level, at: Timestamp, (kind, record): (&str, Value)) -> Option<String> {
    let least = match least {
        "DEBUG" => Level::Debug,
        "WARN" => Level::Warn,
        _ => Level::Info,
    };
    let line = || json!({ "time": iso8601_millis(at), "type": kind, "record": record }).to_string();
    (level >= least).then(line)
}

/// A process starts.
pub(super) fn init_start(traits: &Traits, at: Timestamp) -> Option<String> {
    let LogForm::Json { system_level, .. } = &traits.log_form else {
        return Some(format!("INIT_START Runtime Version: {}", traits.runtime));
    };
    let mut parts = traits.function.rsplit(':');
    let (version, name) = (parts.next(), parts.next());
    let record = json!({
        "initializationType": "on-demand", "phase": "init", "runtimeVersion": traits.runtime,
        "functionName": name, "functionVersion": version,
    });
    event(system_level, Level::Info, at, ("platform.initStart", record))
}

/// A run starts.
pub(super) fn start(form: &LogForm, request_id: &str, version: &str, at: Timestamp) -> Option<String> {
    let LogForm::Json { system_level, .. } = form else {
        return Some(format!("START RequestId: {request_id} Version: {version}"));
    };
    let record = json!({ "requestId": request_id, "version": version });
    event(system_level, Level::Info, at, ("platform.start", record))
}

/// A run has ended.
pub(super) fn closing(form: &LogForm, end: &End, facts: &Facts, at: Timestamp) -> Vec<String> {
    match form {
        LogForm::Text => closing_text(end, facts, at),
        LogForm::Json { system_level, .. } => closing_json(system_level, end, facts, at),
    }
}

fn closing_text(end: &End, facts: &Facts, at: Timestamp) -> Vec<String> {
    let (id, mut lines) = (&facts.request_id, Vec::new());
    let words = facts.failure(end);
    let status = match end {
        End::TimedOut => "Status: timeout",
        End::Exit(_) | End::OutOfMemory | End::InitError(_) => "Status: error\tError Type: ",
        End::Answer(_) | End::Error(..) | End::TooLong => "",
    };
    if let (End::TimedOut, Some((_, words))) = (end, &words) {
        lines.push(format!("{} {id} {words}", iso8601_millis(at)));
    }
    lines.push(format!("END RequestId: {id}"));
    let mut report = format!(
        "REPORT RequestId: {id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
        millis(facts.duration),
        facts.billed().as_millis(),
        facts.memory_mb,
        facts.used_mb
    );
    if let Some(init) = facts.init {
        report.push_str(&format!("Init Duration: {:.2} ms\t", millis(init)));
    }
    report.push_str(status);
    if let (true, Some((kind, _))) = (status.ends_with(": "), &words) {
        report.push_str(kind);
    }
    lines.push(report);
    if let (End::Exit(_) | End::OutOfMemory, Some((kind, words))) = (end, &words) {
        lines.push(format!("RequestId: {id} Error: {words}\n{kind}"));
    }
    lines
}

fn closing_json(least: &str, end: &End, facts: &Facts, at: Timestamp) -> Vec<String> {
    let (status, level) = match end {
        End::Answer(_) => ("success", None),
        End::TimedOut => ("timeout", Some(Level::Warn)),
        End::Error(..) | End::TooLong | End::InitError(_) => ("error", Some(Level::Warn)),
        End::Exit(_) | End::OutOfMemory => ("failure", Some(Level::Warn)),
    };
    let whole = |metrics: Value| {
        let mut record = json!({ "requestId": facts.request_id, "status": status, "metrics": metrics });
        if let (Some(kind), Some(record)) = (error_type(end, facts), record.as_object_mut()) {
            record.insert("errorType".to_owned(), Value::String(kind));
        }
        record
    };
    let mut done = json!({ "durationMs": hundredths(facts.duration) });
    if let (End::Answer(body), Some(done)) = (end, done.as_object_mut()) {
        done.insert("producedBytes".to_owned(), json!(body.len()));
    }
    let mut report = json!({
        "durationMs": hundredths(facts.duration),
        "billedDurationMs": u64::try_from(facts.billed().as_millis()).unwrap_or(u64::MAX),
        "memorySizeMB": facts.memory_mb,
        "maxMemoryUsedMB": facts.used_mb,
    });
    if let (Some(init), Some(report)) = (facts.init, report.as_object_mut()) {
        report.insert("initDurationMs".to_owned(), json!(hundredths(init)));
    }
    let done = ("platform.runtimeDone", whole(done));
    let report = ("platform.report", whole(report));
    let lines = [
        event(least, level.unwrap_or(Level::Debug), at, done),
        event(least, level.unwrap_or(Level::Info), at, report),
    ];
    lines.into_iter().flatten().collect()
}

/// What kind of error a run ended with, as the function or the runner told it. A timeout is a status of its own.
fn error_type(end: &End, facts: &Facts) -> Option<String> {
    match end {
        End::TimedOut => None,
        End::Error(body, _) | End::InitError(body) => {
            let told: Value = serde_json::from_slice(body).ok()?;
            told.get("errorType")?.as_str().map(str::to_owned)
        }
        _ => facts.failure(end).map(|(kind, _)| kind.to_owned()),
    }
}

/// Milliseconds with two places.
fn hundredths(duration: Duration) -> f64 {
    (millis(duration) * 100.0).round() / 100.0
}
