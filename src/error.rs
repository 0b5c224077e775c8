//! What stops a command, with a stable exit code for scripts.

use std::error::Error as _;
use std::path::PathBuf;

/// Why a command ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("the rotation function cannot run")]
    Function(#[source] rotation::Error),
    #[error("{0}")]
    Usage(String),
    #[error("cannot {doing} {path}")]
    File {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot read {path}: {reason}")]
    Content { path: PathBuf, reason: String },
    #[error("cannot open the store in {path}")]
    Store { path: PathBuf, source: store::Error },
    #[error("cannot open the seal of {path}")]
    Seal { path: PathBuf, source: crypto::Error },
    #[error("cannot keep contents where {path} says")]
    Contents {
        path: PathBuf,
        source: planes::contents::ContentsError,
    },
    #[error("cannot make or read the certificates")]
    Certificate(#[source] crypto::Error),
    #[error("cannot listen")]
    Listen(#[source] planes::Error),
    #[error("no Ringwork answers at {endpoint}")]
    Unreachable { endpoint: String, source: planes::Error },
    #[error("the server refuses: {message}")]
    Refused { message: String },
    #[error("the pipeline failed: {0}")]
    Pipeline(String),
    #[error("{0}")]
    Unhealthy(String),
}

impl Error {
    /// 2: usage or configuration; 3: the data folder, its seal or its store; 4: no server; 5: refused; 1: anything else.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::File { .. }
            | Self::Content { .. }
            | Self::Contents { .. }
            | Self::Store { .. }
            | Self::Seal { .. } => 3,
            Self::Unreachable { .. } => 4,
            Self::Refused { .. } => 5,
            _ => 1,
        }
    }

    /// The error and what caused it, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }

    pub(crate) fn fault(fault: &wire::Fault) -> Self {
        let source = fault
            .source
            .as_ref()
            .map(|source| format!(" ({source})"))
            .unwrap_or_default();
        Self::Pipeline(format!("{}{source}", fault.message))
    }

    /// The fault of a first look into a store: what broke inside is the store's, any other refusal the pipeline's.
    pub(crate) fn first_look(store: PathBuf, fault: &wire::Fault) -> Self {
        let Some(source) = &fault.source else {
            return Self::fault(fault);
        };
        let mut reason = source.to_string();
        let mut cause = source.source();
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        Self::Content { path: store, reason }
    }
}
