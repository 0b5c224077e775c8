//! A disk as a tar: its regular files, one after another, as POSIX and GNU's `tar` write them (POSIX.1-2024, "pax Interchange
//! Format"; GNU tar manual, "Basic Tar Format", "Storing Sparse Files").
//!
//! Holes of sparse files are left out, so that what such a file holds is read without them.
//!
//! Invariant: no more than one header and its extension are in memory, and a damaged tar ends in an error, not in a guess.

use std::io::{self, Read};

use crate::secrets::File;

/// Bytes of a block.
const BLOCK: usize = 512;
/// Bytes of what a header is extended by.
const EXTENSION_MAX: u64 = 1024 * 1024;
/// Numbers of a sparse file's map.
const MAP_MAX: u64 = 1 << 20;

/// What extends the next header.
#[derive(Default)]
struct Extension {
    path: Option<String>,
    size: Option<u64>,
    /// The map of holes lies before the content (format 1.0).
    mapped: bool,
}

/// What a block says.
struct Header {
    path: String,
    size: u64,
    kind: u8,
    /// Further blocks of a map follow (GNU's old format).
    extended: bool,
}

/// Shows every regular file to `look`, which may leave the rest of it unread.
///
/// # Errors
/// Those of the tar, of its form (`InvalidData`), and of `look`.
pub fn files(
    mut tar: impl Read,
    mut look: impl FnMut(File<'_>, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut extension = Extension::default();
    let mut block = [0; BLOCK];
    while fill(&mut tar, &mut block)? {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = header(&block)?;
        let size = extension.size.unwrap_or(header.size);
        match header.kind {
            b'x' => {
                let records = text(&mut tar, header.size)?;
                extension.read(&records)?;
                continue;
            }
            b'L' => {
                let name = text(&mut tar, header.size)?;
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                extension.path = Some(String::from_utf8_lossy(name).into_owned());
                continue;
            }
            // What is said of all files, and long names of links, say nothing of contents.
            b'g' | b'K' => skip(&mut tar, header.size)?,
            0 | b'0' | b'7' | b'S' => {
                let told = std::mem::take(&mut extension);
                let path = told.path.unwrap_or(header.path);
                let mut more = header.extended;
                while more {
                    if !fill(&mut tar, &mut block)? {
                        return Err(invalid("a tar breaks off in a map"));
                    }
                    more = block.get(504).is_some_and(|flag| *flag != 0);
                }
                let map = if told.mapped { skip_map(&mut tar)? } else { 0 };
                let left = size
                    .checked_sub(map)
                    .ok_or_else(|| invalid("a map is longer than its file"))?;
                let mut content = (&mut tar).take(left);
                look(
                    File {
                        path: path.trim_start_matches("./"),
                        size: left,
                    },
                    &mut content,
                )?;
                let unread = content.limit();
                drain(&mut tar, unread)?;
                pad(&mut tar, size)?;
                continue;
            }
            // Links, devices and folders have no content here.
            _ => skip(&mut tar, size)?,
        }
        if !matches!(header.kind, b'g' | b'K') {
            extension = Extension::default();
        }
    }
    Err(invalid("a tar breaks off"))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Reads a block; `false` at the end of the tar.
fn fill(tar: &mut impl Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut held = 0;
    while let Some(room) = block.get_mut(held..).filter(|room| !room.is_empty()) {
        match tar.read(room) {
            Ok(0) if held == 0 => return Ok(false),
            Ok(0) => return Err(invalid("a tar breaks off in a block")),
            Ok(count) => held += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn header(block: &[u8; BLOCK]) -> io::Result<Header> {
    let field = |from: usize, length: usize| block.get(from..from + length).unwrap_or_default();
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u64::from(*byte)
            }
        })
        .sum();
    if number(field(148, 8))? != sum {
        return Err(invalid("a header of a tar is damaged"));
    }
    let word = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
    };
    let kind = field(156, 1).first().copied().unwrap_or_default();
    let name = word(field(0, 100));
    // GNU's old headers keep something else where POSIX keeps the first part of a long name.
    let prefix = if field(257, 6) == b"ustar\0" {
        word(field(345, 155))
    } else {
        String::new()
    };
    Ok(Header {
        path: if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        },
        size: number(field(124, 12))?,
        kind,
        extended: kind == b'S' && field(482, 1) != [0],
    })
}

