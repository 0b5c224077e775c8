//! Cron expressions against examples of the guides and against a naive reader that looks at every hour.

use proptest::prelude::*;

use super::*;
use crate::schedule::day::{first_of, year_and_month};

/// `2026-11-22T08:00` in milliseconds.
fn at(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let month = u32::try_from(number(5, 7)).unwrap();
    let days = first_of(number(0, 4), month) + number(8, 10) - 1;
    days * DAY + number(11, 13) * HOUR + number(14, 16) * MINUTE
}

fn told(moment: i64) -> String {
    let number = moment.div_euclid(DAY);
    let (year, month) = year_and_month(number);
    let (day, rest) = (number - first_of(year, month) + 1, moment.rem_euclid(DAY));
    let (hour, minute) = (rest / HOUR, rest % HOUR / MINUTE);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}")
}

/// The next moments behind a Sunday, 2026-11-22T09:30.
fn next(fields: &str, count: usize) -> String {
    let cron = Cron::parse(fields).unwrap();
    let moments = std::iter::successors(Some(at("2026-11-22T09:30")), |moment| cron.next_after(*moment));
    let moments: Vec<_> = moments.skip(1).take(count).map(told).collect();
    moments.join(" ")
}

/// The examples of the Secrets Manager User Guide, "Rotation schedules".
#[test]
fn the_guides_examples_name_what_the_guide_says() {
    assert_eq!(
        next("0 /8 * * ? *", 4),
        "2026-11-22T16:00 2026-11-23T00:00 2026-11-23T08:00 2026-11-23T16:00"
    );
    assert_eq!(
        next("0 8/8 * * ? *", 3),
        "2026-11-22T16:00 2026-11-23T08:00 2026-11-23T16:00"
    );
    assert_eq!(
        next("0 2/10 * * ? *", 4),
        "2026-11-22T12:00 2026-11-22T22:00 2026-11-23T02:00 2026-11-23T12:00"
    );
    assert_eq!(next("0 10 * * ? *", 2), "2026-11-22T10:00 2026-11-23T10:00");
    assert_eq!(next("0 18 ? * SAT *", 2), "2026-11-28T18:00 2026-12-05T18:00");
    assert_eq!(next("0 8 1 * ? *", 2), "2026-12-01T08:00 2027-01-01T08:00");
    assert_eq!(next("0 1 ? 1/3 SUN#1 *", 2), "2027-01-03T01:00 2027-04-04T01:00");
    assert_eq!(
        next("0 17 L * ? *", 4),
        "2026-11-30T17:00 2026-12-31T17:00 2027-01-31T17:00 2027-02-28T17:00"
    );
    assert_eq!(
        next("0 8 ? * MON-FRI *", 6).split(' ').next_back(),
        Some("2026-11-30T08:00")
    );
    assert_eq!(next("0 16 1,15 * ? *", 2), "2026-12-01T16:00 2026-12-15T16:00");
    assert_eq!(
        next("0 0 ? 1/11 2#1 *", 3),
        "2026-12-07T00:00 2027-01-04T00:00 2027-12-06T00:00"
    );
    assert_eq!(next("0 0 SUNL * ? *", 2), "2026-11-29T00:00 2026-12-27T00:00");
    assert_eq!(next("0 0 ? * 1L *", 2), "2026-11-29T00:00 2026-12-27T00:00");
    assert_eq!(next("0 0 ? * L *", 1), "2026-11-28T00:00");
}

/// Weekdays near a day, leap days, years, and steps of minutes (EventBridge User Guide, "Cron expressions reference").
#[test]
fn special_days_are_found() {
    assert_eq!(
        next("0 0 28W * ? *", 3),
        "2026-11-27T00:00 2026-12-28T00:00 2027-01-28T00:00"
    );
    assert_eq!(next("0 0 1W 5,8 ? 2027", 3), "2027-05-03T00:00 2027-08-02T00:00");
    assert_eq!(next("0 0 31W 1 ? 2027", 1), "2027-01-29T00:00");
    assert_eq!(
        next("0 0 LW * ? *", 3),
        "2026-11-30T00:00 2026-12-31T00:00 2027-01-29T00:00"
    );
    assert_eq!(next("0 12 29 2 ? *", 2), "2028-02-29T12:00 2032-02-29T12:00");
    assert_eq!(
        next("15/20 9 22 NOV ? 2026", 3),
        "2026-11-22T09:35 2026-11-22T09:55"
    );
    assert_eq!(next("0 0 ? * MON#5 *", 2), "2026-11-30T00:00 2027-03-29T00:00");
    assert_eq!(next("0 0 31 2 ? *", 1), "");
    assert_eq!(next("0 0 1 1 ? 2020-2026", 1), "");
    assert_eq!(
        next("0 10 ? * TUE,wed-FRI *", 2),
        "2026-11-24T10:00 2026-11-25T10:00"
    );
}

