//! Reading a metric's data: the rows of a span of time, gathered by periods.
//!
//! Invariant: a read touches the rows of its span alone, and `Budget` bounds them. What is too old for so short a period is not told,
//! whatever the rows still hold.
//!
//! Source: CloudWatch API Reference, "GetMetricStatistics", "GetMetricData".

use std::collections::BTreeMap;

use pipeline::{Look, Result};
use wire::{Fault, Timestamp};

use super::metric::{self, DATA, Data, FIVE_MINUTES, HOUR, MINUTE, SECOND};
use super::retention;

/// Rows that one call reads (CloudWatch User Guide, "CloudWatch service quotas": 396,000 datapoints a second).
const ROWS_MAX: usize = 396_000;
/// Rows that are read at a time.
const STEP: i64 = 1440;

/// The rows that a call may still read.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(ROWS_MAX)
    }
}

/// From when to when, and how it is divided, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: i64,
    /// Not in it any more.
    pub(super) end: i64,
    pub(super) period: i64,
}

impl Span {
    /// The span of a request, with its start rounded down as AWS does: by its age, and by periods shorter than a minute.
    pub(super) fn new(start: Timestamp, end: Timestamp, period: i64, now: Timestamp) -> Self {
        const DAY: i64 = 86_400_000;
        let age = now.0 - start.0;
        let grain = if age > 63 * DAY {
            i64::from(HOUR)
        } else if age > 15 * DAY {
            i64::from(FIVE_MINUTES)
        } else {
            period.min(60)
        };
        let start = start.seconds() - start.seconds().rem_euclid(grain);
        let end = end.0.div_euclid(1000) + i64::from(end.0.rem_euclid(1000) > 0);
        Self { start, end, period }
    }

    /// How many periods it has.
    pub(super) fn periods(self) -> i64 {
        let length = (self.end - self.start).max(0);
        length.div_euclid(self.period) + i64::from(length.rem_euclid(self.period) > 0)
    }
}

/// Which periods AWS takes: 1, 5, 10, 20 and 30 seconds, and whole minutes up to a day.
pub(super) fn is_period(seconds: i32) -> bool {
    matches!(seconds, 1 | 5 | 10 | 20 | 30) || seconds > 0 && seconds % 60 == 0
}

/// What a metric is asked for by.
pub(super) struct Wanted<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    /// In order.
    pub(super) dimensions: &'a [(String, String)],
    pub(super) span: Span,
}

/// The data of a metric by the beginnings of its periods, in seconds since the epoch.
pub(super) fn read(
    look: &mut Look<'_>,
    wanted: &Wanted<'_>,
    budget: &mut Budget,
) -> Result<BTreeMap<i64, Data>> {
    let id = metric::id(wanted.namespace, wanted.name, wanted.dimensions);
    let mut periods: BTreeMap<i64, Data> = BTreeMap::new();
    for length in [SECOND, MINUTE, FIVE_MINUTES, HOUR] {
        let length_seconds = i64::from(length);
        // A metric that is kept by the minute shows its minutes in shorter periods too.
        if wanted.span.period % length_seconds == 0 || length == MINUTE {
            rows(look, &id, length, wanted.span, budget, &mut periods)?;
        }
    }
    let now = look.now;
    let period = wanted.span.period;
    periods.retain(|start, _| {
        let shortest = retention::shortest(Timestamp::from_seconds(*start), now);
        shortest.is_some_and(|shortest| period % i64::from(shortest) == 0)
    });
    Ok(periods)
}

fn rows(
    look: &mut Look<'_>,
    id: &[u8],
    length: u32,
    span: Span,
    budget: &mut Budget,
    periods: &mut BTreeMap<i64, Data>,
) -> Result<()> {
    let (account, region) = (look.account().to_owned(), look.region().to_owned());
    let mut from = span.start;
    while from < span.end {
        // Not more than there can be, so that nothing behind the span is read.
        let left = (span.end - from).div_euclid(i64::from(length)) + 1;
        let limit = usize::try_from(left.clamp(1, STEP)).unwrap_or(1);
        let after = (account.clone(), region.clone(), id.to_owned(), length, from - 1);
        let prefix = (account.as_str(), region.as_str(), id, length);
        let rows = look.range(&DATA, &prefix, Some(&after), limit)?;
        budget.0 = budget
            .0
            .checked_sub(rows.len())
            .ok_or_else(|| Fault::plain("Throttling", 400, "Rate exceeded"))?;
        let ended = rows.len() < limit;
        for ((_, _, _, _, start), data) in rows {
            if start >= span.end {
                return Ok(());
            }
            let period = span.start + (start - span.start).div_euclid(span.period) * span.period;
            periods.entry(period).or_default().join(&data);
            from = start + 1;
        }
        if ended {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_rounded_by_age() {
        const NOW: i64 = 1_795_305_600;
        let start = |back: i64, period: i64| {
            let at = Timestamp::from_seconds(NOW - back);
            let now = Timestamp::from_seconds(NOW);
            Span::new(at, now, period, now).start - (NOW - back)
        };
        assert_eq!(start(28, 60), -32);
        assert_eq!(start(28, 10), -2);
        assert_eq!(start(16 * 86_400 + 28, 60), -272);
        assert_eq!(start(64 * 86_400 + 28, 60), -3572);
    }

    #[test]
    fn periods_are_those_of_aws() {
        for seconds in [1, 5, 10, 20, 30, 60, 120, 3600, 86_400] {
            assert!(is_period(seconds));
        }
        for seconds in [0, -60, 2, 15, 45, 61, 90] {
            assert!(!is_period(seconds));
        }
    }
}
