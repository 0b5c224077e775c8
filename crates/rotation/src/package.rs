//! The deployment package: a zip with one executable, `bootstrap` (Lambda Developer Guide, "Building a custom runtime").
//!
//! Source: PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::error::{Error, Result};

const NAME: &[u8] = b"bootstrap";
/// A regular file that everybody may read and run, as Unix keeps it.
const MODE: u32 = 0o100_755;
/// 1980-01-01, the beginning of the format's time: the same program gives the same package.
const DATE: u16 = 0x0021;
const DEFLATED: u16 = 8;

/// The zip of a program, which is left what its process needs.
///
/// # Errors
/// When the program is too large for the format (4 GiB).
pub fn package(program: &[u8]) -> Result<Vec<u8>> {
    let program = &crate::program::loaded(program);
    let told = |error: &dyn std::error::Error| Error::Package(error.to_string());
    let mut crc = Crc::new();
    crc.update(program);
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(program.len() / 3), Compression::new(6));
    let packed = encoder
        .write_all(program)
        .and_then(|()| encoder.finish())
        .map_err(|error| told(&error))?;
    let size = u32::try_from(program.len()).map_err(|error| told(&error))?;
    let packed_size = u32::try_from(packed.len()).map_err(|error| told(&error))?;
    let name_length = u16::try_from(NAME.len()).map_err(|error| told(&error))?;
    // What the file's own header and the directory's say alike.
    let mut facts = Vec::new();
    for number in [20, 0, DEFLATED, 0, DATE] {
        facts.extend_from_slice(&u16::to_le_bytes(number));
    }
    for number in [crc.sum(), packed_size, size] {
        facts.extend_from_slice(&number.to_le_bytes());
    }
    for number in [name_length, 0] {
        facts.extend_from_slice(&u16::to_le_bytes(number));
    }
    let mut zip = Vec::with_capacity(packed.len() + 200);
    zip.extend_from_slice(b"PK\x03\x04");
    zip.extend_from_slice(&facts);
    zip.extend_from_slice(NAME);
    zip.extend_from_slice(&packed);
    let directory = u32::try_from(zip.len()).map_err(|error| told(&error))?;
    zip.extend_from_slice(b"PK\x01\x02");
    // Made on Unix by version 2.0 of the format.
    zip.extend_from_slice(&(3_u16 << 8 | 20).to_le_bytes());
    zip.extend_from_slice(&facts);
    // No comment, disk 0, no internal attributes.
    zip.extend_from_slice(&[0; 6]);
    zip.extend_from_slice(&(MODE << 16).to_le_bytes());
    zip.extend_from_slice(&0_u32.to_le_bytes());
    zip.extend_from_slice(NAME);
    let directory_size = u32::try_from(zip.len()).map_err(|error| told(&error))? - directory;
    zip.extend_from_slice(b"PK\x05\x06");
    for number in [0_u16, 0, 1, 1] {
        zip.extend_from_slice(&number.to_le_bytes());
    }
    zip.extend_from_slice(&directory_size.to_le_bytes());
    zip.extend_from_slice(&directory.to_le_bytes());
    zip.extend_from_slice(&0_u16.to_le_bytes());
    Ok(zip)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// The directory leads to the file's header, and what follows it inflates to the program.
    #[test]
    fn the_package_holds_the_program() {
        let program: Vec<u8> = (0..100_000_u32)
            .flat_map(|number| (number / 7).to_le_bytes())
            .collect();
        let zip = package(&program).unwrap();
        let end = zip.len() - 22;
        assert_eq!(&zip[end..end + 4], b"PK\x05\x06");
        let number = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap()) as usize;
        let (size, directory) = (number(end + 12), number(end + 16));
        assert_eq!(directory + size, end);
        assert_eq!(&zip[directory..directory + 4], b"PK\x01\x02");
        assert_eq!(number(directory + 38) >> 16, 0o100_755);
        assert_eq!(&zip[directory + 46..directory + 55], b"bootstrap");
        assert_eq!(&zip[..4], b"PK\x03\x04");
        assert_eq!(zip[6..30], zip[directory + 8..directory + 32]);
        let packed = number(18);
        let mut inflated = Vec::new();
        flate2::read::DeflateDecoder::new(&zip[39..39 + packed])
            .read_to_end(&mut inflated)
            .unwrap();
        assert!(inflated == program && number(22) == program.len());
    }
}
