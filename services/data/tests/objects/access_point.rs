//! Access points: who comes through, by which name, and what can be done there (S3 User Guide, "Access points").

use std::sync::Arc;

use pipeline::testing::{ACCOUNT, Failure, REGION};
use serde_json::{Value, json};

use crate::client::{Here, Keys, Reply};

const OTHER: &str = "444455556666";
const ARN: &str = "arn:aws:s3:eu-central-1:111122223333:accesspoint/door";
/// The same as a segment of a path.
const SEGMENT: &str = "/arn%3Aaws%3As3%3Aeu-central-1%3A111122223333%3Aaccesspoint%2Fdoor";

fn control(here: &Here, operation: &str, input: Value) -> Result<Value, Failure> {
    control_as(here, ACCOUNT, operation, input)
}

fn control_as(here: &Here, account: &str, operation: &str, mut input: Value) -> Result<Value, Failure> {
    if input.get("AccountId").is_none() {
        input["AccountId"] = json!(account);
    }
    let root = Arc::new(pipeline::Identity::root(account));
    here.cloud.call(&root, "s3control", operation, input)
}

/// A cloud with the access point `door` to `bucket`, in which lies the object `k`; and the alias.
fn door() -> (Here, String) {
    let here = Here::new();
    here.put("/bucket/k", "", b"words").expect(200);
    let made = control(
        &here,
        "CreateAccessPoint",
        json!({"Name": "door", "Bucket": "bucket"}),
    )
    .unwrap();
    assert_eq!(made["AccessPointArn"], ARN);
    (here, made["Alias"].as_str().unwrap().to_owned())
}

fn policy(here: &Here, statements: &Value) -> Result<Value, Failure> {
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    control(
        here,
        "PutAccessPointPolicy",
        json!({"Name": "door", "Policy": policy}),
    )
}

fn bucket_policy(here: &Here, statements: &Value) {
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    here.put("/bucket", "policy", policy.as_bytes()).fine();
}

/// The bucket leaves it to the access points of an account.
fn delegate(here: &Here, account: &str) {
    let whole = ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"];
    let condition = json!({"StringEquals": {"s3:DataAccessPointAccount": account}});
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": whole, "Condition": condition});
    bucket_policy(here, &json!([statement]));
}

fn user_arn(name: &str) -> Value {
    json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:user/{name}")})
}

fn through(here: &Here, keys: &Keys, key: &str) -> Reply {
    here.send_as(keys, "GET", &format!("{SEGMENT}/{key}"), "", &[], b"")
}

fn code(answer: Result<Value, Failure>) -> String {
    answer.err().map(|failure| failure.code).unwrap_or_default()
}

#[test]
fn an_access_point_is_reached_by_arn_alias_and_host() {
    let (here, alias) = door();
    let root = here.root.clone();
    let ask = |host: &str, path: &str| here.send_as(&root, "GET", path, "", &[("host", host)], b"");
    let plain = "127.0.0.1:4566";
    let regional = format!("door-{ACCOUNT}.s3-accesspoint.{REGION}.amazonaws.com");
    let before = format!("door-{ACCOUNT}.localhost:4566");
    for (host, path) in [
        (plain, format!("{SEGMENT}/k")),
        (plain, format!("/{alias}/k")),
        (plain, format!("/door-{ACCOUNT}/k")),
        (&format!("{alias}.s3.localhost"), "/k".to_owned()),
        (&regional, "/k".to_owned()),
        (&before, "/k".to_owned()),
    ] {
        assert_eq!(ask(host, &path).expect(200).bytes(), b"words", "{host} {path}");
    }
    ask(plain, &SEGMENT.replace("door", "wall")).refused(404, "NoSuchAccessPoint");
    ask(plain, "/wall-abc-s3alias").refused(404, "NoSuchBucket");
    let head = here.head(&format!("/{alias}")).expect(200);
    assert_eq!(head.header("x-amz-access-point-alias"), Some("true"));
    here.anonymous("GET", &format!("/{alias}/k"))
        .refused(403, "AccessDenied");
    control(&here, "DeleteAccessPoint", json!({"Name": "door"})).unwrap();
    ask(plain, &format!("{SEGMENT}/k")).refused(404, "NoSuchAccessPoint");
    ask(plain, &format!("/{alias}/k")).refused(404, "NoSuchBucket");
    ask(&before, "/k").refused(404, "NoSuchBucket");
}

