//! Copies in other buckets, made by S3 as a role.

use pipeline::ledger::Record;
use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::client::{DAY, Here, Reply};
use crate::encryption::{customer, given, unblock};
use crate::function::{FUNCTION, heard};

const STATUS: &str = "x-amz-replication-status";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/replicator";
/// What AWS's guide gives the role.
const SOURCE: &[&str] = &[
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
    "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
];
const TARGET: &[&str] = &["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"];

pub(crate) fn iam(here: &Here, operation: &str, input: Value) -> Value {
    let answer = here.cloud.call(&here.cloud.root(), "iam", operation, input);
    answer.unwrap_or_else(|failure| panic!("{operation}: {} {}", failure.code, failure.message))
}

/// Gives the role these permissions and no others.
pub(crate) fn permit(here: &Here, actions: &[&str]) {
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}});
    let input = json!({"RoleName": "replicator", "PolicyName": "own", "PolicyDocument": policy.to_string()});
    iam(here, "PutRolePolicy", input);
}

/// A cloud with two buckets that keep versions, and the role.
pub(crate) fn pair() -> Here {
    let here = Here::versioned();
    here.make_bucket("copies");
    here.versioning_of("copies", "Enabled");
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}}});
    let role = json!({"RoleName": "replicator", "AssumeRolePolicyDocument": trust.to_string()});
    iam(&here, "CreateRole", role);
    permit(&here, &[SOURCE, TARGET].concat());
    here
}

/// A rule of the newer form.
pub(crate) fn rule(id: &str, priority: u32, filter: &str, to: &str, more: &str) -> String {
    format!(
        "<Rule><ID>{id}</ID><Priority>{priority}</Priority><Status>Enabled</Status><Filter>{filter}</Filter>\
         <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>\
         <Destination><Bucket>arn:aws:s3:::{to}</Bucket></Destination>{more}</Rule>"
    )
}

pub(crate) fn configure(here: &Here, bucket: &str, rules: &str) -> Reply {
    let body = format!("<ReplicationConfiguration><Role>{ROLE}</Role>{rules}</ReplicationConfiguration>");
    here.put(&format!("/{bucket}"), "replication", body.as_bytes())
}

/// A cloud whose `bucket` is copied to `copies` whole.
pub(crate) fn replicated() -> Here {
    let here = pair();
    configure(&here, "bucket", &rule("all", 1, "", "copies", "")).fine();
    here
}

pub(crate) fn id(reply: &Reply) -> String {
    reply.header("x-amz-version-id").unwrap().to_owned()
}

/// The status of a version.
pub(crate) fn status(here: &Here, path: &str) -> String {
    let head = here.head(path).expect(200);
    head.header(STATUS).unwrap_or("-").to_owned()
}

/// What the role's session did, by operation.
pub(crate) fn by_role(here: &Here, operation: &str) -> Vec<Record> {
    let records = here.cloud.records(ACCOUNT, REGION).into_iter();
    records
        .filter(|record| {
            record.operation == operation && record.caller.invoked_by.as_deref() == Some("s3.amazonaws.com")
        })
        .collect()
}

