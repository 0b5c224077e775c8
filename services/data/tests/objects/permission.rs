//! Who may do what with an object, and who learns that there is none.

use crate::client::Here;

#[test]
fn absence_is_told_to_who_may_list_alone() {
    let here = Here::new();
    let reader = here.user("reader", &["s3:GetObject"], &["*"]);
    let get = |keys, path| here.send_as(keys, "GET", path, "", &[], b"");
    get(&reader, "/bucket/none").refused(403, "AccessDenied");
    let lister = here.user("lister", &["s3:GetObject", "s3:ListBucket"], &["*"]);
    get(&lister, "/bucket/none").refused(404, "NoSuchKey");
    let nobody = here.user("nobody", &["s3:ListBucket"], &["*"]);
    get(&nobody, "/bucket/none").refused(403, "AccessDenied");
}

#[test]
fn a_named_version_needs_its_own_permission() {
    let here = Here::versioned();
    let put = here.put("/bucket/k", "", b"x").expect(200);
    let query = format!("versionId={}", put.header("x-amz-version-id").unwrap_or_default());
    let newest = here.user("newest", &["s3:GetObject"], &["*"]);
    here.send_as(&newest, "GET", "/bucket/k", "", &[], b"")
        .expect(200);
    here.send_as(&newest, "GET", "/bucket/k", &query, &[], b"")
        .refused(403, "AccessDenied");
    let named = here.user("named", &["s3:GetObjectVersion"], &["*"]);
    here.send_as(&named, "GET", "/bucket/k", &query, &[], b"")
        .expect(200);
    here.send_as(&named, "GET", "/bucket/k", "", &[], b"")
        .refused(403, "AccessDenied");
    let deleter = here.user("deleter", &["s3:DeleteObject"], &["*"]);
    here.send_as(&deleter, "DELETE", "/bucket/k", &query, &[], b"")
        .refused(403, "AccessDenied");
    here.send_as(&deleter, "DELETE", "/bucket/k", "", &[], b"")
        .expect(204);
}

#[test]
fn the_parts_of_a_write_need_their_own_permissions() {
    let here = Here::new();
    let writer = here.user("writer", &["s3:PutObject"], &["*"]);
    let put = |headers: &[(&'static str, &str)]| here.send_as(&writer, "PUT", "/bucket/k", "", headers, b"x");
    put(&[]).expect(200);
    put(&[("x-amz-tagging", "a=1")]).refused(403, "AccessDenied");
    put(&[("x-amz-acl", "bucket-owner-full-control")]).refused(403, "AccessDenied");
}

#[test]
fn policies_see_tags_prefixes_and_headers() {
    let here = Here::new();
    here.send("PUT", "/bucket/red", "", &[("x-amz-tagging", "color=red")], b"x")
        .expect(200);
    here.put("/bucket/blue", "", b"x").expect(200);
    let reader = here.user("reader", &["s3:ListAllMyBuckets"], &["*"]);
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/reader"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*",
         "Condition":{"StringEquals":{"s3:ExistingObjectTag/color":"red"}}},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/reader"},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket",
         "Condition":{"StringEquals":{"s3:prefix":"r"}}},
        {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
         "Condition":{"StringEquals":{"s3:x-amz-storage-class":"GLACIER"}}},
        {"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/once/*",
         "Condition":{"Null":{"s3:if-none-match":"true"}}}]}"#;
    here.put("/bucket", "policy", policy.as_bytes()).fine();
    here.send_as(&reader, "GET", "/bucket/red", "", &[], b"")
        .expect(200);
    here.send_as(&reader, "GET", "/bucket/blue", "", &[], b"")
        .refused(403, "AccessDenied");
    here.send_as(&reader, "GET", "/bucket", "list-type=2&prefix=r", &[], b"")
        .expect(200);
    here.send_as(&reader, "GET", "/bucket", "list-type=2", &[], b"")
        .refused(403, "AccessDenied");
    here.send(
        "PUT",
        "/bucket/k",
        "",
        &[("x-amz-storage-class", "GLACIER")],
        b"x",
    )
    .refused(403, "AccessDenied");
    here.put("/bucket/once/k", "", b"x").refused(403, "AccessDenied");
    here.send("PUT", "/bucket/once/k", "", &[("if-none-match", "*")], b"x")
        .expect(200);
}

#[test]
fn strangers_read_what_is_public_and_nothing_else() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    here.anonymous("GET", "/bucket/k").refused(403, "AccessDenied");
    here.delete("/bucket", "publicAccessBlock").expect(204);
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}}"#;
    here.put("/bucket", "policy", policy.as_bytes()).fine();
    assert_eq!(here.anonymous("GET", "/bucket/k").expect(200).bytes(), b"x");
    here.anonymous("GET", "/bucket/none").refused(403, "AccessDenied");
    here.anonymous("DELETE", "/bucket/k").refused(403, "AccessDenied");
}

#[test]
fn lists_count_where_the_bucket_lets_them() {
    let here = Here::new();
    let ownership = b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    here.put("/bucket", "ownershipControls", ownership).expect(200);
    here.send("PUT", "/bucket/k", "", &[("x-amz-acl", "public-read")], b"x")
        .refused(403, "AccessDenied");
    here.delete("/bucket", "publicAccessBlock").expect(204);
    here.send("PUT", "/bucket/k", "", &[("x-amz-acl", "public-read")], b"x")
        .expect(200);
    here.anonymous("GET", "/bucket/k").expect(200);
    let shown = here.get("/bucket/k", "acl").expect(200);
    assert_eq!(shown.all("Permission"), ["FULL_CONTROL", "READ"]);
    here.send("PUT", "/bucket/k", "acl", &[("x-amz-acl", "private")], b"")
        .expect(200);
    here.anonymous("GET", "/bucket/k").refused(403, "AccessDenied");
}
