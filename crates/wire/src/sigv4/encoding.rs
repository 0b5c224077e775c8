//! The small encodings of signatures: percent, hexadecimal, and the basic ISO 8601 time.
//!
//! Invariant: total on every input; percent-decoding never fails, since the signature decides what is right.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = vec![0; bytes.len() * 2];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    // All of them are ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// 32 bytes out of 64 hexadecimal digits of either case.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Appends bytes percent-encoded as AWS's `UriEncode`: all but `A-Z a-z 0-9 - . _ ~` and what `keep` says.
pub(super) fn encode_into(out: &mut String, bytes: &[u8], keep: impl Fn(u8) -> bool) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte))
            }
            _ if keep(*byte) => out.push(char::from(*byte)),
            _ => escape(out, *byte),
        }
    }
}

/// Appends `%XX`.
pub(super) fn escape(out: &mut String, byte: u8) {
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        let letter = HEX.get(usize::from(digit)).copied().unwrap_or(b'0');
        out.push(char::from(letter.to_ascii_uppercase()));
    }
}

/// AWS's `UriEncode` of a whole text, slashes included.
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    encode_into(&mut out, text.as_bytes(), |_| false);
    out
}

/// The bytes behind a percent-encoded text; a stray `%` stands for itself. With `plus`, `+` is a space.
pub(crate) fn decode_bytes(text: &str, plus: bool) -> Cow<'_, [u8]> {
    let raw = text.as_bytes();
    if !raw.iter().any(|byte| *byte == b'%' || plus && *byte == b'+') {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (*byte, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (b'+', _) if plus => out.push(b' '),
            (byte, _) => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// A percent-encoded query component as text; bytes that are no UTF-8 become U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    match decode_bytes(text, true) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
    }
}

/// `20150830T123600Z` of Unix seconds; times outside the years 0 to 9999 become the epoch.
pub fn basic_time(seconds: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .filter(|at| (0..=9999).contains(&at.year()))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Unix seconds of `20150830T123600Z`.
pub fn parse_basic_time(text: &str) -> Option<i64> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    let [y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z'] = bytes else {
        return None;
    };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0_u16, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + u16::from(**digit - b'0'))
        })
    };
    let two = |high: &u8, low: &u8| u8::try_from(number(&[high, low])?).ok();
    let month = time::Month::try_from(two(m1, m2)?).ok()?;
    let date =
        time::Date::from_calendar_date(i32::from(number(&[y1, y2, y3, y4])?), month, two(d1, d2)?).ok()?;
    let clock = time::Time::from_hms(two(h1, h2)?, two(n1, n2)?, two(s1, s2)?).ok()?;
    Some(
        time::PrimitiveDateTime::new(date, clock)
            .assume_utc()
            .unix_timestamp(),
    )
}

/// Unix seconds of an HTTP date, `Sun, 30 Aug 2015 12:36:00 GMT` (RFC 9110 section 5.6.7, preferred form).
pub(crate) fn parse_http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let (day, month, year, clock, zone) = (
        words.next()?,
        words.next()?,
        words.next()?,
        words.next()?,
        words.next()?,
    );
    if words.next().is_some() || !matches!(zone, "GMT" | "UTC" | "+0000") || year.len() != 4 {
        return None;
    }
    let month = u8::try_from(MONTHS.iter().position(|name| *name == month)? + 1).ok()?;
    let month = time::Month::try_from(month).ok()?;
    let date = time::Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let mut parts = clock.split(':').map(|part| part.parse::<u8>().ok());
    let clock = time::Time::from_hms(parts.next()??, parts.next()??, parts.next()??).ok()?;
    Some(
        time::PrimitiveDateTime::new(date, clock)
            .assume_utc()
            .unix_timestamp(),
    )
}
