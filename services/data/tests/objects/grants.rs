//! What the permissions beside the first see of a request, and how far a bucket's policy reaches.

use serde_json::json;

use crate::client::{Here, OTHER};

const ALL: &str = "arn:aws:s3:::bucket/*";

/// A bucket whose lists count, and whose objects belong to whoever writes them.
fn shared() -> Here {
    let here = Here::new();
    let ownership = b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    here.put("/bucket", "ownershipControls", ownership).expect(200);
    here
}

fn deny(action: &str, condition: &serde_json::Value) -> serde_json::Value {
    json!([{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": ALL, "Condition": condition}])
}

#[test]
fn a_denial_of_lists_by_their_header_holds_for_writes_that_bring_one() {
    let here = shared();
    here.policy(&deny(
        "s3:PutObjectAcl",
        &json!({"StringEquals": {"s3:x-amz-acl": "authenticated-read"}}),
    ));
    here.delete("/bucket", "publicAccessBlock").expect(204);
    let refused = [("x-amz-acl", "authenticated-read")];
    let source = [
        ("x-amz-acl", "authenticated-read"),
        ("x-amz-copy-source", "bucket/k"),
    ];
    here.send("PUT", "/bucket/k", "", &refused, b"x")
        .refused(403, "AccessDenied");
    here.send("POST", "/bucket/k", "uploads", &refused, b"")
        .refused(403, "AccessDenied");
    here.send("PUT", "/bucket/k", "", &[("x-amz-acl", "private")], b"x")
        .expect(200);
    here.send("PUT", "/bucket/copy", "", &source, b"")
        .refused(403, "AccessDenied");
}

#[test]
fn a_denial_of_tags_by_their_value_holds_for_writes_that_bring_them() {
    let here = Here::new();
    here.send(
        "PUT",
        "/bucket/source",
        "",
        &[("x-amz-tagging", "clear=no")],
        b"x",
    )
    .expect(200);
    here.policy(&deny(
        "s3:PutObjectTagging",
        &json!({"StringEquals": {"s3:RequestObjectTag/clear": "no"}}),
    ));
    let put = |tags: &str| here.send("PUT", "/bucket/k", "", &[("x-amz-tagging", tags)], b"x");
    put("clear=no").refused(403, "AccessDenied");
    put("clear=yes").expect(200);
    let copy = [("x-amz-copy-source", "bucket/source")];
    // Tags that come with the source are given to the copy like those of a request.
    here.send("PUT", "/bucket/k", "", &copy, b"")
        .refused(403, "AccessDenied");
    here.policy(&deny(
        "s3:PutObjectTagging",
        &json!({"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "clear"}}),
    ));
    put("clear=yes").refused(403, "AccessDenied");
    put("other=yes").expect(200);
}

#[test]
fn a_copy_is_judged_by_the_tags_that_it_gives() {
    let here = Here::new();
    here.put("/bucket/source", "", b"x").expect(200);
    let writer = here.user("writer", &["s3:GetObject", "s3:PutObjectTagging"], &["*"]);
    here.policy(&json!([{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/writer"}, "Action": "s3:PutObject", "Resource": ALL,
        "Condition": {"StringEquals": {"s3:RequestObjectTag/team": "red"}},
    }]));
    let copy = |headers: &[(&'static str, &str)]| {
        let mut all = vec![
            ("x-amz-copy-source", "bucket/source"),
            ("x-amz-tagging", "team=red"),
        ];
        all.extend(headers);
        here.send_as(&writer, "PUT", "/bucket/copy", "", &all, b"")
    };
    // Without the directive the copy would not get the tags that the request names.
    copy(&[]).refused(403, "AccessDenied");
    copy(&[("x-amz-tagging-directive", "REPLACE")]).expect(200);
}

#[test]
fn denials_of_locks_by_their_terms_hold_for_writes_that_bring_them() {
    let here = Here::new();
    let body = b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    let lock = [("x-amz-bucket-object-lock-enabled", "true")];
    here.send("PUT", "/locked", "", &lock, body).expect(200);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectRetention", "Resource": "arn:aws:s3:::locked/*",
         "Condition": {"StringEquals": {"s3:object-lock-mode": "COMPLIANCE"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectLegalHold", "Resource": "arn:aws:s3:::locked/*",
         "Condition": {"StringEquals": {"s3:object-lock-legal-hold": "ON"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:BypassGovernanceRetention", "Resource": "arn:aws:s3:::locked/*",
         "Condition": {"Null": {"s3:versionid": "false"}}},
    ]});
    here.put("/locked", "policy", policy.to_string().as_bytes())
        .fine();
    let put = |headers: &[(&'static str, &str)]| {
        let mut all = vec![("x-amz-sdk-checksum-algorithm", "CRC32")];
        all.extend(headers);
        here.send("PUT", "/locked/k", "", &all, b"x")
    };
    let until = ("x-amz-object-lock-retain-until-date", "2026-12-01T00:00:00Z");
    put(&[("x-amz-object-lock-mode", "COMPLIANCE"), until]).refused(403, "AccessDenied");
    put(&[("x-amz-object-lock-legal-hold", "ON")]).refused(403, "AccessDenied");
    let kept = put(&[("x-amz-object-lock-mode", "GOVERNANCE"), until]).expect(200);
    let query = format!(
        "versionId={}",
        kept.header("x-amz-version-id").unwrap_or_default()
    );
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    here.send("DELETE", "/locked/k", &query, &bypass, b"")
        .refused(403, "AccessDenied");
    here.delete("/locked", "policy").expect(204);
    here.send("DELETE", "/locked/k", &query, &bypass, b"").expect(204);
}

/// S3 User Guide, "How Amazon S3 authorizes a request for an object operation".
#[test]
fn a_buckets_policy_opens_nothing_that_another_account_owns() {
    let here = shared();
    let stranger = here.stranger();
    let reader = here.user("reader", &["s3:ListBucket"], &["*"]);
    let permitted = here.user("permitted", &["s3:GetObject"], &["*"]);
    let named = json!({"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/reader",
        "arn:aws:iam::111122223333:user/permitted", format!("arn:aws:iam::{OTHER}:root")]});
    here.policy(&json!([{
        "Effect": "Allow", "Principal": named, "Action": ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject", "s3:DeleteObject"],
        "Resource": ALL,
    }]));
    let theirs =
        |headers: &[(&'static str, &str)]| here.send_as(&stranger, "PUT", "/bucket/k", "", headers, b"x");
    let get = |keys| here.send_as(keys, "GET", "/bucket/k", "", &[], b"");
    theirs(&[]).expect(200);
    get(&stranger).expect(200);
    get(&reader).refused(403, "AccessDenied");
    get(&permitted).refused(403, "AccessDenied");
    get(&here.root).refused(403, "AccessDenied");
    // Their list opens it, to the account and then as far as that account lets its users.
    theirs(&[("x-amz-acl", "bucket-owner-full-control")]).expect(200);
    get(&here.root).expect(200);
    get(&reader).refused(403, "AccessDenied");
    get(&permitted).expect(200);
    // What the bucket's owner denies holds, for the object's owner too.
    here.policy(&deny("s3:GetObject", &json!({"StringLike": {"aws:userid": "*"}})));
    get(&stranger).refused(403, "AccessDenied");
    get(&permitted).refused(403, "AccessDenied");
    // The bucket's owner deletes what is in it.
    here.delete("/bucket/k", "").expect(204);
}

#[test]
fn a_buckets_owner_restores_what_others_archived_in_it() {
    let here = shared();
    let stranger = here.stranger();
    here.policy(&json!([{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")}, "Action": "s3:PutObject", "Resource": ALL,
    }]));
    let archived = [("x-amz-storage-class", "GLACIER")];
    here.send_as(&stranger, "PUT", "/bucket/k", "", &archived, b"x")
        .expect(200);
    let restore = "<RestoreRequest><Days>1</Days></RestoreRequest>";
    here.post("/bucket/k", "restore", restore).fine();
    here.get("/bucket/k", "").refused(403, "AccessDenied");
}
