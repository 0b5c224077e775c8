//! `GetMetricStatistics`: up to five statistics of one metric, by periods.
//!
//! Invariant: values of different units are never added up; each unit has datapoints of its own.
//!
//! Source: CloudWatch API Reference, "GetMetricStatistics".

use std::collections::BTreeMap;

use api::cloudwatch as model;
use pipeline::telemetry::Samples;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::datum;
use super::fault::{combination, invalid, invalid_value, missing};
use super::span::{self, Budget, Span, Wanted};
use super::statistic::Statistic;

/// Datapoints of one answer.
const DATAPOINTS_MAX: i64 = 1440;

/// Tells statistics of a metric.
pub struct GetMetricStatistics;

impl Operation for GetMetricStatistics {
    type Input = model::GetMetricStatisticsInput;
    type Output = model::GetMetricStatisticsOutput;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("cloudwatch:GetMetricStatistics");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Self::Target>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Self::Output> {
        let extended = extended(&input)?;
        let span = span(&input, call.now)?;
        let dimensions = datum::dimensions(input.dimensions.as_deref(), "Dimensions")?;
        let wanted = Wanted {
            namespace: &input.namespace,
            name: &input.metric_name,
            dimensions: &dimensions,
            span,
        };
        let periods = span::read(call, &wanted, &mut Budget::new())?;
        let mut datapoints = Vec::new();
        for (start, data) in &periods {
            for (unit, samples) in &data.0 {
                let asked = input.unit.is_none_or(|asked| asked.as_str() == unit);
                if asked {
                    datapoints.extend(datapoint(&input, &extended, *start, (unit, samples)));
                }
            }
        }
        Ok(model::GetMetricStatisticsOutput {
            label: Some(input.metric_name),
            datapoints: Some(datapoints),
        })
    }
}

fn extended(input: &model::GetMetricStatisticsInput) -> Result<Vec<(String, Statistic)>> {
    if input.statistics.is_none() && input.extended_statistics.is_none() {
        return Err(missing("Statistics or ExtendedStatistics"));
    }
    if input.statistics.is_some() && input.extended_statistics.is_some() {
        return Err(combination(
            "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.",
        ));
    }
    let asked = input.extended_statistics.iter().flatten().enumerate();
    asked
        .map(|(place, text)| {
            let parameter = format!("ExtendedStatistics.member.{}", place + 1);
            let statistic = Statistic::parse(text).ok_or_else(|| invalid_value(text, &parameter))?;
            Ok((text.clone(), statistic))
        })
        .collect()
}

fn span(input: &model::GetMetricStatisticsInput, now: Timestamp) -> Result<Span> {
    if !span::is_period(input.period) {
        return Err(invalid(format!(
            "The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60, and is {}.",
            input.period
        )));
    }
    if input.start_time >= input.end_time {
        return Err(combination(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let span = Span::new(input.start_time, input.end_time, i64::from(input.period), now);
    let periods = span.periods();
    if periods > DATAPOINTS_MAX {
        return Err(combination(format!(
            "You have requested up to {periods} datapoints, which exceeds the limit of {DATAPOINTS_MAX}. You may reduce the datapoints \
             requested by increasing Period, or decreasing the time range."
        )));
    }
    Ok(span)
}

/// The datapoint of a period and a unit; `None` if nothing that was asked for is known.
fn datapoint(
    input: &model::GetMetricStatisticsInput,
    extended: &[(String, Statistic)],
    start: i64,
    (unit, samples): (&str, &Samples),
) -> Option<model::Datapoint> {
    let asked = |statistic: model::Statistic| input.statistics.iter().flatten().any(|one| *one == statistic);
    let plain =
        |name: model::Statistic, statistic: Statistic| asked(name).then(|| statistic.of(samples)).flatten();
    let more: BTreeMap<String, f64> = extended
        .iter()
        .filter_map(|(name, statistic)| Some((name.clone(), statistic.of(samples)?)))
        .collect();
    if input.statistics.is_none() && more.is_empty() {
        return None;
    }
    Some(model::Datapoint {
        timestamp: Some(Timestamp::from_seconds(start)),
        sample_count: plain(model::Statistic::SampleCount, Statistic::SampleCount),
        average: plain(model::Statistic::Average, Statistic::Average),
        sum: plain(model::Statistic::Sum, Statistic::Sum),
        minimum: plain(model::Statistic::Minimum, Statistic::Minimum),
        maximum: plain(model::Statistic::Maximum, Statistic::Maximum),
        unit: model::StandardUnit::parse(unit),
        extended_statistics: (!more.is_empty()).then_some(more),
    })
}
