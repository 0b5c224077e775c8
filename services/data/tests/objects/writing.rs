//! Puts: what is kept, what is told, and what is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client::Here;

#[test]
fn a_put_tells_its_tag_and_checksum_and_a_get_the_same() {
    let here = Here::new();
    let put = here.put("/bucket/a/b", "", b"123456789").expect(200);
    assert_eq!(put.header("etag"), Some("\"25f9e794323b453885f5181f1b624d0b\""));
    // CRC-64/NVME of the same bytes, which nobody asked for.
    let sum = STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes());
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), Some(sum.as_str()));
    assert_eq!(put.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("AES256"));
    let got = here.get("/bucket/a/b", "").expect(200);
    assert_eq!(got.bytes(), b"123456789");
    assert_eq!(got.header("etag"), put.header("etag"));
    assert_eq!(got.header("content-length"), Some("9"));
    assert_eq!(got.header("content-type"), Some("binary/octet-stream"));
    assert_eq!(got.header("accept-ranges"), Some("bytes"));
    assert_eq!(got.header("last-modified"), Some("Sun, 22 Nov 2026 00:00:00 GMT"));
    assert_eq!(got.header("x-amz-checksum-crc64nvme"), None);
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    let got = here.send("GET", "/bucket/a/b", "", &asked, b"").expect(200);
    assert_eq!(got.header("x-amz-checksum-crc64nvme"), Some(sum.as_str()));
    let head = here.head("/bucket/a/b").expect(200);
    assert_eq!(
        (head.bytes(), head.header("content-length")),
        (b"".as_slice(), Some("9"))
    );
}

