//! Checksums of objects: what a request declares, how it is held against what came, and what the object shows.
//!
//! Invariant: an object's checksum was computed here, over the bytes that were stored; one that a client declared was equal to it.
//!
//! Source: S3 User Guide, "Checking object integrity in Amazon S3".

use api::s3 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::checksum::{Checksum, ChecksumSet, Checksums, Summer};
use pipeline::Result;
use pipeline::blobs::Received;
use serde::{Deserialize, Serialize};
use wire::{Document, Fault};

use super::refusal::{bad_digest, invalid_request, not_implemented};

/// An algorithm that objects may carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
    Md5,
}

impl Algorithm {
    /// The algorithm of objects whose client declares none.
    pub(crate) const DEFAULT: Self = Self::Crc64Nvme;

    pub(crate) const fn checksum(self) -> Checksum {
        match self {
            Self::Crc32 => Checksum::Crc32,
            Self::Crc32c => Checksum::Crc32c,
            Self::Crc64Nvme => Checksum::Crc64Nvme,
            Self::Sha1 => Checksum::Sha1,
            Self::Sha256 => Checksum::Sha256,
            Self::Md5 => Checksum::Md5,
        }
    }

    const fn of_checksum(checksum: Checksum) -> Self {
        match checksum {
            Checksum::Crc32 => Self::Crc32,
            Checksum::Crc32c => Self::Crc32c,
            Checksum::Crc64Nvme => Self::Crc64Nvme,
            Checksum::Sha1 => Self::Sha1,
            Checksum::Sha256 => Self::Sha256,
            Checksum::Md5 => Self::Md5,
        }
    }

    pub(crate) const fn model(self) -> model::ChecksumAlgorithm {
        match self {
            Self::Crc32 => model::ChecksumAlgorithm::Crc32,
            Self::Crc32c => model::ChecksumAlgorithm::Crc32C,
            Self::Crc64Nvme => model::ChecksumAlgorithm::Crc64Nvme,
            Self::Sha1 => model::ChecksumAlgorithm::Sha1,
            Self::Sha256 => model::ChecksumAlgorithm::Sha256,
            Self::Md5 => model::ChecksumAlgorithm::Md5,
        }
    }

    /// The algorithm that a request names.
    pub(crate) fn of_model(named: model::ChecksumAlgorithm) -> Result<Self> {
        match named {
            model::ChecksumAlgorithm::Crc32 => Ok(Self::Crc32),
            model::ChecksumAlgorithm::Crc32C => Ok(Self::Crc32c),
            model::ChecksumAlgorithm::Crc64Nvme => Ok(Self::Crc64Nvme),
            model::ChecksumAlgorithm::Sha1 => Ok(Self::Sha1),
            model::ChecksumAlgorithm::Sha256 => Ok(Self::Sha256),
            model::ChecksumAlgorithm::Md5 => Ok(Self::Md5),
            model::ChecksumAlgorithm::Sha512
            | model::ChecksumAlgorithm::Xxhash64
            | model::ChecksumAlgorithm::Xxhash3
            | model::ChecksumAlgorithm::Xxhash128 => Err(not_implemented("x-amz-sdk-checksum-algorithm")),
        }
    }

    /// Whether the checksum of parts joined can be told from those of the parts.
    pub(crate) const fn joins(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }

    /// `x-amz-checksum-crc32`
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Md5 => "x-amz-checksum-md5",
            other => other.checksum().header(),
        }
    }

    /// As messages name it: `crc32`.
    pub(crate) fn lower(self) -> String {
        self.checksum().name().to_ascii_lowercase()
    }
}

/// A checksum as an object or part keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(rename = "a")]
    pub(crate) algorithm: Algorithm,
    /// In Base64; of a composite one with the number of parts behind it.
    #[serde(rename = "v")]
    pub(crate) value: String,
    /// Made of the parts' checksums, not of the bytes.
    #[serde(rename = "c", default)]
    pub(crate) composite: bool,
}

