//! What reads of an object tell of it: the headers that GetObject and HeadObject share.

use std::collections::BTreeMap;
use std::ops::Range;

use pipeline::{Call, Result};
use wire::{Document, Timestamp};

use super::checksum::Kept;
use super::history::Slot;
use super::precondition::{Conditions, Verdict};
use super::range::{self, Asked};
use super::refusal;
use super::{Body, Restoration, Version};

/// Which bytes of an object a read asks for.
pub(crate) struct Extent {
    /// All of them, unless a range or a part was asked for.
    pub(crate) range: Range<u64>,
    /// `bytes 0-4/10`, where not everything was asked for.
    pub(crate) content_range: Option<String>,
    /// How many parts there are, where one was asked for.
    pub(crate) parts: Option<i32>,
    /// The checksum of the part that was asked for.
    pub(crate) part_sum: Option<Kept>,
}

/// The range of a request, unless it is asked for of another content than there is (RFC 9110, section 13.1.5): a download that goes on
/// must not mix two of them.
pub(crate) fn ranged<'r>(call: &Call<'_>, version: &Version, range: Option<&'r str>) -> Option<&'r str> {
    let Some(validator) = call.request.if_range.as_deref() else {
        return range;
    };
    let same = if validator.starts_with('"') {
        validator == version.quoted_etag()
    } else {
        // A weak tag is none that a range could go by.
        validator == http_date(version.modified())
    };
    range.filter(|_| same)
}

/// Finds the bytes that a read asks for, by a range or by a part's number.
///
/// # Errors
/// `InvalidRange`, `InvalidPartNumber`, and `InvalidRequest` for both at once.
pub(crate) fn extent(
    look: &mut pipeline::Look<'_>,
    slot: Slot<'_>,
    version: &Version,
    range: Option<&str>,
    part: Option<i32>,
) -> Result<Extent> {
    let size = version.size;
    let told = |range: &Range<u64>| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    if let Some(number) = part {
        if range.is_some() {
            return Err(refusal::invalid_request(
                "Cannot specify both Range header and partNumber query parameter",
            ));
        }
        let (range, count, part_sum) = part_range(look, slot, version, number)?;
        let content_range = (range.start < range.end).then(|| told(&range));
        return Ok(Extent {
            content_range,
            range,
            parts: count,
            part_sum,
        });
    }
    match range::read(range, size) {
        Asked::Whole => Ok(Extent {
            range: 0..size,
            content_range: None,
            parts: None,
            part_sum: None,
        }),
        Asked::Part(range) => Ok(Extent {
            content_range: Some(told(&range)),
            range,
            parts: None,
            part_sum: None,
        }),
        Asked::Unsatisfiable => Err(refusal::invalid_range(range.unwrap_or_default(), size)
            .with("content-range", Document::String(format!("bytes */{size}")))),
    }
}

fn part_range(
    look: &mut pipeline::Look<'_>,
    slot: Slot<'_>,
    version: &Version,
    number: i32,
) -> Result<(Range<u64>, Option<i32>, Option<Kept>)> {
    let absent = || {
        wire::Fault::plain(
            "InvalidPartNumber",
            416,
            "The requested partnumber is not satisfiable",
        )
    };
    if !(1..=10_000).contains(&number) {
        return Err(refusal::invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            number.to_string(),
        ));
    }
    if !matches!(version.body, Body::Parts { .. }) {
        return if number == 1 {
            Ok((0..version.size, None, version.checksum.clone()))
        } else {
            Err(absent())
        };
    }
    let pieces = slot.pieces(look, version)?;
    let count = i32::try_from(pieces.len()).unwrap_or(i32::MAX);
    let mut start = 0;
    for piece in pieces {
        let end = start + piece.content.size();
        if i32::from(piece.part) == number {
            let algorithm = version.checksum.as_ref().map(|whole| whole.algorithm);
            let sum = piece.checksum.filter(|sum| Some(sum.algorithm) == algorithm);
            return Ok((start..end, Some(count), sum));
        }
        start = end;
    }
    Err(absent())
}

/// Holds the conditions of a read against the object.
///
/// # Errors
/// 304 and 412.
pub(crate) fn expect(conditions: Conditions<'_>, version: &Version) -> Result<()> {
    match conditions.judge(version.state()) {
        Verdict::Proceed => Ok(()),
        Verdict::Failed(condition) => Err(refusal::precondition_failed(condition)),
        Verdict::NotModified => Err(refusal::not_modified(&version.etag)
            .with("etag", Document::String(version.quoted_etag()))
            .with("last-modified", Document::String(http_date(version.modified())))),
    }
}