#[test]
fn headers_and_metadata_come_back_as_they_went() {
    let here = Here::new();
    let headers = [
        ("content-type", "text/plain"),
        ("cache-control", "no-cache"),
        ("content-disposition", "attachment"),
        ("content-encoding", "gzip,aws-chunked"),
        ("content-language", "de"),
        ("x-amz-meta-author", "me"),
        ("x-amz-meta-other", "x y"),
        ("x-amz-website-redirect-location", "/other"),
    ];
    here.send("PUT", "/bucket/k", "", &headers, b"x").expect(200);
    let head = here.head("/bucket/k").expect(200);
    for (name, value) in headers {
        let value = if name == "content-encoding" { "gzip" } else { value };
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    let instead = "response-content-type=text%2Fhtml&response-cache-control=max-age%3D1";
    let got = here.get("/bucket/k", instead).expect(200);
    assert_eq!(got.header("content-type"), Some("text/html"));
    assert_eq!(got.header("cache-control"), Some("max-age=1"));
}

#[test]
fn a_body_that_is_not_what_was_declared_is_refused_and_leaves_nothing() {
    let here = Here::new();
    let put = |headers: &[(&'static str, &str)]| here.send("PUT", "/bucket/k", "", headers, b"x");
    let wrong_md5 = STANDARD.encode([0; 16]);
    put(&[("content-md5", &wrong_md5)]).refused(400, "BadDigest");
    put(&[("content-md5", "abc")]).refused(400, "InvalidDigest");
    put(&[("x-amz-checksum-crc32", "AAAAAA==")]).refused(400, "BadDigest");
    put(&[("x-amz-checksum-sha256", "AAAA")]).refused(400, "InvalidRequest");
    let both = [
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-crc32c", "AAAAAA=="),
    ];
    put(&both).refused(400, "InvalidRequest");
    here.get("/bucket/k", "").refused(404, "NoSuchKey");
}

#[test]
fn every_checksum_is_verified_and_kept() {
    let here = Here::new();
    let sums = [
        ("x-amz-checksum-crc32", "cbf43926"),
        ("x-amz-checksum-crc32c", "e3069283"),
        ("x-amz-checksum-crc64nvme", "ae8b14860a799888"),
        ("x-amz-checksum-sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (
            "x-amz-checksum-sha256",
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        ),
    ];
    for (header, value) in sums {
        let value = STANDARD.encode(crypto::digest::unhex(value).unwrap());
        let put = here
            .send("PUT", "/bucket/k", "", &[(header, &value)], b"123456789")
            .expect(200);
        assert_eq!(put.header(header), Some(value.as_str()));
        let asked = [("x-amz-checksum-mode", "ENABLED")];
        let head = here.send("HEAD", "/bucket/k", "", &asked, b"").expect(200);
        assert_eq!(head.header(header), Some(value.as_str()));
        let asked = [("x-amz-object-attributes", "Checksum,ObjectSize,ETag,StorageClass")];
        let told = here
            .send("GET", "/bucket/k", "attributes", &asked, b"")
            .expect(200);
        assert!(told.text().contains(&value), "{}", told.text());
        assert_eq!(told.one("ObjectSize"), "9");
        assert_eq!(told.one("StorageClass"), "STANDARD");
        assert_eq!(told.one("ETag"), "25f9e794323b453885f5181f1b624d0b");
    }
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let here = Here::new();
    let put = |path: &str, headers: &[(&'static str, &str)]| here.send("PUT", path, "", headers, b"x");
    put(&format!("/bucket/{}", "k".repeat(1025)), &[]).refused(400, "KeyTooLongError");
    put("/bucket/k", &[("x-amz-meta-a", &"v".repeat(2048))]).refused(400, "MetadataTooLarge");
    put("/bucket/k", &[("x-amz-storage-class", "SNOW")]).refused(400, "InvalidStorageClass");
    put("/bucket/k", &[("x-amz-tagging", "a=1&a=2")]).refused(400, "InvalidArgument");
    put("/bucket/k", &[("x-amz-acl", "public-read")]).refused(400, "AccessControlListNotSupported");
    put("/bucket/k", &[("x-amz-object-lock-legal-hold", "ON")]).refused(400, "InvalidRequest");
    put("/bucket/k", &[("x-amz-website-redirect-location", "x")]).refused(400, "InvalidRedirectLocation");
    put("/missing/k", &[]).refused(404, "NoSuchBucket");
    put("/bucket/k", &[("x-amz-acl", "bucket-owner-full-control")]).expect(200);
}

#[test]
fn tags_are_replaced_whole_and_removed_whole() {
    let here = Here::new();
    here.send("PUT", "/bucket/k", "", &[("x-amz-tagging", "a=1&b=2")], b"x")
        .expect(200);
    assert_eq!(here.head("/bucket/k").header("x-amz-tagging-count"), Some("2"));
    assert_eq!(here.get("/bucket/k", "tagging").all("Key"), ["a", "b"]);
    let body = b"<Tagging><TagSet><Tag><Key>c</Key><Value>3</Value></Tag></TagSet></Tagging>";
    here.put("/bucket/k", "tagging", body).expect(200);
    assert_eq!(here.get("/bucket/k", "tagging").all("Key"), ["c"]);
    here.delete("/bucket/k", "tagging").expect(204);
    assert!(here.get("/bucket/k", "tagging").expect(200).all("Key").is_empty());
}

#[test]
fn an_object_goes_and_the_bucket_after_it() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    here.delete("/bucket", "").refused(409, "BucketNotEmpty");
    here.delete("/bucket/k", "").expect(204);
    here.delete("/bucket/k", "").expect(204);
    here.post("/bucket/left", "uploads", "").expect(200);
    here.delete("/bucket", "").expect(204);
}

#[test]
fn many_go_at_once_and_each_is_told() {
    let here = Here::new();
    for key in ["a", "b", "c"] {
        here.put(&format!("/bucket/{key}"), "", b"x").expect(200);
    }
    let some = here.user(
        "some",
        &["s3:DeleteObject"],
        &["arn:aws:s3:::bucket/a", "arn:aws:s3:::bucket/b"],
    );
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>c</Key></Object><Object><Key>b</Key><ETag>x</ETag></Object></Delete>";
    let gone = here
        .send_as(&some, "POST", "/bucket", "delete", &[], body.as_bytes())
        .expect(200);
    assert_eq!(gone.all("Code"), ["AccessDenied", "AccessDenied"]);
    assert_eq!(gone.all("Key"), ["a", "c", "b"]);
    here.get("/bucket/a", "").refused(404, "NoSuchKey");
    here.get("/bucket/b", "").expect(200);
    let quiet =
        "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object><Object><Key>none</Key></Object></Delete>";
    let gone = here.post("/bucket", "delete", quiet).expect(200);
    assert!(gone.all("Key").is_empty(), "{}", gone.text());
    let many = "<Object><Key>x</Key></Object>".repeat(1001);
    here.post("/bucket", "delete", &format!("<Delete>{many}</Delete>"))
        .refused(400, "MalformedXML");
}
