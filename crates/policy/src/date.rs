//! Dates of policy conditions, as nanoseconds since 1970.
//!
//! Source: IAM User Guide, "Condition operators", Date: the W3C profile of ISO 8601, or epoch seconds.

/// Parses `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, `YYYY-MM-DDThh:mmTZD` (seconds and fraction optional), or epoch
/// seconds. Four digits alone are a year.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.len() != 4 {
        let seconds: i64 = text.parse().ok()?;
        return Some(i128::from(seconds) * 1_000_000_000);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut fields = date.split('-');
    let year = number(fields.next()?, 4)?;
    let month = fields.next().map_or(Some(1), |text| number(text, 2))?;
    let day = fields.next().map_or(Some(1), |text| number(text, 2))?;
    let complete = date.len() == 10;
    if fields.next().is_some() || !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day)
    {
        return None;
    }
    let midnight = i128::from(days(year, month, day)) * 86_400_000_000_000;
    match time {
        None => Some(midnight),
        Some(time) if complete => Some(midnight + clock(time)?),
        Some(_) => None,
    }
}

/// Nanoseconds from midnight UTC for `hh:mm[:ss[.s…]](Z|±hh:mm)`.
fn clock(text: &str) -> Option<i128> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (time, zone) = text.split_at_checked(zone_at)?;
    let mut fields = time.split(':');
    let hours = number(fields.next()?, 2).filter(|hours| *hours < 24)?;
    let minutes = number(fields.next()?, 2).filter(|minutes| *minutes < 60)?;
    let (seconds, nanos) = match fields.next() {
        None => (0, 0),
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            // 60 is a leap second.
            (
                number(whole, 2).filter(|seconds| *seconds <= 60)?,
                nanoseconds(fraction)?,
            )
        }
    };
    if fields.next().is_some() {
        return None;
    }
    let offset = offset_minutes(zone)?;
    let total = (hours * 60 + minutes - offset) * 60 + seconds;
    Some(i128::from(total) * 1_000_000_000 + i128::from(nanos))
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours = number(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = number(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 60 + minutes))
}

fn nanoseconds(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    padded.parse().ok()
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar; years begin in March so that the leap day is last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let century = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    century * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<i128> {
        parse(text).map(|nanos| nanos / 1_000_000_000)
    }

    #[test]
    fn every_form_of_the_profile() {
        for (text, wanted) in [
            ("1970", 0),
            ("1970-02", 2_678_400),
            ("2000-02-29", 951_782_400),
            ("2020-01-01T00:00:01Z", 1_577_836_801),
            ("2020-01-01T01:00+01:00", 1_577_836_800),
            ("2019-12-31T19:00:00-05:00", 1_577_836_800),
            ("1577836801", 1_577_836_801),
            ("0", 0),
        ] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00.5Z"), Some(500_000_000));
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "x",
            "2020-13",
            "2021-02-29",
            "2020-01-01T00:00",
            "2020-01T00:00Z",
            "20-1-1",
            "-5",
            "1.5",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
