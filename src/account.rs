//! Which account an installation belongs to.
//!
//! Invariant: the first start settles it; it lies in the store, so that snapshots carry it, and no later start changes it.

use std::path::Path;

use pipeline::Call;
use serde::{Deserialize, Serialize};
use store::{Store, Table, json};

use crate::error::Error;

/// The account of an installation whose first start named none.
const DEFAULT: &str = "000000000000";

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    account: String,
}

impl store::Record for Kept {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        json::encode(self, "ringwork.installation", out)
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        json::decode("ringwork.installation", bytes)
    }
}

static INSTALLATION: Table<String, Kept> = Table::new(0x0f11, "ringwork.installation");
const ROW: &str = "management-account";

/// The management account of a store: the one that it has, or else the one that is asked for.
///
/// # Errors
/// If the store fails, or belongs to another account than the one that is asked for.
pub(crate) fn of(store: &Store, path: &Path, asked: Option<&str>) -> Result<String, Error> {
    let kept = store
        .run(|tx| tx.get(&INSTALLATION, ROW))
        .map_err(|source| Error::Store {
            path: path.to_owned(),
            source,
        })?;
    match (kept, asked) {
        (None, asked) => Ok(asked.unwrap_or(DEFAULT).to_owned()),
        (Some(kept), asked) if asked.is_none_or(|asked| asked == kept.account) => Ok(kept.account.clone()),
        (Some(kept), _) => Err(Error::Usage(format!(
            "the management account of {} is {}: leave --account out, or name another folder",
            path.display(),
            kept.account
        ))),
    }
}

/// Settles the account of an installation that has none yet.
pub(crate) fn keep(call: &mut Call<'_>, account: &str) -> pipeline::Result<()> {
    if call.get(&INSTALLATION, ROW)?.is_some() {
        return Ok(());
    }
    let kept = Kept {
        account: account.to_owned(),
    };
    call.put(&INSTALLATION, ROW, kept)
}