/// Both the access point and the bucket must allow, each by its own ARNs.
#[test]
fn who_comes_through_is_let_in_twice() {
    let (here, _) = door();
    let (points, objects) = (format!("{ARN}/object/*"), "arn:aws:s3:::bucket/*");
    let none = here.user("none", &["s3:ListAllMyBuckets"], &["*"]);
    let both = here.user("both", &["s3:GetObject"], &[&points, objects]);
    let front = here.user("front", &["s3:GetObject"], &[&points]);
    let back = here.user("back", &["s3:GetObject"], &[objects]);
    through(&here, &both, "k").expect(200);
    through(&here, &front, "k").refused(403, "AccessDenied");
    let refused = through(&here, &back, "k").refused(403, "AccessDenied");
    assert!(
        refused.text().contains(&format!("{ARN}/object/k")),
        "{}",
        refused.text()
    );
    here.send_as(&back, "GET", "/bucket/k", "", &[], b"").expect(200);
    // The access point's policy alone is not enough; what the bucket leaves to it is.
    let grant = |condition: Value| json!([{"Effect": "Allow", "Principal": user_arn("none"), "Action": "s3:GetObject", "Resource": points, "Condition": condition}]);
    policy(&here, &grant(json!({}))).unwrap();
    through(&here, &none, "k").refused(403, "AccessDenied");
    delegate(&here, ACCOUNT);
    through(&here, &none, "k").expect(200);
    through(&here, &front, "k").expect(200);
    here.send_as(&none, "GET", "/bucket/k", "", &[], b"")
        .refused(403, "AccessDenied");
    // Conditions of the request and of the object hold there too.
    policy(
        &here,
        &grant(json!({"StringEquals": {"s3:ExistingObjectTag/color": "red"}})),
    )
    .unwrap();
    through(&here, &none, "k").refused(403, "AccessDenied");
    here.put(
        "/bucket/k",
        "tagging",
        b"<Tagging><TagSet><Tag><Key>color</Key><Value>red</Value></Tag></TagSet></Tagging>",
    )
    .fine();
    through(&here, &none, "k").expect(200);
    // Either side's denial counts.
    let deny = json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": points}]);
    policy(&here, &deny).unwrap();
    through(&here, &both, "k").refused(403, "AccessDenied");
    here.send_as(&both, "GET", "/bucket/k", "", &[], b"").expect(200);
    control(&here, "DeleteAccessPointPolicy", json!({"Name": "door"})).unwrap();
    let condition = json!({"StringNotEquals": {"s3:AccessPointNetworkOrigin": "VPC"}, "ArnLike": {"s3:DataAccessPointArn": ARN}});
    bucket_policy(
        &here,
        &json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": objects, "Condition": condition}]),
    );
    through(&here, &both, "k").refused(403, "AccessDenied");
    here.send_as(&both, "GET", "/bucket/k", "", &[], b"").expect(200);
}

#[test]
fn operations_on_objects_and_lists_go_through() {
    let (here, alias) = door();
    let path = |key: &str| format!("{SEGMENT}/{key}");
    here.put(&path("new"), "", b"more").expect(200);
    assert_eq!(here.get("/bucket/new", "").expect(200).bytes(), b"more");
    let listed = here.get(SEGMENT, "list-type=2").expect(200);
    assert_eq!(listed.all("Key"), ["k", "new"]);
    here.get(&path("none"), "").refused(404, "NoSuchKey");
    let lookup = here.user("lookup", &["s3:GetObject"], &["*"]);
    through(&here, &lookup, "none").refused(403, "AccessDenied");
    let upload = here.send("POST", &path("parts"), "uploads", &[], b"").expect(200);
    assert_eq!(upload.one("Bucket"), "bucket");
    let id = upload.one("UploadId");
    let part = here
        .put(&path("parts"), &format!("partNumber=1&uploadId={id}"), b"part")
        .expect(200);
    assert_eq!(
        here.get(&path("parts"), &format!("uploadId={id}"))
            .expect(200)
            .all("PartNumber"),
        ["1"]
    );
    let tag = part.header("etag").unwrap();
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    );
    here.post(&format!("/{alias}/parts"), &format!("uploadId={id}"), &body)
        .fine();
    for source in [
        format!("{ARN}/object/parts"),
        format!("{}/object/parts", ARN.replace(':', "%3A")),
        format!("/{alias}/parts"),
    ] {

