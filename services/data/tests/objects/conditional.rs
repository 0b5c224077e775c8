//! Writes and deletions on conditions.

use crate::client::Here;

#[test]
fn a_write_may_ask_that_nothing_is_there() {
    let here = Here::new();
    let put = |tag: &'static str| here.send("PUT", "/bucket/k", "", &[("if-none-match", tag)], b"x");
    put("*").expect(200);
    put("*").refused(412, "PreconditionFailed");
    put("\"tag\"").refused(501, "NotImplemented");
}

#[test]
fn a_write_may_ask_for_what_is_there() {
    let here = Here::new();
    let put = |tag: &str| here.send("PUT", "/bucket/k", "", &[("if-match", tag)], b"y");
    put("\"x\"").refused(404, "NoSuchKey");
    let tag = here
        .put("/bucket/k", "", b"x")
        .header("etag")
        .unwrap_or_default()
        .to_owned();
    put("\"x\"").refused(412, "PreconditionFailed");
    put(&tag).expect(200);
    put(&tag).refused(412, "PreconditionFailed");
    let writer = here.user("writer", &["s3:PutObject"], &["*"]);
    here.send_as(&writer, "PUT", "/bucket/k", "", &[("if-match", &tag)], b"z")
        .refused(403, "AccessDenied");
}

#[test]
fn a_deletion_may_ask_for_what_is_there() {
    let here = Here::new();
    let tag = here
        .put("/bucket/k", "", b"x")
        .header("etag")
        .unwrap_or_default()
        .to_owned();
    let delete = |tag: &str| here.send("DELETE", "/bucket/k", "", &[("if-match", tag)], b"");
    delete("\"x\"").refused(412, "PreconditionFailed");
    delete(&tag).expect(204);
    delete("*").refused(404, "NoSuchKey");
}

#[test]
fn a_delete_marker_counts_as_nothing_there() {
    let here = Here::versioned();
    here.put("/bucket/k", "", b"x").expect(200);
    here.delete("/bucket/k", "").expect(204);
    here.send("DELETE", "/bucket/k", "", &[("if-match", "*")], b"")
        .refused(412, "PreconditionFailed");
    here.send("PUT", "/bucket/k", "", &[("if-none-match", "*")], b"x")
        .expect(200);
}

/// Who may not list learns nothing of what is not there, nor of what may not be read.
#[test]
fn conditions_tell_of_what_is_there_to_its_readers_alone() {
    let here = Here::new();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*",
         "Condition":{"StringEquals":{"s3:ExistingObjectTag/secret":"yes"}}}]}"#;
    here.send(
        "PUT",
        "/bucket/secret",
        "",
        &[("x-amz-tagging", "secret=yes")],
        b"x",
    )
    .expect(200);
    here.put("/bucket", "policy", policy.as_bytes()).fine();
    let rights = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"];
    let writer = here.user("writer", &rights, &["*"]);
    let lister = here.user("lister", &[&rights[..], &["s3:ListBucket"]].concat(), &["*"]);
    let ask = |keys, method, path| here.send_as(keys, method, path, "", &[("if-match", "\"x\"")], b"y");
    for method in ["PUT", "DELETE"] {
        ask(&writer, method, "/bucket/none").refused(403, "AccessDenied");
        ask(&lister, method, "/bucket/none").refused(404, "NoSuchKey");
        // What may not be read may not be guessed at either.
        ask(&lister, method, "/bucket/secret").refused(403, "AccessDenied");
    }
}

/// S3 User Guide, "Conditional write behavior".
#[test]
fn a_delete_marker_is_no_match_for_a_write() {
    let here = Here::versioned();
    let put = here.put("/bucket/k", "", b"x").expect(200);
    let tag = put.header("etag").unwrap_or_default().to_owned();
    here.delete("/bucket/k", "").expect(204);
    here.send("PUT", "/bucket/k", "", &[("if-match", &tag)], b"y")
        .refused(404, "NoSuchKey");
}

