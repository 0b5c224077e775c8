//! From an object to the bytes that an answer or a copy takes: the pieces that lie in a range, opened.

use std::ops::Range;

use pipeline::{Call, Result, Segment, Source};

use super::history::Slot;
use super::{Body, Version};
use crate::s3::encryption::{Opener, Place};

/// The bytes of a range of a version. Only the pieces that the range meets are opened.
pub(crate) fn of(
    call: &mut Call<'_>,
    slot: Slot<'_>,
    version: &Version,
    opener: &Opener,
    range: Range<u64>,
) -> Result<Source> {
    let pieces = slot.pieces(call, version)?;
    let (mut segments, mut at, mut skipped) = (Vec::new(), 0_u64, None);
    for piece in pieces {
        let (start, end) = (at, at + piece.content.size());
        at = end;
        // An empty content is one piece without bytes, which is opened all the same.
        let meets = start < range.end && end > range.start;
        if !meets && version.size != 0 {
            continue;
        }
        skipped.get_or_insert(start);
        let place = place(slot, version, piece.part);
        let keys = opener.unwrap(call, &place, &piece.keys)?;
        segments.push(Segment {
            content: piece.content,
            keys,
        });
    }
    let skipped = skipped.unwrap_or_default();
    let range = range.start - skipped..range.end - skipped;
    let source = Source {
        segments,
        range: None,
    };
    let whole = range == (0..source.size());
    Ok(Source {
        range: (!whole).then_some(range),
        ..source
    })
}

/// What the keys of a version's piece are bound to: its own place, or that of the version whose contents it shares.
pub(crate) fn place<'a>(slot: Slot<'a>, version: &'a Version, part: u16) -> Place<'a> {
    let shares = version
        .replication
        .as_ref()
        .and_then(|state| state.shares.as_ref());
    let (bucket, label) = match (shares, &version.body) {
        (Some(shares), Body::One(_)) => (&shares.bucket, shares.sequence.to_string()),
        (Some(shares), _) => (&shares.bucket, label(version, part)),
        (None, _) => (&slot.bucket.name, label(version, part)),
    };
    Place {
        bucket,
        key: slot.key,
        label,
    }
}

/// What the keys of a version's piece are bound to, beside bucket and key.
pub(crate) fn label(version: &Version, part: u16) -> String {
    match &version.body {
        Body::Parts { upload, .. } => part_label(upload, part),
        Body::None | Body::One(_) => version.sequence.to_string(),
    }
}

/// The same of a part, from its upload on.
pub(crate) fn part_label(upload: &str, part: u16) -> String {
    format!("{upload}/{part}")
}
