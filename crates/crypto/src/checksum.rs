//! The digests and checksums that Amazon S3 knows, computed together while bytes pass by.
//!
//! Source: S3 User Guide, "Checking object integrity for data uploads": CRC-64/NVME, CRC-32, CRC-32C, SHA-1 and SHA-256, and MD5 for
//! `Content-MD5` and entity tags. None of them protects anything at rest; that is the sealing's part.

use aws_lc_rs::digest;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};

/// One algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksum {
    Md5,
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Checksum {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Md5,
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// AWS's name of the checksum algorithm (`CRC64NVME`), or `MD5`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header or trailer that carries it (`x-amz-checksum-crc32`); `content-md5` for MD5.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Md5 => "content-md5",
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The algorithm of a header or trailer, in lower case.
    #[must_use]
    pub fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|checksum| checksum.header() == name)
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Md5 | Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// The checksum of two stretches of bytes behind one another, from those of each and the length of the second. `None` for what
    /// is no CRC, and for values of the wrong length.
    #[must_use]
    pub fn combine(self, first: &[u8], second: &[u8], second_bytes: u64) -> Option<Vec<u8>> {
        let width = self.width();
        if first.len() != width || second.len() != width {
            return None;
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let combined = crc_fast::checksum_combine(self.crc()?, number(first), number(second), second_bytes);
        Some(big_endian(combined, width))
    }

    /// Bytes of a value.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

fn big_endian(value: u64, width: usize) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    bytes
        .get(bytes.len().saturating_sub(width)..)
        .unwrap_or_default()
        .to_vec()
}

/// A set of algorithms.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ChecksumSet(u8);

impl ChecksumSet {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// One of them.
    #[must_use]
    pub const fn of(checksum: Checksum) -> Self {
        Self(1 << checksum as u8)
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, checksum: Checksum) -> Self {
        Self(self.0 | Self::of(checksum).0)
    }

    /// Both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has one.
    #[must_use]
    pub const fn has(self, checksum: Checksum) -> bool {
        self.0 & Self::of(checksum).0 != 0
    }

    /// Whether it has all of another.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Finished values, for the algorithms of a set.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Checksums(Vec<(Checksum, Vec<u8>)>);

impl Checksums {
    /// The value of an algorithm, if it was computed; big-endian for CRCs, as AWS writes them.
    #[must_use]
    pub fn get(&self, checksum: Checksum) -> Option<&[u8]> {
        let found = self.0.iter().find(|(of, _)| *of == checksum);
        found.map(|(_, value)| value.as_slice())
    }
}

enum Running {
    Md5(Md5),
    // Boxed, since it carries its tables' folding keys.
    Crc(Checksum, Box<crc_fast::Digest>),
    Sha(Checksum, digest::Context),
}

impl Running {
    const fn checksum(&self) -> Checksum {
        match self {
            Self::Md5(_) => Checksum::Md5,
            Self::Crc(checksum, _) | Self::Sha(checksum, _) => *checksum,
        }
    }

    fn crc(checksum: Checksum, algorithm: CrcAlgorithm) -> Self {
        Self::Crc(checksum, Box::new(crc_fast::Digest::new(algorithm)))
    }
}

/// Computes the algorithms of a set over bytes that come in pieces.
pub struct Summer(Vec<Running>);

impl Summer {
    /// Begins.
    #[must_use]
    pub fn new(set: ChecksumSet) -> Self {
        let chosen = Checksum::ALL.into_iter().filter(|checksum| set.has(*checksum));
        let running = chosen.map(|checksum| match checksum {
            Checksum::Md5 => Running::Md5(Md5::new()),
            Checksum::Sha1 => Running::Sha(checksum, digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            Checksum::Sha256 => Running::Sha(checksum, digest::Context::new(&digest::SHA256)),
            Checksum::Crc32 => Running::crc(checksum, CrcAlgorithm::Crc32IsoHdlc),
            Checksum::Crc32c => Running::crc(checksum, CrcAlgorithm::Crc32Iscsi),
            Checksum::Crc64Nvme => Running::crc(checksum, CrcAlgorithm::Crc64Nvme),
        });
        Self(running.collect())
    }

    /// Takes one algorithm out, to be computed beside the others, and to be joined before the end. Nothing if it is not among them.
    #[must_use]
    pub fn split_off(&mut self, checksum: Checksum) -> Self {
        let (taken, left) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|running| running.checksum() == checksum);
        self.0 = left;
        Self(taken)
    }

