//! Rows with checksums of their own. The engine below finds broken pages, not a flipped bit in what a page holds, and a record with one may
//! still parse: then a policy would say something that nobody wrote.
//!
//! Two tables hold them. Rows lie in the order of their keys, in the tree that finds them: a small one is found with one descent and
//! written with one page. What takes more than a quarter of a page would there spill into pages of its own, and push its neighbours apart;
//! the batches of streams do, so they lie in the order in which they came, one behind the other, and an index finds them.
//!
//! Invariant: no row leaves the file that has another checksum than the one that was written with it. The batches of streams have none
//! here: their [`crate::Chain`] covers them, and tells more precisely what is wrong.

use std::path::Path;

use crc_fast::{CrcAlgorithm, Digest};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::engine::{Direction, STREAMS, STREAMS_END};
use crate::{Error, Result, Row};

/// The layout that this program writes.
pub(crate) const FORMAT: i64 = 4;
/// The first layout whose rows have checksums. All before [`FORMAT`] had the batches of streams among the rows.
#[cfg(test)]
pub(crate) const CHECKED: i64 = 2;
/// The layout before rows had checksums.
pub(crate) const UNCHECKED: i64 = 1;
/// Rows that are gone through in one read.
const PAGE: usize = 1024;

/// In converted files the checksum's column takes NULL too, and a row without one is refused when it is read.
const CREATE_ROWS: &str =
    "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID";
const CREATE_BATCHES: &str = "CREATE TABLE batches (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)";
const FROM: &str = "SELECT key, value, sum FROM rows WHERE key >= ?1 ORDER BY key";
/// The rows of a file of [`UNCHECKED`], as many as one page, behind a key.
const AFTER_UNCHECKED: &str = "SELECT key, value FROM rows WHERE key > ?1 ORDER BY key LIMIT ?2";

/// Makes the tables of [`FORMAT`].
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(CREATE_ROWS, [])?;
    connection.execute(CREATE_BATCHES, []).map(drop)
}

/// Which table a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Rows,
    Batches,
}

impl Place {
    fn of(key: &[u8]) -> Self {
        if key.starts_with(&STREAMS) {
            Self::Batches
        } else {
            Self::Rows
        }
    }

    const fn get(self) -> &'static str {
        match self {
            Self::Rows => "SELECT key, value, sum FROM rows WHERE key = ?1",
            Self::Batches => "SELECT key, value, 0 FROM batches WHERE key = ?1",
        }
    }

    const fn range(self, direction: Direction) -> &'static str {
        match (self, direction) {
            (Self::Rows, Direction::Forward) => {
                "SELECT key, value, sum FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
            }
            (Self::Rows, Direction::Reverse) => {
                "SELECT key, value, sum FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3"
            }
            (Self::Batches, Direction::Forward) => {
                "SELECT key, value, 0 FROM batches WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
            }
            (Self::Batches, Direction::Reverse) => {
                "SELECT key, value, 0 FROM batches WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3"
            }
        }
    }
}

/// CRC-32C of the key's length, the key and the value: every flipped bit and every burst of up to 32 shows, other damage but once in four
/// billion. It is no defence against who can write the file; what must not be forged is sealed or chained.
fn sum(key: &[u8], value: &[u8]) -> i64 {
    if Place::of(key) == Place::Batches {
        return 0;
    }
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&(key.len() as u64).to_le_bytes());
    digest.update(key);
    digest.update(value);
    i64::from(u32::try_from(digest.finalize() & u64::from(u32::MAX)).unwrap_or(u32::MAX))
}

/// The statements that write rows, with their checksums, and delete them.
pub(crate) struct Writer<'c> {
    row: CachedStatement<'c>,
    batch: CachedStatement<'c>,
    delete_row: CachedStatement<'c>,
    delete_batch: CachedStatement<'c>,
}

impl<'c> Writer<'c> {
    pub(crate) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            row: connection.prepare_cached(
                "INSERT INTO rows (key, value, sum) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value, sum = excluded.sum",
            )?,
            batch: connection.prepare_cached(
                "INSERT INTO batches (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?,
            delete_row: connection.prepare_cached("DELETE FROM rows WHERE key = ?1")?,
            delete_batch: connection.prepare_cached("DELETE FROM batches WHERE key = ?1")?,
        })
    }

    pub(crate) fn write(&mut self, key: &[u8], value: &[u8]) -> rusqlite::Result<()> {
        let written = match Place::of(key) {
            Place::Rows => self.row.execute(params![key, value, sum(key, value)]),
            Place::Batches => self.batch.execute(params![key, value]),
        };
        written.map(drop)
    }

    pub(crate) fn delete(&mut self, key: &[u8]) -> rusqlite::Result<()> {
        let delete = match Place::of(key) {
            Place::Rows => &mut self.delete_row,
            Place::Batches => &mut self.delete_batch,
        };
        delete.execute([key]).map(drop)
    }
}

