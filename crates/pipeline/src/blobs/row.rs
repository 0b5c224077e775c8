//! The rows of contents: the sealed bytes of small ones, and for each file the fact that something names it.
//!
//! Invariant: a row is there exactly as long as something names its content, be it one row or several; it comes and goes in the naming row's transaction.

use serde::{Deserialize, Serialize};
use store::{Error, Record, Result, Table};

/// The sealed bytes of a small content, behind the twelve digits of the account that it belongs to.
#[derive(Clone)]
pub(crate) struct Sealed(Vec<u8>);

/// Bytes of an account's number.
const ACCOUNT: usize = 12;

impl Sealed {
    pub(crate) fn new(account: &str, sealed: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(ACCOUNT + sealed.len());
        bytes.extend(account.bytes().chain(std::iter::repeat(b' ')).take(ACCOUNT));
        bytes.extend_from_slice(sealed);
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.get(ACCOUNT..).unwrap_or_default()
    }
}

impl Record for Sealed {
    const VERSION: u8 = 1;
    // They would push out what every call needs.
    const CACHED: bool = false;

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn decode(version: u8, bytes: &[u8]) -> Result<Self> {
        if version > Self::VERSION {
            return Err(Error::NewerRecord {
                table: "pipeline.contents",
                found: version,
                known: Self::VERSION,
            });
        }
        Ok(Self(bytes.to_vec()))
    }
}

/// That something names a file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct File {
    /// Whose it is.
    pub(crate) account: String,
    /// Bytes of the file.
    pub(crate) size: u64,
}
store::record!(File, 1);

/// By id.
pub(crate) static FILES: Table<[u8; 16], File> = Table::new(FILES_TABLE, "pipeline.files");

/// By id.
pub(crate) static CONTENTS: Table<[u8; 16], Sealed> = Table::new(CONTENTS_TABLE, "pipeline.contents");

/// How many rows beside the first name a content.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Shared(pub(crate) u32);
store::record!(Shared, 1);

/// By id; only of contents that are shared.
pub(crate) static SHARED: Table<[u8; 16], Shared> = Table::new(0x0f22, "pipeline.shared-contents");

const FILES_TABLE: u16 = 0x0f20;
const CONTENTS_TABLE: u16 = 0x0f21;

/// Whether a stored row, given by table and stored bytes, is a content of an account: for the reset of one account, since no key of
/// a content begins with it.
pub fn belongs(table: u16, stored: &[u8], account: &str) -> bool {
    match (table, stored) {
        (CONTENTS_TABLE, [_version, row @ ..]) => row.starts_with(account.as_bytes()),
        (FILES_TABLE, [_version, row @ ..]) => {
            serde_json::from_slice::<File>(row).is_ok_and(|file| file.account == account)
        }
        _ => false,
    }
}
