//! What lifecycle rules do to objects as the days go by.

use crate::client::{DAY, Here};

fn rules(here: &Here, bucket: &str, rules: &str) {
    let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    here.put(&format!("/{bucket}"), "lifecycle", body.as_bytes())
        .fine();
}

fn rule(id: &str, rest: &str) -> String {
    format!("<Rule><ID>{id}</ID><Status>Enabled</Status>{rest}</Rule>")
}

fn keys(here: &Here) -> Vec<String> {
    here.get("/bucket", "list-type=2").fine().all("Key")
}

fn versions(here: &Here) -> (usize, usize) {
    let listed = here.get("/bucket", "versions").fine().text();
    (
        listed.matches("<Version>").count(),
        listed.matches("<DeleteMarker>").count(),
    )
}

#[test]
fn objects_go_when_their_days_are_over() {
    let here = Here::new();
    let filter = "<Filter><Prefix>old/</Prefix></Filter>";
    rules(
        &here,
        "bucket",
        &rule(
            "a rule",
            &format!("{filter}<Expiration><Days>3</Days></Expiration>"),
        ),
    );
    for key in ["old/a", "old/b", "young"] {
        here.put(&format!("/bucket/{key}"), "", b"x").fine();
    }
    let told = here.head("/bucket/old/a").fine();
    let told = told.header("x-amz-expiration").unwrap();
    assert!(
        told.starts_with("expiry-date=\"") && told.ends_with("rule-id=\"a%20rule\""),
        "{told}"
    );
    assert!(here.head("/bucket/young").header("x-amz-expiration").is_none());
    here.advance(2 * DAY);
    assert_eq!(keys(&here).len(), 3);
    here.advance(2 * DAY);
    assert_eq!(keys(&here), ["young"]);
    // Without rules nothing happens any more.
    here.put("/bucket/old/c", "", b"x").fine();
    here.delete("/bucket", "lifecycle").fine();
    here.advance(10 * DAY);
    assert_eq!(keys(&here), ["old/c", "young"]);
    // Nor where a rule does not hold.
    let disabled =
        rule("b", "<Filter/><Expiration><Days>1</Days></Expiration>").replace("Enabled", "Disabled");
    rules(&here, "bucket", &disabled);
    here.advance(10 * DAY);
    assert_eq!(keys(&here), ["old/c", "young"]);
}

#[test]
fn a_run_takes_a_large_bucket_page_by_page() {
    let here = Here::new();
    for number in 0..250 {
        here.put(&format!("/bucket/{number}"), "", b"x").fine();
    }
    here.put("/bucket/stays", "", b"large enough").fine();
    let filter = "<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>";
    rules(
        &here,
        "bucket",
        &rule("a", &format!("{filter}<Expiration><Days>1</Days></Expiration>")),
    );
    here.advance(3 * DAY);
    assert_eq!(keys(&here), ["stays"]);
}

#[test]
fn rules_choose_by_tags_and_sizes() {
    let here = Here::new();
    let put = |key: &str, tags: &str, body: &[u8]| {
        here.send("PUT", key, "", &[("x-amz-tagging", tags)], body).fine();
    };
    put("/bucket/a/both", "kind=log&team=x", b"12345");
    put("/bucket/a/one", "kind=log", b"12345");
    put("/bucket/a/small", "kind=log&team=x", b"1");
    put("/bucket/b/both", "kind=log&team=x", b"12345");
    let filter = "<Filter><And><Prefix>a/</Prefix><Tag><Key>kind</Key><Value>log</Value></Tag>\
                  <Tag><Key>team</Key><Value>x</Value></Tag><ObjectSizeGreaterThan>3</ObjectSizeGreaterThan></And></Filter>";
    rules(
        &here,
        "bucket",
        &rule("a", &format!("{filter}<Expiration><Days>1</Days></Expiration>")),
    );
    here.advance(3 * DAY);
    assert_eq!(keys(&here), ["a/one", "a/small", "b/both"]);
}

#[test]
fn where_versions_are_kept_a_marker_hides_the_object_until_all_goes() {
    let here = Here::versioned();
    here.put("/bucket/a", "", b"1").fine();
    let all = rule(
        "a",
        "<Filter/><Expiration><Days>1</Days></Expiration>\
         <NoncurrentVersionExpiration><NoncurrentDays>4</NoncurrentDays></NoncurrentVersionExpiration>",
    );
    rules(&here, "bucket", &all);
    here.advance(2 * DAY);
    assert_eq!(versions(&here), (1, 1));
    here.get("/bucket/a", "").expect(404);
    here.advance(2 * DAY);
    assert_eq!(versions(&here), (1, 1));
    // The old version goes, then the marker that hides nothing.
    here.advance(3 * DAY);
    assert_eq!(versions(&here), (0, 0));
    here.delete("/bucket", "").fine();
    here.advance(3 * DAY);
}

