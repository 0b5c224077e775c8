//! The functions of metric math.
//!
//! Invariant: a function that is not here is refused by its name.

use std::collections::BTreeMap;

use wire::Timestamp;

use super::evaluate::{Evaluation, same_period};
use super::parse::Expression;
use super::series::{Series, Value, seconds};

type Outcome = Result<Value, String>;

/// Calls a function.
pub(super) fn call(evaluation: &mut Evaluation<'_>, name: &str, parts: &[Expression]) -> Outcome {
    match name {
        "METRICS" => return metrics(evaluation, parts),
        "IF" => return choose(evaluation, parts),
        "FILL" => return fill(evaluation, parts),
        "SORT" => return sort(evaluation, parts),
        "SLICE" => return slice(evaluation, parts),
        _ => {}
    }
    let simple = simple(name).ok_or_else(|| format!("Unsupported function '{name}'"))?;
    let [part] = parts else {
        return Err(format!("{name} takes one argument, and not {}", parts.len()));
    };
    let value = evaluation.of(part)?;
    match (simple, value) {
        (Simple::Each(change), Value::Series(series)) => Ok(Value::Series(change(&series))),
        (Simple::Each(change), Value::Array(all)) => Ok(Value::Array(all.iter().map(change).collect())),
        (Simple::Fold(fold), Value::Series(series)) => {
            let values: Vec<f64> = series.points.values().copied().collect();
            let folded = fold(&values, values.len());
            let folded = folded.ok_or_else(|| format!("{name} of a time series without datapoints"))?;
            Ok(Value::Scalar(folded))
        }
        (Simple::Fold(fold), Value::Array(all)) => across(&all, fold).map(Value::Series),
        (Simple::Period, Value::Series(series)) if series.plain => Ok(Value::Scalar(seconds(series.period))),
        (Simple::Count, Value::Array(all)) => Ok(Value::Scalar(count(all.len()))),
        (Simple::First, Value::Array(all)) => end(all.into_iter().next()),
        (Simple::Last, Value::Array(all)) => end(all.into_iter().next_back()),
        (Simple::NotEmpty, Value::Array(mut all)) => {
            all.retain(|series| !series.points.is_empty());
            Ok(Value::Array(all))
        }
        (Simple::Constant, Value::Scalar(number)) => {
            let series = Series {
                period: evaluation.span.2,
                ..Series::default()
            };
            let points = times(evaluation, &series).map(|at| (at, number)).collect();
            Ok(Value::Series(series.with(points)))
        }
        (Simple::Clock(read), Value::Series(series)) => {
            let points = times(evaluation, &series)
                .map(|at| (at, read(Timestamp::from_seconds(at))))
                .collect();
            Ok(Value::Series(series.with(points)))
        }
        _ => Err(format!("{name} does not take an argument of this type")),
    }
}

/// A function of one argument.
enum Simple {
    /// Of each series by itself.
    Each(fn(&Series) -> Series),
    /// Of all values of a series, or of those of several series at each time.
    Fold(Fold),
    Period,
    Count,
    First,
    Last,
    NotEmpty,
    Constant,
    Clock(fn(Timestamp) -> f64),
}

/// Of the values that there are, and how many there could be.
type Fold = fn(&[f64], usize) -> Option<f64>;

fn simple(name: &str) -> Option<Simple> {
    Some(match name {
        "ABS" => Simple::Each(|series| series.map(f64::abs)),
        "CEIL" => Simple::Each(|series| series.map(f64::ceil)),
        "FLOOR" => Simple::Each(|series| series.map(f64::floor)),
        "LOG" => Simple::Each(|series| series.map(f64::ln)),
        "LOG10" => Simple::Each(|series| series.map(f64::log10)),
        "DIFF" => Simple::Each(|series| series.steps(|change, _| change)),
        "DIFF_TIME" => Simple::Each(|series| series.steps(|_, seconds| seconds)),
        "RATE" => Simple::Each(|series| series.steps(|change, seconds| change / seconds)),
        "RUNNING_SUM" => Simple::Each(running_sum),
        "SUM" => Simple::Fold(|values, _| Some(values.iter().sum())),
        "AVG" => Simple::Fold(|values, all| (all > 0).then(|| values.iter().sum::<f64>() / count(all))),
        "MIN" => Simple::Fold(|values, _| values.iter().copied().reduce(f64::min)),
        "MAX" => Simple::Fold(|values, _| values.iter().copied().reduce(f64::max)),
        "STDDEV" => Simple::Fold(|values, _| deviation(values)),
        "DATAPOINT_COUNT" => Simple::Fold(|values, _| Some(count(values.len()))),
        "PERIOD" => Simple::Period,
        "METRIC_COUNT" => Simple::Count,
        "FIRST" => Simple::First,
        "LAST" => Simple::Last,
        "REMOVE_EMPTY" => Simple::NotEmpty,
        "TIME_SERIES" => Simple::Constant,
        "EPOCH" => Simple::Clock(|at| seconds(at.seconds())),
        "MINUTE" => Simple::Clock(|at| seconds(at.seconds().div_euclid(60).rem_euclid(60))),
        "HOUR" => Simple::Clock(|at| seconds(at.seconds().div_euclid(3600).rem_euclid(24))),
        // The first day of the epoch was a Thursday; Monday is 1.
        "DAY" => Simple::Clock(|at| seconds((at.seconds().div_euclid(86_400) + 3).rem_euclid(7) + 1)),
        "DATE" => Simple::Clock(|at| date(at, 8, 10)),
        "MONTH" => Simple::Clock(|at| date(at, 5, 7)),
        "YEAR" => Simple::Clock(|at| date(at, 0, 4)),
        _ => return None,
    })
}

