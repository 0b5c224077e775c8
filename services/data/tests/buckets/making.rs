//! The making and the end of buckets.

use pipeline::testing::REGION;
use serde_json::json;

use crate::cloud::Here;

#[test]
fn a_name_belongs_to_one_account() {
    let here = Here::with_bucket();
    assert_eq!(Here::code(here.make("bucket")), "BucketAlreadyOwnedByYou");
    let other = std::sync::Arc::new(pipeline::Identity::root("444455556666"));
    let place = json!({"LocationConstraint": REGION});
    let input = json!({"Bucket": "bucket", "CreateBucketConfiguration": place});
    let taken = here.cloud.call(&other, "s3", "CreateBucket", input);
    assert_eq!(Here::code(taken), "BucketAlreadyExists");
    here.call("DeleteBucket", json!({"Bucket": "bucket"})).unwrap();
    let input = json!({"Bucket": "bucket", "CreateBucketConfiguration": {"LocationConstraint": REGION}});
    here.cloud.call(&other, "s3", "CreateBucket", input).unwrap();
}

#[test]
fn the_oldest_region_makes_its_buckets_again_and_all_others_too() {
    let here = Here::new();
    let root = here.cloud.root();
    let make = |input| {
        here.cloud
            .call_in("us-east-1", &root, "s3", "CreateBucket", input)
    };
    make(json!({"Bucket": "again"})).unwrap();
    make(json!({"Bucket": "again"})).unwrap();
    make(json!({"Bucket": "far", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-3"}})).unwrap();
    let unknown =
        make(json!({"Bucket": "none", "CreateBucketConfiguration": {"LocationConstraint": "us-east-1"}}));
    assert_eq!(Here::code(unknown), "InvalidLocationConstraint");
    let illegal = here.call("CreateBucket", json!({"Bucket": "none"}));
    assert_eq!(Here::code(illegal), "IllegalLocationConstraintException");
    let head = here.call("HeadBucket", json!({"Bucket": "far"}));
    assert_eq!(Here::code(head), "PermanentRedirect");
    here.cloud
        .call_in("eu-west-3", &root, "s3", "HeadBucket", json!({"Bucket": "far"}))
        .unwrap();
}

#[test]
fn lists_go_by_pages_prefix_and_region() {
    let here = Here::new();
    for name in ["a-1", "a-2", "a-3", "b-1"] {
        here.make(name).unwrap();
    }
    let names = |answer: &serde_json::Value| -> Vec<String> {
        let buckets = answer["Buckets"].as_array().cloned().unwrap_or_default();
        buckets
            .iter()
            .map(|bucket| bucket["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = here
        .call("ListBuckets", json!({"Prefix": "a-", "MaxBuckets": 2}))
        .unwrap();
    assert_eq!(names(&first), ["a-1", "a-2"]);
    let token = first["ContinuationToken"].clone();
    let second = here
        .call(
            "ListBuckets",
            json!({"Prefix": "a-", "MaxBuckets": 2, "ContinuationToken": token}),
        )
        .unwrap();
    assert_eq!(names(&second), ["a-3"]);
    assert!(second["ContinuationToken"].is_null());
    let elsewhere = here
        .call("ListBuckets", json!({"BucketRegion": "us-west-2"}))
        .unwrap();
    assert!(names(&elsewhere).is_empty());
    assert_eq!(
        names(&here.call("ListBuckets", json!({"Prefix": "b"})).unwrap()),
        ["b-1"]
    );
}

#[test]
fn an_unexpected_owner_is_refused() {
    let here = Here::with_bucket();
    let asked = here.on_bucket(
        "GetBucketVersioning",
        "ExpectedBucketOwner",
        json!("999999999999"),
    );
    assert_eq!(Here::code(asked), "AccessDenied");
}

#[test]
fn tags_and_locks_are_made_with_the_bucket() {
    let here = Here::new();
    let place = json!({"LocationConstraint": REGION, "Tags": [{"Key": "a", "Value": "b"}]});
    let input =
        json!({"Bucket": "bucket", "CreateBucketConfiguration": place, "ObjectLockEnabledForBucket": true});
    here.call("CreateBucket", input).unwrap();
    let tags = here
        .call("GetBucketTagging", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(tags["TagSet"][0]["Value"], "b");
    let versions = here
        .call("GetBucketVersioning", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(versions["Status"], "Enabled");
    let suspend = here.on_bucket(
        "PutBucketVersioning",
        "VersioningConfiguration",
        json!({"Status": "Suspended"}),
    );
    assert_eq!(Here::code(suspend), "InvalidBucketState");
}
