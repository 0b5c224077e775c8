//! Server access logs: the lines, and how they reach the target bucket.

use pipeline::testing::{ACCOUNT, REGION};

use crate::client::{DAY, Here, Keys};

const HOUR: i64 = 3_600_000;
const SIMPLE: &str = "<TargetObjectKeyFormat><SimplePrefix/></TargetObjectKeyFormat>";

fn partitioned(by: &str) -> String {
    format!(
        "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>{by}</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>"
    )
}

/// A bucket that is logged into `logs`, which lets the service deliver if it is `open`.
fn logged(format: &str, open: bool) -> Here {
    let here = Here::new();
    here.make_bucket("logs");
    if open {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"Service":"logging.s3.amazonaws.com"}},"Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*","Condition":{{"ArnLike":{{"aws:SourceArn":"arn:aws:s3:::bucket"}},"StringEquals":{{"aws:SourceAccount":"{ACCOUNT}"}}}}}}}}"#
        );
        here.put("/logs", "policy", policy.as_bytes()).fine();
    }
    here.put("/bucket", "logging", configuration(format).as_bytes())
        .fine();
    here
}

fn configuration(format: &str) -> String {
    format!(
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>p/</TargetPrefix>{format}</LoggingEnabled></BucketLoggingStatus>"
    )
}

fn delivered(here: &Here) -> Vec<String> {
    here.get("/logs", "list-type=2").fine().all("Key")
}

fn lines(here: &Here) -> Vec<String> {
    let keys = delivered(here);
    let texts = keys
        .iter()
        .map(|key| here.get(&format!("/logs/{key}"), "").fine().text());
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// S20.1: nothing is logged of a bucket that does not ask for it, nor after it asks no more.
#[test]
fn logging_is_off_by_default() {
    let here = Here::new();
    here.make_bucket("logs");
    assert!(
        !here
            .get("/bucket", "logging")
            .fine()
            .text()
            .contains("LoggingEnabled")
    );
    here.put("/bucket/a", "", b"x").fine();
    here.advance(DAY);
    assert_eq!(delivered(&here), Vec::<String>::new());
    let here = logged(SIMPLE, true);
    here.put("/bucket/a", "", b"x").fine();
    here.put("/bucket", "logging", b"<BucketLoggingStatus/>").fine();
    here.put("/bucket/b", "", b"x").fine();
    here.advance(DAY);
    // What was asked before still comes.
    let lines = lines(&here);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("/bucket/a "));
}

/// S20.2: a copy reads one bucket and writes another, and each log has its part (S3 User Guide, "Additional logging for copy operations").
#[test]
fn a_copys_source_has_a_line_of_its_own() {
    let here = logged(SIMPLE, true);
    here.make_bucket("quiet");
    here.put("/bucket/a%20key", "", b"hello").fine();
    here.send(
        "PUT",
        "/quiet/copy",
        "",
        &[("x-amz-copy-source", "bucket/a%20key")],
        b"",
    )
    .fine();
    here.send(
        "PUT",
        "/bucket/copy",
        "",
        &[("x-amz-copy-source", "/quiet/copy")],
        b"",
    )
    .fine();
    let upload = here
        .send("POST", "/quiet/parts", "uploads", &[], b"")
        .fine()
        .one("UploadId");
    let query = format!("partNumber=1&uploadId={upload}");
    let source = [("x-amz-copy-source", "bucket/copy?versionId=null")];
    here.send("PUT", "/quiet/parts", &query, &source, b"").fine();
    here.advance(HOUR);
    let lines = lines(&here);
    let told = |operation: &str| -> Vec<Vec<&str>> {
        let of = lines
            .iter()
            .filter(|line| line.contains(&format!(" {operation} ")));
        of.map(|line| line.split(' ').collect()).collect()
    };
    let [read] = told("REST.COPY.OBJECT_GET").try_into().unwrap();
    // Bucket, key, request, status, code, bytes sent, object size, version.
    assert_eq!((read[1], read[8]), ("bucket", "a%20key"));
    // The bucket that was written to is nothing for the log of the one that was read.
    assert_eq!(&read[9..12], ["\"GET", "/bucket/a%20key", "HTTP/1.1\""]);
    assert_eq!(&read[12..16], ["200", "-", "-", "5"]);
    assert_eq!(read[20], "-");
    let [written] = told("REST.COPY.OBJECT").try_into().unwrap();
    assert_eq!(
        (written[1], written[8]),
        ("bucket", "copy"),
        "nothing of the copy to `quiet`"
    );
    let [part] = told("REST.COPY.PART_GET").try_into().unwrap();
    assert_eq!(
        (part[8], part[10], part[20]),
        ("copy", "/bucket/copy?versionId=null", "null")
    );
}

