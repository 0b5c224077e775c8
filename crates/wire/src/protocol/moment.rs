//! Points in time as text and numbers, in the three formats of AWS's wire.
//!
//! Invariant: what is read lies in the years 0000 to 9999, so everything that is read can be written.

use std::fmt::Write;

use time::{Date, Month, OffsetDateTime};

use crate::Timestamp;
use crate::model::TimestampFormat;

/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z in milliseconds since the epoch.
const FIRST: i64 = -62_167_219_200_000;
const LAST: i64 = 253_402_300_799_999;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Milliseconds as a timestamp, if it lies in the years that can be written.
pub(super) fn bounded(milliseconds: i64) -> Option<Timestamp> {
    (FIRST..=LAST)
        .contains(&milliseconds)
        .then_some(Timestamp(milliseconds))
}

/// Seconds with a fraction; finer grains than a millisecond are rounded.
pub(super) fn from_float(seconds: f64) -> Option<Timestamp> {
    let milliseconds = (seconds * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "beyond a trillion seconds the guard has refused it"
    )]
    let whole = (milliseconds.abs() < 1e15).then_some(milliseconds as i64)?;
    bounded(whole)
}

/// Reads a timestamp's text in one format.
pub(super) fn parse(text: &str, format: TimestampFormat) -> Option<Timestamp> {
    match format {
        TimestampFormat::EpochSeconds => match text.parse::<i64>() {
            Ok(seconds) => bounded(seconds.checked_mul(1000)?),
            Err(_) => number(text).and_then(from_float),
        },
        TimestampFormat::DateTime => date_time(text),
        TimestampFormat::HttpDate => http_date(text),
    }
}

/// A decimal number; Rust's own reading also takes `inf` and `nan`, which no timestamp is.
fn number(text: &str) -> Option<f64> {
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'))
    {
        text.parse().ok()
    } else {
        None
    }
}

/// Writes a timestamp's text.
pub(super) fn write(out: &mut String, at: Timestamp, format: TimestampFormat) {
    let milliseconds = at.0.clamp(FIRST, LAST);
    let (seconds, fraction) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    // Writing to a string cannot fail.
    let _ = match format {
        TimestampFormat::EpochSeconds => epoch(out, milliseconds),
        TimestampFormat::DateTime => write_date_time(out, seconds, fraction),
        TimestampFormat::HttpDate => write_http_date(out, seconds, fraction),
    };
}

/// A date and time with all its milliseconds, as S3 writes them in its documents.
pub(super) fn write_whole(out: &mut String, at: Timestamp) {
    let milliseconds = at.0.clamp(FIRST, LAST);
    let (seconds, fraction) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    // Writing to a string cannot fail.
    let _ = write_date_time(out, seconds, 0);
    if out.pop().is_some() {
        let _ = write!(out, ".{fraction:03}Z");
    }
}

fn epoch(out: &mut String, milliseconds: i64) -> std::fmt::Result {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let (seconds, fraction) = (
        milliseconds.unsigned_abs() / 1000,
        milliseconds.unsigned_abs() % 1000,
    );
    write!(out, "{sign}{seconds}")?;
    if fraction == 0 {
        Ok(())
    } else {
        write_fraction(out, fraction)
    }
}

/// A fraction of milliseconds without trailing zeros.
fn write_fraction(out: &mut String, milliseconds: u64) -> std::fmt::Result {
    match milliseconds {
        m if m % 100 == 0 => write!(out, ".{}", m / 100),
        m if m % 10 == 0 => write!(out, ".{:02}", m / 10),
        m => write!(out, ".{m:03}"),
    }
}

fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn write_date_time(out: &mut String, seconds: i64, fraction: i64) -> std::fmt::Result {
    let at = moment(seconds);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    write!(
        out,
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        at.hour(),
        at.minute(),
        at.second()
    )?;
    if fraction != 0 {
        write_fraction(out, fraction.unsigned_abs())?;
    }
    out.write_char('Z')
}

fn write_http_date(out: &mut String, seconds: i64, fraction: i64) -> std::fmt::Result {
    let at = moment(seconds);
    let weekday = DAYS
        .get(usize::from(at.weekday().number_days_from_monday()))
        .copied()
        .unwrap_or_default();
    let month = MONTHS
        .get(usize::from(u8::from(at.month())).saturating_sub(1))
        .copied()
        .unwrap_or_default();
    let (day, year) = (at.day(), at.year());
    write!(
        out,
        "{weekday}, {day:02} {month} {year:04} {:02}:{:02}:{:02}",
        at.hour(),
        at.minute(),
        at.second()
    )?;
    if fraction != 0 {
        write_fraction(out, fraction.unsigned_abs())?;
    }
    out.write_str(" GMT")
}

