//! Object lock: what it keeps, from whom, and until when.

use crate::client::{DAY, Here, Reply};

fn id(reply: &Reply) -> String {
    reply.header("x-amz-version-id").unwrap_or_default().to_owned()
}

/// A cloud with a bucket `locked`.
fn locked() -> Here {
    let here = Here::new();
    let body = b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    here.send(
        "PUT",
        "/locked",
        "",
        &[("x-amz-bucket-object-lock-enabled", "true")],
        body,
    )
    .expect(200);
    here
}

fn retention(mode: &str, until: &str) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

#[test]
fn governance_gives_way_to_who_may_bypass_it_and_says_so() {
    let here = locked();
    let version = id(&here.put("/locked/k", "", b"x").expect(200));
    let query = format!("versionId={version}");
    let until = retention("GOVERNANCE", "2026-12-01T00:00:00.000Z");
    here.put("/locked/k", "retention", until.as_bytes()).expect(200);
    let shown = here.get("/locked/k", "retention").expect(200);
    assert_eq!(
        (shown.one("Mode").as_str(), shown.one("RetainUntilDate").as_str()),
        ("GOVERNANCE", "2026-12-01T00:00:00.000Z")
    );
    here.delete("/locked/k", &query).refused(403, "AccessDenied");
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    let weak = here.user("weak", &["s3:DeleteObjectVersion"], &["*"]);
    here.send_as(&weak, "DELETE", "/locked/k", &query, &bypass, b"")
        .refused(403, "AccessDenied");
    let shorter = retention("GOVERNANCE", "2026-11-25T00:00:00Z");
    here.put("/locked/k", "retention", shorter.as_bytes())
        .refused(403, "AccessDenied");
    here.send("PUT", "/locked/k", "retention", &bypass, shorter.as_bytes())
        .expect(200);
    here.send("DELETE", "/locked/k", &query, &bypass, b"").expect(204);
}

#[test]
fn compliance_gives_way_to_nobody_before_its_date() {
    let here = locked();
    let version = id(&here.put("/locked/k", "", b"x").expect(200));
    let query = format!("versionId={version}");
    here.put(
        "/locked/k",
        "retention",
        retention("COMPLIANCE", "2026-11-24T00:00:00Z").as_bytes(),
    )
    .expect(200);
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    here.send("DELETE", "/locked/k", &query, &bypass, b"")
        .refused(403, "AccessDenied");
    let weaker = retention("GOVERNANCE", "2026-12-24T00:00:00Z");
    here.send("PUT", "/locked/k", "retention", &bypass, weaker.as_bytes())
        .refused(403, "AccessDenied");
    here.put(
        "/locked/k",
        "retention",
        retention("COMPLIANCE", "2026-11-25T00:00:00Z").as_bytes(),
    )
    .expect(200);
    // A delete marker hides the version, which stays.
    here.delete("/locked/k", "").expect(204);
    here.get("/locked/k", &query).expect(200);
    here.advance(3 * DAY);
    here.delete("/locked/k", &query).expect(204);
}

#[test]
fn a_legal_hold_stands_until_it_is_lifted() {
    let here = locked();
    let version = id(&here.put("/locked/k", "", b"x").expect(200));
    let query = format!("versionId={version}");
    here.get("/locked/k", "legal-hold")
        .refused(404, "NoSuchObjectLockConfiguration");
    here.put(
        "/locked/k",
        "legal-hold",
        b"<LegalHold><Status>ON</Status></LegalHold>",
    )
    .expect(200);
    assert_eq!(
        here.head("/locked/k").header("x-amz-object-lock-legal-hold"),
        Some("ON")
    );
    here.advance(400 * DAY);
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    here.send("DELETE", "/locked/k", &query, &bypass, b"")
        .refused(403, "AccessDenied");
    here.put(
        "/locked/k",
        "legal-hold",
        b"<LegalHold><Status>OFF</Status></LegalHold>",
    )
    .expect(200);
    here.delete("/locked/k", &query).expect(204);
}

#[test]
fn a_write_brings_its_lock_or_gets_the_buckets() {
    let here = locked();
    let until = [
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-retain-until-date", "2026-12-01T00:00:00Z"),
    ];
    here.send("PUT", "/locked/k", "", &until, b"x")
        .refused(400, "InvalidRequest");
    let mut protected = until.to_vec();
    protected.push(("content-md5", "nd1eRxT6P7lg7n4SiyeKxQ=="));
    here.send("PUT", "/locked/k", "", &protected, b"x")
        .refused(400, "BadDigest");
    protected.retain(|(name, _)| *name != "content-md5");
    protected.push(("x-amz-sdk-checksum-algorithm", "CRC32"));
    here.send("PUT", "/locked/k", "", &protected, b"x").expect(200);
    assert_eq!(
        here.head("/locked/k").header("x-amz-object-lock-mode"),
        Some("GOVERNANCE")
    );
    let half = [
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
    ];
    here.send("PUT", "/locked/k", "", &half, b"x")
        .refused(400, "InvalidArgument");
    let default = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>2</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    here.put("/locked", "object-lock", default).expect(200);
    here.put("/locked/other", "", b"x").expect(200);
    let head = here.head("/locked/other").expect(200);
    assert_eq!(
        (
            head.header("x-amz-object-lock-mode"),
            head.header("x-amz-object-lock-retain-until-date")
        ),
        (Some("COMPLIANCE"), Some("2026-11-24T00:00:00Z"))
    );
}

/// What would be promised and not kept is refused, and nothing is written.
#[test]
fn holds_until_an_event_are_refused_as_not_built() {
    let here = locked();
    let body = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2026-12-01T00:00:00Z</RetainUntilDate><EventHold>ON</EventHold></Retention>";
    let config = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days><DefaultEventHold>ON</DefaultEventHold></DefaultRetention></Rule></ObjectLockConfiguration>";
    here.put("/locked", "object-lock", config)
        .refused(501, "NotImplemented");
    for held in [
        ("x-amz-object-lock-event-hold", "ON"),
        ("x-amz-object-lock-event-hold-duration-days", "1"),
        ("x-amz-object-lock-event-hold-duration-years", "1"),
    ] {
        let checked = ("x-amz-sdk-checksum-algorithm", "CRC32");
        here.send("PUT", "/locked/k", "", &[held, checked], b"x")
            .refused(501, "NotImplemented");
        here.send("POST", "/locked/k", "uploads", &[held], b"")
            .refused(501, "NotImplemented");
        here.send(
            "PUT",
            "/locked/k",
            "",
            &[held, ("x-amz-copy-source", "locked/k")],
            b"",
        )
        .refused(501, "NotImplemented");
    }
    here.get("/locked/k", "").refused(404, "NoSuchKey");
    here.put("/locked/k", "", b"x").expect(200);
    here.put("/locked/k", "retention", body.as_bytes())
        .refused(501, "NotImplemented");
    assert_eq!(here.head("/locked/k").header("x-amz-object-lock-mode"), None);
}