    /// Takes in what was split off.
    pub fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        for running in &mut self.0 {
            match running {
                Running::Md5(md5) => md5.update(piece),
                Running::Crc(_, crc) => crc.update(piece),
                Running::Sha(_, sha) => sha.update(piece),
            }
        }
    }

    /// Ends.
    #[must_use]
    pub fn finish(self) -> Checksums {
        let finished = self.0.into_iter().map(|running| match running {
            Running::Md5(md5) => (Checksum::Md5, md5.finalize().to_vec()),
            Running::Crc(checksum, crc) => (checksum, big_endian(crc.finalize(), checksum.width())),
            Running::Sha(checksum, sha) => (checksum, sha.finish().as_ref().to_vec()),
        });
        Checksums(finished.collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::hex;

    fn all() -> ChecksumSet {
        Checksum::ALL
            .into_iter()
            .fold(ChecksumSet::NONE, ChecksumSet::with)
    }

    fn sums(bytes: &[u8]) -> Checksums {
        let mut summer = Summer::new(all());
        summer.update(bytes);
        summer.finish()
    }

    /// The check values of the catalogue of parametrised CRC algorithms, RFC 1321 and FIPS 180, all over "123456789".
    #[test]
    fn values_agree_with_the_published_ones() {
        let sums = sums(b"123456789");
        let expected = [
            (Checksum::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Checksum::Crc32, "cbf43926"),
            (Checksum::Crc32c, "e3069283"),
            (Checksum::Crc64Nvme, "ae8b14860a799888"),
            (Checksum::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (
                Checksum::Sha256,
                "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
            ),
        ];
        for (checksum, value) in expected {
            assert_eq!(hex(sums.get(checksum).unwrap()), value, "{}", checksum.name());
        }
    }

    #[test]
    fn what_is_split_off_and_joined_again_is_the_same() {
        let mut summer = Summer::new(all());
        let mut md5 = summer.split_off(Checksum::Md5);
        summer.update(b"123");
        summer.update(b"456789");
        md5.update(b"123456789");
        assert!(summer.split_off(Checksum::Md5).0.is_empty(), "it is gone");
        summer.join(md5);
        let (split, whole) = (summer.finish(), sums(b"123456789"));
        for checksum in Checksum::ALL {
            assert_eq!(split.get(checksum), whole.get(checksum));
        }
    }

    #[test]
    fn only_what_was_asked_for_is_computed() {
        let set = ChecksumSet::of(Checksum::Crc32).with(Checksum::Sha1);
        let sums = Summer::new(set).finish();
        for checksum in Checksum::ALL {
            assert_eq!(sums.get(checksum).is_some(), set.has(checksum));
        }
        assert!(all().covers(set) && !set.covers(all()) && ChecksumSet::NONE.and(set) == set);
        assert_eq!(Checksum::of_header("x-amz-checksum-sha1"), Some(Checksum::Sha1));
    }

    proptest! {
        #[test]
        fn pieces_sum_to_the_whole_and_crcs_combine(first in proptest::collection::vec(any::<u8>(), 0..300), second in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut summer = Summer::new(all());
            summer.update(&first);
            summer.update(&second);
            let whole = sums(&[first.as_slice(), &second].concat());
            prop_assert_eq!(&summer.finish(), &whole);
            let (left, right) = (sums(&first), sums(&second));
            for checksum in Checksum::ALL {
                let combined = checksum.combine(left.get(checksum).unwrap(), right.get(checksum).unwrap(), second.len() as u64);
                match checksum.crc() {
                    Some(_) => prop_assert_eq!(combined.as_deref(), whole.get(checksum)),
                    None => prop_assert_eq!(combined, None),
                }
            }
        }
    }
}
