//! `ringwork doctor`: checks the installation and says what to mend.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use http::Method;
use serde::Serialize;

use super::client::Client;
use crate::arguments::Status;
use crate::control::StatusReport;
use crate::error::Error;
use crate::folder::Folder;

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    check: String,
    ok: bool,
    /// Ringwork is not whole without it; what is merely lacking is told and no more.
    needed: bool,
    detail: String,
}

impl Finding {
    fn of(check: &str, found: Result<String, String>) -> Self {
        Self {
            check: check.to_owned(),
            ok: found.is_ok(),
            needed: true,
            detail: found.unwrap_or_else(|lacking| lacking),
        }
    }

    fn optional(check: &str, found: Result<String, String>) -> Self {
        Self {
            needed: false,
            ..Self::of(check, found)
        }
    }
}

pub(crate) async fn run(options: &Status) -> Result<(), Error> {
    let folder = Folder::at(&options.server.data);
    let mut findings = vec![
        private("data folder", folder.path(), 0o700),
        private("root credentials", &folder.root_credentials(), 0o600),
    ];
    let durable = folder.store_file().exists();
    if durable && folder.key_file().exists() {
        findings.push(private("seal key file", &folder.key_file(), 0o600));
    }
    let running = match Client::of(&options.server) {
        Ok(client) => {
            client
                .call::<StatusReport>(Method::GET, "/_ringwork/status", "", Vec::new())
                .await
        }
        Err(error) => Err(error),
    };
    let answered = running.is_ok();
    findings.extend(running.as_ref().ok().map(memory));
    findings.extend(running.as_ref().ok().map(jobs));
    let running = running.map(|report| format!("answers at {}", report.endpoints.join(", ")));
    findings.push(Finding::of("server", running.map_err(|error| error.chain())));
    if durable && !answered {
        findings.push(integrity(&folder));
    }
    findings.extend(functions().await);
    if options.json {
        super::print_json(&findings)?;
    } else {
        for finding in &findings {
            let word = match (finding.ok, finding.needed) {
                (true, _) => "ok  ",
                (false, true) => "MEND",
                (false, false) => "lack",
            };
            println!("{word}  {:<25} {}", finding.check, finding.detail);
        }
    }
    let bad = findings
        .iter()
        .filter(|finding| finding.needed && !finding.ok)
        .count();
    if bad == 0 {
        Ok(())
    } else {
        Err(Error::Unhealthy(format!(
            "{bad} of {} checks failed",
            findings.len()
        )))
    }
}

/// Whether keys in the server's memory can reach a disk.
fn memory(report: &StatusReport) -> Finding {
    let (ok, detail) = match (report.memory_locked, crate::memory::swaps()) {
        (true, _) => (true, "locked, never swapped out"),
        (false, false) => (true, "not locked, but this machine has no swap"),
        (false, true) => (
            false,
            "keys in memory may be swapped out: lift the limit on locked memory (ulimit -l unlimited, LimitMEMLOCK=infinity), or encrypt the swap",
        ),
    };
    let detail = detail.to_owned();
    Finding::of("memory", if ok { Ok(detail) } else { Err(detail) })
}

/// Whether all jobs work. Those that fail are tried again, and hold up no others.
fn jobs(report: &StatusReport) -> Finding {
    let told: Vec<String> = report.setbacks.iter().map(super::told).collect();
    let well = "none fails".to_owned();
    Finding::of(
        "jobs",
        if told.is_empty() {
            Ok(well)
        } else {
            Err(told.join("; "))
        },
    )
}

/// What this host has for functions and instances. What it lacks fails only those that need it.
async fn functions() -> Vec<Finding> {
    let scratch = std::env::temp_dir().join(format!("ringwork-doctor-{}", std::process::id()));
    if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(&scratch) {
        let lacking = format!("{}: {error}", scratch.display());
        return vec![Finding::optional("functions", Err(lacking))];
    }
    let found = planes::functions::inspect(&crate::functions::search_path(), &scratch).await;
    // It is tried for a moment only, with nothing else to do meanwhile.
    let agent = crate::instances::agent().map_err(|error| error.chain());
    let instances = agent.and_then(|agent| planes::instances::inspect(&scratch, agent));
    let _ = std::fs::remove_dir_all(&scratch);
    let mut findings = vec![
        Finding::optional("functions' isolation", found.isolation),
        Finding::optional("instances' isolation", instances),
    ];
    for runtime in found.runtimes {
        let check = format!("runtime {}", runtime.id);
        findings.push(Finding::optional(&check, runtime.found));
    }
    findings
}

/// Whether nobody but the owner may read a path.
fn private(check: &str, path: &Path, mode: u32) -> Finding {
    let found = match path.metadata() {
        Err(error) => Err(format!("{}: {error}", path.display())),
        Ok(facts) if facts.permissions().mode() & 0o077 != 0 => {
            Err(format!("others may read it: chmod {mode:o} {}", path.display()))
        }
        Ok(_) => Ok(path.display().to_string()),
    };
    Finding::of(check, found)
}

/// Reads the whole store of a stopped server.
fn integrity(folder: &Folder) -> Finding {
    let checked =
        store::Store::open_unconverted(folder.path(), Box::new(pipeline::ledger::LedgerChain::default()));
    let checked = checked.and_then(|store| store.check());
    let whole = checked.map(|()| "whole".to_owned());
    Finding::of("store", whole.map_err(|error| error.to_string()))
}
