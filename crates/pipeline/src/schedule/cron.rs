//! Cron expressions of six fields: minutes, hours, day of month, month, day of week, year.

use super::Unreadable;
use super::day::{self, DAY, HOUR, MINUTE};

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEK_DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// The years that an expression can name.
const YEARS: (u32, u32) = (1970, 2199);

/// Which days of a month are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Days {
    /// Bit n is day n.
    OfMonth(u32),
    /// `L`
    Last,
    /// `LW`: the last day from Monday to Friday.
    LastWeekday,
    /// `15W`: the day from Monday to Friday that is nearest, in the same month.
    Nearest(u32),
    /// Bit 0 is Sunday.
    OfWeek(u32),
    /// `SUNL`: the last Sunday.
    LastOf(u32),
    /// `TUE#3`: the third Tuesday.
    Nth(u32, u32),
}

/// A cron expression, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cron {
    /// Bit n is minute n.
    minutes: u64,
    hours: u32,
    days: Days,
    /// Bit 1 is January.
    months: u32,
    /// `None` is every year.
    years: Option<Vec<u32>>,
}

/// What one field takes.
struct Field {
    least: u32,
    most: u32,
    /// Names of its values, from the least on.
    names: &'static [&'static str],
    wrong: Unreadable,
}

const fn field(least: u32, most: u32, names: &'static [&'static str], wrong: &'static str) -> Field {
    Field {
        least,
        most,
        names,
        wrong: Unreadable(wrong),
    }
}

const MINUTE_FIELD: Field = field(0, 59, &[], "the minutes are not 0 to 59");
const HOUR_FIELD: Field = field(0, 23, &[], "the hours are not 0 to 23");
const DAY_FIELD: Field = field(1, 31, &[], "the days of the month are not 1 to 31");
const MONTH_FIELD: Field = field(1, 12, &MONTHS, "the months are not 1 to 12 or JAN to DEC");
const WEEK_FIELD: Field = field(
    1,
    7,
    &WEEK_DAYS,
    "the days of the week are not 1 to 7 or SUN to SAT",
);
const YEAR_FIELD: Field = field(YEARS.0, YEARS.1, &[], "the years are not 1970 to 2199");

impl Cron {
    /// Reads the six fields, without `cron(` and `)`.
    ///
    /// # Errors
    /// Which field is wrong.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minutes, hours, month_days, months, week_days, years] = fields.as_slice() else {
            return Err(Unreadable("a cron expression has six fields"));
        };
        let days = match (month_days, week_days) {
            ("?", "?") => return Err(Unreadable("one of the two fields of days must say which")),
            (days, "?") => days_of_month(days)?,
            ("?", days) => days_of_week(days)?,
            _ => return Err(Unreadable("one of the two fields of days must be ?")),
        };
        let years = match years {
            "*" => None,
            years => Some(list(&YEAR_FIELD, years)?),
        };
        Ok(Self {
            minutes: list(&MINUTE_FIELD, minutes)?
                .into_iter()
                .fold(0, |all, minute| all | 1 << minute),
            hours: bits(&HOUR_FIELD, hours)?,
            days,
            months: bits(&MONTH_FIELD, months)?,
            years,
        })
    }

    /// The first moment behind `after` that it names, both in milliseconds since the epoch; `None` if there is none any more.
    pub fn next_after(&self, after: i64) -> Option<i64> {
        let from = after.div_euclid(MINUTE) * MINUTE + MINUTE;
        let today = from.div_euclid(DAY);
        let (mut year, mut month) = day::year_and_month(today);
        while year <= i64::from(YEARS.1) {
            if self.months & (1 << month) != 0 && self.names_year(year) {
                let first = day::first_of(year, month);
                let days = self.days.of(year, month);
                let named = (1..=day::length(year, month)).filter(|day| days & (1 << day) != 0);
                let found = named
                    .map(|day| first + i64::from(day) - 1)
                    .filter(|number| *number >= today)
                    .find_map(|number| {
                        self.time_of_day((from - number * DAY).max(0))
                            .map(|time| number * DAY + time)
                    });
                if found.is_some() {
                    return found;
                }
            }
            (year, month) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
        }
        None
    }

    /// Hours of the day that it names, ascending.
    pub fn hours(&self) -> Vec<u32> {
        (0..24).filter(|hour| self.hours & (1 << hour) != 0).collect()
    }

    /// Whether it names full hours only.
    pub const fn on_the_hour(&self) -> bool {
        self.minutes == 1
    }

    /// Whether it holds in every year.
    pub const fn every_year(&self) -> bool {
        self.years.is_none()
    }

    fn names_year(&self, year: i64) -> bool {
        let named = |years: &Vec<u32>| years.iter().any(|named| i64::from(*named) == year);
        self.years.as_ref().is_none_or(named)
    }

    /// The first time of a day, in milliseconds from midnight, that is not before `from`.
    fn time_of_day(&self, from: i64) -> Option<i64> {
        self.hours()
            .into_iter()
            .map(|hour| i64::from(hour) * HOUR)
            .find_map(|hour| {
                let minutes = (0..60_i64).filter(|minute| self.minutes & (1 << minute) != 0);
                minutes
                    .map(|minute| hour + minute * MINUTE)
                    .find(|time| *time >= from)
            })
    }
}

