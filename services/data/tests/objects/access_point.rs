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
        here.send("PUT", &path("copy"), "", &[("x-amz-copy-source", &source)], b"")
            .fine();
        assert_eq!(
            here.get("/bucket/copy", "").expect(200).bytes(),
            b"part",
            "{source}"
        );
    }
    let absent = format!("{}/object/k", ARN.replace("door", "wall"));
    here.send("PUT", "/bucket/copy", "", &[("x-amz-copy-source", &absent)], b"")
        .refused(404, "NoSuchAccessPoint");
    let body = "<Delete><Object><Key>copy</Key></Object></Delete>";
    here.post(SEGMENT, "delete", body).fine();
    here.delete(&path("new"), "").expect(204);
    assert_eq!(
        here.get("/bucket", "list-type=2").expect(200).all("Key"),
        ["k", "parts"]
    );
    for query in ["acl", "location", "notification"] {
        here.get(SEGMENT, query).expect(200);
    }
}

/// S3 API Reference, "CopyObject": copies through access points stay in one region; a redirect would send the client to the source.
#[test]
fn a_source_through_an_access_point_of_another_region_is_refused() {
    let (here, alias) = door();
    let far = json!({"Bucket": "far", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}});
    here.cloud
        .call_in("eu-west-1", &here.cloud.root(), "s3", "CreateBucket", far)
        .unwrap();
    for source in [format!("{ARN}/object/k"), format!("/{alias}/k")] {
        let copy = json!({"Bucket": "far", "Key": "copy", "CopySource": source});
        let refused = here
            .cloud
            .call_in("eu-west-1", &here.cloud.root(), "s3", "CopyObject", copy);
        assert_eq!(refused.unwrap_err().code, "InvalidRequest", "{source}");
    }
    let copy = json!({"Bucket": "far", "Key": "copy", "CopySource": "bucket/k"});
    here.cloud
        .call_in("eu-west-1", &here.cloud.root(), "s3", "CopyObject", copy)
        .unwrap();
}

/// What access points do not know is refused, and changes nothing.
#[test]
fn other_operations_are_refused_there() {
    let (here, alias) = door();
    for path in [
        SEGMENT.to_owned(),
        format!("/{alias}"),
        format!("/door-{ACCOUNT}"),
    ] {
        let body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        here.put(&path, "versioning", body)
            .refused(405, "MethodNotAllowed");
        here.put(&path, "policy", b"{}").refused(405, "MethodNotAllowed");
        here.delete(&path, "").refused(405, "MethodNotAllowed");
        here.get(&path, "encryption").refused(405, "MethodNotAllowed");
    }
    here.put("/wall-abc-s3alias", "versioning", b"<VersioningConfiguration/>")
        .refused(405, "MethodNotAllowed");
}

/// The record names the object and the access point, and both decisions.
#[test]
fn the_record_names_the_access_point() {
    let (here, _) = door();
    here.get(&format!("{SEGMENT}/k"), "").expect(200);
    let mut records = here.cloud.records(ACCOUNT, REGION).into_iter();
    let record = records.find(|record| record.operation == "GetObject").unwrap();
    let named = record.resources.iter();
    let named: Vec<_> = named.map(|one| (one.kind.as_str(), one.arn.as_str())).collect();
    let object = ("AWS::S3::Object", "arn:aws:s3:::bucket/k");
    assert_eq!(named, [object, ("AWS::S3::AccessPoint", ARN)]);
    let judged: Vec<_> = record
        .judgements
        .iter()
        .map(|one| one.resource.as_str())
        .collect();
    assert_eq!(judged, [&format!("{ARN}/object/k"), "arn:aws:s3:::bucket/k"]);
}

#[test]
fn an_access_point_of_a_vpc_answers_nobody_outside() {
    let (here, _) = door();
    let asked = json!({"Name": "inner", "Bucket": "bucket", "VpcConfiguration": {"VpcId": "vpc-1a2b3c"}});
    let alias = control(&here, "CreateAccessPoint", asked).unwrap()["Alias"].clone();
    let shown = control(&here, "GetAccessPoint", json!({"Name": "inner"})).unwrap();
    assert_eq!(shown["NetworkOrigin"], "VPC");
    assert_eq!(shown["VpcConfiguration"]["VpcId"], "vpc-1a2b3c");
    here.get(&format!("/{}/k", alias.as_str().unwrap()), "")
        .refused(403, "AccessDenied");
    here.get(&format!("{SEGMENT}/k"), "").expect(200);
}

