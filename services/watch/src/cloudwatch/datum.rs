//! One datum of `PutMetricData`, checked.
//!
//! Invariant: only numbers are taken that sums can hold: none is infinite, none is no number, and none is beyond 2^360.
//!
//! Source: CloudWatch API Reference, "PutMetricData", "MetricDatum".

use std::collections::BTreeSet;

use api::cloudwatch as model;
use pipeline::Result;
use pipeline::telemetry::Samples;
use wire::Timestamp;

use super::fault::{combination, invalid, invalid_value, missing};
use super::metric::{MINUTE, SECOND, ordered};

/// How far back, and how far ahead, a datum may lie, in milliseconds: two weeks and two hours.
const BACK: i64 = 14 * 86_400_000;
const AHEAD: i64 = 2 * 3_600_000;
/// Values of one datum.
const VALUES_MAX: usize = 150;

/// A datum that can be kept.
pub(super) struct Datum {
    pub(super) name: String,
    /// In order.
    pub(super) dimensions: Vec<(String, String)>,
    pub(super) at: Timestamp,
    pub(super) unit: &'static str,
    /// `SECOND` or `MINUTE`.
    pub(super) resolution: u32,
    pub(super) samples: Samples,
}

impl Datum {
    /// The datum at this place of the list, which begins at 1.
    pub(super) fn read(place: usize, datum: &model::MetricDatum, now: Timestamp) -> Result<Self> {
        let parameter = |name: &str| format!("MetricData.member.{place}.{name}");
        let at = datum.timestamp.unwrap_or(now);
        if at.0 < now.0 - BACK {
            return Err(invalid(format!(
                "The parameter {} must specify a time no more than two weeks in the past.",
                parameter("Timestamp")
            )));
        }
        if at.0 > now.0 + AHEAD {
            return Err(invalid(format!(
                "The parameter {} must specify a time no more than two hours in the future.",
                parameter("Timestamp")
            )));
        }
        let resolution = match datum.storage_resolution {
            None | Some(60) => MINUTE,
            Some(1) => SECOND,
            Some(other) => return Err(invalid_value(other, &parameter("StorageResolution"))),
        };
        plain(&datum.metric_name, &parameter("MetricName"))?;
        Ok(Self {
            name: datum.metric_name.clone(),
            dimensions: dimensions(datum.dimensions.as_deref(), &parameter("Dimensions"))?,
            at,
            unit: datum.unit.unwrap_or(model::StandardUnit::None).as_str(),
            resolution,
            samples: samples(datum, &parameter)?,
        })
    }
}

/// Names are of printable ASCII, and not blank.
pub(super) fn plain(name: &str, parameter: &str) -> Result<()> {
    let printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if printable && !name.trim().is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "The parameter {parameter} must contain at least one non-whitespace character, and only ASCII characters that are no control \
         characters."
    )))
}

/// Dimensions in order, each name once.
pub(super) fn dimensions(
    given: Option<&[model::Dimension]>,
    parameter: &str,
) -> Result<Vec<(String, String)>> {
    let mut names = BTreeSet::new();
    for (place, dimension) in given.unwrap_or_default().iter().enumerate() {
        let member = |name: &str| format!("{parameter}.member.{}.{name}", place + 1);
        plain(&dimension.name, &member("Name"))?;
        plain(&dimension.value, &member("Value"))?;
        if dimension.name.starts_with(':') {
            return Err(invalid_value(&dimension.name, &member("Name")));
        }
        if !names.insert(dimension.name.as_str()) {
            return Err(invalid(format!(
                "No Metric may specify the same dimension name twice: {} was found more than once.",
                dimension.name
            )));
        }
    }
    Ok(ordered(given))
}

/// The values, in the one of three forms that was used.
fn samples(datum: &model::MetricDatum, parameter: &dyn Fn(&str) -> String) -> Result<Samples> {
    let forms = [
        ("Value", datum.value.is_some()),
        ("Values", datum.values.is_some()),
        ("StatisticValues", datum.statistic_values.is_some()),
    ];
    let used: Vec<&str> = forms
        .iter()
        .filter(|(_, used)| *used)
        .map(|(name, _)| *name)
        .collect();
    if let [one, other, ..] = used.as_slice() {
        return Err(combination(format!(
            "The parameters {} and {} are mutually exclusive and you have specified both.",
            parameter(one),
            parameter(other)
        )));
    }
    if let Some(set) = &datum.statistic_values {
        return summed(set, parameter);
    }
    if let Some(value) = datum.value {
        if datum.counts.is_some() {
            return Err(combination(format!(
                "The parameters {} and {} are mutually exclusive and you have specified both.",
                parameter("Value"),
                parameter("Counts")
            )));
        }
        return Ok(Samples::of(number(value, &parameter("Value"))?));
    }
    let Some(values) = datum.values.as_deref().filter(|values| !values.is_empty()) else {
        return Err(missing(&parameter("Value")));
    };
    if values.len() > VALUES_MAX {
        return Err(invalid(format!(
            "The collection {} must not have a size greater than {VALUES_MAX}.",
            parameter("Values")
        )));
    }
    let counts = datum.counts.as_deref();
    if counts.is_some_and(|counts| counts.len() != values.len()) {
        return Err(invalid(format!(
            "The parameters {} and {} must be of the same size.",
            parameter("Values"),
            parameter("Counts")
        )));
    }
    let mut all = Samples::default();
    let counts = counts.unwrap_or_default().iter().copied();
    for (value, count) in values.iter().zip(counts.chain(std::iter::repeat(1.0))) {
        let value = number(*value, &parameter("Values"))?;
        let count = number(count, &parameter("Counts"))?;
        if count <= 0.0 {
            return Err(invalid_value(count, &parameter("Counts")));
        }
        all.merge(&Samples::counted(value, count));
    }
    Ok(all)
}

fn summed(set: &model::StatisticSet, parameter: &dyn Fn(&str) -> String) -> Result<Samples> {
    let within = |name: &str| parameter(&format!("StatisticValues.{name}"));
    let count = number(set.sample_count, &within("SampleCount"))?;
    let sum = number(set.sum, &within("Sum"))?;
    let minimum = number(set.minimum, &within("Minimum"))?;
    let maximum = number(set.maximum, &within("Maximum"))?;
    if count <= 0.0 {
        return Err(invalid_value(count, &within("SampleCount")));
    }
    if minimum > maximum {
        return Err(combination(format!(
            "The parameter {} must be greater than {}.",
            within("Maximum"),
            within("Minimum")
        )));
    }
    Ok(Samples::summed(count, sum, minimum, maximum))
}

fn number(value: f64, parameter: &str) -> Result<f64> {
    // 2^360.
    const BOUND: f64 = 2.348_542_582_773_833_3e108;
    if value.is_finite() && value.abs() <= BOUND {
        return Ok(value);
    }
    Err(invalid_value(value, parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_bounded() {
        assert!(number(2.0_f64.powi(360), "x").is_ok());
        assert!(number(-(2.0_f64.powi(360)), "x").is_ok());
        for beyond in [2.0_f64.powi(361), f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(number(beyond, "x").is_err());
        }
    }
}