#[test]
fn a_copy_is_the_same_version_in_another_bucket() {
    let here = replicated();
    let headers = [
        ("content-type", "text/plain"),
        ("x-amz-meta-author", "me"),
        ("x-amz-tagging", "team=blue"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    let put = here.send("PUT", "/bucket/a", "", &headers, b"hello").fine();
    assert_eq!(status(&here, "/bucket/a"), "PENDING");
    here.head("/copies/a").expect(404);
    here.advance(5_000);
    assert_eq!(status(&here, "/bucket/a"), "COMPLETED");
    let (original, copy) = (
        here.get("/bucket/a", "").expect(200),
        here.get("/copies/a", "").expect(200),
    );
    assert_eq!(copy.bytes(), b"hello");
    assert_eq!(copy.header(STATUS), Some("REPLICA"));
    assert_eq!(id(&copy), id(&put));
    for name in [
        "etag",
        "last-modified",
        "content-type",
        "x-amz-meta-author",
        "x-amz-storage-class",
        "x-amz-tagging-count",
    ] {
        assert_eq!(copy.header(name), original.header(name), "{name}");
        assert!(copy.header(name).is_some(), "{name}");
    }
    let sum = [("x-amz-checksum-mode", "ENABLED")];
    let told = here.send("GET", "/copies/a", "", &sum, b"").expect(200);
    assert_eq!(
        told.header("x-amz-checksum-crc64nvme"),
        put.header("x-amz-checksum-crc64nvme")
    );
    // The role's session read and wrote, and S3 assumed the role for the bucket.
    for operation in ["AssumeRole", "GetObject", "PutObject"] {
        let told = by_role(&here, operation);
        assert_eq!(told.len(), 1, "{operation}");
        assert!(told[0].error.is_none());
    }
    assert!(
        by_role(&here, "PutObject")[0]
            .caller
            .arn
            .ends_with("assumed-role/replicator/s3-replication")
    );
    // What is there already is not copied, and a version that is deleted for good is deleted here alone.
    here.delete("/bucket/a", &format!("versionId={}", id(&put)))
        .fine();
    here.advance(0);
    here.head("/copies/a").expect(200);
}

#[test]
fn a_replica_is_not_replicated_again() {
    let here = replicated();
    here.make_bucket("third");
    here.versioning_of("third", "Enabled");
    configure(&here, "copies", &rule("on", 1, "", "third", "")).fine();
    here.put("/bucket/a", "", b"x").fine();
    here.put("/copies/own", "", b"x").fine();
    here.advance(0);
    here.head("/copies/a").expect(200);
    here.head("/third/own").expect(200);
    here.head("/third/a").expect(404);
    // Nor is there a way back: two buckets may be each other's copies.
    configure(&here, "copies", &rule("back", 1, "", "bucket", "")).fine();
    here.put("/bucket/b", "", b"x").fine();
    here.put("/copies/c", "", b"x").fine();
    here.advance(0);
    assert_eq!(status(&here, "/copies/b"), "REPLICA");
    assert_eq!(status(&here, "/bucket/c"), "REPLICA");
    assert!(here.is_idle());
}

#[test]
fn without_a_permission_nothing_is_copied_and_the_trail_tells() {
    for (lacks, operation, reason) in [
        (
            "s3:GetReplicationConfiguration",
            "GetObject",
            "InitiateReplicationNotPermitted",
        ),
        (
            "s3:GetObjectVersionForReplication",
            "GetObject",
            "SrcGetObjectNotPermitted",
        ),
        ("s3:GetObjectVersionAcl", "GetObject", "SrcGetAclNotPermitted"),
        ("s3:ReplicateObject", "PutObject", "DstPutObjectNotPermitted"),
    ] {
        let here = pair();
        let left: Vec<_> = [SOURCE, TARGET]
            .concat()
            .into_iter()
            .filter(|action| *action != lacks)
            .collect();
        permit(&here, &left);
        let metrics = "<Metrics><Status>Enabled</Status></Metrics></Destination>";
        let rule = rule("all", 1, "", "copies", "").replace("</Destination>", metrics);
        configure(&here, "bucket", &rule).fine();
        let told = format!(
            "<NotificationConfiguration><CloudFunctionConfiguration><CloudFunction>{FUNCTION}</CloudFunction>\
             <Event>s3:Replication:*</Event></CloudFunctionConfiguration></NotificationConfiguration>"
        );
        here.put("/bucket", "notification", told.as_bytes()).fine();
        here.put("/bucket/a", "", b"x").fine();
        here.advance(0);
        assert_eq!(status(&here, "/bucket/a"), "FAILED", "{lacks}");
        here.head("/copies/a").expect(404);
        let refused = by_role(&here, operation);
        let error = refused[0].error.as_ref().unwrap();
        assert_eq!(error.code, "AccessDenied", "{lacks}");
        assert!(error.message.contains(lacks), "{}", error.message);
        let told = heard();
        assert_eq!(told.len(), 1, "{lacks}");
        assert_eq!(told[0]["eventName"], "Replication:OperationFailedReplication");
        let data = &told[0]["replicationEventData"];
        assert_eq!(data["failureReason"], reason);
        assert_eq!(data["destinationBucket"], "arn:aws:s3:::copies");
        assert_eq!(data["replicationRuleId"], "all");
        // It stays so: a failed copy is not tried again.
        permit(&here, &[SOURCE, TARGET].concat());
        here.advance(DAY);
        assert_eq!(status(&here, "/bucket/a"), "FAILED");
    }
}

#[test]
fn a_role_that_does_not_trust_s3_and_a_bucket_without_versions_fail() {
    let here = replicated();
    let nobody = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "s3.amazonaws.com"}, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::another"}}}});
    let trust = json!({"RoleName": "replicator", "PolicyDocument": nobody.to_string()});
    iam(&here, "UpdateAssumeRolePolicy", trust);
    here.put("/bucket/a", "", b"x").fine();
    here.advance(0);
    assert_eq!(status(&here, "/bucket/a"), "FAILED");
    let refused = by_role(&here, "AssumeRole");
    assert_eq!(refused[0].error.as_ref().unwrap().code, "AccessDenied");
    let here = replicated();
    here.versioning_of("copies", "Suspended");
    here.put("/bucket/a", "", b"x").fine();
    here.advance(0);
    assert_eq!(status(&here, "/bucket/a"), "FAILED");
    // Lifecycle rules leave what is not copied where it is.
    let body = "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule>\
                </LifecycleConfiguration>";
    here.put("/bucket", "lifecycle", body.as_bytes()).fine();
    here.versioning_of("copies", "Enabled");
    here.put("/bucket/b", "", b"x").fine();
    here.advance(5 * DAY);
    here.head("/bucket/a").expect(200);
    here.head("/bucket/b").expect(404);
    // The marker of a lifecycle rule is not copied either.
    here.head("/copies/b").expect(200);
}

fn tags(here: &Here, bucket: &str, value: &str) {
    let body = format!("<Tagging><TagSet><Tag><Key>k</Key><Value>{value}</Value></Tag></TagSet></Tagging>");
    here.put(&format!("/{bucket}/a"), "tagging", body.as_bytes())
        .fine();
}

fn tag(here: &Here, bucket: &str) -> String {
    here.get(&format!("/{bucket}/a"), "tagging").fine().one("Value")
}

#[test]
fn changes_of_tags_follow_and_come_back_only_where_a_rule_says_so() {
    let here = replicated();
    here.put("/bucket/a", "", b"x").fine();
    here.advance(0);
    tags(&here, "bucket", "one");
    assert_eq!(status(&here, "/bucket/a"), "PENDING");
    here.advance(0);
    assert_eq!(status(&here, "/bucket/a"), "COMPLETED");
    assert_eq!(tag(&here, "copies"), "one");
    tags(&here, "copies", "own");
    here.advance(0);
    assert_eq!(tag(&here, "bucket"), "one");
    let back = "<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria>";
    configure(&here, "copies", &rule("back", 1, "", "bucket", back)).fine();
    tags(&here, "copies", "two");
    assert_eq!(status(&here, "/copies/a"), "PENDING");
    here.advance(0);
    assert_eq!(status(&here, "/copies/a"), "REPLICA");
    assert_eq!(tag(&here, "bucket"), "two");
    // And there it ends.
    assert!(here.is_idle());
    // Without the permission to read or to write tags, objects come without them.
    let deny = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:ReplicateTags", "Principal": {"AWS": ROLE},
        "Resource": "arn:aws:s3:::copies/*"}});
    here.put("/copies", "policy", deny.to_string().as_bytes()).fine();
    here.send("PUT", "/bucket/b", "", &[("x-amz-tagging", "k=v")], b"x")
        .fine();
    here.advance(0);
    assert_eq!(status(&here, "/bucket/b"), "COMPLETED");
    assert!(
        here.head("/copies/b")
            .expect(200)
            .header("x-amz-tagging-count")
            .is_none()
    );
}

