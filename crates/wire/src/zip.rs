//! Zips, as deployment packages come: the directory, read strictly and within bounds, and what each entry holds.
//!
//! There is one reader, so that what was looked at when a package came is what is unpacked when it runs.
//!
//! Invariant: whatever the archive says of itself, no more is allocated than its own octets and the bound of entries call for, and nothing
//! is read outside of it.
//!
//! Source: PKWARE's APPNOTE 6.3.10, sections 4.3 to 4.5.

use std::io::{self, Read};

use flate2::Crc;
use flate2::read::DeflateDecoder;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const HEADER: &[u8] = b"PK\x03\x04";
/// Bytes of the records without what varies.
const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
const END_64_BYTES: usize = 56;
const ENTRY_BYTES: usize = 46;
const HEADER_BYTES: usize = 30;
/// The extra field that holds numbers of 64 bits.
const ZIP_64: u16 = 1;
/// The bit of an entry that is encrypted.
const ENCRYPTED: u16 = 1;
/// Entries made on Unix hold a mode; its bits for kinds of files.
const UNIX: u8 = 3;
const KINDS: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// Why an archive cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("It is no zip.")]
    NoZip,
    #[error("Its directory is damaged.")]
    Damaged,
    #[error("It has more than {0} entries.")]
    Entries(usize),
    #[error("An entry has a name that is not UTF-8.")]
    Name,
    #[error("The entry {0:?} is not where the directory says.")]
    Misplaced(String),
    #[error("The entry {0:?} is encrypted.")]
    Encrypted(String),
    #[error("The entry {name:?} is compressed by method {method}, which is not read.")]
    Method { name: String, method: u16 },
}

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    File,
    Folder,
    /// A symbolic link, whose content is its target.
    Link,
}

/// An entry of an archive.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// As the archive has it: nothing is known of where it leads.
    pub name: &'a str,
    pub kind: Kind,
    /// Anybody may execute it.
    pub executable: bool,
    /// Bytes of its content, by its own account.
    pub size: u64,
    method: u16,
    encrypted: bool,
    crc: u32,
    packed: u64,
    /// Where its own header is.
    at: usize,
}

/// An archive whose directory was read.
#[derive(Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    entries: Vec<Entry<'a>>,
}

/// Where the directory is.
struct Directory {
    start: usize,
    end: usize,
    count: u64,
    /// What precedes the archive: numbers of places count from behind it.
    before: usize,
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*field))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

fn longer(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

fn starts(bytes: &[u8], at: usize, mark: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(mark))
}

impl<'a> Archive<'a> {
    /// Reads the directory of an archive of at most `entries_max` entries.
    ///
    /// # Errors
    /// Says in a sentence what is wrong with the archive.
    pub fn read(bytes: &'a [u8], entries_max: usize) -> Result<Self, Error> {
        let directory = directory(bytes)?;
        let count = usize::try_from(directory.count).unwrap_or(usize::MAX);
        if count > entries_max {
            return Err(Error::Entries(entries_max));
        }
        if count.saturating_mul(ENTRY_BYTES) > directory.end - directory.start {
            return Err(Error::Damaged);
        }
        let mut entries = Vec::with_capacity(count);
        let mut at = directory.start;
        let table = bytes.get(..directory.end).ok_or(Error::Damaged)?;
        for _ in 0..count {
            let (entry, next) = entry(table, at, directory.before)?;
            entries.push(entry);
            at = next;
        }
        Ok(Self { bytes, entries })
    }