/// RFC 3339, section 5.6, with the offset as `Z`, `±hh:mm` or `±hhmm`.
pub(crate) fn date_time(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let mut fields = date.splitn(3, '-');
    let (year, month, day) = (
        digits(fields.next()?, 4)?,
        digits(fields.next()?, 2)?,
        digits(fields.next()?, 2)?,
    );
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(zone)?;
    let time = clock_milliseconds(clock)?;
    let offset = zone_seconds(zone)?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    instant(
        i32::try_from(year).ok()?,
        month,
        u8::try_from(day).ok()?,
        time,
        offset,
    )
}

/// RFC 9110, section 5.6.7 (IMF-fixdate), which Smithy's clients may extend by a fraction of seconds.
fn http_date(text: &str) -> Option<Timestamp> {
    let (weekday, rest) = text.split_once(", ")?;
    if !DAYS.contains(&weekday) {
        return None;
    }
    let mut fields = rest.split(' ');
    let day = digits(fields.next()?, 2)?;
    let name = fields.next()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year = digits(fields.next()?, 4)?;
    let time = clock_milliseconds(fields.next()?)?;
    if fields.next() != Some("GMT") || fields.next().is_some() {
        return None;
    }
    let month = Month::try_from(u8::try_from(month.checked_add(1)?).ok()?).ok()?;
    instant(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?, time, 0)
}

fn instant(year: i32, month: Month, day: u8, milliseconds: i64, offset_seconds: i64) -> Option<Timestamp> {
    let date = Date::from_calendar_date(year, month, day).ok()?;
    let seconds = date
        .midnight()
        .assume_utc()
        .unix_timestamp()
        .checked_sub(offset_seconds)?;
    bounded(seconds.checked_mul(1000)?.checked_add(milliseconds)?)
}

/// `hh:mm:ss` with an optional fraction, in milliseconds since midnight. Second 60 is the leap second.
fn clock_milliseconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut fields = whole.splitn(3, ':');
    let (hour, minute, second) = (
        digits(fields.next()?, 2)?,
        digits(fields.next()?, 2)?,
        digits(fields.next()?, 2)?,
    );
    if hour > 23 || minute > 59 || second > 60 || fraction.is_empty() {
        return None;
    }
    let mut milliseconds = 0;
    let mut weight = 100;
    for byte in fraction.bytes() {
        milliseconds += weight * i64::from(char::from(byte).to_digit(10)?);
        weight /= 10;
    }
    Some((hour * 3600 + minute * 60 + second) * 1000 + milliseconds)
}

fn zone_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').or_else(|| rest.split_at_checked(2))?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Exactly so many decimal digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    if text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_reads_what_it_writes() {
        for at in [
            0,
            1,
            -1,
            1_576_540_098_123,
            1_576_540_098_100,
            FIRST,
            LAST,
            -1_500,
        ] {
            for format in [
                TimestampFormat::EpochSeconds,
                TimestampFormat::DateTime,
                TimestampFormat::HttpDate,
            ] {
                let mut text = String::new();
                write(&mut text, Timestamp(at), format);
                assert_eq!(parse(&text, format).map(|t| t.0), Some(at), "{text}");
            }
        }
    }

    #[test]
    fn texts_of_known_moments() {
        let cases = [
            (
                "2019-12-16T22:48:18-01:00",
                TimestampFormat::DateTime,
                Some(1_576_540_098_000),
            ),
            (
                "2019-12-17T00:48:18+0100",
                TimestampFormat::DateTime,
                Some(1_576_540_098_000),
            ),
            (
                "2000-01-02T20:34:56.1236Z",
                TimestampFormat::DateTime,
                Some(946_845_296_123),
            ),
            (
                "Tue, 29 Apr 2014 18:30:38 GMT",
                TimestampFormat::HttpDate,
                Some(1_398_796_238_000),
            ),
            ("1.5E9", TimestampFormat::EpochSeconds, Some(1_500_000_000_000)),
            ("2019-02-29T00:00:00Z", TimestampFormat::DateTime, None),
            ("2019-12-16T22:48:18", TimestampFormat::DateTime, None),
            ("2019-12-16T24:00:00Z", TimestampFormat::DateTime, None),
            ("inf", TimestampFormat::EpochSeconds, None),
            ("99999999999999999999", TimestampFormat::EpochSeconds, None),
            ("29 Apr 2014 18:30:38 GMT", TimestampFormat::HttpDate, None),
            ("é2019-12-16T22:48:18Z", TimestampFormat::DateTime, None),
            ("2019-12-16T22:48:18+é1", TimestampFormat::DateTime, None),
        ];
        for (text, format, expected) in cases {
            assert_eq!(parse(text, format).map(|t| t.0), expected, "{text}");
        }
    }
}
