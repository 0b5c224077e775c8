//! Rows with checksums of their own. The engine below finds broken pages, not a flipped bit in what a page holds, and a record with one may
//! still parse: then a policy would say something that nobody wrote.
//!
//! Invariant: no row leaves the file that has another checksum than the one that was written with it. The batches of streams have none
//! here: their [`crate::Chain`] covers them, and tells more precisely what is wrong.

use std::path::Path;

use crc_fast::{CrcAlgorithm, Digest};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::engine::STREAMS;
use crate::{Error, Result, Row};

/// The layout that this program writes: that of [`CHECKED`], with streams whose batches older programs cannot read.
pub(crate) const FORMAT: i64 = 3;
/// The layout of before that: its rows and batches are read as they are.
#[cfg(test)]
pub(crate) const CHECKED: i64 = 2;
/// The layout before rows had checksums.
pub(crate) const UNCHECKED: i64 = 1;
/// Rows that are gone through in one read.
const PAGE: usize = 1024;

/// The table of [`FORMAT`]. In converted files the checksum's column takes NULL too, and a row without one is refused when it is read.
pub(crate) const CREATE: &str =
    "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID";
pub(crate) const GET: &str = "SELECT key, value, sum FROM rows WHERE key = ?1";
pub(crate) const FORWARD: &str =
    "SELECT key, value, sum FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
pub(crate) const REVERSE: &str =
    "SELECT key, value, sum FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3";
const FROM: &str = "SELECT key, value, sum FROM rows WHERE key >= ?1 ORDER BY key";
/// The rows of a file of [`UNCHECKED`], as many as one page, behind a key.
const AFTER_UNCHECKED: &str = "SELECT key, value FROM rows WHERE key > ?1 ORDER BY key LIMIT ?2";
const UPSERT: &str = "INSERT INTO rows (key, value, sum) VALUES (?1, ?2, ?3) \
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, sum = excluded.sum";

/// CRC-32C of the key's length, the key and the value: every flipped bit and every burst of up to 32 shows, other damage but once in four
/// billion. It is no defence against who can write the file; what must not be forged is sealed or chained.
fn sum(key: &[u8], value: &[u8]) -> i64 {
    if key.starts_with(&STREAMS) {
        return 0;
    }
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&(key.len() as u64).to_le_bytes());
    digest.update(key);
    digest.update(value);
    i64::from(u32::try_from(digest.finalize() & u64::from(u32::MAX)).unwrap_or(u32::MAX))
}

/// The statement that writes rows with their checksums.
pub(crate) struct Upsert<'c>(CachedStatement<'c>);

impl<'c> Upsert<'c> {
    pub(crate) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached(UPSERT).map(Self)
    }

    pub(crate) fn write(&mut self, key: &[u8], value: &[u8]) -> rusqlite::Result<()> {
        self.0.execute(params![key, value, sum(key, value)]).map(drop)
    }
}

/// A row as the file has it.
pub(crate) struct Found {
    row: Row,
    sum: Option<i64>,
}

impl Found {
    /// Reads one of the columns that the statements here select.
    pub(crate) fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: (row.get(0)?, row.get(1)?),
            sum: row.get(2)?,
        })
    }

    /// The row, if its checksum is the one that was written with it.
    pub(crate) fn checked(self, path: &Path) -> Result<Row> {
        let (key, value) = &self.row;
        if self.sum == Some(sum(key, value)) {
            return Ok(self.row);
        }
        let (table, rest) = key.split_at(key.len().min(2));
        Err(Error::DamagedRow {
            path: path.to_owned(),
            table: table
                .iter()
                .fold("table 0x".to_owned(), |name, byte| format!("{name}{byte:02x}")),
            // Keys hold names of users and of secrets, and errors go to logs.
            key: format!("{:08x}", sum(rest, &[])),
        })
    }
}

/// One row, unchecked as yet.
pub(crate) fn find(connection: &Connection, key: &[u8]) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached(GET)?
        .query_row([key], Found::of)
        .optional()
}

/// Gives every row of a file of [`UNCHECKED`] its checksum; the caller's transaction makes it all or nothing.
pub(crate) fn convert(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("ALTER TABLE rows ADD COLUMN sum INTEGER", [])?;
    let mut page = connection.prepare(AFTER_UNCHECKED)?;
    let mut update = connection.prepare("UPDATE rows SET sum = ?2 WHERE key = ?1")?;
    let mut last: Vec<u8> = Vec::new();
    loop {
        let rows = page
            .query_map(params![last, PAGE as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<Row>>>()?;
        let Some((key, _)) = rows.last() else {
            return Ok(());
        };
        last.clone_from(key);
        for (key, value) in &rows {
            update.execute(params![key, sum(key, value)])?;
        }
    }
}

/// Looks at the checksum of every row.
pub(crate) fn inspect(
    connection: &Connection,
    path: &Path,
    failed: impl Fn(rusqlite::Error) -> Error,
) -> Result<()> {
    let mut statement = connection.prepare(FROM).map_err(&failed)?;
    let rows = statement.query_map([[].as_slice()], Found::of).map_err(&failed)?;
    for found in rows {
        found.map_err(&failed)?.checked(path)?;
    }
    Ok(())
}

/// All rows from `from` on, of a file of either format.
pub(crate) fn rows_from(
    connection: &Connection,
    from: &[u8],
    format: i64,
    path: &Path,
    failed: impl Fn(rusqlite::Error) -> Error,
) -> Result<Vec<Row>> {
    if format == UNCHECKED {
        let query = "SELECT key, value FROM rows WHERE key >= ?1";
        let mut statement = connection.prepare(query).map_err(&failed)?;
        let rows = statement
            .query_map([from], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(&failed)?;
        return rows.map(|row| row.map_err(&failed)).collect();
    }
    let mut statement = connection.prepare(FROM).map_err(&failed)?;
    let rows = statement.query_map([from], Found::of).map_err(&failed)?;
    rows.map(|found| found.map_err(&failed)?.checked(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_key_and_value_changes_the_sum() {
        let (key, value) = (b"key".to_vec(), b"value".to_vec());
        let whole = sum(&key, &value);
        for bit in 0..key.len() * 8 {
            let mut key = key.clone();
            key[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(sum(&key, &value), whole);
        }
        for bit in 0..value.len() * 8 {
            let mut value = value.clone();
            value[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(sum(&key, &value), whole);
        }
        assert_ne!(sum(b"keyv", b"alue"), whole, "the boundary counts");
    }
}