/// `x-amz-restore`
pub(crate) fn restore(version: &Version, now: Timestamp) -> Option<String> {
    let Restoration { ongoing, until, .. } = version.restoration.as_ref()?;
    if *ongoing {
        return Some("ongoing-request=\"true\"".to_owned());
    }
    (*until > now.0).then(|| {
        format!(
            "ongoing-request=\"false\", expiry-date=\"{}\"",
            http_date(Timestamp(*until))
        )
    })
}

/// `Sun, 22 Nov 2026 00:00:00 GMT` (RFC 9110, section 5.6.7).
pub(crate) fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = at.iso8601();
    let day = usize::try_from(at.seconds().div_euclid(86_400).rem_euclid(7)).unwrap_or_default();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().unwrap_or(1).saturating_sub(1);
    format!(
        "{}, {} {} {} {} GMT",
        DAYS.get(day).copied().unwrap_or("Thu"),
        part(8, 10),
        MONTHS.get(month).copied().unwrap_or("Jan"),
        part(0, 4),
        part(11, 19),
    )
}

/// The user's metadata that headers can carry, and how many entries they cannot.
pub(crate) fn user_metadata(version: &Version) -> Option<BTreeMap<String, String>> {
    Some(version.metadata.user.clone()).filter(|user| !user.is_empty())
}

/// Sets what GetObject and HeadObject tell alike.
macro_rules! tell {
    ($output:expr, $object:expr, $version:expr, $extent:expr, $input:expr, $now:expr) => {{
        use $crate::s3::object::facts;
        let metadata = &$version.metadata;
        let date = |at: wire::Timestamp| facts::http_date(at);
        $output.accept_ranges = Some("bytes".to_owned());
        $output.last_modified = Some($version.modified());
        $output.content_length = i64::try_from($extent.range.end - $extent.range.start).ok();
        $output.content_range = $extent.content_range.clone();
        $output.parts_count = $extent.parts;
        $output.e_tag = Some($version.quoted_etag());
        $output.version_id = $object.shown_id(&$version);
        $output.cache_control = $input
            .response_cache_control
            .clone()
            .or_else(|| metadata.cache_control.clone());
        $output.content_disposition = $input
            .response_content_disposition
            .clone()
            .or_else(|| metadata.content_disposition.clone());
        $output.content_encoding = $input
            .response_content_encoding
            .clone()
            .or_else(|| metadata.content_encoding.clone());
        $output.content_language = $input
            .response_content_language
            .clone()
            .or_else(|| metadata.content_language.clone());
        $output.content_type = $input
            .response_content_type
            .clone()
            .or_else(|| Some(metadata.content_type()));
        $output.expires = $input
            .response_expires
            .map(date)
            .or_else(|| metadata.expires.clone());
        $output.website_redirect_location = metadata.website_redirect.clone();
        $output.metadata = facts::user_metadata(&$version);
        $output.storage_class = $crate::s3::object::class::shown(&$version.class);
        $output.restore = facts::restore(&$version, $now);
        $output.tag_count = i32::try_from($version.tags.len()).ok().filter(|count| *count > 0);
        if let Some(retention) = $version.lock.retention {
            $output.object_lock_mode = Some(retention.lock_mode());
            $output.object_lock_retain_until_date = Some(wire::Timestamp(retention.until));
        }
        $output.object_lock_legal_hold_status = $version.lock.hold.map(|on| {
            if on {
                api::s3::ObjectLockLegalHoldStatus::On
            } else {
                api::s3::ObjectLockLegalHoldStatus::Off
            }
        });
        $output.replication_status = $version.replication.as_ref().and_then(|state| state.status());
        let whole = $extent.content_range.is_none();
        if $input.checksum_mode.is_some() && (whole || $extent.parts.is_some() || $extent.part_sum.is_some())
        {
            if whole {
                $crate::s3::object::checksum::show!($output, &$version.checksum);
            } else {
                $crate::s3::object::checksum::show!($output, &$extent.part_sum);
            }
            $output.checksum_type = $version
                .checksum
                .as_ref()
                .map($crate::s3::object::checksum::Kept::kind);
        }
        $crate::s3::encryption::show!($output, $version.encryption);
    }};
}
pub(crate) use tell;

/// What overrides of a response need: a caller who signed the request.
pub(crate) fn expect_signed(call: &pipeline::Call<'_>, overrides: bool) -> Result<()> {
    if overrides && crate::s3::locate::anonymous(call) {
        return Err(refusal::invalid_request(
            "Request specific response headers cannot be used for anonymous GET requests.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_has_them() {
        assert_eq!(
            http_date(Timestamp(1_795_305_600_000)),
            "Sun, 22 Nov 2026 00:00:00 GMT"
        );
        assert_eq!(
            http_date(Timestamp(784_111_777_000)),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
    }
}
