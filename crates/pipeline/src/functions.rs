//! Functions as the pipeline sees them: what is to be run with what, and what came of it. `planes` runs them, in processes.
//!
//! Invariant: a function's secrets (its environment, its role's credentials) are `Secret`s until they are handed to its process.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API", "Defined runtime environment variables".

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use crypto::Secret;
use wire::Timestamp;

/// One run of a function, with all that it takes.
pub struct Invocation {
    /// The function with the version that runs, `$LATEST` too: `arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION`.
    pub function_arn: String,
    /// The function as the caller named it, with the alias if there was one.
    pub invoked_arn: String,
    /// Changes whenever anything does that a process starts with (code, handler, environment, role …): a revision id or a digest.
    /// Processes that were started with another one are thrown away.
    pub configuration: String,
    /// SHA-256 of the zip, in any one spelling.
    pub code_sha256: String,
    /// The zip; may be left out if `Call::holds_code` says that the runner has it.
    pub zip: Option<Bytes>,
    /// What is unpacked below `/opt`.
    pub layers: Option<Layers>,
    /// AWS's identifier: `python3.12`, `nodejs22.x`, `provided.al2023`.
    pub runtime: String,
    /// `module.function`; any text for `provided` runtimes.
    pub handler: String,
    /// MiB.
    pub memory_mb: u32,
    /// MiB that a file may have in the temporary folder.
    pub storage_mb: u32,
    pub timeout: Duration,
    /// The function's own variables.
    pub environment: Vec<(String, Secret)>,
    /// Of the execution role. A process keeps those that it was started with, and is thrown away when they would expire.
    pub credentials: Option<Credentials>,
    pub region: String,
    /// `/aws/lambda/NAME`, or as the function's configuration says.
    pub log_group: String,
    pub log_form: LogForm,
    pub payload: Bytes,
    /// JSON, as the caller's `X-Amz-Client-Context` held it in base64.
    pub client_context: Option<String>,
    /// The invocation's own id, a UUID. The function sees it.
    pub request_id: String,
    /// `Root=1-…`, if there is one.
    pub trace_id: Option<String>,
    /// The last 4 KiB of the log are wanted (`LogType: Tail`).
    pub log_tail: bool,
    /// Limits of runs at a time that this one counts towards.
    pub concurrency: Vec<Concurrency>,
    /// The cloud's time.
    pub now: Timestamp,
    /// Only a process that waits already may run it: what processes start with (zip, environment, credentials) is left out.
    pub warm: bool,
}

/// The layers of a function, one laid over the other.
#[derive(Clone)]
pub struct Layers {
    /// What tells them from others, by `Layers::digest`.
    pub code_sha256: String,
    /// In order; may be left out if `Call::holds_code` says that the runner has them.
    pub zips: Vec<Bytes>,
}

impl Layers {
    /// What tells layers, given by the SHA-256 of each zip in order, from others and from any single zip.
    pub fn digest(zips: &[&str]) -> String {
        let all = format!("layers {}", zips.join(" "));
        crypto::digest::hex(&crypto::digest::sha256(all.as_bytes()))
    }
}

/// How a log is written (Lambda Developer Guide, "Configuring JSON and plain text log formats", "Log-level filtering").
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum LogForm {
    #[default]
    Text,
    Json {
        /// The least that the function itself logs: `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`.
        application_level: String,
        /// The least of the runner's own lines: `DEBUG`, `INFO` or `WARN`.
        system_level: String,
    },
}

/// A limit of runs at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Concurrency {
    /// Whose limit it is: a function's ARN, an account with a region.
    pub of: String,
    pub limit: usize,
}

/// Temporary credentials.
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
    /// By the cloud's clock.
    pub expires: Timestamp,
}

/// A function that ended, or why it was not run.
pub type Ended = std::result::Result<Ran, NotRun>;

/// What a function answered, or what became of it.
#[derive(Debug)]
pub struct Ran {
    /// The answer, or the error as AWS words it: `errorMessage`, `errorType`, perhaps `requestId` and `stackTrace`.
    pub payload: Bytes,
    /// Set when the payload is an error.
    pub error: Option<FunctionError>,
    /// The end of the log, if it was asked for: 4 KiB at most.
    pub log_tail: Option<Bytes>,
    pub request_id: String,
    pub duration: Duration,
    /// The time that AWS would bill: whole milliseconds, with the start of the process.
    pub billed: Duration,
    /// How long the process took to start, for the first run of it.
    pub init: Option<Duration>,
    /// MiB.
    pub memory_used_mb: u32,
}

/// The header `X-Amz-Function-Error`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionError {
    /// The function said so itself.
    Handled,
    /// It threw, crashed or ran out of time or memory.
    Unhandled,
}

impl FunctionError {
    /// As the header spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "Handled",
            Self::Unhandled => "Unhandled",
        }
    }
}

/// Why a function was not run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotRun {
    /// The host lacks what the runtime needs; `what` says it in a sentence, as `ringwork doctor` does.
    RuntimeMissing { what: String },
    /// The runner has no code with this digest, and was given none.
    CodeMissing,
    /// No process waits that could run what is to run in none but such a one.
    Cold,
    /// The zip cannot be unpacked safely, for the reason given in a sentence. AWS: `InvalidZipFileException`.
    BadCode { reason: String },
    /// As many as `of` may run at a time run already. AWS: `TooManyRequestsException`.
    Throttled { of: String },
    /// The process could not be started, for a reason of the host's.
    StartFailed { reason: String },
    /// This Ringwork runs no functions, it is stopping, or the call asked too often.
    Refused,
}

/// A line that a function wrote, or that the runner wrote about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// The cloud's time of the run, with the time that passed since; milliseconds.
    pub at: Timestamp,
    /// `2026/11/22/[$LATEST]0123…`
    pub stream: String,
    pub text: String,
}

/// A runtime of AWS and what runs it here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runtime {
    /// AWS's identifier.
    pub id: &'static str,
    /// The program and its version, or what is lacking, in words.
    pub found: std::result::Result<String, String>,
}

/// The runner of functions. Implemented over processes by `planes`, and by tests.
pub trait Functions: Send + Sync {
    /// Whether the code with this SHA-256 is unpacked. It stays for a minute at least.
    fn holds(&self, code_sha256: &str) -> bool;

    /// Whether a process of a function's version (`Invocation::function_arn`) and configuration waits for work, with credentials that are
    /// good beyond `until`. Another run may take it.
    fn waits(&self, _function_arn: &str, _configuration: &str, _until: Timestamp) -> bool {
        false
    }

    /// Runs a function once.
    fn invoke<'a>(&'a self, invocation: &'a Invocation) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

    /// The log of a function, without a version in its ARN, oldest line first, as far as it is kept.
    fn log(&self, function_arn: &str) -> Vec<LogLine>;
}