impl Kept {
    pub(crate) fn full(algorithm: Algorithm, value: &[u8]) -> Self {
        Self {
            algorithm,
            value: STANDARD.encode(value),
            composite: false,
        }
    }

    pub(crate) const fn kind(&self) -> model::ChecksumType {
        if self.composite {
            model::ChecksumType::Composite
        } else {
            model::ChecksumType::FullObject
        }
    }

    /// The value's bytes, of what is not composite.
    pub(crate) fn raw(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.value).ok()
    }
}

/// The checksums of a request, by the place of their algorithms.
pub(crate) type Values = [(Algorithm, Option<String>); 6];

/// Takes the checksums out of a request, or part of one, of any shape that carries them.
macro_rules! values {
    ($input:expr) => {{
        use $crate::s3::object::checksum::Algorithm;
        let others = [
            ("x-amz-checksum-sha512", $input.checksum_sha512.is_some()),
            ("x-amz-checksum-xxhash64", $input.checksum_xxhash64.is_some()),
            ("x-amz-checksum-xxhash3", $input.checksum_xxhash3.is_some()),
            ("x-amz-checksum-xxhash128", $input.checksum_xxhash128.is_some()),
        ];
        let values: $crate::s3::object::checksum::Values = [
            (Algorithm::Crc32, $input.checksum_crc32.take()),
            (Algorithm::Crc32c, $input.checksum_crc32_c.take()),
            (Algorithm::Crc64Nvme, $input.checksum_crc64_nvme.take()),
            (Algorithm::Sha1, $input.checksum_sha1.take()),
            (Algorithm::Sha256, $input.checksum_sha256.take()),
            (Algorithm::Md5, $input.checksum_md5.take()),
        ];
        $crate::s3::object::checksum::expect_known(&others).map(|()| values)
    }};
}
pub(crate) use values;

/// Sets the member of an answer, of any shape that has them, that shows a checksum.
macro_rules! show {
    ($output:expr, $kept:expr) => {{
        use $crate::s3::object::checksum::Algorithm;
        if let Some(kept) = $kept {
            let value = Some(kept.value.clone());
            match kept.algorithm {
                Algorithm::Crc32 => $output.checksum_crc32 = value,
                Algorithm::Crc32c => $output.checksum_crc32_c = value,
                Algorithm::Crc64Nvme => $output.checksum_crc64_nvme = value,
                Algorithm::Sha1 => $output.checksum_sha1 = value,
                Algorithm::Sha256 => $output.checksum_sha256 = value,
                Algorithm::Md5 => $output.checksum_md5 = value,
            }
        }
    }};
}
pub(crate) use show;

