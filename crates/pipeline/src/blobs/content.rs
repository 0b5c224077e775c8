//! What a content is, how it is taken in, and where an answer takes it from.

use std::ops::Range;

use crypto::Secret;
use crypto::checksum::{ChecksumSet, Checksums};
use serde::{Deserialize, Serialize};

/// The id of a content. It begins with the time at which it was drawn, so that new rows lie side by side.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContentId(pub(super) [u8; 16]);

impl ContentId {
    /// 32 hexadecimal digits.
    pub fn text(&self) -> String {
        crypto::digest::hex(&self.0)
    }

    pub(super) fn of_text(text: &str) -> Option<Self> {
        crypto::digest::unhex(text)?.try_into().ok().map(Self)
    }
}

impl Serialize for ContentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for ContentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::of_text(&text).ok_or_else(|| serde::de::Error::custom("not the id of a content"))
    }
}

/// Where the sealed bytes lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Place {
    /// In a row of the pipeline's own.
    #[serde(rename = "row")]
    Row,
    /// In a file of the blob folder.
    #[serde(rename = "file")]
    File,
}

/// A sealed content, by name: small enough for any record, since the bytes lie elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Content {
    pub(crate) id: ContentId,
    pub(crate) size: u64,
    pub(crate) layers: u8,
    pub(crate) place: Place,
    /// More than one row names it, or did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shared: bool,
}

impl Content {
    /// The id, which is never used again.
    pub const fn id(&self) -> ContentId {
        self.id
    }

    /// Bytes in clear.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Layers of encryption: 1, or 2 for DSSE.
    pub const fn layers(&self) -> u8 {
        self.layers
    }
}

/// How bytes are taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intake {
    /// 1, or 2 for DSSE.
    pub layers: u8,
    /// The most bytes in clear; one more is refused as `EntityTooLarge`.
    pub bytes_max: u64,
    /// What is computed on the way. A checksum that a trailer carries is computed and compared whether it is named here or not.
    pub digests: ChecksumSet,
}

impl Intake {
    /// The same with more digests.
    pub(super) const fn and(self, digests: ChecksumSet) -> Self {
        Self {
            digests: self.digests.and(digests),
            ..self
        }
    }
}

/// What became of bytes that were taken in.
pub struct Received {
    /// Bytes in clear.
    pub size: u64,
    pub digests: Checksums,
    /// Trailing headers of an `aws-chunked` body, names in lower case; their checksums were found right.
    pub trailers: Vec<(String, String)>,
    /// The random keys that the content was sealed under, one a layer, the innermost first. The service wraps them and stores them
    /// wrapped; the content opens with nothing else.
    pub keys: Vec<Secret>,
    pub content: Content,
}

/// A stored content with its unwrapped keys, the innermost first.
#[derive(Clone)]
pub struct Segment {
    pub content: Content,
    pub keys: Vec<Secret>,
}

/// Stored bytes to be answered or copied: a range of the segments behind one another.
#[derive(Clone)]
pub struct Source {
    pub segments: Vec<Segment>,
    /// In clear, from the first byte to behind the last; everything if absent. It must lie within the segments.
    pub range: Option<Range<u64>>,
}

impl Source {
    /// Everything of one content.
    pub fn whole(content: Content, keys: Vec<Secret>) -> Self {
        Self {
            segments: vec![Segment { content, keys }],
            range: None,
        }
    }

    /// Bytes of all segments together.
    pub fn size(&self) -> u64 {
        self.segments
            .iter()
            .fold(0, |sum: u64, segment| sum.saturating_add(segment.content.size))
    }
}
