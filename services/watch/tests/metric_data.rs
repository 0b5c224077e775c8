//! `GetMetricData`: series, expressions, labels and pages.

use serde_json::{Value, json};

use crate::metrics::{MINUTE, at};
use crate::scene::Scene;

/// Metrics `a` with 30, 20, 0, 0 and `b` with 20, –, 20, –, a minute apart.
fn scene() -> Scene {
    let scene = Scene::new();
    let datum = |name: &str, minute: i64, value: f64| json!({"MetricName": name, "Value": value, "Timestamp": at((minute - 10) * MINUTE)});
    scene.put_data(
        "n",
        json!([
            datum("a", 0, 30.0),
            datum("a", 1, 20.0),
            datum("a", 2, 0.0),
            datum("a", 3, 0.0),
            datum("b", 0, 20.0),
            datum("b", 2, 20.0),
        ]),
    );
    scene
}

fn stat(id: &str, name: &str) -> Value {
    json!({"Id": id, "ReturnData": false, "MetricStat": {
        "Metric": {"Namespace": "n", "MetricName": name}, "Period": 60, "Stat": "Sum",
    }})
}

impl Scene {
    fn data(&self, queries: Value, more: Value) -> Result<Value, String> {
        let mut input = json!({
            "MetricDataQueries": queries, "StartTime": at(-10 * MINUTE), "EndTime": at(-6 * MINUTE), "ScanBy": "TimestampAscending",
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let answer = self.cloud.call(&self.root, "cloudwatch", "GetMetricData", input);
        answer.map_err(|failure| format!("{}: {}", failure.code, failure.message))
    }

    /// What an expression over `m1` and `m2` comes to: each series by minutes.
    fn math(&self, expression: &str) -> Result<Vec<Vec<(i64, f64)>>, String> {
        let queries = json!([stat("m1", "a"), stat("m2", "b"), {"Id": "e1", "Expression": expression}]);
        let answer = self.data(queries, json!({}))?;
        let series = |result: &Value| {
            let times = result["Timestamps"].as_array().unwrap().iter();
            let values = result["Values"].as_array().unwrap().iter();
            times
                .zip(values)
                .map(|(time, value)| {
                    let minute = (time.as_i64().unwrap() - at(-10 * MINUTE).as_i64().unwrap()) / 60;
                    (minute, value.as_f64().unwrap())
                })
                .collect::<Vec<_>>()
        };
        let results = answer["MetricDataResults"].as_array().unwrap();
        Ok(results.iter().map(series).collect())
    }
}

#[test]
fn expressions_come_to_what_the_guide_says() {
    let scene = scene();
    let four = |a: f64, b: f64, c: f64, d: f64| vec![(0, a), (1, b), (2, c), (3, d)];
    for (expression, expected) in [
        ("m1 + m2", four(50.0, 20.0, 20.0, 0.0)),
        ("m1 < m2", four(0.0, 0.0, 1.0, 0.0)),
        ("m1 >= 30", four(1.0, 0.0, 0.0, 0.0)),
        ("m1 > 15 AND m2 > 15", four(1.0, 0.0, 0.0, 0.0)),
        ("m1 - 2^2*5 + -1", four(9.0, -1.0, -21.0, -21.0)),
        // A division by zero drops the point.
        ("100 / m1", vec![(0, 100.0 / 30.0), (1, 5.0)]),
        ("m1 / AVG(m1)", four(2.4, 1.6, 0.0, 0.0)),
        ("SUM(METRICS())", four(50.0, 20.0, 20.0, 0.0)),
        ("AVG([m1, m2])", four(25.0, 10.0, 10.0, 0.0)),
        ("MAX([m1, m2])", four(30.0, 20.0, 20.0, 0.0)),
        ("METRIC_COUNT(METRICS()) * m1", four(60.0, 40.0, 0.0, 0.0)),
        ("SUM(METRICS(\"m2\"))", vec![(0, 20.0), (2, 20.0)]),
        ("FILL(m2, 7)", four(20.0, 7.0, 20.0, 7.0)),
        ("FILL(m2, REPEAT)", four(20.0, 20.0, 20.0, 20.0)),
        ("FILL(m2, LINEAR)", vec![(0, 20.0), (1, 20.0), (2, 20.0)]),
        ("FILL(m2, m1)", four(20.0, 20.0, 20.0, 0.0)),
        ("RATE(m1) * 60", vec![(1, -10.0), (2, -20.0), (3, 0.0)]),
        ("DIFF_TIME(m2)", vec![(2, 120.0)]),
        ("RUNNING_SUM(m1)", four(30.0, 50.0, 50.0, 50.0)),
        ("IF(m1 > 10, m2, 5)", four(20.0, 0.0, 5.0, 5.0)),
        ("IF(m1, 1)", vec![(0, 1.0), (1, 1.0)]),
        ("m1 * PERIOD(m1)", four(1800.0, 1200.0, 0.0, 0.0)),
        ("TIME_SERIES(MAX(m1))", four(30.0, 30.0, 30.0, 30.0)),
        ("FIRST(SORT(METRICS(), SUM, ASC))", vec![(0, 20.0), (2, 20.0)]),
        ("LAST(SLICE(METRICS(), 0, 1))", four(30.0, 20.0, 0.0, 0.0)),
        ("DATAPOINT_COUNT([m1, m2])", four(2.0, 1.0, 2.0, 1.0)),
        ("STDDEV([m1, m2])", four(5.0, 0.0, 10.0, 0.0)),
    ] {
        let told = scene.math(expression);
        assert_eq!(told, Ok(vec![expected]), "{expression}");
    }
    assert_eq!(scene.math("METRICS() / 10").unwrap().len(), 2);
}

#[test]
fn expressions_that_are_not_understood_are_refused_by_name() {
    let scene = scene();
    for (expression, told) in [
        ("SEARCH('x', 'Sum', 60)", "Unsupported function 'SEARCH'"),
        (
            "ANOMALY_DETECTION_BAND(m1)",
            "Unsupported function 'ANOMALY_DETECTION_BAND'",
        ),
        ("m9 + 1", "Unknown identifier 'm9'"),
        ("AVG(m1)", "must be a time series"),
        ("1 + 1", "must be a time series"),
        ("[m1, 3]", "time series alone"),
        ("METRICS() + METRICS()", "two arrays"),
        ("m1 +", "Syntax error"),
        ("e1 + 1", "depends on itself"),
        ("SELECT AVG(a) FROM n", "Syntax error"),
    ] {
        let refused = scene.math(expression).err().unwrap();
        assert!(
            refused.starts_with("ValidationError: Error in expression 'e1'") && refused.contains(told),
            "{expression}: {refused}"
        );
    }
    let mut hour = stat("m2", "b");
    hour["MetricStat"]["Period"] = json!(3600);
    let queries = json!([stat("m1", "a"), hour, {"Id": "e1", "Expression": "m1 + m2"}]);
    assert!(
        scene
            .data(queries, json!({}))
            .err()
            .unwrap()
            .contains("different periods")
    );
}

#[test]
fn queries_that_are_malformed_are_refused() {
    let scene = scene();
    let mut both = stat("m1", "a");
    both["Expression"] = json!("m1");
    let mut period = stat("m1", "a");
    period["MetricStat"]["Period"] = json!(45);
    let mut kind = stat("m1", "a");
    kind["MetricStat"]["Stat"] = json!("Median");
    for queries in [
        json!([]),
        json!([stat("M1", "a")]),
        json!([stat("m1", "a"), stat("m1", "b")]),
        json!([both]),
        json!([{"Id": "m1"}]),
        json!([period]),
        json!([kind]),
        json!(
            (0..501)
                .map(|number| stat(&format!("m{number}"), "a"))
                .collect::<Vec<_>>()
        ),
    ] {
        let refused = scene.data(queries.clone(), json!({})).err().unwrap();
        assert!(refused.starts_with("ValidationError"), "{queries}: {refused}");
    }
}

#[test]
fn pages_divide_the_results() {
    let scene = scene();
    let mut one = stat("m1", "a");
    one["ReturnData"] = json!(true);
    let queries =
        json!([one, stat("m2", "b"), {"Id": "e1", "Expression": "m1 + m2", "Label": "both: ${MAX}"}]);
    let (mut token, mut all, mut pages) = (Value::Null, Vec::new(), 0);
    loop {
        let answer = scene
            .data(
                queries.clone(),
                json!({"MaxDatapoints": 3, "NextToken": token, "ScanBy": null}),
            )
            .unwrap();
        pages += 1;
        for result in answer["MetricDataResults"].as_array().unwrap() {
            if result["Id"] == "e1" {
                assert_eq!(result["Label"], "both: 50");
            }
            let values = result["Values"].as_array().unwrap().iter();
            all.extend(
                values.map(|value| (result["Id"].as_str().unwrap().to_owned(), value.as_f64().unwrap())),
            );
        }
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    let told: Vec<(&str, f64)> = all.iter().map(|(id, value)| (id.as_str(), *value)).collect();
    // The newest first, unless it is asked for otherwise.
    assert_eq!(
        told,
        [
            ("m1", 0.0),
            ("m1", 0.0),
            ("m1", 20.0),
            ("m1", 30.0),
            ("e1", 0.0),
            ("e1", 20.0),
            ("e1", 20.0),
            ("e1", 50.0)
        ]
    );
    assert_eq!(pages, 3);
    let refused = scene.data(queries, json!({"NextToken": "x"})).err().unwrap();
    assert!(refused.starts_with("InvalidNextToken"), "{refused}");
}

#[test]
fn a_request_makes_no_more_than_it_may_and_labels_do_not_grow() {
    let scene = scene();
    // Hundreds of thousands of series without a point, each of which would be filled with a hundred thousand.
    let list = |id: &str| format!("[{}]", vec![id; 500].join(","));
    let bomb = |last: &str| {
        json!([
            stat("m1", "none"),
            {"Id": "e1", "Expression": list("m1"), "ReturnData": false},
            {"Id": "e2", "Expression": list("e1"), "ReturnData": false},
            {"Id": "e3", "Expression": last},
        ])
    };
    let long = json!({"StartTime": at(-60 * 1440 * MINUTE)});
    for last in ["FILL(e2, 0)", "e1 + TIME_SERIES(1)", "FILL(e1, 0)"] {
        let refused = scene.data(bomb(last), long.clone()).err().unwrap();
        assert!(refused.contains("too many datapoints"), "{last}: {refused}");
    }
    let mut labelled = stat("m1", "a");
    labelled["Label"] = json!("x".repeat(2049));
    let refused = scene.data(json!([labelled]), json!({})).err().unwrap();
    assert!(refused.starts_with("ValidationError"), "{refused}");
    labelled["Label"] = json!("${LABEL}".repeat(256));
    labelled["ReturnData"] = json!(true);
    let told = scene.data(json!([labelled]), json!({})).unwrap();
    let label = told["MetricDataResults"][0]["Label"].as_str().unwrap();
    assert!(label.len() < 16_000, "{}", label.len());
}

#[test]
fn a_long_sum_is_a_sum() {
    let scene = scene();
    let sum = |terms: usize| vec!["m1"; terms].join("+");
    assert_eq!(scene.math(&sum(600)).unwrap()[0][0], (0, 18_000.0));
    // As deep as nesting and length allow.
    let ones = "+1".repeat(900);
    let deep = format!("{}m1{ones}{}", "(".repeat(60), ")".repeat(60));
    assert_eq!(scene.math(&deep).unwrap()[0][0], (0, 930.0));
    let each = "+1)".repeat(60);
    let deep = format!("{}m1{each}{}", "(".repeat(60), "+1".repeat(850));
    assert_eq!(scene.math(&deep).unwrap()[0][0], (0, 940.0));
    let deep = format!("{}m1{}", "1&&1==1+0-1*(".repeat(60), ")".repeat(60));
    assert_eq!(scene.math(&deep).unwrap()[0].len(), 4);
}
