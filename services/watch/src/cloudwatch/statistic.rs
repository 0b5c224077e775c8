//! Statistics: what is said of the values of a period.
//!
//! A percentile is the smallest value that so large a part of all values does not exceed. Ranges by percent take parts of values that lie
//! across a boundary, so that counts may be fractions.
//!
//! Invariant: what needs to know how values are spread says nothing where only sums are known, or where a value is negative.
//!
//! Source: CloudWatch User Guide, "CloudWatch statistics definitions".

use pipeline::telemetry::Samples;

/// A statistic, as a request names it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    Percentile(f64),
    TrimmedMean(Range),
    TrimmedCount(Range),
    TrimmedSum(Range),
    WinsorizedMean(Range),
    /// The part of values in a range, in percent.
    Rank(Range),
}

/// A range of values; the lower end is not in it, the upper end is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Range {
    /// From this part of the values to that one, in percent.
    Percent(f64, f64),
    Absolute(f64, f64),
}

impl Statistic {
    /// Reads `Average`, `p99.9`, `tm90`, `TM(10%:90%)`, `PR(:300)`; `None` of what is no statistic.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "SampleCount" => return Some(Self::SampleCount),
            "Average" => return Some(Self::Average),
            "Sum" => return Some(Self::Sum),
            "Minimum" => return Some(Self::Minimum),
            "Maximum" => return Some(Self::Maximum),
            "IQM" | "iqm" => return Some(Self::TrimmedMean(Range::Percent(25.0, 75.0))),
            _ => {}
        }
        if let Some(inner) = text.strip_suffix(')') {
            let (name, inner) = inner.split_once('(')?;
            let range = Range::parse(inner)?;
            return match (name, range) {
                ("TM", _) => Some(Self::TrimmedMean(range)),
                ("TC", _) => Some(Self::TrimmedCount(range)),
                ("TS", _) => Some(Self::TrimmedSum(range)),
                ("WM", _) => Some(Self::WinsorizedMean(range)),
                ("PR", Range::Absolute(..)) => Some(Self::Rank(range)),
                _ => None,
            };
        }
        let upper = |digits: &str| Some(Range::Percent(0.0, percent(digits)?));
        if let Some(digits) = text.strip_prefix("tm") {
            return upper(digits).map(Self::TrimmedMean);
        }
        if let Some(digits) = text.strip_prefix("tc") {
            return upper(digits).map(Self::TrimmedCount);
        }
        if let Some(digits) = text.strip_prefix("ts") {
            return upper(digits).map(Self::TrimmedSum);
        }
        if let Some(digits) = text.strip_prefix("wm") {
            return upper(digits).map(Self::WinsorizedMean);
        }
        text.strip_prefix('p').and_then(percent).map(Self::Percentile)
    }

    /// What it says of some values; `None` where that is not known.
    pub(super) fn of(self, samples: &Samples) -> Option<f64> {
        match self {
            Self::SampleCount => return Some(samples.count),
            Self::Average => return Some(samples.sum / samples.count),
            Self::Sum => return Some(samples.sum),
            Self::Minimum => return Some(samples.minimum),
            Self::Maximum => return Some(samples.maximum),
            _ => {}
        }
        let values = samples.values().filter(|_| samples.minimum >= 0.0)?;
        let clamped = |value: f64| value.clamp(samples.minimum, samples.maximum);
        match self {
            Self::Percentile(part) => percentile(values, part).map(clamped),
            Self::TrimmedMean(range) => {
                let (count, sum) = within(values, range);
                (count > 0.0).then(|| clamped(sum / count))
            }
            Self::TrimmedCount(range) => Some(within(values, range).0),
            Self::TrimmedSum(range) => Some(within(values, range).1),
            Self::WinsorizedMean(range) => winsorized(values, range).map(clamped),
            Self::Rank(range) => Some(within(values, range).0 / total(values) * 100.0),
            _ => None,
        }
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once(':')?;
        if from.is_empty() && to.is_empty() {
            return None;
        }
        if from.ends_with('%') || to.ends_with('%') {
            let end = |text: &str, open: f64| match text {
                "" => Some(open),
                text => percent(text.strip_suffix('%')?),
            };
            let (from, to) = (end(from, 0.0)?, end(to, 100.0)?);
            return (from < to).then_some(Self::Percent(from, to));
        }
        let end = |text: &str, open: f64| if text.is_empty() { Some(open) } else { number(text) };
        let (from, to) = (end(from, f64::NEG_INFINITY)?, end(to, f64::INFINITY)?);
        (from < to).then_some(Self::Absolute(from, to))
    }
}

/// A number of at most ten decimal places.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.filter(|_| plain && places <= 10)
}