/// Deletes all but the store's own bookkeeping.
pub(crate) fn wipe(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM rows WHERE key >= ?1", [STREAMS.as_slice()])?;
    connection.execute("DELETE FROM batches", []).map(drop)
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
        .prepare_cached(Place::of(key).get())?
        .query_row([key], Found::of)
        .optional()
}

/// Up to `limit` rows with `from <= key < to`, unchecked as yet. Hardly any range is of both tables.
pub(crate) fn range(
    connection: &Connection,
    (from, to): (&[u8], &[u8]),
    direction: Direction,
    limit: usize,
) -> rusqlite::Result<Vec<Found>> {
    let mut parts = [
        (Place::Rows, from, to.min(&STREAMS)),
        (Place::Batches, from.max(&STREAMS), to.min(&STREAMS_END)),
        (Place::Rows, from.max(&STREAMS_END), to),
    ];
    if direction == Direction::Reverse {
        parts.reverse();
    }
    let mut found = Vec::new();
    for (place, from, to) in parts {
        if from >= to || found.len() >= limit {
            continue;
        }
        let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(place.range(direction))?;
        for row in statement.query_map(params![from, to, left], Found::of)? {
            found.push(row?);
        }
    }
    Ok(found)
}

/// Brings the tables of a file of an older format to this one; the caller's transaction makes it all or nothing.
pub(crate) fn convert(connection: &Connection, format: i64) -> rusqlite::Result<()> {
    connection.execute(CREATE_BATCHES, [])?;
    let streams = [STREAMS.as_slice(), STREAMS_END.as_slice()];
    connection.execute(
        "INSERT INTO batches (key, value) SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key",
        streams,
    )?;
    connection.execute("DELETE FROM rows WHERE key >= ?1 AND key < ?2", streams)?;
    if format == UNCHECKED {
        add_sums(connection)?;
    }
    Ok(())
}

/// Gives every row of a file of [`UNCHECKED`] its checksum.
fn add_sums(connection: &Connection) -> rusqlite::Result<()> {
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

/// All rows but the store's own bookkeeping, of a file of any format.
pub(crate) fn all(
    connection: &Connection,
    format: i64,
    path: &Path,
    failed: impl Fn(rusqlite::Error) -> Error,
) -> Result<Vec<Row>> {
    if format == UNCHECKED {
        let query = "SELECT key, value FROM rows WHERE key >= ?1";
        let mut statement = connection.prepare(query).map_err(&failed)?;
        let rows = statement
            .query_map([STREAMS.as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(&failed)?;
        return rows.map(|row| row.map_err(&failed)).collect();
    }
    let queries: &[&str] = if format == FORMAT {
        &[FROM, "SELECT key, value, 0 FROM batches WHERE key >= ?1"]
    } else {
        &[FROM]
    };
    let mut all = Vec::new();
    for query in queries {
        let mut statement = connection.prepare(query).map_err(&failed)?;
        let rows = statement
            .query_map([STREAMS.as_slice()], Found::of)
            .map_err(&failed)?;
        for found in rows {
            all.push(found.map_err(&failed)?.checked(path)?);
        }
    }
    Ok(all)
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

    #[test]
    fn a_range_of_both_tables_is_one_range() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        let keys: [&[u8]; 6] = [&[0, 0], &[0, 0, 9], &[0, 1, 1], &[0, 1, 2], &[0, 2], &[1, 0]];
        let mut writer = Writer::prepare(&connection).unwrap();
        for key in keys {
            writer.write(key, key).unwrap();
        }
        for (from, to) in (0..6).flat_map(|from| (from..6).map(move |to| (from, to))) {
            for limit in 0..7 {
                for direction in [Direction::Forward, Direction::Reverse] {
                    let mut wanted = keys[from..to].to_vec();
                    if direction == Direction::Reverse {
                        wanted.reverse();
                    }
                    wanted.truncate(limit);
                    let found = range(&connection, (keys[from], keys[to]), direction, limit).unwrap();
                    let found: Vec<_> = found
                        .into_iter()
                        .map(|found| found.checked(Path::new("x")).unwrap().0)
                        .collect();
                    assert_eq!(found, wanted);
                }
            }
        }
        writer.delete(&[0, 1, 1]).unwrap();
        wipe(&connection).unwrap();
        let left = range(&connection, (&[0], &[9]), Direction::Forward, 9).unwrap();
        assert_eq!(left.len(), 2, "the bookkeeping stays");
    }
}