/// The copy is encrypted under the key that the rule names, for its own ARN, with what the guide lets the role ask of KMS.
#[test]
fn objects_under_kms_need_a_key_at_the_destination() {
    let here = pair();
    let kms = |operation: &str, input| {
        here.cloud
            .call(&here.cloud.root(), "kms", operation, input)
            .unwrap()
    };
    let key = || {
        kms("CreateKey", json!({}))["KeyMetadata"]["Arn"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (key(), key());
    configure(&here, "bucket", &rule("all", 1, "", "copies", "")).fine();
    let headers = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", first.as_str()),
    ];
    let put = |key: &str| {
        here.send("PUT", &format!("/bucket/{key}"), "", &headers, b"secret words")
            .fine()
    };
    put("left");
    here.advance(0);
    assert_eq!(status(&here, "/bucket/left"), "-");
    let under = "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>";
    let named = format!(
        "<EncryptionConfiguration><ReplicaKmsKeyID>{second}</ReplicaKmsKeyID></EncryptionConfiguration></Destination>"
    );
    let all = rule("all", 1, "", "copies", under);
    configure(&here, "bucket", &all).refused(400, "InvalidRequest");
    configure(&here, "bucket", &all.replace("</Destination>", &named)).fine();
    put("a");
    here.advance(0);
    assert_eq!(status(&here, "/bucket/a"), "FAILED");
    permit(&here, &[SOURCE, TARGET, &["kms:Decrypt", "kms:Encrypt"]].concat());
    put("b");
    here.advance(0);
    assert_eq!(status(&here, "/bucket/b"), "COMPLETED");
    let copy = here.get("/copies/b", "").expect(200);
    assert_eq!(copy.bytes(), b"secret words");
    assert_eq!(
        copy.header("x-amz-server-side-encryption-aws-kms-key-id"),
        Some(second.as_str())
    );
    let asked = by_role(&here, "Encrypt");
    let last = asked.last().unwrap().request.clone().unwrap();
    assert_eq!(last["encryptionContext"]["aws:s3:arn"], "arn:aws:s3:::copies/b");
    // An object under SSE-S3 stays so.
    here.put("/bucket/plain", "", b"x").fine();
    here.advance(0);
    assert_eq!(
        here.head("/copies/plain")
            .expect(200)
            .header("x-amz-server-side-encryption"),
        Some("AES256")
    );
}

/// A copy under a customer's key shares the contents, which open with that key alone, and stay until both versions are gone.
#[test]
fn objects_under_a_customers_key_open_with_it_alone_at_both_ends() {
    let here = replicated();
    unblock(&here, "bucket");
    let (own, other) = (customer(1), customer(2));
    // As many bytes as lie in a row, in a file, and in a file and a row by parts.
    let small = here.send("PUT", "/bucket/a", "", &given(&own), b"secret").fine();
    here.advance(0);
    assert_eq!(status_with(&here, "/bucket/a", &own), "FAILED");
    unblock(&here, "copies");
    let large = vec![7; 100 << 10];
    for (key, bytes) in [("b", b"secret" as &[u8]), ("c", &large)] {
        let (near, far) = (format!("/bucket/{key}"), format!("/copies/{key}"));
        let put = here.send("PUT", &near, "", &given(&own), bytes).fine();
        here.advance(0);
        assert_eq!(status_with(&here, &near, &own), "COMPLETED");
        assert_eq!(
            here.send("GET", &far, "", &given(&own), b"").expect(200).bytes(),
            bytes
        );
        here.send("GET", &far, "", &given(&other), b"").expect(403);
        here.get(&far, "").expect(400);
        // The copy outlives the source, can be copied on, and goes at last.
        here.delete(&near, &format!("versionId={}", id(&put))).fine();
        assert_eq!(
            here.send("GET", &far, "", &given(&own), b"").expect(200).bytes(),
            bytes
        );
        let source = format!("copies/{key}");
        let headers = [
            ("x-amz-copy-source", source.as_str()),
            (
                "x-amz-copy-source-server-side-encryption-customer-algorithm",
                "AES256",
            ),
            ("x-amz-copy-source-server-side-encryption-customer-key", &own.0),
            (
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
                &own.1,
            ),
        ];
        here.send("PUT", "/copies/open", "", &headers, b"").fine();
        assert_eq!(here.get("/copies/open", "").expect(200).bytes(), bytes);
        here.delete(&far, &format!("versionId={}", id(&put))).fine();
        here.send("GET", &far, "", &given(&own), b"").expect(404);
        // Nor does the source need its copy.
        let put = here.send("PUT", &near, "", &given(&own), bytes).fine();
        here.advance(0);
        here.delete(&far, &format!("versionId={}", id(&put))).fine();
        assert_eq!(
            here.send("GET", &near, "", &given(&own), b"").expect(200).bytes(),
            bytes
        );
    }
    assert_eq!(
        here.send("GET", "/bucket/a", "", &given(&own), b"")
            .expect(200)
            .header("etag"),
        small.header("etag")
    );
}

fn status_with(here: &Here, path: &str, key: &(String, String)) -> String {
    let head = here.send("HEAD", path, "", &given(key), b"").expect(200);
    head.header(STATUS).unwrap_or("-").to_owned()
}

/// What is written at both ends in the same moment bears the same number: both are found, in one order, and go again.
#[test]
fn versions_of_both_ends_stand_beside_each_other() {
    let here = replicated();
    let (far, near) = (
        here.put("/bucket/a", "", b"far").fine(),
        here.put("/copies/a", "", b"near").fine(),
    );
    here.advance(1);
    let newer = here.put("/copies/b", "", b"newer").fine();
    let older = here.put("/bucket/b", "", b"older").fine();
    here.advance(0);
    for (reply, bytes) in [(&far, b"far" as &[u8]), (&near, b"near")] {
        let query = format!("versionId={}", id(reply));
        assert_eq!(here.get("/copies/a", &query).expect(200).bytes(), bytes);
    }
    assert_eq!(here.get("/copies", "versions&prefix=a").all("VersionId").len(), 2);
    let page = here.get(
        "/copies",
        &format!("versions&max-keys=1&key-marker=a&version-id-marker={}", id(&far)),
    );
    assert_eq!(page.fine().all("VersionId"), [id(&near)]);
    here.delete("/copies/a", &format!("versionId={}", id(&far)))
        .fine();
    here.get("/copies/a", &format!("versionId={}", id(&far)))
        .expect(404);
    assert_eq!(here.get("/copies/a", "").expect(200).bytes(), b"near");
    assert!(id(&newer) != id(&older));
    // A copy that comes late takes its place behind what is newer.
    permit(&here, &[SOURCE, TARGET].concat());
    here.put("/bucket/c", "", b"first").fine();
    here.advance(0);
    here.put("/copies/c", "", b"second").fine();
    here.advance(10);
    let listed = here.get("/copies", "versions&prefix=c").fine();
    assert_eq!(listed.all("IsLatest"), ["true", "false"]);
    assert_eq!(here.get("/copies/c", "").expect(200).bytes(), b"second");
}

/// An object of many parts is brought over by several jobs, and keeps its parts and entity tag.
#[test]
fn parts_stay_parts() {
    let here = replicated();
    let upload = here.post("/bucket/a", "uploads", "").fine().one("UploadId");
    let mut list = String::new();
    for number in 1..=10_u8 {
        let bytes = vec![number; if number == 10 { 100 } else { 5 << 20 }];
        let query = format!("partNumber={number}&uploadId={upload}");
        let put = here.put("/bucket/a", &query, &bytes).fine();
        let etag = put.header("etag").unwrap();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let etag = here
        .post("/bucket/a", &format!("uploadId={upload}"), &body)
        .fine()
        .one("ETag");
    here.advance(0);
    assert_eq!(status(&here, "/bucket/a"), "COMPLETED");
    assert_eq!(by_role(&here, "PutObject").len(), 2);
    let head = here.head("/copies/a").expect(200);
    assert_eq!(head.header("etag"), Some(etag.as_str()));
    let part = here.get("/copies/a", "partNumber=10").expect(206);
    assert_eq!(
        (part.bytes(), part.header("x-amz-mp-parts-count")),
        (vec![10; 100].as_slice(), Some("10"))
    );
    let across = [("range", "bytes=5242878-5242881")];
    assert_eq!(
        here.send("GET", "/copies/a", "", &across, b"")
            .expect(206)
            .bytes(),
        [1, 1, 2, 2]
    );
}

#[test]
fn locks_go_along_and_need_a_bucket_that_locks() {
    let here = pair();
    let lock = |bucket: &str| {
        let body = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
        here.put(&format!("/{bucket}"), "object-lock", body.as_bytes())
            .fine();
    };
    lock("bucket");
    configure(&here, "bucket", &rule("all", 1, "", "copies", "")).fine();
    here.put("/bucket/a", "", b"x").fine();
    here.advance(0);
    assert_eq!(status(&here, "/bucket/a"), "FAILED");
    lock("copies");
    here.put("/bucket/b", "", b"x").fine();
    let hold = "<LegalHold><Status>ON</Status></LegalHold>";
    here.put("/bucket/b", "legal-hold", hold.as_bytes()).fine();
    here.advance(0);
    assert_eq!(
        here.head("/copies/b").header("x-amz-object-lock-legal-hold"),
        Some("ON")
    );
    let retention = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2026-12-01T00:00:00Z</RetainUntilDate></Retention>";
    here.put("/bucket/b", "retention", retention.as_bytes()).fine();
    here.advance(0);
    let copy = here.head("/copies/b").expect(200);
    assert_eq!(copy.header("x-amz-object-lock-mode"), Some("GOVERNANCE"));
    let version = format!("versionId={}", id(&copy));
    here.delete("/copies/b", &version).refused(403, "AccessDenied");
}

/// What the source's owner says of an object later takes no protection from the copy that it has in its own bucket.
#[test]
fn a_copy_under_compliance_stays_under_it() {
    let here = pair();
    let lock = |bucket: &str, rule: &str| {
        let body = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
        );
        here.put(&format!("/{bucket}"), "object-lock", body.as_bytes())
            .fine();
    };
    lock("bucket", "");
    lock(
        "copies",
        "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>30</Days></DefaultRetention></Rule>",
    );
    configure(&here, "bucket", &rule("all", 1, "", "copies", "")).fine();
    let put = here.put("/bucket/a", "", b"x").fine();
    here.advance(5_000);
    let shown = || {
        let copy = here.head("/copies/a").expect(200);
        let header = |name| copy.header(name).map(str::to_owned);
        (
            header("x-amz-object-lock-mode"),
            header("x-amz-object-lock-retain-until-date"),
        )
    };
    let before = shown();
    assert_eq!(before.0.as_deref(), Some("COMPLIANCE"));
    for (query, body) in [
        ("legal-hold", "<LegalHold><Status>ON</Status></LegalHold>"),
        ("legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>"),
        (
            "retention",
            "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2026-12-01T00:00:00Z</RetainUntilDate></Retention>",
        ),
    ] {
        here.put("/bucket/a", query, body.as_bytes()).fine();
        here.advance(5_000);
        assert_eq!(status(&here, "/bucket/a"), "COMPLETED");
        assert_eq!(shown(), before, "{body}");
    }
    here.delete("/copies/a", &format!("versionId={}", id(&put)))
        .refused(403, "AccessDenied");
}