/// S20.2: what a copy was refused to read is told to who owns it (S3 User Guide, "Additional logging for copy operations": status and code
/// of the reading part).
#[test]
fn a_refused_read_of_a_copys_source_is_told() {
    let here = logged(SIMPLE, true);
    here.make_bucket("quiet");
    here.put("/bucket/a", "", b"hello").fine();
    let copy = |keys: &Keys, source: &str, more: &[(&'static str, &str)]| {
        let mut headers = vec![("x-amz-copy-source", source)];
        headers.extend_from_slice(more);
        here.send_as(keys, "PUT", "/quiet/copy", "", &headers, b"")
    };
    let stranger = here.user("stranger", &["s3:PutObject"], &["arn:aws:s3:::quiet/*"]);
    copy(&stranger, "bucket/a", &[]).refused(403, "AccessDenied");
    copy(&here.root, "bucket/none", &[]).refused(404, "NoSuchKey");
    let unlike = [("x-amz-copy-source-if-match", "\"x\"")];
    copy(&here.root, "bucket/a", &unlike).refused(412, "PreconditionFailed");
    let others = [("x-amz-source-expected-bucket-owner", crate::client::OTHER)];
    copy(&here.root, "bucket/a", &others).refused(403, "AccessDenied");
    here.advance(HOUR);
    let told: Vec<_> = lines(&here)
        .iter()
        .filter(|line| line.contains(" REST.COPY.OBJECT_GET "))
        .map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            [8, 12, 13, 15].map(|at| fields[at].to_owned()).join(" ")
        })
        .collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for line in [
        "a 403 AccessDenied -",
        "none 404 NoSuchKey -",
        "a 412 PreconditionFailed -",
    ] {
        assert!(told.iter().any(|told| told == line), "{line} in {told:?}");
    }
}

/// S20.2: what a browser asks in advance is a request to the bucket too, and the metrics count it.
#[test]
fn what_browsers_ask_in_advance_is_told() {
    let here = logged(SIMPLE, true);
    let rule = b"<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>";
    here.put("/bucket", "cors", rule).fine();
    let ask = |method: &'static str| {
        let mut headers = http::HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1:4566"),
            ("origin", "https://a.example"),
            ("access-control-request-method", method),
        ] {
            headers.insert(name, http::HeaderValue::from_static(value));
        }
        here.serve("OPTIONS", "/bucket/a%20key", "", headers, b"").status
    };
    assert_eq!((ask("PUT"), ask("GET")), (200, 403));
    here.advance(HOUR);
    let lines = lines(&here);
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("OPTIONS"))
        .map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            [5, 7, 8, 12, 13].map(|at| fields[at])
        })
        .collect();
    assert_eq!(told.len(), 2, "{lines:?}");
    for line in [
        ["-", "REST.OPTIONS.PREFLIGHT", "a%20key", "200", "-"],
        ["-", "REST.OPTIONS.PREFLIGHT", "a%20key", "403", "AccessForbidden"],
    ] {
        assert!(told.contains(&line), "{line:?} in {told:?}");
    }
}