    /// The entries in the order of the directory.
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// What an entry holds. Reading it ends with an error if it is not as long as the directory says, or not what was packed.
    ///
    /// # Errors
    /// Says in a sentence why it cannot be read.
    pub fn content(&self, entry: &Entry<'a>) -> Result<Content<'a>, Error> {
        if entry.encrypted {
            return Err(Error::Encrypted(entry.name.to_owned()));
        }
        let packed = self
            .packed(entry)
            .ok_or_else(|| Error::Misplaced(entry.name.to_owned()))?;
        let packing = match entry.method {
            0 => Packing::Stored(packed),
            8 => Packing::Deflated(Box::new(DeflateDecoder::new(packed))),
            method => {
                let name = entry.name.to_owned();
                return Err(Error::Method { name, method });
            }
        };
        Ok(Content {
            packing,
            crc: Crc::new(),
            read: 0,
            expected: (entry.crc, entry.size),
        })
    }

    fn packed(&self, entry: &Entry<'a>) -> Option<&'a [u8]> {
        if !starts(self.bytes, entry.at, HEADER) {
            return None;
        }
        let (name, extra) = (
            short(self.bytes, entry.at + 26)?,
            short(self.bytes, entry.at + 28)?,
        );
        let start = entry.at + HEADER_BYTES + usize::from(name) + usize::from(extra);
        let end = start.checked_add(usize::try_from(entry.packed).ok()?)?;
        self.bytes.get(start..end)
    }
}

/// Finds the directory by the record at the archive's end.
fn directory(bytes: &[u8]) -> Result<Directory, Error> {
    let last = bytes.len().checked_sub(END_BYTES).ok_or(Error::NoZip)?;
    let end = (last.saturating_sub(usize::from(u16::MAX))..=last)
        .rev()
        .find(|at| starts(bytes, *at, END))
        .ok_or(Error::NoZip)?;
    let fields = || {
        Some((
            u64::from(short(bytes, end + 10)?),
            u64::from(long(bytes, end + 12)?),
            u64::from(long(bytes, end + 16)?),
        ))
    };
    let (mut count, mut size, mut offset) = fields().ok_or(Error::Damaged)?;
    let mut directory_end = end;
    let full = u64::from(u32::MAX);
    if count == u64::from(u16::MAX) || size == full || offset == full {
        let record = end_64(bytes, end).ok_or(Error::Damaged)?;
        let wide = || {
            Some((
                longer(bytes, record + 32)?,
                longer(bytes, record + 40)?,
                longer(bytes, record + 48)?,
            ))
        };
        (count, size, offset) = wide().ok_or(Error::Damaged)?;
        directory_end = record;
    }
    let place = |number: u64| usize::try_from(number).map_err(|_| Error::Damaged);
    let (size, offset) = (place(size)?, place(offset)?);
    let start = directory_end.checked_sub(size).ok_or(Error::Damaged)?;
    let before = start.checked_sub(offset).ok_or(Error::Damaged)?;
    Ok(Directory {
        start,
        end: directory_end,
        count,
        before,
    })
}

/// Where the wide record of the archive's end is: right before its locator, which is right before the end.
fn end_64(bytes: &[u8], end: usize) -> Option<usize> {
    let locator = end.checked_sub(LOCATOR_BYTES)?;
    let record = locator.checked_sub(END_64_BYTES)?;
    let there = starts(bytes, locator, LOCATOR_64) && starts(bytes, record, END_64);
    there.then_some(record)
}

/// The entry of the directory that begins at `at`, and where the next one does.
fn entry(table: &[u8], at: usize, before: usize) -> Result<(Entry<'_>, usize), Error> {
    let read = || {
        if !starts(table, at, ENTRY) {
            return None;
        }
        let length = |field| short(table, at + field).map(usize::from);
        let name_end = at + ENTRY_BYTES + length(28)?;
        let extra_end = name_end + length(30)?;
        let next = extra_end + length(32)?;
        let name = table.get(at + ENTRY_BYTES..name_end)?;
        let extra = table.get(name_end..extra_end)?;
        if next > table.len() {
            return None;
        }
        let mut wide = [
            u64::from(long(table, at + 24)?),
            u64::from(long(table, at + 20)?),
            u64::from(long(table, at + 42)?),
        ];
        widen(&mut wide, extra)?;
        let [size, packed, header] = wide;
        let mode = long(table, at + 38)? >> 16;
        let unix = table.get(at + 5) == Some(&UNIX);
        let facts = Entry {
            name: "",
            kind: kind(name, mode, unix),
            executable: unix && mode & 0o111 != 0,
            size,
            method: short(table, at + 10)?,
            encrypted: short(table, at + 8)? & ENCRYPTED != 0,
            crc: long(table, at + 16)?,
            packed,
            at: usize::try_from(header).ok()?.checked_add(before)?,
        };
        Some((facts, name, next))
    };
    let (entry, name, next) = read().ok_or(Error::Damaged)?;
    // Tools that know no other than the host's names write them in UTF-8 today, whether they say so or not.
    let name = std::str::from_utf8(name).map_err(|_| Error::Name)?;
    Ok((Entry { name, ..entry }, next))
}

fn kind(name: &[u8], mode: u32, unix: bool) -> Kind {
    match mode & KINDS {
        _ if name.ends_with(b"/") => Kind::Folder,
        FOLDER if unix => Kind::Folder,
        LINK if unix => Kind::Link,
        _ => Kind::File,
    }
}

/// Puts the wide numbers of the extra field in the place of those that are full, in their order (APPNOTE, 4.5.3).
fn widen(numbers: &mut [u64; 3], extra: &[u8]) -> Option<()> {
    let full = u64::from(u32::MAX);
    if !numbers.contains(&full) {
        return Some(());
    }
    let mut at = 0;
    loop {
        let (id, length) = (short(extra, at)?, usize::from(short(extra, at + 2)?));
        let field = extra.get(at + 4..at + 4 + length)?;
        at += 4 + length;
        if id != ZIP_64 {
            continue;
        }
        let mut values = field.chunks_exact(8);
        for number in numbers.iter_mut().filter(|number| **number == full) {
            *number = longer(values.next()?, 0)?;
        }
        return Some(());
    }
}

enum Packing<'a> {
    Stored(&'a [u8]),
    Deflated(Box<DeflateDecoder<&'a [u8]>>),
}

/// The content of an entry, unpacked while it is read.
pub struct Content<'a> {
    packing: Packing<'a>,
    crc: Crc,
    read: u64,
    expected: (u32, u64),
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.packing {
            Packing::Stored(rest) => rest.read(buffer),
            Packing::Deflated(decoder) => decoder.read(buffer),
        }?;
        let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        self.crc.update(buffer.get(..count).unwrap_or_default());
        self.read += count as u64;
        let (crc, size) = self.expected;
        if self.read > size {
            return wrong("it is longer than the directory says");
        }
        if count == 0 && !buffer.is_empty() {
            if self.read < size {
                return wrong("it is shorter than the directory says");
            }
            if self.crc.sum() != crc {
                return wrong("its checksum is wrong");
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn narrow(number: usize) -> u32 {
        u32::try_from(number).unwrap()
    }

    /// A zip of stored files, as the simplest tools write them.
    fn stored(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut zip, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let mut crc = Crc::new();
            crc.update(content);
            let at = narrow(zip.len());
            let mut facts = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            for number in [crc.sum(), narrow(content.len()), narrow(content.len())] {
                facts.extend_from_slice(&number.to_le_bytes());
            }
            facts.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
            facts.extend_from_slice(&[0, 0]);
            zip.extend_from_slice(HEADER);
            zip.extend_from_slice(&facts);
            zip.extend_from_slice(name.as_bytes());
            zip.extend_from_slice(content);
            directory.extend_from_slice(ENTRY);
            directory.extend_from_slice(&[20, UNIX]);
            directory.extend_from_slice(&facts);
            directory.extend_from_slice(&[0; 6]);
            directory.extend_from_slice(&(0o100_755_u32 << 16).to_le_bytes());
            directory.extend_from_slice(&at.to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
        }
        let (at, size) = (narrow(zip.len()), narrow(directory.len()));
        zip.extend_from_slice(&directory);
        zip.extend_from_slice(&ended(u16::try_from(files.len()).unwrap(), size, at));
        zip
    }

    fn ended(count: u16, size: u32, at: u32) -> Vec<u8> {
        let mut end = END.to_vec();
        end.extend_from_slice(&[0; 4]);
        end.extend_from_slice(&count.to_le_bytes());
        end.extend_from_slice(&count.to_le_bytes());
        end.extend_from_slice(&size.to_le_bytes());
        end.extend_from_slice(&at.to_le_bytes());
        end.extend_from_slice(&[0, 0]);
        end
    }

    /// The same archive with a wide record of its end that says what it likes.
    fn widened(zip: &[u8], count: u64, size: u64, at: u64) -> Vec<u8> {
        let mut wide = zip[..zip.len() - END_BYTES].to_vec();
        let record = wide.len() as u64;
        wide.extend_from_slice(END_64);
        wide.extend_from_slice(&44_u64.to_le_bytes());
        wide.extend_from_slice(&[0; 12]);
        for number in [count, count, size, at] {
            wide.extend_from_slice(&number.to_le_bytes());
        }
        wide.extend_from_slice(LOCATOR_64);
        wide.extend_from_slice(&[0; 4]);
        wide.extend_from_slice(&record.to_le_bytes());
        wide.extend_from_slice(&[1, 0, 0, 0]);
        wide.extend_from_slice(&ended(u16::MAX, u32::MAX, u32::MAX));
        wide
    }

    fn text(archive: &Archive<'_>, index: usize) -> io::Result<String> {
        let mut text = String::new();
        let content = archive.content(&archive.entries()[index]);
        content.map_err(io::Error::other)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn entries_are_read_behind_whatever_precedes_the_archive() {
        let zip = stored(&[("a.py", b"one"), ("d/b", b"two")]);
        let behind = [b"#!/bin/sh\n".as_slice(), &zip].concat();
        for zip in [&zip, &behind] {
            let archive = Archive::read(zip, 2).unwrap();
            let names: Vec<_> = archive.entries().iter().map(|entry| entry.name).collect();
            assert_eq!(names, ["a.py", "d/b"]);
            assert_eq!(text(&archive, 1).unwrap(), "two");
            assert!(archive.entries()[0].executable);
        }
        let mut wrong = zip.clone();
        let at = wrong.windows(3).position(|window| window == b"two").unwrap();
        wrong[at] ^= 1;
        assert!(text(&Archive::read(&wrong, 2).unwrap(), 1).is_err());
    }

    #[test]
    fn wide_numbers_are_read_and_believed_no_more_than_others() {
        let zip = stored(&[("a.py", b"one")]);
        let (size, at) = (ENTRY_BYTES as u64 + 4, zip.len() as u64 - END_BYTES as u64 - 50);
        let wide = widened(&zip, 1, size, at);
        assert_eq!(text(&Archive::read(&wide, 1).unwrap(), 0).unwrap(), "one");
        // What says to hold fifty million entries is refused before room is made for them.
        for (count, size) in [(50_000_000, u64::MAX), (50_000_000, size), (u64::MAX, size)] {
            let error = Archive::read(&widened(&zip, count, size, at), 100_000).unwrap_err();
            assert!(matches!(error, Error::Entries(_) | Error::Damaged), "{error:?}");
        }
        let error = Archive::read(&widened(&zip, 90_000, size, at), 100_000).unwrap_err();
        assert_eq!(error, Error::Damaged, "the directory has no room for them");
        assert_eq!(Archive::read(&zip, 0).unwrap_err(), Error::Entries(0));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(
            mut zip in Just(stored(&[("a.py", b"one"), ("d/b", b"two")])),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            for (place, byte) in changes {
                let at = place.index(zip.len());
                zip[at] = byte;
            }
            let zip = &zip[..=cut.index(zip.len())];
            if let Ok(archive) = Archive::read(zip, 100) {
                for entry in archive.entries() {
                    let _ = archive.content(entry).map(|content| {
                        content.take(1 << 20).read_to_end(&mut Vec::new())
                    });
                }
            }
        }
    }
}