fn list_as(here: &Here, account: &str, bucket: &str) -> Result<Value, Failure> {
    let root = Arc::new(pipeline::Identity::root(account));
    here.cloud
        .call(&root, "s3", "ListObjectsV2", json!({"Bucket": bucket}))
}

fn make(here: &Here, name: &str, bucket: &str) -> Result<Value, Failure> {
    control(here, "CreateAccessPoint", json!({"Name": name, "Bucket": bucket}))
}

#[test]
fn another_accounts_access_point_gives_what_the_bucket_gives_it() {
    let (here, _) = door();
    let make_far = |more: Value| {
        let mut input = json!({"Name": "far", "Bucket": "bucket"});
        if !more.is_null() {
            input["BucketAccountId"] = more;
        }
        control_as(&here, OTHER, "CreateAccessPoint", input)
    };
    assert_eq!(code(make_far(Value::Null)), "InvalidRequest");
    assert_eq!(code(make_far(json!("777788889999"))), "AccessDenied");
    let far = make_far(json!(ACCOUNT)).unwrap()["AccessPointArn"].clone();
    let list = || list_as(&here, OTHER, far.as_str().unwrap());
    assert_eq!(code(list()), "AccessDenied");
    delegate(&here, OTHER);
    assert_eq!(list().unwrap()["Contents"][0]["Key"], "k");
    assert_eq!(code(list_as(&here, OTHER, "bucket")), "AccessDenied");
    let theirs = json!({"Name": "far", "AccountId": OTHER});
    assert_eq!(code(control(&here, "GetAccessPoint", theirs)), "AccessDenied");
    // The access point is the bucket's, not its name's.
    control(&here, "DeleteAccessPoint", json!({"Name": "door"})).unwrap();
    here.delete("/bucket/k", "").expect(204);
    here.delete("/bucket", "").expect(204);
    take(&here, "bucket").unwrap();
    assert_eq!(code(list()), "NoSuchBucket");
}

/// The other account makes a bucket.
fn take(here: &Here, name: &str) -> Result<Value, Failure> {
    let root = Arc::new(pipeline::Identity::root(OTHER));
    let place = json!({"LocationConstraint": REGION});
    let input = json!({"Bucket": name, "CreateBucketConfiguration": place});
    here.cloud.call(&root, "s3", "CreateBucket", input)
}

/// Requests by the ARN of an access point come under the name of its host, which no stranger's bucket may have.
#[test]
fn no_stranger_takes_the_host_of_an_access_point() {
    let (here, _) = door();
    let host = |name: &str| format!("{name}-{ACCOUNT}");
    assert_eq!(code(take(&here, &host("door"))), "BucketAlreadyExists");
    take(&here, &host("gate")).unwrap();
    assert_eq!(code(make(&here, "gate", "bucket")), "InvalidAccessPoint");
}

