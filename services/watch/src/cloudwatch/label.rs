//! Labels of results, with what they show of the result's own values (`${MAX}`, `${PROP('MetricName')}`).
//!
//! Invariant: what is no property stays as it was written.
//!
//! Source: CloudWatch User Guide, "Using dynamic labels".

use super::math::Series;

/// Values that a label shows, and bytes after which it shows no more: each may be as long as the label, or cost a walk over all points.
/// What is behind them stays as it was written.
const SHOWN_MAX: usize = 16;
const SHOWN_BYTES_MAX: usize = 4096;

/// Writes a label for a series. `property` tells what `PROP` names.
pub(super) fn written(label: &str, series: &Series, property: impl Fn(&str) -> Option<String>) -> String {
    let (mut out, mut rest) = (String::new(), label);
    for _ in 0..SHOWN_MAX {
        let Some((before, inner)) = rest.split_once("${").filter(|_| out.len() <= SHOWN_BYTES_MAX) else {
            break;
        };
        out.push_str(before);
        let Some((name, after)) = inner.split_once('}') else {
            out.push_str("${");
            out.push_str(inner);
            return out;
        };
        match shown(name.trim(), series, &property) {
            Some(value) => out.push_str(&value),
            None => {
                out.push_str("${");
                out.push_str(name);
                out.push('}');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn shown(name: &str, series: &Series, property: impl Fn(&str) -> Option<String>) -> Option<String> {
    let values = || series.points.values().copied();
    let number = |value: Option<f64>| Some(value.map_or_else(|| "--".to_owned(), |value| value.to_string()));
    let length = series.points.len();
    match name {
        "MAX" => number(values().reduce(f64::max)),
        "MIN" => number(values().reduce(f64::min)),
        "SUM" => number((length > 0).then(|| values().sum())),
        "AVG" => {
            let all = u32::try_from(length).ok().filter(|all| *all > 0);
            number(all.map(|all| values().sum::<f64>() / f64::from(all)))
        }
        "FIRST" => number(values().next()),
        "LAST" => number(values().next_back()),
        "FIRST_LAST_RANGE" => number(between(values().next(), values().next_back())),
        "MIN_MAX_RANGE" => number(between(values().reduce(f64::min), values().reduce(f64::max))),
        "DATAPOINT_COUNT" => Some(length.to_string()),
        "LABEL" => Some(series.label.clone()),
        _ => {
            let inner = name.strip_prefix("PROP(")?.strip_suffix(')')?.trim();
            property(inner.trim_matches(['\'', '"']))
        }
    }
}

/// How far one value is from another.
fn between(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some((other? - one?).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_show_values_and_properties() {
        let series = Series {
            label: "m".to_owned(),
            points: [(0, 1.5), (60, 3.0)].into(),
            ..Series::default()
        };
        let property = |name: &str| (name == "Dim.Host").then(|| "h1".to_owned());
        let written = |label: &str| written(label, &series, property);
        assert_eq!(
            written("${PROP('Dim.Host')}: ${MIN} to ${ MAX } (${AVG}), ${LABEL}"),
            "h1: 1.5 to 3 (2.25), m"
        );
        assert_eq!(
            written("${WHAT} ${PROP('x')} ${MAX"),
            "${WHAT} ${PROP('x')} ${MAX"
        );
        assert_eq!(written("${FIRST_LAST_RANGE} ${MIN_MAX_RANGE}"), "1.5 1.5");
        let many = written(&"${MAX}-".repeat(SHOWN_MAX + 1));
        assert_eq!(many, format!("{}${{MAX}}-", "3-".repeat(SHOWN_MAX)));
    }
}