/// A number between 0 and 100.
fn percent(text: &str) -> Option<f64> {
    number(text).filter(|number| *number <= 100.0)
}

fn total(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(_, count)| count).sum()
}

fn percentile(values: &[(f64, f64)], part: f64) -> Option<f64> {
    // Sums of counts are a little off at times.
    let wanted = total(values) * part / 100.0 - 1e-9;
    let mut below = 0.0;
    let found = values.iter().find(|(_, count)| {
        below += count;
        below >= wanted
    });
    found.or(values.last()).map(|(value, _)| *value)
}

/// How many values lie in a range, and their sum.
fn within(values: &[(f64, f64)], range: Range) -> (f64, f64) {
    match range {
        Range::Absolute(from, to) => {
            let inside = values.iter().filter(|(value, _)| *value > from && *value <= to);
            inside.fold((0.0, 0.0), |(all, sum), (value, count)| {
                (all + count, sum + value * count)
            })
        }
        Range::Percent(from, to) => {
            let all = total(values);
            let (from, to) = (all * from / 100.0, all * to / 100.0);
            let (mut below, mut counted, mut sum) = (0.0_f64, 0.0, 0.0);
            for (value, count) in values {
                let part = (below + count).min(to) - below.max(from);
                if part > 0.0 {
                    counted += part;
                    sum += value * part;
                }
                below += count;
            }
            (counted, sum)
        }
    }
}

/// The mean of all values, where those outside a range count as the value at its end.
fn winsorized(values: &[(f64, f64)], range: Range) -> Option<f64> {
    let (low, high) = match range {
        Range::Absolute(from, to) => {
            let mut inside = values
                .iter()
                .map(|(value, _)| *value)
                .filter(|value| *value > from && *value <= to);
            let low = inside.next()?;
            (low, inside.next_back().unwrap_or(low))
        }
        Range::Percent(from, to) => (percentile(values, from)?, percentile(values, to)?),
    };
    let sum: f64 = values
        .iter()
        .map(|(value, count)| value.clamp(low, high) * count)
        .sum();
    Some(sum / total(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hundred() -> Samples {
        let mut all = Samples::default();
        for number in 1..=100 {
            all.merge(&Samples::of(f64::from(number)));
        }
        all
    }

    fn of(text: &str, samples: &Samples) -> Option<f64> {
        Statistic::parse(text).expect(text).of(samples)
    }

    #[test]
    fn statistics_of_one_to_a_hundred() {
        let all = hundred();
        for (text, expected) in [
            ("SampleCount", 100.0),
            ("Average", 50.5),
            ("p50", 50.0),
            ("p99", 99.0),
            ("p99.9", 100.0),
            ("p0", 1.0),
            ("p100", 100.0),
            ("tm90", 45.5),
            ("TM(:90%)", 45.5),
            ("TM(10%:90%)", 50.5),
            ("IQM", 50.5),
            ("TM(10:20)", 15.5),
            ("tc90", 90.0),
            ("TC(80:90)", 10.0),
            ("ts90", 4095.0),
            ("TS(80%:)", 1810.0),
            ("wm98", 50.47),
            ("PR(:30)", 30.0),
            ("PR(30:40)", 10.0),
        ] {
            let said = of(text, &all).unwrap();
            assert!((said - expected).abs() < 1e-9, "{text}: {said}");
        }
    }

    #[test]
    fn counts_may_be_fractions() {
        let mut three = Samples::of(1.0);
        three.merge(&Samples::of(2.0));
        three.merge(&Samples::of(3.0));
        assert!((of("tc50", &three).unwrap() - 1.5).abs() < 1e-9);
        assert!((of("ts50", &three).unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn sums_and_negative_values_have_no_percentiles() {
        assert_eq!(of("p50", &Samples::summed(2.0, 3.0, 1.0, 2.0)), None);
        assert_eq!(of("p50", &Samples::summed(2.0, 4.0, 2.0, 2.0)), Some(2.0));
        assert_eq!(of("p50", &Samples::of(-1.0)), None);
        assert_eq!(of("Minimum", &Samples::of(-1.0)), Some(-1.0));
    }

    #[test]
    fn what_is_no_statistic_is_not_taken() {
        for text in [
            "",
            "p",
            "p101",
            "p-1",
            "pNaN",
            "average",
            "tm",
            "TM(90)",
            "TM(:)",
            "TM(90%:10%)",
            "PR(10%:20%)",
            "p1e1",
            "tm(1:2)",
            "TM(1:2",
            "p99.99999999999",
            "TM(10%:90)",
        ] {
            assert_eq!(Statistic::parse(text), None, "{text}");
        }
    }
}
