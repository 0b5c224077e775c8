//! Uploads in parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::checksum::{Checksum, ChecksumSet, Summer};

use crate::client::{Here, Reply};

const MIB: usize = 1 << 20;

fn begin(here: &Here, headers: &[(&'static str, &str)]) -> String {
    let begun = here
        .send("POST", "/bucket/k", "uploads", headers, b"")
        .expect(200);
    begun.one("UploadId")
}

fn part(here: &Here, upload: &str, number: usize, bytes: &[u8]) -> String {
    let query = format!("partNumber={number}&uploadId={upload}");
    let put = here.put("/bucket/k", &query, bytes).expect(200);
    put.header("etag").unwrap_or_default().to_owned()
}

fn complete(here: &Here, upload: &str, parts: &[(usize, &str)]) -> Reply {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    here.post("/bucket/k", &format!("uploadId={upload}"), &body)
}

fn sum(algorithm: Checksum, bytes: &[u8]) -> Vec<u8> {
    let mut summer = Summer::new(ChecksumSet::of(algorithm));
    summer.update(bytes);
    summer.finish().get(algorithm).unwrap().to_vec()
}

#[test]
fn parts_become_an_object_without_those_that_are_not_named() {
    let here = Here::new();
    let upload = begin(&here, &[("content-type", "text/plain"), ("x-amz-tagging", "a=1")]);
    let (one, two) = (vec![1; 5 * MIB], vec![2; 100]);
    let first = part(&here, &upload, 1, &one);
    part(&here, &upload, 2, b"left out");
    part(&here, &upload, 7, b"replaced");
    let last = part(&here, &upload, 7, &two);
    let listed = here
        .get("/bucket/k", &format!("max-parts=2&uploadId={upload}"))
        .expect(200);
    assert_eq!(listed.all("PartNumber"), ["1", "2"]);
    assert_eq!(
        (
            listed.one("IsTruncated").as_str(),
            listed.one("NextPartNumberMarker").as_str()
        ),
        ("true", "2")
    );
    let done = complete(&here, &upload, &[(1, &first), (7, &last)]).expect(200);
    let digests = [sum(Checksum::Md5, &one), sum(Checksum::Md5, &two)].concat();
    let tag = format!("\"{}-2\"", crypto::digest::hex(&sum(Checksum::Md5, &digests)));
    assert_eq!(done.one("ETag"), tag);
    let whole = [one.as_slice(), &two].concat();
    let crc = STANDARD.encode(sum(Checksum::Crc64Nvme, &whole));
    assert_eq!(done.one("ChecksumCRC64NVME"), crc);
    let got = here.get("/bucket/k", "").expect(200);
    assert!(got.bytes() == whole, "the bytes differ");
    assert_eq!(
        (
            got.header("content-type"),
            got.header("x-amz-tagging-count"),
            got.header("etag")
        ),
        (Some("text/plain"), Some("1"), Some(tag.as_str()))
    );
    let across = [("range", "bytes=5242878-5242882")];
    let got = here.send("GET", "/bucket/k", "", &across, b"").expect(206);
    assert_eq!(got.bytes(), [1, 1, 2, 2, 2]);
    let got = here.get("/bucket/k", "partNumber=7").expect(206);
    assert_eq!(
        (got.bytes().len(), got.header("x-amz-mp-parts-count")),
        (100, Some("2"))
    );
    // A client that did not hear the answer asks again.
    assert_eq!(
        complete(&here, &upload, &[(1, &first)]).expect(200).one("ETag"),
        tag
    );
    here.get("/bucket/k", &format!("uploadId={upload}"))
        .refused(404, "NoSuchUpload");
    let asked = [("x-amz-object-attributes", "ObjectParts,ObjectSize")];
    let told = here
        .send("GET", "/bucket/k", "attributes", &asked, b"")
        .expect(200);
    assert_eq!(
        (told.one("PartsCount").as_str(), told.all("PartNumber")),
        ("2", vec!["1".to_owned(), "7".to_owned()])
    );
}

#[test]
fn parts_are_named_rightly_and_in_order() {
    let here = Here::new();
    let upload = begin(&here, &[]);
    let one = part(&here, &upload, 1, b"small");
    let two = part(&here, &upload, 2, b"small too");
    complete(&here, &upload, &[]).refused(400, "MalformedXML");
    complete(&here, &upload, &[(2, &two), (1, &one)]).refused(400, "InvalidPartOrder");
    complete(&here, &upload, &[(1, &one), (1, &one)]).refused(400, "InvalidPartOrder");
    complete(&here, &upload, &[(1, &two)]).refused(400, "InvalidPart");
    complete(&here, &upload, &[(3, &two)]).refused(400, "InvalidPart");
    let small = complete(&here, &upload, &[(1, &one), (2, &two)]).refused(400, "EntityTooSmall");
    assert_eq!(small.one("MinSizeAllowed"), "5242880");
    here.put("/bucket/k", &format!("partNumber=10001&uploadId={upload}"), b"x")
        .refused(400, "InvalidArgument");
    here.put("/bucket/k", "partNumber=1&uploadId=none", b"x")
        .refused(404, "NoSuchUpload");
    complete(&here, &upload, &[(2, &two)]).expect(200);
    assert_eq!(here.get("/bucket/k", "").bytes(), b"small too");
}

#[test]
fn an_upload_that_is_aborted_leaves_nothing() {
    let here = Here::new();
    let upload = begin(&here, &[]);
    part(&here, &upload, 1, b"x");
    here.delete("/bucket/k", &format!("uploadId={upload}"))
        .expect(204);
    here.delete("/bucket/k", &format!("uploadId={upload}"))
        .refused(404, "NoSuchUpload");
    assert!(
        here.get("/bucket", "uploads")
            .expect(200)
            .all("UploadId")
            .is_empty()
    );
    here.get("/bucket/k", "").refused(404, "NoSuchKey");
}

#[test]
fn uploads_are_listed_by_key_and_age_in_pages() {
    let here = Here::new();
    let mut begun = Vec::new();
    for key in ["a", "b", "b", "c/1", "c/2"] {
        here.advance(1000);
        let upload = here.post(&format!("/bucket/{key}"), "uploads", "").expect(200);
        begun.push((key.to_owned(), upload.one("UploadId")));
    }
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = here
            .get("/bucket", &format!("max-uploads=2&uploads{marker}"))
            .expect(200);
        seen.extend(page.all("Key").into_iter().zip(page.all("UploadId")));
        if page.one("IsTruncated") == "false" {
            break;
        }
        marker = format!(
            "&key-marker={}&upload-id-marker={}",
            page.one("NextKeyMarker").replace('/', "%2F"),
            page.one("NextUploadIdMarker")
        );
    }
    assert_eq!(seen, begun);
    let rolled = here.get("/bucket", "delimiter=%2F&uploads").expect(200);
    assert_eq!(rolled.all("CommonPrefixes"), ["<Prefix>c/</Prefix>"]);
}

#[test]
fn checksums_of_parts_are_those_of_the_upload() {
    let here = Here::new();
    let upload = begin(&here, &[("x-amz-checksum-algorithm", "SHA256")]);
    let put = |headers: &[(&'static str, &str)]| {
        here.send(
            "PUT",
            "/bucket/k",
            &format!("partNumber=1&uploadId={upload}"),
            headers,
            b"x",
        )
    };
    let crc = STANDARD.encode(sum(Checksum::Crc32, b"x"));
    put(&[("x-amz-checksum-crc32", &crc)]).refused(400, "InvalidRequest");
    let raw = sum(Checksum::Sha256, b"x");
    let sha = STANDARD.encode(&raw);
    let etag = put(&[("x-amz-checksum-sha256", &sha)])
        .expect(200)
        .header("etag")
        .unwrap_or_default()
        .to_owned();
    complete(&here, &upload, &[(1, &etag)]).refused(400, "InvalidRequest");
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag><ChecksumSHA256>{sha}</ChecksumSHA256></Part></CompleteMultipartUpload>"
    );
    let done = here
        .post("/bucket/k", &format!("uploadId={upload}"), &body)
        .expect(200);
    let composite = format!("{}-1", STANDARD.encode(sum(Checksum::Sha256, &raw)));
    assert_eq!(
        (done.one("ChecksumSHA256"), done.one("ChecksumType")),
        (composite, "COMPOSITE".to_owned())
    );
    // S3 User Guide, "Using part-level checksums for multipart uploads": who reads one part is told that part's.
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    for method in ["GET", "HEAD"] {
        let part = here
            .send(method, "/bucket/k", "partNumber=1", &asked, b"")
            .expect(206);
        assert_eq!(part.header("x-amz-checksum-sha256"), Some(sha.as_str()));
        assert_eq!(part.header("x-amz-checksum-type"), Some("COMPOSITE"));
    }
    here.send(
        "POST",
        "/bucket/k",
        "uploads",
        &[
            ("x-amz-checksum-type", "FULL_OBJECT"),
            ("x-amz-checksum-algorithm", "SHA1"),
        ],
        b"",
    )
    .refused(400, "InvalidRequest");
}

#[test]
fn a_part_may_be_a_range_of_another_object() {
    let here = Here::new();
    here.put("/bucket/source", "", b"0123456789").expect(200);
    let upload = begin(&here, &[]);
    let copy = |range: &str| {
        let headers = [
            ("x-amz-copy-source", "bucket/source"),
            ("x-amz-copy-source-range", range),
        ];
        here.send(
            "PUT",
            "/bucket/k",
            &format!("partNumber=1&uploadId={upload}"),
            &headers,
            b"",
        )
    };
    copy("bytes=2-").refused(400, "InvalidArgument");
    copy("bytes=2-10").refused(400, "InvalidArgument");
    let etag = copy("bytes=2-5").expect(200).one("ETag");
    complete(&here, &upload, &[(1, &etag)]).expect(200);
    assert_eq!(here.get("/bucket/k", "").bytes(), b"2345");
}

/// S3 API Reference, "CreateMultipartUpload": who begins an upload is told when a lifecycle rule ends it.
#[test]
fn the_end_of_an_upload_by_a_rule_is_told_from_its_beginning_on() {
    let here = Here::new();
    let rule = |id: &str, prefix: &str, days: u8| {
        format!(
            "<Rule><ID>{id}</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload>\
             <DaysAfterInitiation>{days}</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
        )
    };
    let rules = format!("{}{}", rule("late", "", 9), rule("soon", "x/", 3));
    let rules = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    here.put("/bucket", "lifecycle", rules.as_bytes()).fine();
    for (key, id) in [("x/m", "soon"), ("m", "late")] {
        let begun = here.post(&format!("/bucket/{key}"), "uploads", "").fine();
        let said = |name: &str| begun.header(name).map(str::to_owned);
        assert_eq!(said("x-amz-abort-rule-id").as_deref(), Some(id));
        let date = said("x-amz-abort-date").unwrap();
        assert!(date.ends_with(" 00:00:00 GMT"), "{date}");
        let upload = begun.one("UploadId");
        let listed = here
            .get(&format!("/bucket/{key}"), &format!("uploadId={upload}"))
            .fine();
        assert_eq!(listed.header("x-amz-abort-date"), Some(date.as_str()));
        let days = if id == "soon" { 4 } else { 10 };
        here.advance(days * crate::client::DAY);
        here.get(&format!("/bucket/{key}"), &format!("uploadId={upload}"))
            .refused(404, "NoSuchUpload");
    }
}
