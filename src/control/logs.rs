//! `POST /_ringwork/logs`: what a function wrote, as far as the runner keeps it.

use http::StatusCode;
use platform::lambda::list;
use serde::{Deserialize, Serialize};

use super::{Control, Refusal, Result};

/// Whose log.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    /// A function's name or ARN.
    pub(crate) function: String,
    /// The account of a name; the management account unless told.
    #[serde(default)]
    pub(crate) account: Option<String>,
    /// The region of a name; needed if the account has functions of that name in several.
    #[serde(default)]
    pub(crate) region: Option<String>,
}

/// A function's log, oldest line first.
#[derive(Serialize, Deserialize)]
pub(crate) struct LogReport {
    pub(crate) function: String,
    pub(crate) lines: Vec<Line>,
}

/// A line of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    /// By the cloud's clock, `2026-11-22T10:00:00Z`.
    pub(crate) at: String,
    pub(crate) stream: String,
    pub(crate) text: String,
}

impl Control {
    pub(super) fn logs(&self, body: &[u8]) -> Result<LogReport> {
        let whose: Whose = serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        let account = whose.account.as_deref().unwrap_or(&self.posture.account);
        let found = self.gateway.system("us-east-1", |call| {
            list::named(call, account, whose.region.as_deref(), &whose.function)
        })?;
        let [arn] = found.as_slice() else {
            if found.is_empty() {
                let message = format!("There is no function {} in account {account}.", whose.function);
                return Err(Refusal::new(StatusCode::NOT_FOUND, message));
            }
            return Err(Refusal::bad(format!(
                "There are several functions of this name, name one by its ARN: {}",
                found.join(", ")
            )));
        };
        let lines = self.gateway.function_log(arn).into_iter().map(|line| Line {
            at: line.at.iso8601(),
            stream: line.stream,
            text: line.text,
        });
        Ok(LogReport {
            function: arn.clone(),
            lines: lines.collect(),
        })
    }
}