/// S20.2: the access point that a request came through is told, and the key behind it.
#[test]
fn the_access_point_of_a_request_is_told() {
    let here = logged(SIMPLE, true);
    let root = std::sync::Arc::new(pipeline::Identity::root(ACCOUNT));
    let door = serde_json::json!({"AccountId": ACCOUNT, "Name": "door", "Bucket": "bucket"});
    let made = here
        .cloud
        .call(&root, "s3control", "CreateAccessPoint", door)
        .unwrap();
    let alias = made["Alias"].as_str().unwrap();
    here.put(&format!("/{alias}/a%20key"), "", b"hello").fine();
    here.get(&format!("/{alias}"), "list-type=2").fine();
    here.get("/bucket/a%20key", "").fine();
    here.advance(HOUR);
    let lines = lines(&here);
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            (fields[7], fields[8], fields[fields.len() - 3])
        })
        .collect();
    let arn = format!("arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/door");
    for line in [
        ("REST.PUT.OBJECT", "a%20key", arn.as_str()),
        ("REST.GET.BUCKET", "-", &arn),
        ("REST.GET.OBJECT", "a%20key", "-"),
    ] {
        assert!(told.contains(&line), "{line:?} in {told:?}");
    }
}

/// S20.2: who read what is told in another bucket, of refused requests too.
#[test]
fn requests_are_told_line_by_line() {
    let here = logged(SIMPLE, true);
    here.put("/bucket/a%20key", "", b"hello").fine();
    here.send(
        "GET",
        "/bucket/a%20key",
        "",
        &[
            ("range", "bytes=1-2"),
            ("user-agent", "probe/1 \"x\""),
            ("referer", "http://from"),
        ],
        b"",
    )
    .expect(206);
    let stranger = here.user("stranger", &["s3:ListAllMyBuckets"], &["*"]);
    here.send_as(&stranger, "GET", "/bucket/a%20key", "", &[], b"")
        .expect(403);
    here.anonymous("GET", "/bucket/a%20key").expect(403);
    here.get("/bucket/none", "versionId=null").expect(404);
    assert_eq!(delivered(&here), Vec::<String>::new());
    here.advance(HOUR);
    let keys = delivered(&here);
    assert_eq!(keys.len(), 1, "{keys:?}");
    let stamp = keys[0].strip_prefix("p/").unwrap();
    assert_eq!(
        stamp.split('-').map(str::len).collect::<Vec<_>>(),
        [4, 2, 2, 2, 2, 2, 16]
    );
    let lines = lines(&here);
    let find = |part: &str| {
        lines
            .iter()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("{part} in {lines:#?}"))
    };
    let put = find(" REST.PUT.OBJECT ");
    let fields: Vec<_> = put.split(' ').collect();
    assert_eq!(fields[1], "bucket");
    assert!(fields[2].starts_with('[') && fields[3] == "+0000]");
    assert_eq!(fields[4], "127.0.0.1");
    assert_eq!(fields[5], fields[0], "the owner's root user asked");
    assert_eq!(fields[8], "a%20key");
    assert_eq!(&fields[9..12], ["\"PUT", "/bucket/a%20key", "HTTP/1.1\""]);
    assert_eq!(&fields[12..16], ["200", "-", "-", "5"]);
    assert!(put.contains(" SigV4 - AuthHeader 127.0.0.1:4566 - "));
    let range = find(" 206 ");
    assert!(range.contains(" 206 - 2 5 "), "{range}");
    assert!(range.contains("\"http://from\" \"probe/1 \"x\"\" "), "{range}");
    let refused = find("user/stranger");
    assert!(refused.contains(" 403 AccessDenied "), "{refused}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("127.0.0.1 - ") && line.contains(" 403 "))
    );
    assert!(find(" 404 NoSuchVersion ").contains(" null "));
    assert_eq!(lines.len(), 5);
}