#[test]
fn what_is_no_expression_is_refused() {
    for wrong in [
        "",
        "* * * * *",
        "0 0 * * * *",
        "0 0 ? * ? *",
        "60 0 * * ? *",
        "0 24 * * ? *",
        "0 0 0 * ? *",
        "0 0 32 * ? *",
        "0 0 * 13 ? *",
        "0 0 ? * 8 *",
        "0 0 ? * 0 *",
        "0 0 ? * MON#6 *",
        "0 0 ? * MON#0 *",
        "0 0 ? * #1 *",
        "0 0 W * ? *",
        "0 0 5-1 * ? *",
        "0 /0 * * ? *",
        "0 1/+2 * * ? *",
        "0 ,1 * * ? *",
        "0 1- * * ? *",
        "0 0 * * ? 1969",
        "0 0 * * ? 2200",
        "0 0 ? * FOO *",
        "0 0 * * ? * *",
    ] {
        assert!(Cron::parse(wrong).is_err(), "{wrong}");
    }
}

/// One part of a field as text, and the values that it means.
fn part(least: u32, most: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    prop_oneof![
        (least..=most).prop_map(|one| (one.to_string(), vec![one])),
        (least..=most, least..=most).prop_map(|(one, two)| {
            let (first, last) = (one.min(two), one.max(two));
            (format!("{first}-{last}"), (first..=last).collect())
        }),
        (least..=most, 1..9_usize).prop_map(move |(first, step)| {
            (format!("{first}/{step}"), (first..=most).step_by(step).collect())
        }),
        Just(("*".to_owned(), (least..=most).collect())),
    ]
}

fn parts(least: u32, most: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    prop::collection::vec(part(least, most), 1..3).prop_map(|parts| {
        let (texts, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        (texts.join(","), values.concat())
    })
}

proptest! {
    /// Every moment that is named is found, none is passed over, and none else is found.
    #[test]
    fn the_next_moment_is_the_first_that_fits(
        hours in parts(0, 23),
        days in parts(1, 31),
        months in parts(1, 12),
        by_week in any::<bool>(),
        week in parts(1, 7),
        start in 0_i64..2_000_000_000_000,
    ) {
        let text = if by_week {
            format!("0 {} ? {} {} *", hours.0, months.0, week.0)
        } else {
            format!("0 {} {} {} ? *", hours.0, days.0, months.0)
        };
        let cron = Cron::parse(&text).unwrap();
        let fits = |moment: i64| {
            let number = moment.div_euclid(DAY);
            let (year, month) = year_and_month(number);
            let day = u32::try_from(number - first_of(year, month) + 1).unwrap();
            let hour = u32::try_from(moment.rem_euclid(DAY) / HOUR).unwrap();
            // 1970-01-01 was a Thursday, the fifth day of its week.
            let week_day = u32::try_from((number + 4).rem_euclid(7) + 1).unwrap();
            let this_day = if by_week { week.1.contains(&week_day) } else { days.1.contains(&day) };
            hours.1.contains(&hour) && months.1.contains(&month) && this_day
        };
        let first = (start.div_euclid(HOUR) + 1) * HOUR;
        let naive = (0..24 * 400).map(|hour| first + hour * HOUR).find(|moment| fits(*moment));
        let found = cron.next_after(start);
        match naive {
            Some(naive) => prop_assert_eq!(found, Some(naive), "{}", text),
            None => prop_assert!(found.is_none_or(|found| found >= first + 24 * 400 * HOUR && fits(found)), "{}", text),
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text in "[0-9A-Za-z()#?*\\-/, ]{0,40}") {
        let _ = crate::schedule::Expression::parse(&text);
        let _ = Cron::parse(&text);
    }
}
