//! What expressions work on: numbers, series and arrays of series.
//!
//! Invariant: the points of a series are finite numbers.

use std::collections::{BTreeMap, BTreeSet};

/// Values over time.
#[derive(Clone, Default, Debug)]
pub(in super::super) struct Series {
    pub(in super::super) label: String,
    /// In seconds; zero where it is made of none.
    pub(in super::super) period: i64,
    /// By seconds since the epoch.
    pub(in super::super) points: BTreeMap<i64, f64>,
    /// It is a metric's, and not the result of an expression.
    pub(in super::super) plain: bool,
}

/// What an expression comes to.
#[derive(Clone, Debug)]
pub(in super::super) enum Value {
    Scalar(f64),
    Series(Series),
    Array(Vec<Series>),
}

impl Series {
    /// Other values at other times, of the same kind.
    pub(super) fn with(&self, points: BTreeMap<i64, f64>) -> Self {
        Self {
            label: self.label.clone(),
            period: self.period,
            points: finite(points),
            plain: false,
        }
    }

    /// Each value by itself.
    pub(super) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let points = self.points.iter().map(|(at, value)| (*at, change(*value)));
        self.with(points.collect())
    }

    /// Both values of each time at which one of two series has one; a missing one is 0.
    pub(super) fn zip(&self, other: &Self, join: impl Fn(f64, f64) -> f64) -> Self {
        let times: BTreeSet<i64> = self.points.keys().chain(other.points.keys()).copied().collect();
        let at = |series: &Self, at: i64| series.points.get(&at).copied().unwrap_or(0.0);
        let points = times
            .into_iter()
            .map(|time| (time, join(at(self, time), at(other, time))));
        let mut joined = self.with(points.collect());
        joined.period = self.period.max(other.period);
        joined
    }

    /// Each value with the one before it and the seconds between them.
    pub(super) fn steps(&self, change: impl Fn(f64, f64) -> f64) -> Self {
        let times = self.points.iter();
        let points = times
            .clone()
            .zip(times.skip(1))
            .map(|((before, old), (at, new))| (*at, change(new - old, seconds(at - before))));
        self.with(points.collect())
    }
}

/// What is no number, or no finite one, is dropped: a division by zero, the logarithm of what has none.
fn finite(mut points: BTreeMap<i64, f64>) -> BTreeMap<i64, f64> {
    points.retain(|_, value| value.is_finite());
    points
}

/// Seconds as a number; those of dates are exact.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of dates lie far below 2^53, where doubles are exact"
)]
pub(super) const fn seconds(seconds: i64) -> f64 {
    seconds as f64
}
