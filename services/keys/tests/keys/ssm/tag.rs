//! Tags.

use serde_json::{Value, json};

use crate::cloud::Here;
use crate::ssm::{ok, put, refused};

#[test]
fn tags_are_added_listed_and_removed() {
    let here = Here::new();
    let tags = json!([{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }]);
    ok(
        &here,
        "PutParameter",
        json!({ "Name": "/t", "Value": "v", "Type": "String", "Tags": tags }),
    );
    let on = |operation: &str, member: &str, value: Value| {
        let mut input = json!({ "ResourceType": "Parameter", "ResourceId": "/t" });
        input[member] = value;
        ok(&here, operation, input)
    };
    on("AddTagsToResource", "Tags", json!([{ "Key": "b", "Value": "3" }]));
    on("RemoveTagsFromResource", "TagKeys", json!(["a", "none"]));
    let listed = ok(
        &here,
        "ListTagsForResource",
        json!({ "ResourceType": "Parameter", "ResourceId": "/t" }),
    );
    assert_eq!(listed["TagList"], json!([{ "Key": "b", "Value": "3" }]));
}

#[test]
fn what_cannot_be_tagged_is_refused() {
    let here = Here::new();
    put(&here, "/t", "v");
    let add = |kind: &str, id: &str, tags: Value| {
        refused(
            &here,
            "AddTagsToResource",
            json!({ "ResourceType": kind, "ResourceId": id, "Tags": tags }),
        )
        .0
    };
    let one = json!([{ "Key": "a", "Value": "1" }]);
    assert_eq!(add("Parameter", "/none", one.clone()), "InvalidResourceId");
    assert_eq!(add("Document", "doc", one), "InvalidResourceId");
    assert_eq!(
        add("Parameter", "/t", json!([{ "Key": "aws:a", "Value": "1" }])),
        "ValidationException"
    );
    let many: Vec<Value> = (0..51)
        .map(|number| json!({ "Key": format!("k{number}"), "Value": "" }))
        .collect();
    assert_eq!(add("Parameter", "/t", json!(many)), "TooManyTagsError");
}
