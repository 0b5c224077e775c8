//! The other configurations of buckets: what is refused, what comes back, and that all of it ends with the bucket.

use serde_json::{Value, json};

use crate::cloud::Here;

#[test]
fn what_cannot_be_is_refused() {
    let here = Here::with_bucket();
    let code = |operation: &str, member: &str, value| Here::code(here.on_bucket(operation, member, value));
    let rule = |value| json!({"Rule": [value]});
    let encrypt = |by| rule(json!({"ApplyServerSideEncryptionByDefault": by}));
    for (operation, member, value, wanted) in [
        (
            "PutBucketEncryption",
            "ServerSideEncryptionConfiguration",
            encrypt(json!({"SSEAlgorithm": "AES256", "KMSMasterKeyID": "x"})),
            "InvalidArgument",
        ),
        (
            "PutBucketEncryption",
            "ServerSideEncryptionConfiguration",
            encrypt(json!({"SSEAlgorithm": "aws:kms:dsse"})),
            "",
        ),
        (
            "PutBucketVersioning",
            "VersioningConfiguration",
            json!({"Status": "Enabled", "MfaDelete": "Enabled"}),
            "AccessDenied",
        ),
        (
            "PutBucketVersioning",
            "VersioningConfiguration",
            json!({}),
            "IllegalVersioningConfigurationException",
        ),
        (
            "PutBucketCors",
            "CORSConfiguration",
            json!({"CORSRule": [{"AllowedMethod": ["PATCH"], "AllowedOrigin": ["*"]}]}),
            "InvalidRequest",
        ),
        (
            "PutBucketCors",
            "CORSConfiguration",
            json!({"CORSRule": [{"AllowedMethod": ["GET"], "AllowedOrigin": ["*.*"]}]}),
            "InvalidRequest",
        ),
    ] {
        assert_eq!(
            code(operation, member, value.clone()),
            wanted,
            "{operation} {value}"
        );
    }
}

#[test]
fn what_leads_nowhere_is_refused() {
    let here = Here::with_bucket();
    let code = |operation: &str, member: &str, value| Here::code(here.on_bucket(operation, member, value));
    for (operation, member, value, wanted) in [
        (
            "PutBucketWebsite",
            "WebsiteConfiguration",
            json!({}),
            "InvalidArgument",
        ),
        (
            "PutBucketWebsite",
            "WebsiteConfiguration",
            json!({"IndexDocument": {"Suffix": "a/b"}}),
            "InvalidArgument",
        ),
        (
            "PutBucketLogging",
            "BucketLoggingStatus",
            json!({"LoggingEnabled": {"TargetBucket": "none", "TargetPrefix": ""}}),
            "InvalidTargetBucketForLogging",
        ),
        (
            "PutBucketTagging",
            "Tagging",
            json!({"TagSet": [{"Key": "aws:x", "Value": ""}]}),
            "InvalidTag",
        ),
        (
            "PutObjectLockConfiguration",
            "ObjectLockConfiguration",
            json!({"ObjectLockEnabled": "Enabled"}),
            "InvalidBucketState",
        ),
        (
            "PutBucketNotificationConfiguration",
            "NotificationConfiguration",
            json!({"QueueConfiguration": [{"Queue": "arn:aws:sqs:eu-central-1:111122223333:q", "Event": ["s3:ObjectCreated:*"]}]}),
            "NotImplemented",
        ),
        (
            "PutBucketAccelerateConfiguration",
            "AccelerateConfiguration",
            json!({}),
            "MalformedXML",
        ),
    ] {
        assert_eq!(
            code(operation, member, value.clone()),
            wanted,
            "{operation} {value}"
        );
    }
}

