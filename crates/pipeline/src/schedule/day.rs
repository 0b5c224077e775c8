//! Days of the Gregorian calendar, counted from 1970-01-01.

/// Milliseconds of a minute.
pub const MINUTE: i64 = 60_000;
/// Milliseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Milliseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// The beginning of the day (UTC) that a moment lies in, both in milliseconds since the epoch.
pub const fn midnight(moment: i64) -> i64 {
    moment - moment.rem_euclid(DAY)
}

/// The number of the first day of a month.
pub(super) const fn first_of(year: i64, month: u32) -> i64 {
    // The year is taken to begin in March, so that the leap day is its last.
    let shifted = if month > 2 { year } else { year - 1 };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month as i64 + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Days of a month.
pub(super) const fn length(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The day of the week of a day's number: Sunday is 0.
pub(super) fn week_day(number: i64) -> u32 {
    u32::try_from((number + 4).rem_euclid(7)).unwrap_or_default()
}

/// The year and month of a day's number.
pub(super) fn year_and_month(number: i64) -> (i64, u32) {
    let shifted = number + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_without_a_gap() {
        let mut number = first_of(1968, 1);
        for year in 1968..2405 {
            for month in 1..=12 {
                assert_eq!(first_of(year, month), number, "{year}-{month}");
                for day in 0..length(year, month) {
                    assert_eq!(year_and_month(number + i64::from(day)), (year, month));
                }
                number += i64::from(length(year, month));
            }
        }
        assert_eq!(first_of(1970, 1), 0);
        // 2026-11-22 is a Sunday.
        assert_eq!(week_day(first_of(2026, 11) + 21), 0);
    }
}
