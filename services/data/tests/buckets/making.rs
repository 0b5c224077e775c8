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
    // No name of a bucket has such characters, and none begins so.
    for prefix in ["é", "a-\u{fffd}", "a-\u{e000}", "a\0", "\u{10ffff}"] {
        let none = here.call("ListBuckets", json!({"Prefix": prefix})).unwrap();
        assert!(names(&none).is_empty(), "{prefix:?}");
    }
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

/// S3 API Reference, "BucketAlreadyOwnedByYou": making a bucket of the oldest region again resets its list.
#[test]
fn a_bucket_that_is_made_again_gets_the_list_of_the_request_and_nothing_that_it_has_not() {
    let here = Here::new();
    let root = here.cloud.root();
    let call = |operation: &str, input| here.cloud.call_in("us-east-1", &root, "s3", operation, input);
    let ownership = json!("ObjectWriter");
    call(
        "CreateBucket",
        json!({"Bucket": "again", "ObjectOwnership": ownership, "ACL": "authenticated-read"}),
    )
    .unwrap_err();
    call(
        "CreateBucket",
        json!({"Bucket": "again", "ObjectOwnership": ownership}),
    )
    .unwrap();
    call("DeletePublicAccessBlock", json!({"Bucket": "again"})).unwrap();
    call("PutBucketAcl", json!({"Bucket": "again", "ACL": "public-read"})).unwrap();
    let grants = || {
        let shown = call("GetBucketAcl", json!({"Bucket": "again"})).unwrap();
        shown["AccessControlList"].as_array().map(Vec::len)
    };
    assert_eq!(grants(), Some(2));
    call("CreateBucket", json!({"Bucket": "again"})).unwrap();
    assert_eq!(grants(), Some(1));
    call(
        "CreateBucket",
        json!({"Bucket": "again", "ACL": "public-read-write"}),
    )
    .unwrap();
    assert_eq!(grants(), Some(3));
    for asked in [
        json!({"Bucket": "again", "ObjectLockEnabledForBucket": true}),
        json!({"Bucket": "again", "ObjectOwnership": "BucketOwnerEnforced"}),
        json!({"Bucket": "again", "CreateBucketConfiguration": {"Tags": [{"Key": "a", "Value": "b"}]}}),
        json!({"Bucket": "again", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-3"}}),
    ] {
        assert_eq!(
            Here::code(call("CreateBucket", asked.clone())),
            "BucketAlreadyOwnedByYou",
            "{asked}"
        );
    }
    call(
        "CreateBucket",
        json!({"Bucket": "again", "ObjectOwnership": ownership}),
    )
    .unwrap();
    call("CreateBucket", json!({"Bucket": "closed"})).unwrap();
    let open = call("CreateBucket", json!({"Bucket": "closed", "ACL": "public-read"}));
    assert_eq!(Here::code(open), "InvalidBucketAclWithObjectOwnership");
}

#[test]
fn what_a_new_bucket_asks_for_is_seen_by_each_of_its_permissions() {
    let here = Here::new();
    let maker = here.user("maker");
    let root = here.cloud.root();
    let allow = |condition: serde_json::Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "*"},
            {"Effect": "Allow", "Action": ["s3:TagResource", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls"], "Resource": "*",
             "Condition": condition},
        ]});
        let input = json!({"UserName": "maker", "PolicyName": "own", "PolicyDocument": policy.to_string()});
        here.cloud
            .call_in("us-east-1", &root, "iam", "PutUserPolicy", input)
            .unwrap();
    };
    let make = |name: &str, value: &str| {
        let place = json!({"LocationConstraint": REGION, "Tags": [{"Key": "team", "Value": value}]});
        let input = json!({"Bucket": name, "CreateBucketConfiguration": place});
        Here::code(here.cloud.call(&maker, "s3", "CreateBucket", input))
    };
    allow(json!({"StringEquals": {"aws:RequestTag/team": "red"}}));
    assert_eq!(make("bucket-of-blue", "blue"), "AccessDenied");
    assert_eq!(make("bucket-of-red", "red"), "");
    let logs = "uri=\"http://acs.amazonaws.com/groups/s3/LogDelivery\"";
    allow(
        json!({"StringEquals": {"s3:x-amz-object-ownership": "ObjectWriter", "s3:x-amz-grant-write": logs}}),
    );
    let place = json!({"LocationConstraint": REGION});
    let with = |name: &str, header: &str| {
        let input = json!({"Bucket": name, "CreateBucketConfiguration": place, "ObjectOwnership": "ObjectWriter", header: logs});
        Here::code(here.cloud.call(&maker, "s3", "CreateBucket", input))
    };
    assert_eq!(with("bucket-of-logs", "GrantRead"), "AccessDenied");
    assert_eq!(with("bucket-of-logs", "GrantWrite"), "");
    // What every bucket has needs no permission of its own.
    let plain = json!({"Bucket": "bucket-of-none", "CreateBucketConfiguration": place, "ACL": "private"});
    here.cloud.call(&maker, "s3", "CreateBucket", plain).unwrap();
}

/// S3 User Guide, "Account regional namespace naming rules": a name in an account's own namespace is for that account, in that region, and
/// for who asks for it so.
#[test]
fn an_accounts_own_namespace_is_closed_to_others() {
    let here = Here::new();
    let root = here.cloud.root();
    let place = json!({"LocationConstraint": REGION});
    let make = |name: &str, namespace: Option<&str>| {
        let mut input = json!({"Bucket": name, "CreateBucketConfiguration": place});
        if let Some(namespace) = namespace {
            input["BucketNamespace"] = namespace.into();
        }
        here.cloud.call(&root, "s3", "CreateBucket", input)
    };
    let own = format!("logs-{}-{REGION}-an", pipeline::testing::ACCOUNT);
    for (name, namespace) in [
        ("logs", Some("account-regional")),
        (own.as_str(), None),
        (own.as_str(), Some("global")),
        (
            &own.replace(pipeline::testing::ACCOUNT, "444455556666"),
            Some("account-regional"),
        ),
        (&own.replace(REGION, "us-west-2"), Some("account-regional")),
    ] {
        assert_eq!(
            Here::code(make(name, namespace)),
            "InvalidBucketName",
            "{name} {namespace:?}"
        );
    }
    make(&own, Some("account-regional")).unwrap();
    make("plain", Some("global")).unwrap();
    // AWS's own example of a policy that asks for the namespace.
    let maker = here.user("maker");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:CreateBucket", "Resource": "*",
         "Condition": {"StringNotEquals": {"s3:x-amz-bucket-namespace": "account-regional"}}},
    ]});
    let input = json!({"UserName": "maker", "PolicyName": "own", "PolicyDocument": policy.to_string()});
    here.cloud
        .call_in("us-east-1", &root, "iam", "PutUserPolicy", input)
        .unwrap();
    let make = |name: &str, namespace: &str| {
        let input = json!({"Bucket": name, "CreateBucketConfiguration": place, "BucketNamespace": namespace});
        Here::code(here.cloud.call(&maker, "s3", "CreateBucket", input))
    };
    assert_eq!(make("other", "global"), "AccessDenied");
    assert_eq!(make(&own.replace("logs", "more"), "account-regional"), "");
}
