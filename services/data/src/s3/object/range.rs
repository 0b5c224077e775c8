//! The `Range` header (RFC 9110, section 14.2), as S3 takes it: one range of bytes.
//!
//! Invariant: a range that comes out lies within the content and is not empty.

use std::ops::Range;

/// What a `Range` header asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// No header, one that is no range of bytes, or several ranges: the whole, as the RFC allows and S3 does.
    Whole,
    /// The bytes of these positions.
    Part(Range<u64>),
    /// No byte of the content is in the range: 416.
    Unsatisfiable,
}

/// Reads a header for a content of `size` bytes.
pub(crate) fn read(header: Option<&str>, size: u64) -> Asked {
    let spec = header
        .and_then(|header| header.trim().strip_prefix("bytes="))
        .filter(|spec| !spec.contains(','))
        .and_then(|spec| spec.trim().split_once('-'));
    let Some((first, last)) = spec else {
        return Asked::Whole;
    };
    match (position(first), position(last)) {
        (Some(Position::Absent), Some(Position::At(suffix))) => {
            if suffix == 0 || size == 0 {
                Asked::Unsatisfiable
            } else {
                Asked::Part(size.saturating_sub(suffix)..size)
            }
        }
        (Some(Position::At(first)), Some(last)) => {
            let end = match last {
                Position::Absent => size,
                // A range that ends before it begins is no range.
                Position::At(last) if last < first => return Asked::Whole,
                Position::At(last) => last.saturating_add(1).min(size),
            };
            if first < size {
                Asked::Part(first..end)
            } else {
                Asked::Unsatisfiable
            }
        }
        _ => Asked::Whole,
    }
}

/// Reads `x-amz-copy-source-range`: both ends, both within the source. `None` for anything else.
pub(crate) fn read_of_copy(header: &str) -> Option<Range<u64>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    match (position(first)?, position(last)?) {
        (Position::At(first), Position::At(last)) if first <= last => Some(first..last.checked_add(1)?),
        _ => None,
    }
}

enum Position {
    Absent,
    At(u64),
}

/// Digits, or nothing; a number beyond all contents is as good as the greatest.
fn position(text: &str) -> Option<Position> {
    if text.is_empty() {
        return Some(Position::Absent);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Position::At(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_to_the_content() {
        assert_eq!(read(Some("bytes=0-4"), 10), Asked::Part(0..5));
        assert_eq!(read(Some("bytes=4-"), 10), Asked::Part(4..10));
        assert_eq!(read(Some("bytes=4-99"), 10), Asked::Part(4..10));
        assert_eq!(read(Some("bytes=-3"), 10), Asked::Part(7..10));
        assert_eq!(read(Some("bytes=-30"), 10), Asked::Part(0..10));
        assert_eq!(
            read(Some("bytes=9-99999999999999999999999"), 10),
            Asked::Part(9..10)
        );
    }

    #[test]
    fn a_range_behind_the_end_is_unsatisfiable() {
        assert_eq!(read(Some("bytes=10-"), 10), Asked::Unsatisfiable);
        assert_eq!(read(Some("bytes=-0"), 10), Asked::Unsatisfiable);
        assert_eq!(read(Some("bytes=0-0"), 0), Asked::Unsatisfiable);
        assert_eq!(read(Some("bytes=-1"), 0), Asked::Unsatisfiable);
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_passed_over() {
        for header in [
            "bytes=5-4",
            "bytes=a-b",
            "bytes=",
            "bytes=-",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=+1-2",
        ] {
            assert_eq!(read(Some(header), 10), Asked::Whole, "{header}");
        }
        assert_eq!(read(None, 10), Asked::Whole);
    }

    #[test]
    fn the_range_of_a_copy_names_both_ends() {
        assert_eq!(read_of_copy("bytes=0-9"), Some(0..10));
        for header in ["bytes=0-", "bytes=-5", "bytes=3-2", "0-5", "bytes=0-5,7-8"] {
            assert_eq!(read_of_copy(header), None, "{header}");
        }
    }
}