impl Days {
    /// The days of a month that are meant: bit n is day n.
    fn of(&self, year: i64, month: u32) -> u32 {
        let (first, length) = (day::first_of(year, month), day::length(year, month));
        let week_day = |day: u32| day::week_day(first + i64::from(day) - 1);
        match *self {
            Self::OfMonth(days) => days,
            Self::Last => 1 << length,
            Self::LastWeekday => 1 << weekday_near(length, length, week_day(length)),
            Self::Nearest(day) if day <= length => 1 << weekday_near(day, length, week_day(day)),
            Self::Nearest(_) => 0,
            Self::OfWeek(days) => {
                let meant = (1..=length).filter(|day| days & (1 << week_day(*day)) != 0);
                meant.fold(0, |all, day| all | 1 << day)
            }
            Self::LastOf(wanted) => {
                let last = (1..=length).rev().find(|day| week_day(*day) == wanted);
                last.map_or(0, |day| 1 << day)
            }
            Self::Nth(wanted, nth) => {
                let mut meant = (1..=length).filter(|day| week_day(*day) == wanted);
                let found = usize::try_from(nth).ok().and_then(|nth| meant.nth(nth - 1));
                found.map_or(0, |day| 1 << day)
            }
        }
    }
}

/// The day from Monday to Friday nearest to a day, without leaving the month.
const fn weekday_near(day: u32, length: u32, week_day: u32) -> u32 {
    match week_day {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == length => day - 2,
        0 => day + 1,
        _ => day,
    }
}

fn days_of_month(text: &str) -> Result<Days, Unreadable> {
    match text {
        "L" => return Ok(Days::Last),
        "LW" => return Ok(Days::LastWeekday),
        _ => {}
    }
    if let Some(day) = text.strip_suffix('W') {
        return number(&DAY_FIELD, day).map(Days::Nearest);
    }
    // Secrets Manager takes the last named day of the month here, too.
    if let Some(day) = text.strip_suffix('L') {
        return number(&WEEK_FIELD, day).map(|day| Days::LastOf(day - 1));
    }
    bits(&DAY_FIELD, text).map(Days::OfMonth)
}

fn days_of_week(text: &str) -> Result<Days, Unreadable> {
    if text == "L" {
        return Ok(Days::OfWeek(1 << 6));
    }
    if let Some(day) = text.strip_suffix('L') {
        return number(&WEEK_FIELD, day).map(|day| Days::LastOf(day - 1));
    }
    if let Some((day, nth)) = text.split_once('#') {
        let nth = nth
            .parse()
            .ok()
            .filter(|nth| (1..=5).contains(nth) && !text.contains('+'));
        let nth = nth.ok_or(Unreadable("a month has a first to a fifth day of a name"))?;
        return number(&WEEK_FIELD, day).map(|day| Days::Nth(day - 1, nth));
    }
    bits(&WEEK_FIELD, text).map(|days| Days::OfWeek(days >> 1))
}

fn bits(field: &Field, text: &str) -> Result<u32, Unreadable> {
    let values = list(field, text)?;
    Ok(values.into_iter().fold(0, |all, value| all | 1 << value))
}

/// The values of a field: numbers, names, ranges, increments, and lists of them.
fn list(field: &Field, text: &str) -> Result<Vec<u32>, Unreadable> {
    let mut values = Vec::new();
    for part in text.split(',') {
        let (span, step) = match part.split_once('/') {
            None => (part, None),
            Some((span, step)) => {
                let fits = |step: &u32| *step > 0 && !part.contains('+');
                let step: u32 = step
                    .parse()
                    .ok()
                    .filter(fits)
                    .ok_or_else(|| field.wrong.clone())?;
                (span, Some(step))
            }
        };
        let (first, last) = match (span, span.split_once('-')) {
            ("*", _) => (field.least, field.most),
            ("", _) if step.is_some() => (field.least, field.most),
            (_, Some((first, last))) => (number(field, first)?, number(field, last)?),
            (one, None) => {
                let one = number(field, one)?;
                (one, if step.is_some() { field.most } else { one })
            }
        };
        if first > last {
            return Err(field.wrong.clone());
        }
        let step = usize::try_from(step.unwrap_or(1)).map_err(|_| field.wrong.clone())?;
        values.extend((first..=last).step_by(step));
    }
    Ok(values)
}

fn number(field: &Field, text: &str) -> Result<u32, Unreadable> {
    let named = field
        .names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text));
    let value = match named {
        Some(index) => u32::try_from(index).ok().map(|index| index + field.least),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    };
    value
        .filter(|value| (field.least..=field.most).contains(value))
        .ok_or_else(|| field.wrong.clone())
}

#[cfg(test)]
mod tests;
