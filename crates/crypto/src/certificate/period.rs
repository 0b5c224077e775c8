//! When a certificate is valid, for certificates that are believed by their thumbprint and not by an authority's signature.

use std::ops::RangeInclusive;

use time::{Date, Month, OffsetDateTime, Time};

use super::der::{Element, INTEGER, Reader, SEQUENCE};

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// From when to when a certificate in DER is valid, in seconds since 1970; `None` if it is no certificate.
#[must_use]
pub fn period(der: &[u8]) -> Option<RangeInclusive<i64>> {
    let mut certificate = Reader(der).expect(SEQUENCE)?.open(SEQUENCE)?;
    let mut body = certificate.expect(SEQUENCE)?.open(SEQUENCE)?;
    let mut serial = body.next()?;
    if serial.tag == VERSION {
        serial = body.next()?;
    }
    if serial.tag != INTEGER {
        return None;
    }
    // The signature's algorithm and the issuer.
    body.expect(SEQUENCE)?;
    body.expect(SEQUENCE)?;
    let mut validity = body.expect(SEQUENCE)?.open(SEQUENCE)?;
    let from = seconds(validity.next()?)?;
    let to = seconds(validity.next()?)?;
    Some(from..=to)
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5).
fn seconds(element: Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i32 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let mut pairs = rest
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok()?.parse::<u8>().ok());
    let mut pair = || pairs.next().flatten();
    let (month, day) = (Month::try_from(pair()?).ok()?, pair()?);
    let time = Time::from_hms(pair()?, pair()?, pair()?).ok()?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    (rest.len() == 10).then(|| OffsetDateTime::new_utc(date, time).unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Authority;

    #[test]
    fn a_certificate_tells_its_period() {
        let now = 1_795_305_600;
        let authority = Authority::create(now).unwrap();
        let period = period(authority.certificate_der()).unwrap();
        assert_eq!(*period.start(), now - 24 * 60 * 60);
        assert!(period.contains(&now) && !period.contains(&(now + 11 * 365 * 24 * 60 * 60)));
        assert_eq!(super::period(&authority.certificate_der()[1..]), None);
        assert_eq!(super::period(b""), None);
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let read = |tag, text: &str| {
            seconds(Element {
                tag,
                content: text.as_bytes(),
            })
        };
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        for wrong in [
            "",
            "Z",
            "7001010000Z",
            "701301000000Z",
            "700101000000",
            "70010100000éZ",
        ] {
            assert_eq!(read(UTC_TIME, wrong), None, "{wrong}");
        }
    }
}
