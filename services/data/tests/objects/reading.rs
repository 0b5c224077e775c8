//! Reads: ranges, conditions, archives.

use crate::client::{DAY, Here};

#[test]
fn ranges_are_answered_with_206() {
    let here = Here::new();
    here.put("/bucket/k", "", b"0123456789").expect(200);
    let range = |value: &str| here.send("GET", "/bucket/k", "", &[("range", value)], b"");
    let part = range("bytes=2-4").expect(206);
    assert_eq!(
        (part.bytes(), part.header("content-range")),
        (b"234".as_slice(), Some("bytes 2-4/10"))
    );
    assert_eq!(part.header("content-length"), Some("3"));
    assert_eq!(range("bytes=-3").expect(206).bytes(), b"789");
    assert_eq!(range("bytes=8-").expect(206).bytes(), b"89");
    assert_eq!(range("bytes=9-100").expect(206).bytes(), b"9");
    assert_eq!(range("bytes=0-1,3-4").expect(200).bytes(), b"0123456789");
    let none = range("bytes=10-").refused(416, "InvalidRange");
    assert_eq!(none.header("content-range"), Some("bytes */10"));
    assert_eq!(none.one("ActualObjectSize"), "10");
    let first = here.get("/bucket/k", "partNumber=1").expect(206);
    assert_eq!(first.bytes(), b"0123456789");
    here.get("/bucket/k", "partNumber=2")
        .refused(416, "InvalidPartNumber");
}

#[test]
fn an_empty_object_is_read_whole_and_has_no_ranges() {
    let here = Here::new();
    here.put("/bucket/k", "", b"").expect(200);
    assert_eq!(here.get("/bucket/k", "").expect(200).bytes(), b"");
    here.send("GET", "/bucket/k", "", &[("range", "bytes=0-")], b"")
        .refused(416, "InvalidRange");
}

#[test]
fn conditions_are_held_against_the_object() {
    let here = Here::new();
    let tag = here
        .put("/bucket/k", "", b"x")
        .header("etag")
        .unwrap_or_default()
        .to_owned();
    let get = |headers: &[(&'static str, &str)]| here.send("GET", "/bucket/k", "", headers, b"");
    get(&[("if-match", &tag)]).expect(200);
    get(&[("if-match", "\"other\"")]).refused(412, "PreconditionFailed");
    let same = get(&[("if-none-match", &tag)]).expect(304);
    assert_eq!(
        (same.bytes(), same.header("etag")),
        (b"".as_slice(), Some(tag.as_str()))
    );
    get(&[("if-modified-since", "Sun, 22 Nov 2026 00:00:00 GMT")]).expect(304);
    get(&[("if-modified-since", "Sat, 21 Nov 2026 00:00:00 GMT")]).expect(200);
    get(&[("if-unmodified-since", "Sat, 21 Nov 2026 00:00:00 GMT")]).refused(412, "PreconditionFailed");
    let both = [
        ("if-match", tag.as_str()),
        ("if-unmodified-since", "Sat, 21 Nov 2026 00:00:00 GMT"),
    ];
    get(&both).expect(200);
    here.send("HEAD", "/bucket/k", "", &[("if-match", "x")], b"")
        .expect(412);
}

#[test]
fn an_archived_object_is_restored_by_the_clock() {
    let here = Here::new();
    here.send(
        "PUT",
        "/bucket/k",
        "",
        &[("x-amz-storage-class", "GLACIER")],
        b"x",
    )
    .expect(200);
    let refused = here.get("/bucket/k", "").refused(403, "InvalidObjectState");
    assert_eq!(refused.one("StorageClass"), "GLACIER");
    let restore = "<RestoreRequest><Days>2</Days><GlacierJobParameters><Tier>Standard</Tier></GlacierJobParameters></RestoreRequest>";
    here.post("/bucket/k", "restore", restore).expect(202);
    here.post("/bucket/k", "restore", restore)
        .refused(409, "RestoreAlreadyInProgress");
    assert_eq!(
        here.head("/bucket/k").header("x-amz-restore"),
        Some("ongoing-request=\"true\"")
    );
    here.get("/bucket/k", "").refused(403, "InvalidObjectState");
    here.advance(DAY / 24 * 5);
    assert_eq!(here.get("/bucket/k", "").expect(200).bytes(), b"x");
    assert_eq!(
        here.head("/bucket/k").header("x-amz-restore"),
        Some("ongoing-request=\"false\", expiry-date=\"Wed, 25 Nov 2026 00:00:00 GMT\"")
    );
    // Once more while the copy is there: it stays for longer.
    here.post("/bucket/k", "restore", restore).expect(200);
    here.advance(4 * DAY);
    here.get("/bucket/k", "").refused(403, "InvalidObjectState");
    here.post("/bucket/k", "restore", restore).expect(202);
    here.put("/bucket/warm", "", b"x").expect(200);
    here.post("/bucket/warm", "restore", restore)
        .refused(403, "InvalidObjectState");
}