#[test]
fn newer_noncurrent_versions_stay() {
    let here = Here::versioned();
    for number in 0..120 {
        here.put("/bucket/a", "", number.to_string().as_bytes()).fine();
    }
    let kept = "<NewerNoncurrentVersions>2</NewerNoncurrentVersions><NoncurrentDays>1</NoncurrentDays>";
    let kept = format!("<Filter/><NoncurrentVersionExpiration>{kept}</NoncurrentVersionExpiration>");
    rules(&here, "bucket", &rule("a", &kept));
    here.advance(3 * DAY);
    assert_eq!(versions(&here), (3, 0));
    assert_eq!(here.get("/bucket/a", "").fine().text(), "119");
}

#[test]
fn a_lock_keeps_a_version_from_every_rule() {
    let here = Here::new();
    let place = b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    here.send(
        "PUT",
        "/locked",
        "",
        &[("x-amz-bucket-object-lock-enabled", "true")],
        place,
    )
    .fine();
    let held = here.put("/locked/a", "", b"1").fine();
    let held = held.header("x-amz-version-id").unwrap().to_owned();
    let hold = b"<LegalHold><Status>ON</Status></LegalHold>";
    here.put("/locked/a", &format!("legal-hold&versionId={held}"), hold)
        .fine();
    here.put("/locked/a", "", b"2").fine();
    here.put("/locked/a", "", b"3").fine();
    let old = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    rules(&here, "locked", &rule("a", &format!("<Filter/>{old}")));
    here.advance(4 * DAY);
    let left = here.get("/locked", "versions").fine().all("VersionId");
    assert_eq!(left.len(), 2);
    assert!(left.contains(&held));
}

#[test]
fn uploads_that_never_end_are_ended() {
    let here = Here::new();
    let upload = here.post("/bucket/a", "uploads", "").fine().one("UploadId");
    here.put("/bucket/a", &format!("partNumber=1&uploadId={upload}"), b"x")
        .fine();
    for number in 0..7 {
        here.post(&format!("/bucket/{number}"), "uploads", "").fine();
    }
    here.post("/bucket/other", "uploads", "").fine();
    let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    rules(
        &here,
        "bucket",
        &rule("o", &format!("<Filter><Prefix>o</Prefix></Filter>{abort}")),
    );
    here.advance(4 * DAY);
    assert_eq!(here.get("/bucket", "uploads").fine().all("Upload").len(), 8);
    rules(&here, "bucket", &rule("all", &format!("<Filter/>{abort}")));
    here.advance(2 * DAY);
    assert_eq!(here.get("/bucket", "uploads").fine().all("Upload").len(), 0);
    here.get("/bucket/a", &format!("uploadId={upload}"))
        .refused(404, "NoSuchUpload");
}

#[test]
fn objects_move_down_the_classes() {
    let here = Here::versioned();
    here.put("/bucket/large", "", &vec![1; 128 << 10]).fine();
    here.put("/bucket/large", "", &vec![2; 128 << 10]).fine();
    here.put("/bucket/small", "", b"x").fine();
    let steps = "<Filter/><Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>\
                 <Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition>\
                 <NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>DEEP_ARCHIVE</StorageClass></NoncurrentVersionTransition>";
    rules(&here, "bucket", &rule("a", steps));
    here.advance(32 * DAY);
    let class = |key: &str| {
        here.head(&format!("/bucket/{key}"))
            .fine()
            .header("x-amz-storage-class")
            .map(str::to_owned)
    };
    assert_eq!(
        (class("large").as_deref(), class("small")),
        (Some("STANDARD_IA"), None)
    );
    let listed = here.get("/bucket", "prefix=large&versions").fine();
    let older = listed.all("VersionId").pop().unwrap_or_default();
    let older = here
        .send("HEAD", "/bucket/large", &format!("versionId={older}"), &[], b"")
        .fine();
    assert_eq!(older.header("x-amz-storage-class"), Some("DEEP_ARCHIVE"));
    assert!(older.header("x-amz-expiration").is_none());
    here.advance(60 * DAY);
    assert_eq!(class("large").as_deref(), Some("GLACIER"));
    here.get("/bucket/large", "").refused(403, "InvalidObjectState");
}
