//! Labels.

use serde_json::json;

use crate::cloud::Here;
use crate::ssm::{ok, overwrite, put, refused};

#[test]
fn a_label_moves_from_version_to_version() {
    let here = Here::new();
    put(&here, "/a", "1");
    overwrite(&here, "/a", "2");
    let labelled = ok(
        &here,
        "LabelParameterVersion",
        json!({ "Name": "/a", "ParameterVersion": 1, "Labels": ["live", "1st", "awsome", "bad label"] }),
    );
    assert_eq!(
        labelled,
        json!({ "InvalidLabels": ["1st", "awsome", "bad label"], "ParameterVersion": 1 })
    );
    let value = |name: &str| ok(&here, "GetParameter", json!({ "Name": name }))["Parameter"]["Value"].clone();
    assert_eq!(value("/a:live"), "1");
    ok(
        &here,
        "LabelParameterVersion",
        json!({ "Name": "/a", "Labels": ["live"] }),
    );
    assert_eq!(value("/a:live"), "2");
    let history = ok(&here, "GetParameterHistory", json!({ "Name": "/a" }));
    assert_eq!(history["Parameters"][1]["Labels"], json!(["live"]));
    let removed = ok(
        &here,
        "UnlabelParameterVersion",
        json!({ "Name": "/a", "ParameterVersion": 2, "Labels": ["live", "other"] }),
    );
    assert_eq!(
        removed,
        json!({ "RemovedLabels": ["live"], "InvalidLabels": ["other"] })
    );
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": "/a:live" })).0,
        "ParameterVersionNotFound"
    );
    let missing = json!({ "Name": "/a", "ParameterVersion": 9, "Labels": ["x"] });
    assert_eq!(
        refused(&here, "LabelParameterVersion", missing).0,
        "ParameterVersionNotFound"
    );
}

#[test]
fn a_version_has_ten_labels_at_most() {
    let here = Here::new();
    put(&here, "/a", "1");
    let labels: Vec<String> = (0..10).map(|number| format!("l{number}")).collect();
    ok(
        &here,
        "LabelParameterVersion",
        json!({ "Name": "/a", "Labels": labels }),
    );
    let more = json!({ "Name": "/a", "Labels": ["more"] });
    assert_eq!(
        refused(&here, "LabelParameterVersion", more).0,
        "ParameterVersionLabelLimitExceeded"
    );
}

/// S10.6: the oldest of a hundred versions does not go while it bears a label.
#[test]
fn a_labelled_version_is_not_pushed_out() {
    let here = Here::new();
    put(&here, "/a", "1");
    ok(
        &here,
        "LabelParameterVersion",
        json!({ "Name": "/a", "Labels": ["keep"] }),
    );
    for number in 2..=100 {
        overwrite(&here, "/a", &number.to_string());
    }
    let next = json!({ "Name": "/a", "Value": "101", "Overwrite": true });
    assert_eq!(
        refused(&here, "PutParameter", next).0,
        "ParameterMaxVersionLimitExceeded"
    );
    ok(
        &here,
        "LabelParameterVersion",
        json!({ "Name": "/a", "Labels": ["keep"] }),
    );
    assert_eq!(overwrite(&here, "/a", "101"), 101);
}
