//! `GetMetricData`: many metrics at once, and expressions over them.
//!
//! Invariant: an expression sees the whole span of every metric that it names, whatever page is asked for; pages divide the results
//! alone. A metric is asked for by one unit, or all its units are added up, since a series has none.
//!
//! Source: CloudWatch API Reference, "GetMetricData".

use std::collections::{BTreeMap, BTreeSet};

use api::cloudwatch as model;
use pipeline::telemetry::Samples;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::{Fault, Timestamp};

use super::fault::validation;
use super::math::{Evaluation, Expression, Known, Series, Value, Work, parse};
use super::metric::ordered;
use super::span::{self, Budget, Span, Wanted};
use super::statistic::Statistic;
use super::{datum, label};

/// Queries of a request, and datapoints of an answer.
const QUERIES_MAX: usize = 500;
const DATAPOINTS_MAX: usize = 100_800;
/// Bytes of a label. It may show values, itself among them, so it must not be as long as a request.
const LABEL_MAX: usize = 2048;
const PURPOSE: &str = "cloudwatch.get-metric-data";

/// Tells data of metrics.
pub struct GetMetricData;

impl Operation for GetMetricData {
    type Input = model::GetMetricDataInput;
    type Output = model::GetMetricDataOutput;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("cloudwatch:GetMetricData");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Self::Target>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Self::Output> {
        let expressions = check(call, &input)?;
        let mut results = Results::default();
        let mut budget = Budget::new();
        for query in &input.metric_data_queries {
            if let Some(stat) = &query.metric_stat {
                let mut series = read(call, &input, stat, &mut budget)?;
                if let Some(label) = &query.label {
                    series.label.clone_from(label);
                }
                results.metrics.push(query.id.clone());
                results.known.insert(query.id.clone(), Value::Series(series));
            }
        }
        evaluate(&input, &expressions, &mut results, call.now)?;
        page(call, &input, &results)
    }
}

/// What the queries came to.
#[derive(Default)]
struct Results {
    known: BTreeMap<String, Value>,
    metrics: Vec<String>,
}

impl Known for Results {
    fn result(&self, id: &str) -> Option<&Value> {
        self.known.get(id)
    }

    fn metrics(&self) -> &[String] {
        &self.metrics
    }
}

