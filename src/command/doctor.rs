//! `ringwork doctor`: checks the installation and says what to mend.

use std::os::unix::fs::PermissionsExt as _;
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
    check: &'static str,
    ok: bool,
    detail: String,
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
    findings.push(match running {
        Ok(report) => Finding {
            check: "server",
            ok: true,
            detail: format!("answers at {}", report.endpoints.join(", ")),
        },
        Err(error) => Finding {
            check: "server",
            ok: false,
            detail: error.chain(),
        },
    });
    if durable && !answered {
        findings.push(integrity(&folder));
    }
    if options.json {
        super::print_json(&findings)?;
    } else {
        for finding in &findings {
            println!(
                "{}  {:<18} {}",
                if finding.ok { "ok  " } else { "MEND" },
                finding.check,
                finding.detail
            );
        }
    }
    let bad = findings.iter().filter(|finding| !finding.ok).count();
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
    Finding {
        check: "memory",
        ok,
        detail: detail.to_owned(),
    }
}

/// Whether nobody but the owner may read a path.
fn private(check: &'static str, path: &Path, mode: u32) -> Finding {
    match path.metadata() {
        Err(error) => Finding {
            check,
            ok: false,
            detail: format!("{}: {error}", path.display()),
        },
        Ok(facts) if facts.permissions().mode() & 0o077 != 0 => Finding {
            check,
            ok: false,
            detail: format!("others may read it: chmod {mode:o} {}", path.display()),
        },
        Ok(_) => Finding {
            check,
            ok: true,
            detail: path.display().to_string(),
        },
    }
}

/// Reads the whole store of a stopped server.
fn integrity(folder: &Folder) -> Finding {
    let checked = store::Store::open(folder.path(), Box::new(pipeline::ledger::LedgerChain::default()));
    let checked = checked.and_then(|store| store.check());
    match checked {
        Ok(()) => Finding {
            check: "store",
            ok: true,
            detail: "whole".to_owned(),
        },
        Err(error) => Finding {
            check: "store",
            ok: false,
            detail: error.to_string(),
        },
    }
}