fn date(at: Timestamp, from: usize, to: usize) -> f64 {
    let text = at.iso8601();
    text.get(from..to)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

fn end(series: Option<Series>) -> Outcome {
    series
        .map(Value::Series)
        .ok_or_else(|| "The array holds no time series".to_owned())
}

fn running_sum(series: &Series) -> Series {
    let mut sum = 0.0;
    let points = series.points.iter().map(|(at, value)| {
        sum += value;
        (*at, sum)
    });
    series.with(points.collect())
}

fn deviation(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let all = count(values.len());
    let mean = values.iter().sum::<f64>() / all;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / all).sqrt())
}

/// One series of several: at each time, of the values that there are.
fn across(all: &[Series], fold: Fold) -> Result<Series, String> {
    same_period(&all.iter().collect::<Vec<_>>())?;
    let mut by_time: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for series in all {
        for (at, value) in &series.points {
            by_time.entry(*at).or_default().push(*value);
        }
    }
    let points = by_time
        .into_iter()
        .filter_map(|(at, values)| Some((at, fold(&values, all.len())?)));
    let folded = Series {
        period: all.iter().map(|series| series.period).max().unwrap_or(0),
        ..Series::default()
    };
    Ok(folded.with(points.collect()))
}

/// Every time of the request that a series could have.
fn times(evaluation: &Evaluation<'_>, series: &Series) -> impl Iterator<Item = i64> + use<> {
    let (start, end, period) = evaluation.span;
    let period = if series.period > 0 { series.period } else { period };
    // No more than an answer may hold at all.
    let steps = (end - start).max(0).div_euclid(period.max(1)).min(100_800);
    (0..=steps)
        .map(move |step| start + step * period)
        .filter(move |at| *at < end)
}

fn metrics(evaluation: &mut Evaluation<'_>, parts: &[Expression]) -> Outcome {
    let wanted = match parts {
        [] => "",
        [Expression::Text(text)] => text,
        _ => return Err("METRICS takes nothing, or a text".to_owned()),
    };
    let ids = evaluation.known.metrics().iter().filter(|id| id.contains(wanted));
    let mut all = Vec::new();
    for id in ids {
        if let Some(Value::Series(series)) = evaluation.known.result(id) {
            all.push(series.clone());
        }
    }
    Ok(Value::Array(all))
}

fn choose(evaluation: &mut Evaluation<'_>, parts: &[Expression]) -> Outcome {
    let (condition, yes, no) = match parts {
        [condition, yes] => (condition, yes, None),
        [condition, yes, no] => (condition, yes, Some(no)),
        _ => return Err("IF takes two or three arguments".to_owned()),
    };
    let condition = evaluation.of(condition)?;
    let yes = evaluation.of(yes)?;
    let no = no.map(|no| evaluation.of(no)).transpose()?;
    let arrays = [Some(&condition), Some(&yes), no.as_ref()];
    if arrays
        .into_iter()
        .flatten()
        .any(|value| matches!(value, Value::Array(_)))
    {
        return Err("IF does not take arrays of time series".to_owned());
    }
    match condition {
        Value::Scalar(number) if number.abs() > 0.0 => Ok(yes),
        Value::Scalar(_) => Ok(no.unwrap_or_else(|| Value::Series(Series::default()))),
        Value::Array(_) => Err("IF does not take arrays of time series".to_owned()),
        Value::Series(series) => {
            let of = |value: &Value, at: i64| match value {
                Value::Scalar(number) => *number,
                Value::Series(series) => series.points.get(&at).copied().unwrap_or(0.0),
                Value::Array(_) => 0.0,
            };
            let periods = [Some(&yes), no.as_ref()].into_iter().flatten();
            let mut joined: Vec<&Series> = periods
                .filter_map(|value| match value {
                    Value::Series(series) => Some(series),
                    _ => None,
                })
                .collect();
            joined.push(&series);
            same_period(&joined)?;
            let points = series.points.iter().filter_map(|(at, value)| {
                if value.abs() > 0.0 {
                    return Some((*at, of(&yes, *at)));
                }
                no.as_ref().map(|no| (*at, of(no, *at)))
            });
            Ok(Value::Series(series.with(points.collect())))
        }
    }
}

/// What missing values are filled with.
enum Filler {
    Value(Value),
    Repeat,
    Linear,
}

