//! Metrics that users put: what is taken, what is refused, what is told of it, and for how long.

use pipeline::testing::BEGINNING;
use serde_json::{Value, json};

use crate::scene::Scene;

pub(crate) const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Seconds since the epoch, this long after the beginning.
pub(crate) fn at(milliseconds: i64) -> Value {
    json!((BEGINNING + milliseconds) / 1000)
}

impl Scene {
    /// Puts data, which must be taken.
    pub(crate) fn put_data(&self, namespace: &str, data: Value) {
        self.root(
            "cloudwatch",
            "PutMetricData",
            json!({"Namespace": namespace, "MetricData": data}),
        );
    }

    /// The code with which one datum is refused.
    fn refused(&self, datum: Value) -> String {
        let input = json!({"Namespace": "n", "MetricData": [datum]});
        let failure = self.cloud.call(&self.root, "cloudwatch", "PutMetricData", input);
        failure.err().unwrap().code
    }

    /// Some statistics of `m` in `n`, by period.
    fn statistics(&self, more: Value) -> Vec<Value> {
        let mut input = json!({
            "Namespace": "n", "MetricName": "m", "StartTime": at(-HOUR), "EndTime": at(HOUR), "Period": 60,
            "Statistics": ["Sum", "SampleCount", "Minimum", "Maximum", "Average"],
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let answer = self.root("cloudwatch", "GetMetricStatistics", input);
        answer["Datapoints"].as_array().unwrap().clone()
    }

    fn names(&self, input: Value) -> Vec<String> {
        let answer = self.root("cloudwatch", "ListMetrics", input);
        let metrics = answer["Metrics"].as_array().unwrap().iter();
        metrics
            .map(|metric| metric["MetricName"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn what_is_put_is_told_by_periods_and_units() {
    let scene = Scene::new();
    scene.put_data(
        "n",
        json!([
            {"MetricName": "m", "Value": 2.0, "Unit": "Count", "Timestamp": at(-90_000)},
            {"MetricName": "m", "Values": [4.0, 8.0], "Counts": [3.0, 1.0], "Unit": "Count", "Timestamp": at(-90_000)},
            {"MetricName": "m", "Value": 7.0, "Unit": "Bytes", "Timestamp": at(-30_000)},
            {"MetricName": "m", "Unit": "Bytes", "Timestamp": at(-30_000),
             "StatisticValues": {"SampleCount": 2.0, "Sum": 9.0, "Minimum": 4.0, "Maximum": 5.0}},
            {"MetricName": "m", "Dimensions": [{"Name": "other", "Value": "metric"}], "Value": 100.0},
        ]),
    );
    let told = scene.statistics(json!({}));
    assert_eq!(
        told,
        [
            json!({"Timestamp": at(-120_000), "Unit": "Count", "Sum": 22.0, "SampleCount": 5.0, "Minimum": 2.0, "Maximum": 8.0, "Average": 4.4}),
            json!({"Timestamp": at(-60_000), "Unit": "Bytes", "Sum": 16.0, "SampleCount": 3.0, "Minimum": 4.0, "Maximum": 7.0, "Average": 16.0 / 3.0}),
        ]
    );
    assert_eq!(scene.statistics(json!({"Unit": "Bytes"})).len(), 1);
    assert_eq!(scene.statistics(json!({"Unit": "Seconds"})), Vec::<Value>::new());
    let hour = scene.statistics(json!({"Period": 3600, "Unit": "Count"}));
    assert_eq!(hour[0]["Timestamp"], at(-HOUR));
    assert_eq!(hour[0]["Sum"], 22.0);
    let extended = scene.statistics(json!({
        "Statistics": null, "ExtendedStatistics": ["p50", "tm80"], "Unit": "Count",
    }));
    assert_eq!(
        extended[0]["ExtendedStatistics"],
        json!({"p50": 4.0, "tm80": 3.5})
    );
    // The values of a statistic set are not known.
    assert!(
        scene
            .statistics(json!({"Statistics": null, "ExtendedStatistics": ["p50"], "Unit": "Bytes"}))
            .is_empty()
    );
}

#[test]
fn data_that_cannot_be_is_refused() {
    let scene = Scene::new();
    for (datum, code) in [
        (json!({"MetricName": "m"}), "MissingRequiredParameterException"),
        (
            json!({"MetricName": "m", "Value": 1e200}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Values": [1.0]}),
            "InvalidParameterCombinationException",
        ),
        (
            json!({"MetricName": "m", "Values": [1.0, 2.0], "Counts": [1.0]}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Values": [1.0], "Counts": [0.0]}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Values": vec![1.0; 151]}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Timestamp": at(-14 * DAY - 1000)}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Timestamp": at(2 * HOUR + 1000)}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "StorageResolution": 30}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Dimensions": [{"Name": ":a", "Value": "1"}]}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m\u{7}", "Value": 1.0}),
            "InvalidParameterValueException",
        ),
        (
            json!({"MetricName": "m", "StatisticValues": {"SampleCount": 1.0, "Sum": 1.0, "Minimum": 2.0, "Maximum": 1.0}}),
            "InvalidParameterCombinationException",
        ),
    ] {
        assert_eq!(scene.refused(datum.clone()), code, "{datum}");
    }
    let put = |input: Value| {
        let failure = scene
            .cloud
            .call(&scene.root, "cloudwatch", "PutMetricData", input);
        failure.err().unwrap().code
    };
    let datum = json!({"MetricName": "m", "Value": 1.0});
    assert_eq!(
        put(json!({"Namespace": "AWS/S3", "MetricData": [datum]})),
        "InvalidParameterValueException"
    );
    assert_eq!(
        put(json!({"Namespace": "n"})),
        "MissingRequiredParameterException"
    );
    assert_eq!(
        put(json!({"Namespace": "n", "MetricData": vec![datum.clone(); 1001]})),
        "InvalidParameterValueException"
    );
    // Of a request that is refused nothing is kept.
    assert_eq!(
        put(json!({"Namespace": "n", "MetricData": [datum, {"MetricName": "m"}]})),
        "MissingRequiredParameterException"
    );
    assert!(scene.names(json!({})).is_empty());
}

#[test]
fn what_asks_for_too_much_is_refused() {
    let scene = Scene::new();
    let ask = |more: Value| {
        let mut input = json!({
            "Namespace": "n", "MetricName": "m", "StartTime": at(-HOUR), "EndTime": at(0), "Period": 60, "Statistics": ["Sum"],
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let answer = scene
            .cloud
            .call(&scene.root, "cloudwatch", "GetMetricStatistics", input);
        answer.map_or_else(|failure| failure.code, |_| String::new())
    };
    assert_eq!(ask(json!({"StartTime": at(-DAY)})), "");
    assert_eq!(
        ask(json!({"StartTime": at(-DAY - MINUTE)})),
        "InvalidParameterCombinationException"
    );
    assert_eq!(
        ask(json!({"StartTime": at(0)})),
        "InvalidParameterCombinationException"
    );
    assert_eq!(ask(json!({"Period": 90})), "InvalidParameterValueException");
    assert_eq!(
        ask(json!({"Statistics": null})),
        "MissingRequiredParameterException"
    );
    assert_eq!(
        ask(json!({"Statistics": null, "ExtendedStatistics": ["p200"]})),
        "InvalidParameterValueException"
    );
    assert_eq!(
        ask(json!({"ExtendedStatistics": ["p50"]})),
        "InvalidParameterCombinationException"
    );
}

#[test]
fn metrics_are_listed_by_what_they_are() {
    let scene = Scene::new();
    let data: Vec<Value> = (0..600)
        .map(|number| json!({"MetricName": format!("m{number:03}"), "Value": 1.0}))
        .collect();
    scene.put_data("many", data.into());
    let host = |name: &str| json!([{"Name": "Host", "Value": name}, {"Name": "Kind", "Value": "x"}]);
    scene.put_data(
        "few",
        json!([
            {"MetricName": "load", "Value": 1.0, "Dimensions": host("a")},
            {"MetricName": "load", "Value": 1.0, "Dimensions": host("b")},
        ]),
    );
    let first = scene.root("cloudwatch", "ListMetrics", json!({"Namespace": "many"}));
    assert_eq!(first["Metrics"].as_array().unwrap().len(), 500);
    let next = json!({"Namespace": "many", "NextToken": first["NextToken"]});
    let second = scene.root("cloudwatch", "ListMetrics", next);
    assert_eq!(second["Metrics"].as_array().unwrap().len(), 100);
    assert_eq!(second["NextToken"], Value::Null);
    // A token is of its own list.
    let other = json!({"Namespace": "few", "NextToken": first["NextToken"]});
    let refused = scene.cloud.call(&scene.root, "cloudwatch", "ListMetrics", other);
    assert_eq!(refused.err().unwrap().code, "InvalidParameterValueException");
    let load = |dimensions: Value| {
        scene
            .names(json!({"MetricName": "load", "Dimensions": dimensions}))
            .len()
    };
    assert_eq!(load(json!([{"Name": "Host"}])), 2);
    assert_eq!(load(json!([{"Name": "Host", "Value": "a"}])), 1);
    assert_eq!(
        load(json!([{"Name": "Host", "Value": "a"}, {"Name": "Other"}])),
        0
    );
    scene.cloud.advance(3 * HOUR + MINUTE);
    assert!(
        scene
            .names(json!({"Namespace": "few", "RecentlyActive": "PT3H"}))
            .is_empty()
    );
    assert_eq!(scene.names(json!({"Namespace": "few"})).len(), 2);
    scene.cloud.advance(14 * DAY);
    assert!(scene.names(json!({"Namespace": "few"})).is_empty());
}

#[test]
fn data_is_folded_as_it_ages_and_goes_in_the_end() {
    let scene = Scene::new();
    let datum = |offset: i64, value: f64, resolution: i64| json!({"MetricName": "m", "Value": value, "Timestamp": at(offset), "StorageResolution": resolution});
    scene.put_data(
        "n",
        json!([
            datum(0, 1.0, 1),
            datum(1000, 2.0, 1),
            datum(61_000, 4.0, 1),
            datum(0, 8.0, 60),
            datum(299_000, 16.0, 60)
        ]),
    );
    let told = |period: i64| {
        let answer =
            scene.statistics(json!({"Period": period, "StartTime": at(0), "EndTime": at(10 * MINUTE)}));
        let pair = |point: &Value| {
            let at = point["Timestamp"].as_i64().unwrap() - BEGINNING / 1000;
            (at, point["Sum"].as_f64().unwrap())
        };
        answer.iter().map(pair).collect::<Vec<_>>()
    };
    let minutes = vec![(0, 11.0), (60, 4.0), (240, 16.0)];
    assert_eq!(told(1), [(0, 9.0), (1, 2.0), (61, 4.0), (240, 16.0)]);
    assert_eq!(told(60), minutes);
    scene.cloud.advance(3 * HOUR + 10 * MINUTE);
    assert_eq!(told(1), []);
    assert_eq!(told(60), minutes);
    // The job that folds seconds comes within the hour, and changes nothing of what is told.
    scene.cloud.advance(2 * HOUR);
    assert_eq!(told(60), minutes);
    scene.cloud.advance(15 * DAY);
    assert_eq!(told(60), []);
    assert_eq!(told(300), [(0, 31.0)]);
    scene.cloud.advance(2 * DAY);
    assert_eq!(told(300), [(0, 31.0)]);
    scene.cloud.advance(63 * DAY);
    assert_eq!(told(300), []);
    assert_eq!(told(3600), [(0, 31.0)]);
    scene.cloud.advance(375 * DAY);
    assert_eq!(told(3600), []);
    // Nothing is left to be planned for.
    scene.cloud.advance(3 * DAY);
    assert_eq!(scene.cloud.gateway.next_due().ok(), Some(None));
}

#[test]
fn who_may_put_into_which_namespace_is_a_matter_of_policy() {
    let scene = Scene::new();
    scene.root("iam", "CreateUser", json!({"UserName": "app"}));
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": "mine"}},
    }});
    let input = json!({"UserName": "app", "PolicyName": "own", "PolicyDocument": policy.to_string()});
    scene.root("iam", "PutUserPolicy", input);
    let keys = scene.root("iam", "CreateAccessKey", json!({"UserName": "app"}));
    let app = scene.caller(&crate::scene::Keys::of(&keys));
    let put = |namespace: &str| {
        let input = json!({"Namespace": namespace, "MetricData": [{"MetricName": "m", "Value": 1.0}]});
        scene
            .cloud
            .call(&app, "cloudwatch", "PutMetricData", input)
            .map_or_else(|failure| failure.code, |_| String::new())
    };
    assert_eq!(put("mine"), "");
    assert!(put("theirs").starts_with("AccessDenied"), "{}", put("theirs"));
    let listed = scene.cloud.call(&app, "cloudwatch", "ListMetrics", json!({}));
    assert!(listed.is_err());
}

#[test]
fn a_list_ends_where_its_rows_end_whatever_the_filter_lets_through() {
    let scene = Scene::new();
    let data: Vec<Value> = (0..1000)
        .map(|number| json!({"MetricName": format!("m{number}"), "Value": 1.0}))
        .collect();
    scene.put_data("many", json!(data));
    let filter = json!({"Namespace": "many", "Dimensions": [{"Name": "none"}]});
    assert_eq!(scene.names(filter), Vec::<String>::new());
}
