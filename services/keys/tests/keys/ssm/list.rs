//! What lies under a path, and what matches filters.

use serde_json::{Value, json};

use crate::cloud::Here;
use crate::ssm::{names, ok, overwrite, put, refused};

fn filled() -> Here {
    let here = Here::new();
    for name in [
        "/app/a",
        "/app/b",
        "/app/db/host",
        "/app/db/port",
        "/app/db/x/y",
        "/apple",
        "/zoo/a",
        "bare",
    ] {
        put(&here, name, name);
    }
    here
}

/// S10.8, S10.9: the next level, or all levels, and nothing beside the path.
#[test]
fn parameters_are_read_by_path() {
    let here = filled();
    let under = |path: &str, recursive: bool| {
        let answer = ok(
            &here,
            "GetParametersByPath",
            json!({ "Path": path, "Recursive": recursive }),
        );
        names(&answer).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(under("/app", false), ["/app/a", "/app/b"]);
    assert_eq!(
        under("/app/", true),
        ["/app/a", "/app/b", "/app/db/host", "/app/db/port", "/app/db/x/y"]
    );
    assert_eq!(under("/app/db", false), ["/app/db/host", "/app/db/port"]);
    assert_eq!(under("/", false), ["/apple", "bare"]);
    assert_eq!(under("/", true).len(), 8);
    assert!(under("/none", true).is_empty());
    assert_eq!(
        refused(&here, "GetParametersByPath", json!({ "Path": "app" })).0,
        "ValidationException"
    );
}

#[test]
fn a_path_is_read_in_pages() {
    let here = filled();
    let mut input = json!({ "Path": "/", "Recursive": true, "MaxResults": 3 });
    let mut all = Vec::new();
    loop {
        let page = ok(&here, "GetParametersByPath", input.clone());
        all.extend(names(&page).into_iter().map(str::to_owned));
        if page["NextToken"].is_null() {
            break;
        }
        input["NextToken"] = page["NextToken"].clone();
    }
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((all.len(), &all), (8, &sorted));
    let other = json!({ "Path": "/app", "NextToken": input["NextToken"] });
    assert_eq!(refused(&here, "GetParametersByPath", other).0, "InvalidNextToken");
    let foreign = json!({ "Path": "/", "NextToken": "x" });
    assert_eq!(
        refused(&here, "GetParametersByPath", foreign).0,
        "InvalidNextToken"
    );
}

#[test]
fn a_path_is_filtered_by_type_and_label() {
    let here = filled();
    overwrite(&here, "/app/a", "2");
    ok(
        &here,
        "LabelParameterVersion",
        json!({ "Name": "/app/a", "ParameterVersion": 1, "Labels": ["live"] }),
    );
    let filtered = |filter: Value| {
        ok(
            &here,
            "GetParametersByPath",
            json!({ "Path": "/app", "ParameterFilters": [filter] }),
        )
    };
    let live = filtered(json!({ "Key": "Label", "Values": ["live"] }));
    assert_eq!(
        (names(&live), &live["Parameters"][0]["Value"]),
        (vec!["/app/a"], &json!("/app/a"))
    );
    assert!(names(&filtered(json!({ "Key": "Type", "Values": ["StringList"] }))).is_empty());
    let name = json!({ "Path": "/app", "ParameterFilters": [{ "Key": "Name", "Values": ["x"] }] });
    assert_eq!(refused(&here, "GetParametersByPath", name).0, "InvalidFilterKey");
}

#[test]
fn parameters_are_described_by_filters() {
    let here = filled();
    ok(
        &here,
        "AddTagsToResource",
        json!({ "ResourceType": "Parameter", "ResourceId": "/zoo/a", "Tags": [{ "Key": "k", "Value": "v" }] }),
    );
    let of = |filters: Value| {
        let answer = ok(
            &here,
            "DescribeParameters",
            json!({ "ParameterFilters": filters }),
        );
        names(&answer).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        of(json!([{ "Key": "Name", "Values": ["/apple", "/bare"] }])),
        ["/apple", "bare"]
    );
    assert_eq!(
        of(json!([{ "Key": "Name", "Option": "BeginsWith", "Values": ["/z"] }])),
        ["/zoo/a"]
    );
    assert_eq!(
        of(json!([{ "Key": "Name", "Option": "Contains", "Values": ["db/p"] }])),
        ["/app/db/port"]
    );
    assert_eq!(
        of(json!([{ "Key": "Path", "Values": ["/app"] }])),
        ["/app/a", "/app/b"]
    );
    assert_eq!(
        of(json!([{ "Key": "Path", "Option": "Recursive", "Values": ["/app/db"] }])).len(),
        3
    );
    assert_eq!(of(json!([{ "Key": "tag:k", "Values": ["v"] }])), ["/zoo/a"]);
    assert!(of(json!([{ "Key": "tag:k", "Values": ["w"] }])).is_empty());
    assert_eq!(
        of(json!([{ "Key": "Type", "Values": ["String"] }, { "Key": "Tier", "Values": ["Standard"] }])).len(),
        8
    );
    let code = |filter: Value| {
        refused(
            &here,
            "DescribeParameters",
            json!({ "ParameterFilters": [filter] }),
        )
        .0
    };
    assert_eq!(
        code(json!({ "Key": "Label", "Values": ["x"] })),
        "InvalidFilterKey"
    );
    assert_eq!(
        code(json!({ "Key": "Type", "Option": "BeginsWith", "Values": ["S"] })),
        "InvalidFilterOption"
    );
    assert_eq!(
        code(json!({ "Key": "Type", "Values": ["Number"] })),
        "InvalidFilterValue"
    );
    assert_eq!(code(json!({ "Key": "Name" })), "InvalidFilterValue");
    let older = ok(
        &here,
        "DescribeParameters",
        json!({ "Filters": [{ "Key": "Name", "Values": ["/app/d"] }] }),
    );
    assert_eq!(names(&older).len(), 3);
    assert!(older["Parameters"][0]["Value"].is_null());
    let both = json!({ "Filters": [{ "Key": "Name", "Values": ["a"] }], "ParameterFilters": [{ "Key": "Name", "Values": ["a"] }] });
    assert_eq!(
        refused(&here, "DescribeParameters", both).0,
        "ValidationException"
    );
}