/// Refuses algorithms that are not built.
pub(crate) fn expect_known(others: &[(&'static str, bool)]) -> Result<()> {
    match others.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((header, _)) => Err(not_implemented(header)),
    }
}

/// What a request declares of its body.
#[derive(Default)]
pub(crate) struct Declared {
    /// The algorithm that the client names, by a value or by name.
    pub(crate) algorithm: Option<Algorithm>,
    value: Option<Vec<u8>>,
    md5: Option<Vec<u8>>,
}

impl Declared {
    /// Reads the checksum headers, `x-amz-sdk-checksum-algorithm` and `Content-MD5`.
    ///
    /// # Errors
    /// `InvalidRequest` and `InvalidDigest` for values that cannot be.
    pub(crate) fn read(
        values: Values,
        named: Option<model::ChecksumAlgorithm>,
        content_md5: Option<String>,
    ) -> Result<Self> {
        let named = named.map(Algorithm::of_model).transpose()?;
        let mut given = values
            .into_iter()
            .filter_map(|(algorithm, value)| Some((algorithm, value?)));
        let (first, second) = (given.next(), given.next());
        if second.is_some() {
            return Err(invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let md5 = content_md5.as_deref().map(read_md5).transpose()?;
        let Some((algorithm, value)) = first else {
            return Ok(Self {
                algorithm: named,
                value: None,
                md5,
            });
        };
        let raw = STANDARD
            .decode(&value)
            .ok()
            .filter(|raw| raw.len() == algorithm.checksum().width());
        let raw = raw
            .ok_or_else(|| invalid_request(format!("Value for {} header is invalid.", algorithm.header())))?;
        if named.is_some_and(|named| named != algorithm) {
            return Err(invalid_request(
                "Value for x-amz-sdk-checksum-algorithm header is invalid.",
            ));
        }
        Ok(Self {
            algorithm: Some(algorithm),
            value: Some(raw),
            md5,
        })
    }

    /// Whether something protects the body on its way, as writes with a lock demand.
    pub(crate) const fn protects(&self) -> bool {
        self.md5.is_some() || self.algorithm.is_some()
    }

    /// What must be computed over the body.
    pub(crate) fn set(&self) -> ChecksumSet {
        let algorithm = self.algorithm.unwrap_or(Algorithm::DEFAULT);
        ChecksumSet::of(Checksum::Md5).with(algorithm.checksum())
    }

    /// Holds what was declared against what came, and gives the checksum to be kept.
    ///
    /// # Errors
    /// `BadDigest` for a body that is another than the declared one.
    pub(crate) fn verify(&self, received: &Received) -> Result<Kept> {
        let digests = &received.digests;
        if let Some(md5) = &self.md5
            && digests.get(Checksum::Md5) != Some(md5.as_slice())
        {
            let computed = digests.get(Checksum::Md5).unwrap_or_default();
            return Err(
                bad_digest("The Content-MD5 you specified did not match what we received.")
                    .with("ExpectedDigest", Document::String(crypto::digest::hex(md5)))
                    .with("CalculatedDigest", Document::String(STANDARD.encode(computed))),
            );
        }
        let trailing = received
            .trailers
            .iter()
            .find_map(|(name, _)| Checksum::of_header(name));
        let algorithm = trailing
            .map(Algorithm::of_checksum)
            .or(self.algorithm)
            .unwrap_or(Algorithm::DEFAULT);
        let computed = digests
            .get(algorithm.checksum())
            .ok_or_else(|| Fault::internal("a checksum was not computed"))?;
        if let Some(value) = self
            .value
            .as_deref()
            .filter(|_| self.algorithm == Some(algorithm))
            && value != computed
        {
            return Err(mismatch(algorithm));
        }
        Ok(Kept::full(algorithm, computed))
    }
}

/// The refusal of a body whose checksum is another than the declared one.
pub(crate) fn mismatch(algorithm: Algorithm) -> Fault {
    bad_digest(format!(
        "The {} you specified did not match the calculated checksum.",
        algorithm.checksum().name()
    ))
}

fn read_md5(text: &str) -> Result<Vec<u8>> {
    let raw = STANDARD.decode(text).ok().filter(|raw| raw.len() == 16);
    raw.ok_or_else(|| Fault::plain("InvalidDigest", 400, "The Content-MD5 you specified was invalid."))
}

/// The checksum of an object of parts that is made of the parts' own.
pub(crate) fn composite(algorithm: Algorithm, parts: &[Vec<u8>]) -> Result<Kept> {
    let sums = sum(ChecksumSet::of(algorithm.checksum()), parts);
    let value = sums
        .get(algorithm.checksum())
        .ok_or_else(|| Fault::internal("a checksum was not computed"))?;
    Ok(Kept {
        algorithm,
        value: format!("{}-{}", STANDARD.encode(value), parts.len()),
        composite: true,
    })
}

/// The checksum of an object of parts over all its bytes, told from the parts' own and their sizes.
pub(crate) fn joined(algorithm: Algorithm, parts: &[(Vec<u8>, u64)]) -> Result<Kept> {
    let broken = || Fault::internal("checksums of parts cannot be joined");
    let mut parts = parts.iter();
    let (mut whole, _) = parts.next().cloned().ok_or_else(broken)?;
    for (value, size) in parts {
        whole = algorithm
            .checksum()
            .combine(&whole, value, *size)
            .ok_or_else(broken)?;
    }
    Ok(Kept::full(algorithm, &whole))
}

/// The entity tag of an object of parts: the MD5 of the parts' MD5s, and their number.
pub(crate) fn multipart_etag(parts: &[Vec<u8>]) -> String {
    let sums = sum(ChecksumSet::of(Checksum::Md5), parts);
    let md5 = sums.get(Checksum::Md5).unwrap_or_default();
    format!("{}-{}", crypto::digest::hex(md5), parts.len())
}

fn sum(set: ChecksumSet, pieces: &[Vec<u8>]) -> Checksums {
    let mut summer = Summer::new(set);
    for piece in pieces {
        summer.update(piece);
    }
    summer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
        let sums = sum(ChecksumSet::of(algorithm.checksum()), &[bytes.to_vec()]);
        sums.get(algorithm.checksum()).unwrap().to_vec()
    }

    fn none() -> Values {
        [
            (Algorithm::Crc32, None),
            (Algorithm::Crc32c, None),
            (Algorithm::Crc64Nvme, None),
            (Algorithm::Sha1, None),
            (Algorithm::Sha256, None),
            (Algorithm::Md5, None),
        ]
    }

    fn with(at: usize, value: &str) -> Values {
        let mut values = none();
        values[at].1 = Some(value.to_owned());
        values
    }

    #[test]
    fn a_composite_checksum_is_the_checksum_of_the_checksums() {
        let parts = [raw(Algorithm::Sha256, b"a"), raw(Algorithm::Sha256, b"b")];
        let kept = composite(Algorithm::Sha256, &parts).ok().unwrap();
        let expected = raw(Algorithm::Sha256, &parts.concat());
        assert_eq!(kept.value, format!("{}-2", STANDARD.encode(expected)));
        assert!(kept.composite);
    }

    #[test]
    fn a_full_checksum_of_parts_is_that_of_their_bytes() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts = [
                (raw(algorithm, b"one, "), 5),
                (raw(algorithm, b"two, "), 5),
                (raw(algorithm, b"three"), 5),
            ];
            let kept = joined(algorithm, &parts).ok().unwrap();
            assert_eq!(kept, Kept::full(algorithm, &raw(algorithm, b"one, two, three")));
        }
    }

    /// AWS's own example of an entity tag has the number of parts behind a dash; the digest is that of the parts' digests.
    #[test]
    fn the_entity_tag_of_parts_counts_them() {
        let parts = [raw(Algorithm::Md5, b"a"), raw(Algorithm::Md5, b"b")];
        let expected = crypto::digest::hex(&raw(Algorithm::Md5, &parts.concat()));
        assert_eq!(multipart_etag(&parts), format!("{expected}-2"));
    }

    #[test]
    fn declarations_that_cannot_be_are_refused() {
        let refused = |values, named, md5: Option<&str>| {
            Declared::read(values, named, md5.map(str::to_owned))
                .err()
                .unwrap()
                .message
        };
        assert_eq!(
            refused(with(0, "AAAA"), None, None),
            "Value for x-amz-checksum-crc32 header is invalid."
        );
        let mut two = with(0, "AAAAAA==");
        two[1].1 = Some("AAAAAA==".to_owned());
        assert!(refused(two, None, None).starts_with("Expecting a single x-amz-checksum- header."));
        assert_eq!(
            refused(with(0, "AAAAAA=="), Some(model::ChecksumAlgorithm::Sha1), None),
            "Value for x-amz-sdk-checksum-algorithm header is invalid."
        );
        assert_eq!(
            refused(none(), None, Some("abc")),
            "The Content-MD5 you specified was invalid."
        );
    }

    #[test]
    fn without_a_declaration_crc64nvme_is_computed() {
        let declared = Declared::read(none(), None, None).ok().unwrap();
        assert!(declared.set().has(Checksum::Crc64Nvme) && declared.set().has(Checksum::Md5));
        assert!(!declared.protects());
    }
}
