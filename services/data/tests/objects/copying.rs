//! Copies on the server.

use crate::client::Here;

#[test]
fn a_copy_has_the_sources_bytes_and_metadata_unless_told() {
    let here = Here::new();
    let headers = [
        ("content-type", "text/plain"),
        ("x-amz-meta-a", "1"),
        ("x-amz-tagging", "t=1"),
    ];
    here.send("PUT", "/bucket/a%20b", "", &headers, b"bytes")
        .expect(200);
    let copy = |path: &str, headers: &[(&'static str, &str)]| {
        let mut all = vec![("x-amz-copy-source", "/bucket/a%20b")];
        all.extend(headers);
        here.send("PUT", path, "", &all, b"")
    };
    let told = copy("/bucket/copy", &[]).expect(200);
    assert_eq!(told.one("ETag"), "\"4b3a6218bb3e3a7303e8a171a60fcf92\"");
    let got = here.get("/bucket/copy", "").expect(200);
    assert_eq!(
        (
            got.bytes(),
            got.header("content-type"),
            got.header("x-amz-meta-a")
        ),
        (b"bytes".as_slice(), Some("text/plain"), Some("1"))
    );
    assert_eq!(got.header("x-amz-tagging-count"), Some("1"));
    let replaced = [
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-b", "2"),
        ("x-amz-tagging-directive", "REPLACE"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    copy("/bucket/copy", &replaced).expect(200);
    let head = here.head("/bucket/copy").expect(200);
    assert_eq!(
        (head.header("x-amz-meta-a"), head.header("x-amz-meta-b")),
        (None, Some("2"))
    );
    assert_eq!(head.header("x-amz-tagging-count"), None);
    assert_eq!(head.header("x-amz-storage-class"), Some("STANDARD_IA"));
}

#[test]
fn a_copy_onto_itself_must_change_something() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    let copy = |headers: &[(&'static str, &str)]| {
        let mut all = vec![("x-amz-copy-source", "bucket/k")];
        all.extend(headers);
        here.send("PUT", "/bucket/k", "", &all, b"")
    };
    copy(&[]).refused(400, "InvalidRequest");
    copy(&[("x-amz-metadata-directive", "REPLACE")]).expect(200);
    assert_eq!(here.get("/bucket/k", "").bytes(), b"x");
}

#[test]
fn a_source_is_named_rightly_there_and_as_it_was() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    let copy = |source: &str, headers: &[(&'static str, &str)]| {
        let mut all = vec![("x-amz-copy-source", source)];
        all.extend(headers);
        here.send("PUT", "/bucket/copy", "", &all, b"")
    };
    copy("bucket", &[]).refused(400, "InvalidArgument");
    copy("bucket/none", &[]).refused(404, "NoSuchKey");
    copy("missing/k", &[]).refused(404, "NoSuchBucket");
    copy("bucket/k", &[("x-amz-copy-source-if-match", "\"x\"")]).refused(412, "PreconditionFailed");
    let tag = here
        .head("/bucket/k")
        .header("etag")
        .unwrap_or_default()
        .to_owned();
    copy("bucket/k", &[("x-amz-copy-source-if-none-match", &tag)]).refused(412, "PreconditionFailed");
    copy("bucket/k", &[("x-amz-copy-source-if-match", &tag)]).expect(200);
}

#[test]
fn a_copy_needs_the_permission_to_read_its_source() {
    let here = Here::new();
    here.send("PUT", "/bucket/secret", "", &[("x-amz-tagging", "t=1")], b"x")
        .expect(200);
    let source = [("x-amz-copy-source", "bucket/secret")];
    let writer = here.user("writer", &["s3:PutObject"], &["*"]);
    here.send_as(&writer, "PUT", "/bucket/copy", "", &source, b"")
        .refused(403, "AccessDenied");
    let reader = here.user("reader", &["s3:PutObject", "s3:GetObject"], &["*"]);
    here.send_as(&reader, "PUT", "/bucket/copy", "", &source, b"")
        .refused(403, "AccessDenied");
    let tagger = here.user(
        "tagger",
        &[
            "s3:PutObject",
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:PutObjectTagging",
        ],
        &["*"],
    );
    here.send_as(&tagger, "PUT", "/bucket/copy", "", &source, b"")
        .expect(200);
}