/// S3 User Guide, "Conditional write scenarios".
#[test]
fn an_upload_whose_object_was_deleted_meanwhile_is_not_completed_on_condition() {
    for (begin, status) in [(Here::new as fn() -> Here, "Never"), (Here::versioned, "Enabled")] {
        let here = begin();
        let upload = || {
            let id = here.post("/bucket/k", "uploads", "").expect(200).one("UploadId");
            let query = format!("partNumber=1&uploadId={id}");
            let part = here.put("/bucket/k", &query, b"part").expect(200);
            (id, part.header("etag").unwrap_or_default().to_owned())
        };
        let complete = |(id, tag): &(String, String), headers: &[(&'static str, &str)]| {
            let body = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
            );
            here.send(
                "POST",
                "/bucket/k",
                &format!("uploadId={id}"),
                headers,
                body.as_bytes(),
            )
        };
        let before = upload();
        let object = here.put("/bucket/k", "", b"x").expect(200);
        complete(&before, &[("if-none-match", "*")]).refused(412, "PreconditionFailed");
        here.delete("/bucket/k", "").expect(204);
        let after = upload();
        complete(&before, &[("if-none-match", "*")]).refused(409, "ConditionalRequestConflict");
        let tag = object.header("etag").unwrap_or_default();
        complete(&before, &[("if-match", tag)]).refused(404, "NoSuchKey");
        complete(&after, &[("if-none-match", "*")]).expect(200);
        complete(&before, &[]).expect(200);
        assert_eq!(here.get("/bucket/k", "").expect(200).bytes(), b"part", "{status}");
    }
}

/// Conditions that general purpose buckets do not judge are refused rather than passed over.
#[test]
fn deletions_on_size_or_date_are_refused_as_not_built() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    for condition in [
        ("x-amz-if-match-size", "1"),
        (
            "x-amz-if-match-last-modified-time",
            "Sun, 22 Nov 2026 00:00:00 GMT",
        ),
    ] {
        here.send("DELETE", "/bucket/k", "", &[condition], b"")
            .refused(501, "NotImplemented");
    }
    for member in [
        "<Size>1</Size>",
        "<LastModifiedTime>Sun, 22 Nov 2026 00:00:00 GMT</LastModifiedTime>",
    ] {
        let body = format!("<Delete><Object><Key>k</Key>{member}</Object></Delete>");
        let told = here.post("/bucket", "delete", &body).expect(200);
        assert_eq!(told.all("Code"), ["NotImplemented"], "{member}");
    }
    here.get("/bucket/k", "").expect(200);
}

/// RFC 9110, sections 13.1.3 and 13.1.4: a condition without a valid date is none.
#[test]
fn a_condition_without_a_date_is_none() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").fine();
    for name in ["if-modified-since", "if-unmodified-since"] {
        for (date, status) in [("yesterday", 200), ("Mon, 01 Jan 2001 00:00:00 GMT", 412)] {
            let status = if name == "if-modified-since" { 200 } else { status };
            here.send("GET", "/bucket/k", "", &[(name, date)], b"")
                .expect(status);
        }
    }
}

/// RFC 9110, section 13.1.5: a range that is asked for of another content than there is gets the whole.
#[test]
fn a_range_is_of_the_content_that_it_was_asked_for_of() {
    let here = Here::new();
    let put = here.put("/bucket/k", "", b"0123456789").fine();
    let tag = put.header("etag").unwrap().to_owned();
    let date = here.head("/bucket/k").header("last-modified").unwrap().to_owned();
    let get = |validator: &str| {
        let headers = [("range", "bytes=2-4"), ("if-range", validator)];
        let got = here.send("GET", "/bucket/k", "", &headers, b"").fine();
        let head = here.send("HEAD", "/bucket/k", "", &headers, b"").fine();
        assert_eq!(got.status, head.status, "{validator}");
        (got.status, got.text())
    };
    let part = (206, "234".to_owned());
    assert_eq!(get(&tag), part);
    assert_eq!(get(&date), part);
    for other in ["\"x\"", &format!("W/{tag}"), "Mon, 01 Jan 2001 00:00:00 GMT", "x"] {
        assert_eq!(get(other), (200, "0123456789".to_owned()), "{other}");
    }
}