/// A number in octal digits, or in binary where the first bit is set.
fn number(field: &[u8]) -> io::Result<u64> {
    let wrong = || invalid("a number in a tar cannot be read");
    if let Some((first, rest)) = field.split_first()
        && *first & 0x80 != 0
    {
        return rest.iter().try_fold(u64::from(*first & 0x7f), |number, byte| {
            let shifted = number.checked_mul(256).ok_or_else(wrong)?;
            Ok(shifted + u64::from(*byte))
        });
    }
    let digits = field
        .iter()
        .skip_while(|byte| **byte == b' ')
        .take_while(|byte| !matches!(byte, 0 | b' '));
    let mut read = 0_u64;
    for digit in digits {
        let digit = digit
            .checked_sub(b'0')
            .filter(|digit| *digit < 8)
            .ok_or_else(wrong)?;
        read = read.checked_mul(8).ok_or_else(wrong)? + u64::from(digit);
    }
    Ok(read)
}

/// The content of an extension, whole.
fn text(tar: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    if size > EXTENSION_MAX {
        return Err(invalid("a header of a tar is too long"));
    }
    let mut read = Vec::new();
    tar.take(size).read_to_end(&mut read)?;
    if u64::try_from(read.len()).is_ok_and(|length| length < size) {
        return Err(invalid("a tar breaks off in a header"));
    }
    pad(tar, size)?;
    Ok(read)
}

impl Extension {
    /// Records `LENGTH KEY=VALUE\n`.
    fn read(&mut self, records: &[u8]) -> io::Result<()> {
        let wrong = || invalid("a record of a tar cannot be read");
        let mut rest = records;
        while !rest.is_empty() {
            let blank = rest.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
            let length = rest
                .get(..blank)
                .and_then(|digits| std::str::from_utf8(digits).ok());
            let length: usize = length.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
            let record = rest
                .get(blank + 1..length)
                .and_then(|record| record.strip_suffix(b"\n"))
                .ok_or_else(wrong)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
            let (key, value) = record.split_at_checked(equals).ok_or_else(wrong)?;
            let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default());
            match key {
                b"GNU.sparse.name" => self.path = Some(value.into_owned()),
                // The name in such a header is one that readers of old would make a file of.
                b"path" if !self.mapped && self.path.is_none() => self.path = Some(value.into_owned()),
                b"size" => self.size = Some(value.parse().map_err(|_| wrong())?),
                b"GNU.sparse.major" => self.mapped = value == "1",
                _ => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Passes over a map of holes: its numbers, a line each, the first of which says how many pairs follow; tells its bytes.
fn skip_map(tar: &mut impl Read) -> io::Result<u64> {
    let (mut bytes, mut block) = (0, [0; BLOCK]);
    let (mut number, mut wanted, mut seen) = (0_u64, None::<u64>, 0_u64);
    loop {
        if !fill(tar, &mut block)? {
            return Err(invalid("a tar breaks off in a map"));
        }
        bytes += BLOCK as u64;
        for byte in block {
            match byte {
                b'0'..=b'9' if wanted.is_none() => {
                    number = number.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                }
                b'0'..=b'9' => {}
                b'\n' if wanted.is_none() => {
                    let most = Some(number).filter(|number| *number <= MAP_MAX);
                    wanted = Some(
                        most.ok_or_else(|| invalid("a map of a tar is too long"))?
                            .saturating_mul(2),
                    );
                }
                b'\n' => seen += 1,
                _ => return Err(invalid("a map of a tar cannot be read")),
            }
            if wanted == Some(seen) {
                return Ok(bytes);
            }
        }
    }
}

fn skip(tar: &mut impl Read, size: u64) -> io::Result<()> {
    drain(tar, size)?;
    pad(tar, size)
}

/// Up to the end of the block in which a content of this size ends.
fn pad(tar: &mut impl Read, size: u64) -> io::Result<()> {
    let block = BLOCK as u64;
    drain(tar, (block - size % block) % block)
}

fn drain(tar: &mut impl Read, count: u64) -> io::Result<()> {
    let gone = io::copy(&mut tar.take(count), &mut io::sink())?;
    if gone < count {
        return Err(invalid("a tar breaks off in a file"));
    }
    Ok(())
}
