//! The rows of contents: the sealed bytes of small ones.
//!
//! Invariant: a row is there exactly as long as something names its content; it comes and goes in the naming row's transaction.

use store::{Error, Record, Result, Table};

/// The sealed bytes of a small content, as they are.
#[derive(Clone)]
pub(crate) struct Sealed(pub(crate) Vec<u8>);

impl Record for Sealed {
    const VERSION: u8 = 1;

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

/// By id.
pub(crate) static CONTENTS: Table<[u8; 16], Sealed> = Table::new(0x0f21, "pipeline.contents");