/// Checks the request, and reads its expressions.
fn check(call: &Call<'_>, input: &model::GetMetricDataInput) -> Result<BTreeMap<String, Expression>> {
    if input.start_time >= input.end_time {
        return Err(validation(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let queries = &input.metric_data_queries;
    if queries.is_empty() {
        return Err(validation("The collection MetricDataQueries must not be empty."));
    }
    if queries.len() > QUERIES_MAX {
        return Err(validation(format!(
            "The collection MetricDataQueries must not have a size greater than {QUERIES_MAX}."
        )));
    }
    if input.max_datapoints.is_some_and(|max| max < 1) {
        return Err(validation("The parameter MaxDatapoints must be at least 1."));
    }
    let (mut ids, mut expressions) = (BTreeSet::new(), BTreeMap::new());
    for (place, query) in queries.iter().enumerate() {
        let parameter = |name: &str| format!("MetricDataQueries.member.{}.{name}", place + 1);
        let mut letters = query.id.bytes();
        let plain = letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain {
            return Err(validation(format!(
                "The value {} for parameter {} is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.",
                query.id,
                parameter("Id")
            )));
        }
        if !ids.insert(query.id.as_str()) {
            return Err(validation(
                "The values for parameter id in MetricDataQueries are not unique.",
            ));
        }
        if query
            .account_id
            .as_deref()
            .is_some_and(|other| other != call.account())
        {
            return Err(validation(format!(
                "The account of parameter {} is not linked to this one.",
                parameter("AccountId")
            )));
        }
        if query.period.is_some_and(|period| !span::is_period(period)) {
            return Err(bad_period(query.period.unwrap_or_default(), &parameter("Period")));
        }
        if query.label.as_ref().is_some_and(|label| label.len() > LABEL_MAX) {
            return Err(validation(format!(
                "The parameter {} must not be longer than {LABEL_MAX} bytes.",
                parameter("Label")
            )));
        }
        match (&query.metric_stat, &query.expression) {
            (Some(stat), None) => check_stat(stat, &parameter)?,
            (None, Some(text)) => {
                let read = parse(text).map_err(|wrong| in_expression(&query.id, &wrong))?;
                expressions.insert(query.id.clone(), read);
            }
            _ => {
                return Err(validation(format!(
                    "Exactly one of the parameters {} and {} must be specified.",
                    parameter("MetricStat"),
                    parameter("Expression")
                )));
            }
        }
    }
    Ok(expressions)
}

fn in_expression(id: &str, wrong: &str) -> Fault {
    validation(format!("Error in expression '{id}': {wrong}."))
}

fn bad_period(period: i32, parameter: &str) -> Fault {
    validation(format!(
        "The value {period} for parameter {parameter} is invalid: it must be 1, 5, 10, 20, 30, or a multiple of 60."
    ))
}

fn check_stat(stat: &model::MetricStat, parameter: &dyn Fn(&str) -> String) -> Result<()> {
    if !span::is_period(stat.period) {
        return Err(bad_period(stat.period, &parameter("MetricStat.Period")));
    }
    if Statistic::parse(&stat.stat).is_none() {
        return Err(validation(format!(
            "The value {} for parameter {} is not supported.",
            stat.stat,
            parameter("MetricStat.Stat")
        )));
    }
    for (name, value) in [
        ("Namespace", &stat.metric.namespace),
        ("MetricName", &stat.metric.metric_name),
    ] {
        if value.is_none() {
            let parameter = parameter(&format!("MetricStat.Metric.{name}"));
            return Err(validation(format!("The parameter {parameter} is required.")));
        }
    }
    let dimensions = stat.metric.dimensions.as_deref();
    datum::dimensions(dimensions, &parameter("MetricStat.Metric.Dimensions"))
        .map(|_| ())
        .map_err(|fault| validation(fault.message))
}

/// The series of a metric.
fn read(
    call: &mut Call<'_>,
    input: &model::GetMetricDataInput,
    stat: &model::MetricStat,
    budget: &mut Budget,
) -> Result<Series> {
    let metric = &stat.metric;
    let dimensions = ordered(metric.dimensions.as_deref());
    let name = metric.metric_name.as_deref().unwrap_or_default();
    let period = i64::from(stat.period);
    let wanted = Wanted {
        namespace: metric.namespace.as_deref().unwrap_or_default(),
        name,
        dimensions: &dimensions,
        span: Span::new(input.start_time, input.end_time, period, call.now),
    };
    let periods = span::read(call, &wanted, budget)?;
    let statistic = Statistic::parse(&stat.stat);
    let points = periods.into_iter().filter_map(|(at, data)| {
        let mut all = Samples::default();
        for (unit, samples) in &data.0 {
            if stat.unit.is_none_or(|asked| asked.as_str() == unit) {
                all.merge(samples);
            }
        }
        let value = statistic.filter(|_| all.count > 0.0)?.of(&all)?;
        Some((at, value))
    });
    Ok(Series {
        label: name.to_owned(),
        period,
        points: points.collect(),
        plain: true,
    })
}

/// Evaluates the expressions, each after those that it names.
fn evaluate(
    input: &model::GetMetricDataInput,
    expressions: &BTreeMap<String, Expression>,
    results: &mut Results,
    now: Timestamp,
) -> Result<()> {
    let mut work = Work::new();
    let longest = |query: &model::MetricDataQuery| query.metric_stat.as_ref().map(|stat| stat.period);
    let periods = input.metric_data_queries.iter().filter_map(longest);
    let common = periods.max().unwrap_or(60);
    // The expressions that each one names.
    let names: BTreeMap<&String, BTreeSet<String>> = expressions
        .iter()
        .map(|(id, expression)| {
            let mut names = Vec::new();
            expression.names(&mut names);
            let named = names.into_iter().filter(|name| expressions.contains_key(name));
            (id, named.collect())
        })
        .collect();
    let mut left: Vec<&model::MetricDataQuery> = input
        .metric_data_queries
        .iter()
        .filter(|query| expressions.contains_key(&query.id))
        .collect();
    while !left.is_empty() {
        let before = left.len();
        let mut waiting = Vec::new();
        for query in left {
            let Some(expression) = expressions.get(&query.id) else {
                continue;
            };
            let waits = |name: &String| !results.known.contains_key(name);
            if names.get(&query.id).is_some_and(|names| names.iter().any(waits)) {
                waiting.push(query);
                continue;
            }
            let period = i64::from(query.period.unwrap_or(common));
            let span = Span::new(input.start_time, input.end_time, period, now);
            let mut evaluation = Evaluation {
                known: &*results,
                work: &mut work,
                span: (span.start, span.end, period),
            };
            let value = evaluation.result(expression);
            let value = value.and_then(|value| labelled(query, value, &mut work));
            let value = value.map_err(|wrong| in_expression(&query.id, &wrong))?;
            results.known.insert(query.id.clone(), value);
        }
        if waiting.len() == before {
            let id = waiting.first().map_or("", |query| query.id.as_str());
            return Err(in_expression(id, "It depends on itself"));
        }
        left = waiting;
    }
    Ok(())
}

/// One series has the expression's label, several have theirs behind it.
fn labelled(
    query: &model::MetricDataQuery,
    value: Value,
    work: &mut Work,
) -> std::result::Result<Value, String> {
    let own = query.label.as_ref().unwrap_or(&query.id);
    if let Value::Array(all) = &value {
        work.expect_label(all.len(), own)?;
    }
    let labelled = match value {
        Value::Scalar(number) => Value::Scalar(number),
        Value::Series(mut series) => {
            series.label.clone_from(own);
            series.plain = false;
            Value::Series(series)
        }
        Value::Array(mut all) => {
            for series in &mut all {
                series.plain = false;
                series.label = format!("{own} {}", series.label).trim().to_owned();
            }
            Value::Array(all)
        }
    };
    work.spend(&labelled)?;
    Ok(labelled)
}

/// The results of the queries that ask for them, as far as a page goes.
fn page(
    call: &Call<'_>,
    input: &model::GetMetricDataInput,
    results: &Results,
) -> Result<model::GetMetricDataOutput> {
    let asked = input
        .max_datapoints
        .and_then(|max| usize::try_from(max).ok())
        .unwrap_or(DATAPOINTS_MAX);
    let mut room = asked.min(DATAPOINTS_MAX);
    let mut skip = input
        .next_token
        .as_deref()
        .map(|token| place(call, input, token))
        .transpose()?
        .unwrap_or(0);
    let mut told = skip;
    let (mut all, mut partial) = (Vec::new(), false);
    for query in &input.metric_data_queries {
        if query.return_data == Some(false) {
            continue;
        }
        let found = match results.known.get(&query.id) {
            Some(Value::Series(series)) => std::slice::from_ref(series),
            Some(Value::Array(all)) => all,
            _ => &[],
        };
        for series in found {
            let length = series.points.len();
            let from = skip.min(length);
            skip -= from;
            if from == length && (length > 0 || input.next_token.is_some()) {
                // It was told whole on a page before.
                continue;
            }
            let count = room.min(length - from);
            room -= count;
            told += count;
            let whole = from + count == length;
            partial |= !whole;
            all.push(result(call, input, query, series, (from, count, whole)));
        }
    }
    let next_token = if partial {
        Some(call.issue_token(PURPOSE, format!("{told}:{}", print(call, input)).as_bytes())?)
    } else {
        None
    };
    Ok(model::GetMetricDataOutput {
        messages: Some(Vec::new()),
        metric_data_results: Some(all),
        next_token,
    })
}

fn result(
    call: &Call<'_>,
    input: &model::GetMetricDataInput,
    query: &model::MetricDataQuery,
    series: &Series,
    (from, count, whole): (usize, usize, bool),
) -> model::MetricDataResult {
    let ascending = input.scan_by == Some(model::ScanBy::TimestampAscending);
    let points: Vec<(i64, f64)> = if ascending {
        let points = series.points.iter();
        points
            .skip(from)
            .take(count)
            .map(|(at, value)| (*at, *value))
            .collect()
    } else {
        let points = series.points.iter().rev();
        points
            .skip(from)
            .take(count)
            .map(|(at, value)| (*at, *value))
            .collect()
    };
    let status = if whole {
        model::StatusCode::Complete
    } else {
        model::StatusCode::PartialData
    };
    let property = |name: &str| property(call, query, name);
    model::MetricDataResult {
        id: Some(query.id.clone()),
        label: Some(label::written(&series.label, series, property)),
        status_code: Some(status),
        messages: None,
        timestamps: Some(
            points
                .iter()
                .map(|(at, _)| Timestamp::from_seconds(*at))
                .collect(),
        ),
        values: Some(points.iter().map(|(_, value)| *value).collect()),
    }
}

/// What `PROP` names in a label.
fn property(call: &Call<'_>, query: &model::MetricDataQuery, name: &str) -> Option<String> {
    match name {
        "AccountId" => return Some(call.account().to_owned()),
        "Region" => return Some(call.region().to_owned()),
        _ => {}
    }
    let stat = query.metric_stat.as_ref()?;
    match name {
        "MetricName" => stat.metric.metric_name.clone(),
        "Namespace" => stat.metric.namespace.clone(),
        "Period" => Some(stat.period.to_string()),
        "Stat" => Some(stat.stat.clone()),
        _ => {
            let wanted = name.strip_prefix("Dim.")?;
            let mut dimensions = stat.metric.dimensions.iter().flatten();
            let found = dimensions.find(|dimension| dimension.name == wanted)?;
            Some(found.value.clone())
        }
    }
}

/// What a page's token is bound to.
fn print(call: &Call<'_>, input: &model::GetMetricDataInput) -> String {
    let ids: Vec<&str> = input
        .metric_data_queries
        .iter()
        .map(|query| query.id.as_str())
        .collect();
    let ascending = input.scan_by == Some(model::ScanBy::TimestampAscending);
    format!(
        "{}:{}:{}:{}:{ascending}:{}",
        call.account(),
        call.region(),
        input.start_time.0,
        input.end_time.0,
        ids.join(",")
    )
}

fn place(call: &Call<'_>, input: &model::GetMetricDataInput, token: &str) -> Result<usize> {
    let invalid = || api::cloudwatch::fault::invalid_next_token("The next token specified is invalid.");
    let opened = call.open_token(PURPOSE, token).ok_or_else(invalid)?;
    let text = opened.expose_text().map_err(|_| invalid())?;
    let (told, bound) = text.split_once(':').ok_or_else(invalid)?;
    if bound != print(call, input) {
        return Err(invalid());
    }
    told.parse().map_err(|_| invalid())
}