#[test]
fn what_is_public_is_kept_from_the_public() {
    let (here, _) = door();
    let public = json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{ARN}/object/*")}]);
    let refused = policy(&here, &public).unwrap_err();
    assert!(
        refused.message.contains("BlockPublicPolicy"),
        "{}",
        refused.message
    );
    let block = json!({"BlockPublicPolicy": false, "RestrictPublicBuckets": true});
    let asked = json!({"Name": "open", "Bucket": "bucket", "PublicAccessBlockConfiguration": block});
    let arn = control(&here, "CreateAccessPoint", asked).unwrap()["AccessPointArn"].clone();
    let text = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": arn}]});
    let input = json!({"Name": "open", "Policy": text.to_string()});
    control(&here, "PutAccessPointPolicy", input).unwrap();
    let status = control(&here, "GetAccessPointPolicyStatus", json!({"Name": "open"})).unwrap();
    assert_eq!(status["PolicyStatus"]["IsPublic"], true);
    delegate(&here, ACCOUNT);
    let arn = arn.as_str().unwrap();
    assert_eq!(code(list_as(&here, OTHER, arn)), "AccessDenied");
    list_as(&here, ACCOUNT, arn).unwrap();
}

#[test]
fn a_policy_speaks_of_its_own_access_point() {
    let (here, _) = door();
    let ask = |operation: &str| control(&here, operation, json!({"Name": "door"}));
    assert_eq!(code(ask("GetAccessPointPolicy")), "NoSuchAccessPointPolicy");
    let put = |resource: &str, action: &str| {
        let statement =
            json!([{"Effect": "Deny", "Principal": user_arn("u"), "Action": action, "Resource": resource}]);
        code(policy(&here, &statement))
    };
    assert_eq!(put(ARN, "s3:ListBucket"), "MalformedPolicy");
    here.user("u", &["s3:GetObject"], &["*"]);
    assert_eq!(put(ARN, "s3:ListBucket"), "");
    assert_eq!(put(&format!("{ARN}/object/a*"), "s3:GetObject"), "");
    let (longer, bare) = (format!("{ARN}s"), format!("{ARN}/k"));
    for (resource, action) in [
        ("arn:aws:s3:::bucket", "s3:ListBucket"),
        (longer.as_str(), "s3:ListBucket"),
        (bare.as_str(), "s3:GetObject"),
        (ARN, "s3:GetObject"),
        (ARN, "kms:Decrypt"),
    ] {
        assert_eq!(put(resource, action), "MalformedPolicy", "{resource} {action}");
    }
    let shown = ask("GetAccessPointPolicy").unwrap();
    assert!(shown["Policy"].as_str().unwrap().contains("user/u"), "{shown}");
    ask("DeleteAccessPointPolicy").unwrap();
    assert_eq!(code(ask("GetAccessPointPolicyStatus")), "NoSuchAccessPointPolicy");
}

fn names(listed: &Value) -> Vec<String> {
    let list = listed["AccessPointList"].as_array().unwrap().iter();
    list.map(|one| one["Name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn access_points_are_made_listed_and_ended() {
    let (here, _) = door();
    assert_eq!(
        code(make(&here, "door", "bucket")),
        "AccessPointAlreadyOwnedByYou"
    );
    assert_eq!(code(make(&here, "Door", "bucket")), "InvalidAccessPoint");
    assert_eq!(code(make(&here, "none", "nowhere")), "InvalidRequest");
    here.make_bucket("second");
    make(&here, "gate", "second").unwrap();
    let longest = "x".repeat(50);
    let alias = make(&here, &longest, "bucket").unwrap()["Alias"].clone();
    assert_eq!(alias.as_str().unwrap().len(), 63);
    let list = |input: Value| control(&here, "ListAccessPoints", input);
    let (mut all, mut input) = (Vec::new(), json!({"MaxResults": 1}));
    loop {
        let page = list(input.clone()).unwrap();
        all.extend(names(&page));
        if page["NextToken"].is_null() {
            break;
        }
        input["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!(all, ["door", "gate", longest.as_str()]);
    let of_bucket = list(json!({"Bucket": "bucket"})).unwrap();
    assert_eq!(names(&of_bucket), ["door", longest.as_str()]);
    assert_eq!(code(list(json!({"NextToken": "x"}))), "InvalidNextToken");
    control(&here, "DeleteAccessPoint", json!({"Name": longest})).unwrap();
    here.delete("/bucket/k", "").expect(204);
    here.delete("/bucket", "")
        .refused(400, "BucketHasAccessPointsAttached");
    control(&here, "DeleteAccessPoint", json!({"Name": "door"})).unwrap();
    here.delete("/bucket", "").expect(204);
}

#[test]
fn access_points_have_tags() {
    let (here, _) = door();
    let ask = |operation: &str, mut input: Value| {
        input["ResourceArn"] = json!(ARN);
        control(&here, operation, input).unwrap()
    };
    let tags = json!([{"Key": "team", "Value": "blue"}]);
    ask("TagResource", json!({"Tags": tags}));
    assert_eq!(ask("ListTagsForResource", json!({}))["Tags"], tags);
    ask("UntagResource", json!({"TagKeys": ["team"]}));
    assert_eq!(ask("ListTagsForResource", json!({}))["Tags"], json!([]));
}