fn fill(evaluation: &mut Evaluation<'_>, parts: &[Expression]) -> Outcome {
    let [what, with] = parts else {
        return Err(format!("FILL takes two arguments, and not {}", parts.len()));
    };
    let what = evaluation.of(what)?;
    let with = match with {
        Expression::Name(word) if word == "REPEAT" => Filler::Repeat,
        Expression::Name(word) if word == "LINEAR" => Filler::Linear,
        other => Filler::Value(evaluation.of(other)?),
    };
    if matches!(with, Filler::Value(Value::Array(_))) {
        return Err("FILL does not fill with an array of time series".to_owned());
    }
    match what {
        Value::Scalar(_) => Err("FILL does not take a single number".to_owned()),
        Value::Series(series) => filled(evaluation, &series, &with).map(Value::Series),
        Value::Array(all) => {
            let made = all
                .iter()
                .map(|series| times(evaluation, series).size_hint().1.unwrap_or(0));
            evaluation.work.expect(made.fold(0, usize::saturating_add))?;
            let all = all.iter().map(|series| filled(evaluation, series, &with));
            Ok(Value::Array(all.collect::<Result<_, _>>()?))
        }
    }
}

fn filled(evaluation: &Evaluation<'_>, series: &Series, with: &Filler) -> Result<Series, String> {
    if let Filler::Value(Value::Series(filler)) = with {
        same_period(&[series, filler])?;
    }
    let mut points = series.points.clone();
    for at in times(evaluation, series) {
        if series.points.contains_key(&at) {
            continue;
        }
        let before = series.points.range(..at).next_back();
        let value = match with {
            Filler::Value(Value::Scalar(number)) => Some(*number),
            Filler::Value(Value::Series(filler)) => filler.points.get(&at).copied(),
            Filler::Value(Value::Array(_)) => None,
            Filler::Repeat => before.map(|(_, value)| *value),
            Filler::Linear => {
                before
                    .zip(series.points.range(at..).next())
                    .map(|((from, low), (to, high))| {
                        low + (high - low) * seconds(at - from) / seconds(to - from)
                    })
            }
        };
        points.extend(value.map(|value| (at, value)));
    }
    Ok(series.with(points))
}

fn array(evaluation: &mut Evaluation<'_>, name: &str, part: &Expression) -> Result<Vec<Series>, String> {
    match evaluation.of(part)? {
        Value::Array(all) => Ok(all),
        _ => Err(format!("{name} takes an array of time series")),
    }
}

/// A number that says how many or which.
fn whole(evaluation: &mut Evaluation<'_>, name: &str, part: &Expression) -> Result<usize, String> {
    let wrong = || format!("{name} takes whole numbers that are not negative");
    match evaluation.of(part)? {
        Value::Scalar(number) if number.fract().abs() <= 0.0 && (0.0..=1e6).contains(&number) => {
            format!("{number:.0}").parse().map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

fn sort(evaluation: &mut Evaluation<'_>, parts: &[Expression]) -> Outcome {
    let (what, by, order, limit) = match parts {
        [what, Expression::Name(by), Expression::Name(order)] => (what, by, order, None),
        [what, Expression::Name(by), Expression::Name(order), limit] => (what, by, order, Some(limit)),
        _ => return Err("SORT takes an array, a function, ASC or DESC, and perhaps a limit".to_owned()),
    };
    let all = array(evaluation, "SORT", what)?;
    let by = match (by.as_str(), simple(by)) {
        ("AVG" | "MIN" | "MAX" | "SUM", Some(Simple::Fold(fold))) => fold,
        _ => return Err(format!("SORT does not sort by '{by}'")),
    };
    let mut keyed: Vec<(f64, Series)> = all
        .into_iter()
        .map(|series| {
            let values: Vec<f64> = series.points.values().copied().collect();
            (by(&values, values.len()).unwrap_or(0.0), series)
        })
        .collect();
    match order.as_str() {
        "ASC" => keyed.sort_by(|(one, _), (other, _)| one.total_cmp(other)),
        "DESC" => keyed.sort_by(|(one, _), (other, _)| other.total_cmp(one)),
        _ => return Err(format!("SORT does not know the order '{order}'")),
    }
    let limit = limit.map(|limit| whole(evaluation, "SORT", limit)).transpose()?;
    let sorted = keyed.into_iter().map(|(_, series)| series);
    Ok(Value::Array(sorted.take(limit.unwrap_or(usize::MAX)).collect()))
}

fn slice(evaluation: &mut Evaluation<'_>, parts: &[Expression]) -> Outcome {
    let (what, from, to) = match parts {
        [what, from] => (what, from, None),
        [what, from, to] => (what, from, Some(to)),
        _ => return Err("SLICE takes an array and one or two numbers".to_owned()),
    };
    let all = array(evaluation, "SLICE", what)?;
    let from = whole(evaluation, "SLICE", from)?;
    let to = to.map(|to| whole(evaluation, "SLICE", to)).transpose()?;
    let length = to.unwrap_or(usize::MAX).saturating_sub(from);
    Ok(Value::Array(all.into_iter().skip(from).take(length).collect()))
}