#[test]
fn destinations_may_not_overlap() {
    let here = Here::with_bucket();
    let function = |event: &str, prefix: &str| {
        json!({"CloudFunction": "arn:aws:lambda:eu-central-1:111122223333:function:f", "Event": [event],
            "Filter": {"S3Key": {"FilterRule": [{"Name": "prefix", "Value": prefix}]}}})
    };
    let put = |functions| {
        let input = json!({"Bucket": "bucket", "SkipDestinationValidation": true,
            "NotificationConfiguration": {"CloudFunctionConfiguration": functions}});
        Here::code(here.call("PutBucketNotificationConfiguration", input))
    };
    let created = "s3:ObjectCreated:*";
    assert_eq!(
        put(json!([
            function(created, "a/"),
            function("s3:ObjectCreated:Put", "a/b")
        ])),
        "InvalidArgument"
    );
    assert_eq!(
        put(json!([
            function(created, "a/"),
            function("s3:ObjectCreated:Put", "b/")
        ])),
        ""
    );
    assert_eq!(
        put(json!([function(created, ""), function("s3:ObjectRemoved:*", "")])),
        ""
    );
}

#[test]
fn a_lock_has_a_span_of_its_own() {
    let here = Here::with_bucket();
    here.on_bucket(
        "PutBucketVersioning",
        "VersioningConfiguration",
        json!({"Status": "Enabled"}),
    )
    .unwrap();
    let put = |retention| {
        let lock = json!({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}});
        Here::code(here.on_bucket("PutObjectLockConfiguration", "ObjectLockConfiguration", lock))
    };
    assert_eq!(
        put(json!({"Mode": "GOVERNANCE", "Days": 1, "Years": 1})),
        "MalformedXML"
    );
    assert_eq!(put(json!({"Days": 1})), "MalformedXML");
    assert_eq!(put(json!({"Mode": "COMPLIANCE", "Days": 0})), "InvalidArgument");
    assert_eq!(
        put(json!({"Mode": "COMPLIANCE", "Years": 101})),
        "InvalidArgument"
    );
    assert_eq!(put(json!({"Mode": "COMPLIANCE", "Years": 100})), "");
}

#[test]
fn configurations_end_with_their_bucket() {
    let here = Here::with_bucket();
    let index = json!({"IndexDocument": {"Suffix": "index.html"}});
    here.on_bucket("PutBucketWebsite", "WebsiteConfiguration", index)
        .unwrap();
    here.call("DeleteBucket", json!({"Bucket": "bucket"})).unwrap();
    here.make("bucket").unwrap();
    let asked = here.call("GetBucketWebsite", json!({"Bucket": "bucket"}));
    assert_eq!(Here::code(asked), "NoSuchWebsiteConfiguration");
}

/// A request for an inventory under an id, which names another.
fn inventory(id: &str, named: &str) -> Value {
    let destination = json!({"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": "CSV"}});
    json!({"Bucket": "bucket", "Id": id, "InventoryConfiguration": {
        "Id": named, "Destination": destination, "IsEnabled": true, "IncludedObjectVersions": "Current",
        "Schedule": {"Frequency": "Daily"},
    }})
}

#[test]
fn reports_that_nothing_makes_are_refused() {
    let here = Here::with_bucket();
    for kind in ["Analytics", "IntelligentTiering"] {
        let listed = here
            .call(
                &format!("ListBucket{kind}Configurations"),
                json!({"Bucket": "bucket"}),
            )
            .unwrap();
        assert_eq!(listed["IsTruncated"], false, "{kind}");
        let put = api::models::service("s3").unwrap();
        let name = format!("PutBucket{kind}Configuration");
        assert!(put.operation(&name).is_some() && here.cloud.gateway.endpoint("s3", &name).is_none());
    }
}

#[test]
fn reports_are_listed_in_pages() {
    let here = Here::with_bucket();
    for number in 0..101 {
        let id = format!("m{number:03}");
        here.call("PutBucketInventoryConfiguration", inventory(&id, &id))
            .unwrap();
    }
    assert_eq!(
        Here::code(here.call("PutBucketInventoryConfiguration", inventory("x", "y"))),
        "InvalidArgument"
    );
    let first = here
        .call("ListBucketInventoryConfigurations", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(first["IsTruncated"], true);
    let token = first["NextContinuationToken"].clone();
    let second = here
        .on_bucket("ListBucketInventoryConfigurations", "ContinuationToken", token)
        .unwrap();
    assert_eq!(second["InventoryConfiguration"].as_array().map(Vec::len), Some(1));
}
