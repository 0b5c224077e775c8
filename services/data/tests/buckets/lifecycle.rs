//! Which lifecycle rules are taken.

use serde_json::{Value, json};

use crate::cloud::Here;

fn put(here: &Here, change: &Value) -> String {
    let mut rule =
        json!({"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 365}});
    for (name, value) in change.as_object().unwrap() {
        rule[name] = value.clone();
    }
    let rules = json!({"Rule": [rule]});
    Here::code(here.on_bucket("PutBucketLifecycleConfiguration", "LifecycleConfiguration", rules))
}

#[test]
fn rules_that_cannot_be_followed_are_refused() {
    let here = Here::with_bucket();
    for (change, code) in [
        (json!({}), ""),
        (json!({"Filter": {}}), ""),
        (
            json!({"Filter": {"And": {"Prefix": "a", "Tag": [{"Key": "k", "Value": "v"}]}}}),
            "",
        ),
        (json!({"Filter": {"ObjectSizeGreaterThan": 10}}), ""),
        (
            json!({"Transition": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}]}),
            "",
        ),
        (
            json!({"Transition": [{"Days": 90, "StorageClass": "STANDARD_IA"}, {"Days": 30, "StorageClass": "GLACIER"}]}),
            "InvalidArgument",
        ),
        (
            json!({"Transition": [{"Days": 30, "StorageClass": "DEEP_ARCHIVE"}, {"Days": 30, "StorageClass": "GLACIER"}]}),
            "InvalidArgument",
        ),
        (json!({"Prefix": "logs/"}), "MalformedXML"),
        (
            json!({"Filter": {"Prefix": "a", "ObjectSizeGreaterThan": 1}}),
            "MalformedXML",
        ),
        (json!({"Filter": {"And": {"Prefix": "a"}}}), "MalformedXML"),
        (
            json!({"Filter": {"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 9}}}),
            "InvalidRequest",
        ),
        (json!({"Expiration": {"Days": 0}}), "InvalidArgument"),
        (json!({"Expiration": {}}), "MalformedXML"),
        (
            json!({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": true}}),
            "MalformedXML",
        ),
        (json!({"Expiration": {"Date": 1_893_456_001}}), "InvalidArgument"),
        (json!({"Expiration": {"Date": 1_893_456_000}}), ""),
        (
            json!({"Transition": [{"Days": 29, "StorageClass": "STANDARD_IA"}]}),
            "InvalidArgument",
        ),
        (
            json!({"Transition": [{"Days": 365, "StorageClass": "GLACIER"}]}),
            "InvalidArgument",
        ),
        (
            json!({"Transition": [{"Date": 1_893_456_000, "StorageClass": "GLACIER"}]}),
            "InvalidRequest",
        ),
        (
            json!({"Transition": [{"Days": 40, "StorageClass": "GLACIER"}, {"Days": 50, "StorageClass": "GLACIER"}]}),
            "InvalidRequest",
        ),
        (
            json!({"NoncurrentVersionExpiration": {"NoncurrentDays": 0}}),
            "InvalidArgument",
        ),
        (
            json!({"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}}),
            "InvalidArgument",
        ),
        (
            json!({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}),
            "InvalidArgument",
        ),
        (
            json!({"Filter": {"Tag": {"Key": "k", "Value": "v"}}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}),
            "InvalidRequest",
        ),
        (json!({"ID": "x".repeat(256)}), "InvalidArgument"),
    ] {
        assert_eq!(put(&here, &change), code, "{change}");
    }
}

#[test]
fn ids_are_made_and_told_apart() {
    let here = Here::with_bucket();
    let rule = |id: Option<&str>| {
        let mut rule = json!({"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}});
        if let Some(id) = id {
            rule["ID"] = json!(id);
        }
        rule
    };
    let put = |rules: Value| {
        here.on_bucket(
            "PutBucketLifecycleConfiguration",
            "LifecycleConfiguration",
            json!({"Rule": rules}),
        )
    };
    assert_eq!(
        Here::code(put(json!([rule(Some("a")), rule(Some("a"))]))),
        "InvalidArgument"
    );
    put(json!([rule(None), rule(None)])).unwrap();
    let shown = here
        .call("GetBucketLifecycleConfiguration", json!({"Bucket": "bucket"}))
        .unwrap();
    let ids: Vec<_> = [0, 1]
        .map(|at| shown["Rule"][at]["ID"].as_str().unwrap().to_owned())
        .into();
    assert_ne!(ids[0], ids[1]);
    here.call("DeleteBucketLifecycle", json!({"Bucket": "bucket"}))
        .unwrap();
    let gone = here.call("GetBucketLifecycleConfiguration", json!({"Bucket": "bucket"}));
    assert_eq!(Here::code(gone), "NoSuchLifecycleConfiguration");
}
