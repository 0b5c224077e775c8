//! `GET /_ringwork/status`: what the server is and what it has done since it started.

use pipeline::setback::Setback;
use serde::{Deserialize, Serialize};

use super::{Control, Result};

/// What `ringwork status` shows.
#[derive(Serialize, Deserialize)]
pub(crate) struct StatusReport {
    pub(crate) version: String,
    pub(crate) account: String,
    pub(crate) endpoints: Vec<String>,
    /// Where the console is, unless it is left out.
    pub(crate) console: Option<String>,
    pub(crate) data: String,
    /// `memory` or `disk`
    pub(crate) engine: String,
    pub(crate) seal: String,
    /// No page of the process is ever swapped out.
    pub(crate) memory_locked: bool,
    pub(crate) clock: super::ClockReport,
    pub(crate) operations: usize,
    /// The store's version: the number of commits so far.
    pub(crate) version_of_store: u64,
    pub(crate) flushes: u64,
    pub(crate) conflicts: u64,
    /// Jobs that failed and are tried again.
    #[serde(default)]
    pub(crate) setbacks: Vec<Setback>,
}

impl Control {
    pub(super) fn status(&self) -> Result<StatusReport> {
        let statistics = self.gateway.store().statistics();
        Ok(StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            account: self.posture.account.clone(),
            endpoints: self.posture.endpoints.clone(),
            console: self.posture.console.clone(),
            data: self.posture.data.display().to_string(),
            engine: if self.posture.memory { "memory" } else { "disk" }.to_owned(),
            seal: self.posture.seal.to_owned(),
            memory_locked: self.posture.memory_locked,
            clock: self.clock(),
            operations: self.gateway.endpoints().count(),
            version_of_store: self.gateway.store().version(),
            flushes: statistics.flushes,
            conflicts: statistics.conflicts,
            setbacks: self.gateway.setbacks()?,
        })
    }
}
