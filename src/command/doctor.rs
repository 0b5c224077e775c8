//! `ringwork doctor`: checks the installation and says what to mend.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use http::Method;
use pipeline::ledger::{self, Followed};
use serde::{Deserialize, Serialize};
use store::Store;

use super::client::{Client, LEDGER};
use crate::arguments::Doctor;
use crate::control::StatusReport;
use crate::error::Error;
use crate::folder::{self, Folder};

/// The check of the ledger's streams, by which they are found again in what was noted.
const LEDGER_CHECK: &str = "ledger";
/// Broken streams that are named in a line.
const NAMED_MAX: usize = 8;

/// One thing that was looked at.
#[derive(Serialize, Deserialize)]
struct Finding {
    check: String,
    ok: bool,
    /// Ringwork is not whole without it; what is merely lacking is told and no more.
    needed: bool,
    detail: String,
    /// The ledger's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    streams: Vec<Followed>,
}

impl Finding {
    fn of(check: &str, found: Result<String, String>) -> Self {
        Self {
            check: check.to_owned(),
            ok: found.is_ok(),
            needed: true,
            detail: found.unwrap_or_else(|lacking| lacking),
            streams: Vec::new(),
        }
    }

    fn optional(check: &str, found: Result<String, String>) -> Self {
        Self {
            needed: false,
            ..Self::of(check, found)
        }
    }
}

pub(crate) async fn run(options: &Doctor) -> Result<(), Error> {
    let noted = options.noted.as_deref().map(read_noted).transpose()?;
    let folder = Folder::at(&options.server.data);
    let mut findings = vec![
        private("data folder", folder.path(), 0o700),
        private("root credentials", &folder.root_credentials(), 0o600),
    ];
    let durable = folder.store_file().exists();
    if durable && folder.key_file().exists() {
        findings.push(private("seal key file", &folder.key_file(), 0o600));
    }
    let client = Client::of(&options.server);
    let running = match &client {
        Ok(client) => {
            let path = "/_ringwork/status";
            let report = client.call::<StatusReport>(Method::GET, path, "", Vec::new());
            report.await.map_err(|error| error.chain())
        }
        Err(error) => Err(error.chain()),
    };
    let answered = running.is_ok();
    findings.extend(running.as_ref().ok().map(memory));
    findings.extend(running.as_ref().ok().map(jobs));
    let running = running.map(|report| format!("answers at {}", report.endpoints.join(", ")));
    findings.push(Finding::of("server", running));
    let asked = options.ledger || noted.is_some();
    let noted = noted.unwrap_or_default();
    match &client {
        Ok(client) if answered && asked => findings.push(streams(ask(client, &noted).await)),
        _ if durable && !answered => findings.extend(at_rest(&folder, &noted)),
        _ if asked && !answered => {
            let lacking = format!("{} has none", folder.path().display());
            findings.push(streams(Err(lacking)));
        }
        _ => {}
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

/// Reads the whole store of a stopped server, and follows its ledger.
fn at_rest(folder: &Folder, noted: &[Followed]) -> Vec<Finding> {
    let opened = Store::open_unconverted(folder.path(), Box::new(ledger::LedgerChain::default()));
    let store = match opened {
        Ok(store) => store,
        Err(error) => return vec![Finding::of("store", Err(error.to_string()))],
    };
    let whole = store.check().map(|()| "whole".to_owned());
    let followed = ledger::verify(&store, noted);
    vec![
        Finding::of("store", whole.map_err(|error| error.to_string())),
        streams(followed.map_err(|error| error.to_string())),
    ]
}

/// Has a running server follow its ledger.
async fn ask(client: &Client, noted: &[Followed]) -> Result<Vec<Followed>, String> {
    let body = serde_json::to_vec(noted).map_err(|error| error.to_string())?;
    let followed = client.call(Method::POST, LEDGER, "", body).await;
    followed.map_err(|error| error.chain())
}

/// Whether every stream of the ledger is whole; if not, where each is broken first.
fn streams(followed: Result<Vec<Followed>, String>) -> Finding {
    let followed = match followed {
        Ok(followed) => followed,
        Err(lacking) => return Finding::of(LEDGER_CHECK, Err(lacking)),
    };
    let broken: Vec<String> = followed
        .iter()
        .filter_map(|followed| {
            let broken = followed.broken?;
            Some(format!(
                "{} is broken at {}: {}",
                followed.stream, broken.sequence, broken.flaw
            ))
        })
        .collect();
    let found = if broken.is_empty() {
        let records: u64 = followed.iter().map(|followed| followed.records).sum();
        Ok(format!(
            "whole: {} streams, {records} records, digest {}",
            followed.len(),
            ledger::verify::digest(&followed)
        ))
    } else {
        let mut told = broken.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>();
        if broken.len() > NAMED_MAX {
            told.push(format!("and {} more", broken.len() - NAMED_MAX));
        }
        Err(told.join("; "))
    };
    Finding {
        streams: followed,
        ..Finding::of(LEDGER_CHECK, found)
    }
}

/// What an earlier `doctor --json` told of the ledger's streams.
fn read_noted(path: &Path) -> Result<Vec<Followed>, Error> {
    let failed = |reason: &str| Error::Usage(format!("{} cannot be compared with: {reason}", path.display()));
    let bytes = folder::read(path)?.ok_or_else(|| failed("there is no such file"))?;
    let findings: Vec<Finding> =
        serde_json::from_slice(&bytes).map_err(|error| failed(&error.to_string()))?;
    let noted = findings.into_iter().find(|finding| finding.check == LEDGER_CHECK);
    let noted = noted.map(|finding| finding.streams).unwrap_or_default();
    if noted.is_empty() {
        return Err(failed(
            "it notes no ledger; `ringwork doctor --ledger --json` does",
        ));
    }
    Ok(noted)
}