/// Without the target bucket's permission nothing comes, the trail shows why, and what waited comes once it is given.
#[test]
fn delivery_needs_the_targets_permission() {
    let here = logged(SIMPLE, false);
    here.put("/bucket/a", "", b"x").fine();
    here.advance(HOUR);
    assert_eq!(delivered(&here), Vec::<String>::new());
    let records = here.cloud.records(ACCOUNT, REGION);
    let refused = records.iter().any(|record| {
        record.operation == "PutObject"
            && record.caller.invoked_by.as_deref() == Some("logging.s3.amazonaws.com")
            && record
                .error
                .as_ref()
                .is_some_and(|error| error.code == "AccessDenied")
    });
    assert!(refused);
    let policy = br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/p/*"}}"#;
    here.put("/logs", "policy", policy).fine();
    here.advance(HOUR);
    assert_eq!(lines(&here).len(), 1);
    // What nobody lets in for a day is let go.
    here.delete("/logs", "policy").fine();
    here.put("/bucket/a", "", b"x").fine();
    here.advance(2 * DAY);
    here.put("/logs", "policy", policy).fine();
    here.advance(DAY);
    assert_eq!(lines(&here).len(), 1);
}

#[test]
fn keys_can_be_partitioned_by_delivery_or_event() {
    let of = |by: &str| {
        let here = logged(&partitioned(by), true);
        here.put("/bucket/a", "", b"x").fine();
        here.advance(DAY - HOUR / 2);
        here.put("/bucket/a", "", b"x").fine();
        here.advance(DAY);
        delivered(&here)
    };
    let root = format!("p/{ACCOUNT}/{REGION}/bucket/");
    let keys = of("DeliveryTime");
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with(&root)), "{keys:?}");
    assert!(keys.iter().any(|key| !key.contains("-00-00-00-")), "{keys:?}");
    let keys = of("EventTime");
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        let (days, name) = key.strip_prefix(&root).unwrap().rsplit_once('/').unwrap();
        assert!(
            name.starts_with(&format!("{}-00-00-00-", days.replace('/', "-"))),
            "{key}"
        );
    }
}

/// More lines than an object takes go into several, and none twice.
#[test]
fn many_lines_go_in_pages() {
    let here = logged(SIMPLE, true);
    for _ in 0..1003 {
        here.head("/bucket/none");
    }
    here.advance(HOUR);
    assert_eq!(delivered(&here).len(), 2);
    let lines = lines(&here);
    let ids: std::collections::BTreeSet<_> = lines.iter().filter_map(|line| line.split(' ').nth(6)).collect();
    assert_eq!((lines.len(), ids.len()), (1003, 1003));
}

/// S20.2: whoever is refused before anything is looked at is told of too.
#[test]
fn requests_that_prove_nothing_are_told() {
    let here = logged(SIMPLE, true);
    let mut wrong = here.root.clone();
    wrong.secret = "wrong".to_owned();
    here.send_as(&wrong, "GET", "/bucket/forged", "", &[], b"")
        .refused(403, "SignatureDoesNotMatch");
    wrong.id = "AKIAIOSFODNN7EXAMPLE".to_owned();
    here.send_as(&wrong, "PUT", "/bucket/unknown", "", &[], b"x")
        .refused(403, "InvalidAccessKeyId");
    here.send("PUT", "/bucket", "versioning", &[], b"<Versioning")
        .expect(400);
    here.send("PATCH", "/bucket/nothing", "", &[], b"").expect(405);
    here.send(
        "GET",
        "/bucket/theirs",
        "",
        &[("x-amz-expected-bucket-owner", "444455556666")],
        b"",
    )
    .expect(403);
    here.advance(HOUR);
    let lines = lines(&here);
    for (operation, what, requester) in [
        ("REST.GET.OBJECT forged", "403 SignatureDoesNotMatch", false),
        ("REST.PUT.OBJECT unknown", "403 InvalidAccessKeyId", false),
        ("REST.PUT.VERSIONING -", "400 MalformedXML", true),
        ("REST.PATCH.OBJECT nothing", "405 MethodNotAllowed", true),
        ("REST.GET.OBJECT theirs", "403 AccessDenied", true),
    ] {
        let line = lines.iter().find(|line| line.contains(operation));
        let line = line.unwrap_or_else(|| panic!("{operation} in {lines:#?}"));
        assert!(line.contains(what), "{what}: {line}");
        let fields: Vec<_> = line.split(' ').collect();
        assert_eq!(fields[5] != "-", requester, "{line}");
        assert!(fields.len() > 20, "{line}");
    }
}

/// S20.2: what one request deletes is told object by object.
#[test]
fn every_object_of_a_batch_has_its_line() {
    let here = logged(SIMPLE, true);
    here.put("/bucket/a%20b", "", b"hello").fine();
    let objects =
        "<Object><Key>a b</Key></Object><Object><Key>none</Key><VersionId>wrong</VersionId></Object>";
    let body = format!("<Delete>{objects}</Delete>");
    let digest = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(crypto::digest::sha256(body.as_bytes()))
    };
    let headers = [("x-amz-checksum-sha256", digest.as_str())];
    here.send("POST", "/bucket", "delete", &headers, body.as_bytes())
        .expect(200);
    here.advance(HOUR);
    let lines = lines(&here);
    let whole = lines
        .iter()
        .find(|line| line.contains("REST.POST.MULTI_OBJECT_DELETE"));
    let whole: Vec<_> = whole.unwrap().split(' ').collect();
    let parts: Vec<Vec<_>> = lines
        .iter()
        .filter(|line| line.contains(" BATCH.DELETE.OBJECT "))
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!(parts.len(), 2, "{lines:#?}");
    for part in &parts {
        assert_eq!(part.len(), 28, "{part:?}");
        assert_eq!(
            (part[5], part[6]),
            (whole[5], whole[6]),
            "one requester, one request"
        );
    }
    assert_eq!((parts[0][8], parts[0][10], parts[0][11]), ("a%20b", "204", "-"));
    assert_eq!(
        (parts[1][8], parts[1][10], parts[1][11], parts[1][18]),
        ("none", "400", "InvalidArgument", "wrong")
    );
}

/// S20.2: what rules have done is told, though nobody asked for it.
#[test]
fn what_rules_do_is_told() {
    let here = logged(SIMPLE, true);
    let rule = |id: &str, prefix: &str, action: &str| {
        format!(
            "<Rule><ID>{id}</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>{action}</Rule>"
        )
    };
    let rules = format!(
        "<LifecycleConfiguration>{}{}{}</LifecycleConfiguration>",
        rule("old", "old/", "<Expiration><Days>1</Days></Expiration>"),
        rule(
            "cold",
            "cold/",
            "<Transition><Days>1</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>"
        ),
        rule(
            "left",
            "left/",
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
        ),
    );
    here.put("/bucket", "lifecycle", rules.as_bytes()).fine();
    here.put("/bucket/old/a", "", b"hello").fine();
    here.put("/bucket/cold/b", "", &vec![0; 200_000]).fine();
    here.post("/bucket/left/c", "uploads", "").fine();
    here.versioning("Enabled");
    here.put("/bucket/old/d", "", b"x").fine();
    here.advance(3 * DAY);
    here.advance(HOUR);
    let lines = lines(&here);
    for (operation, size) in [
        ("S3.TRANSITION_GDA.OBJECT cold/b ", "200000"),
        ("S3.DELETE.UPLOAD left/c ", "-"),
        ("S3.CREATE.DELETEMARKER old/d ", "-"),
        ("S3.CREATE.DELETEMARKER old/a ", "-"),
    ] {
        let line = lines.iter().find(|line| line.contains(operation));
        let line = line.unwrap_or_else(|| panic!("{operation} in {lines:#?}"));
        let fields: Vec<_> = line.split(' ').collect();
        assert_eq!(
            (fields.len(), fields[4], fields[5]),
            (28, "-", "AmazonS3"),
            "{line}"
        );
        assert_eq!(fields[13], size, "{line}");
    }
}
