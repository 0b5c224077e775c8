//! Bucket policies, and what stands before the public.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::cloud::Here;

fn text(statement: &Value) -> Value {
    json!(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
}

fn public() -> Value {
    json!({"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"})
}

#[test]
fn a_policy_speaks_of_its_own_bucket_and_of_those_who_exist() {
    let here = Here::with_bucket();
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let fits = json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"});
    let put = |change: &[(&str, Value)]| {
        let mut statement = fits.clone();
        for (name, value) in change {
            statement[*name] = value.clone();
        }
        here.on_bucket("PutBucketPolicy", "Policy", text(&statement))
    };
    put(&[]).unwrap();
    let nobody = format!("arn:aws:iam::{ACCOUNT}:user/nobody");
    for (wrong, words) in [
        (
            ("Resource", json!("arn:aws:s3:::bucket2/*")),
            "Policy has invalid resource",
        ),
        (("Resource", json!("*")), "Policy has invalid resource"),
        (
            ("Principal", json!({"AWS": nobody})),
            "Invalid principal in policy",
        ),
        (("Action", json!("s3:NoSuchAction")), "Policy has invalid action"),
        (("Action", json!("kms:Decrypt")), "Policy has invalid action"),
        (
            ("Action", json!("s3:ListBucket")),
            "Action does not apply to any resource(s) in statement",
        ),
    ] {
        let failure = put(&[wrong]).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("MalformedPolicy", words)
        );
    }
    let long = text(
        &json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket", "Sid": "x".repeat(21_000)}),
    );
    assert_eq!(
        Here::code(here.on_bucket("PutBucketPolicy", "Policy", long)),
        "MalformedPolicy"
    );
}

#[test]
fn the_public_comes_in_only_where_nothing_blocks_it() {
    let here = Here::with_bucket();
    let list = || here.plain("GET", "/bucket", &[]).status;
    let put = || here.on_bucket("PutBucketPolicy", "Policy", text(&public()));
    let refused = put().unwrap_err();
    assert!(
        refused.message.contains("BlockPublicPolicy"),
        "{}",
        refused.message
    );
    here.call("DeletePublicAccessBlock", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(list(), 403);
    put().unwrap();
    assert_eq!(list(), 200);
    let block = |value: bool| {
        let block = json!({"RestrictPublicBuckets": value});
        let input = json!({"AccountId": ACCOUNT, "PublicAccessBlockConfiguration": block});
        here.cloud
            .call(&here.cloud.root(), "s3control", "PutPublicAccessBlock", input)
            .unwrap();
    };
    block(true);
    assert_eq!(list(), 403);
    block(false);
    assert_eq!(list(), 200);
    here.call("DeleteBucketPolicy", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(list(), 403);
}

#[test]
fn a_policy_lets_in_whom_it_names_and_nobody_who_takes_the_name_later() {
    let here = Here::with_bucket();
    let reader = here.user("reader");
    let user = format!("arn:aws:iam::{ACCOUNT}:user/reader");
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": user}, "Action": "s3:GetBucketVersioning", "Resource": "arn:aws:s3:::bucket"});
    let ask = |caller| {
        let input = json!({"Bucket": "bucket"});
        Here::code(here.cloud.call(caller, "s3", "GetBucketVersioning", input))
    };
    assert_eq!(ask(&reader), "AccessDenied");
    here.on_bucket("PutBucketPolicy", "Policy", text(&statement))
        .unwrap();
    assert_eq!(ask(&reader), "");
    let root = here.cloud.root();
    let iam = |operation: &str, input| {
        here.cloud
            .call_in("us-east-1", &root, "iam", operation, input)
            .unwrap();
    };
    let key = reader.access_key_id.to_string();
    iam(
        "DeleteAccessKey",
        json!({"UserName": "reader", "AccessKeyId": key}),
    );
    iam("DeleteUser", json!({"UserName": "reader"}));
    let again = here.user("reader");
    assert_eq!(ask(&again), "AccessDenied");
}

#[test]
fn the_owners_root_user_is_never_locked_out_of_the_policy() {
    let here = Here::with_bucket();
    let all = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]});
    here.on_bucket("PutBucketPolicy", "Policy", text(&all)).unwrap();
    let asked = here.call("GetBucketVersioning", json!({"Bucket": "bucket"}));
    assert_eq!(Here::code(asked), "AccessDenied");
    here.call("DeleteBucketPolicy", json!({"Bucket": "bucket"}))
        .unwrap();
    here.call("GetBucketVersioning", json!({"Bucket": "bucket"}))
        .unwrap();
}

#[test]
fn lists_count_where_ownership_lets_them() {
    let here = Here::with_bucket();
    let list = || here.plain("GET", "/bucket", &[]).status;
    let acl = |canned: &str| Here::code(here.on_bucket("PutBucketAcl", "ACL", json!(canned)));
    assert_eq!(acl("public-read"), "AccessControlListNotSupported");
    let rules = json!({"Rule": [{"ObjectOwnership": "ObjectWriter"}]});
    here.on_bucket("PutBucketOwnershipControls", "OwnershipControls", rules)
        .unwrap();
    assert_eq!(acl("public-read"), "AccessDenied");
    here.call("DeletePublicAccessBlock", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(acl("public-read"), "");
    assert_eq!(list(), 200);
    let ignore = json!({"IgnorePublicAcls": true});
    here.on_bucket("PutPublicAccessBlock", "PublicAccessBlockConfiguration", ignore)
        .unwrap();
    assert_eq!(list(), 403);
    assert_eq!(acl("private"), "");
    let shown = here.call("GetBucketAcl", json!({"Bucket": "bucket"})).unwrap();
    assert_eq!(shown["AccessControlList"][0]["Permission"], "FULL_CONTROL");
}

#[test]
fn strangers_are_recorded_as_such() {
    let here = Here::with_bucket();
    assert_eq!(here.plain("GET", "/bucket", &[]).status, 403);
    let records = here.cloud.records(ACCOUNT, "us-east-1");
    let last = records.last().unwrap();
    assert_eq!(last.operation, "ListObjects");
    assert_eq!(last.caller.kind, pipeline::identity::IdentityType::Unknown);
}

/// S3 API Reference, "PutBucketPolicy": a policy may deny its own change; only the root user of the owner's account comes back then. What
/// asks for a confirmation is in the model, and AWS takes such policies without it.
#[test]
fn a_policy_that_denies_its_change_is_changed_by_root_alone() {
    let here = Here::with_bucket();
    let keeper = here.user("keeper");
    let root = here.cloud.root();
    let policy =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let input = json!({"UserName": "keeper", "PolicyName": "own", "PolicyDocument": policy.to_string()});
    here.cloud
        .call_in("us-east-1", &root, "iam", "PutUserPolicy", input)
        .unwrap();
    let deny = |action: &str| json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "arn:aws:s3:::bucket"});
    let put = |statement: &Value| {
        let input = json!({"Bucket": "bucket", "Policy": text(statement)});
        here.cloud.call(&keeper, "s3", "PutBucketPolicy", input)
    };
    put(&deny("s3:PutBucketPolicy")).unwrap();
    assert_eq!(Here::code(put(&deny("s3:GetBucketAcl"))), "AccessDenied");
    here.on_bucket("PutBucketPolicy", "Policy", text(&deny("s3:GetBucketAcl")))
        .unwrap();
    put(&deny("s3:GetBucketAcl")).unwrap();
}
