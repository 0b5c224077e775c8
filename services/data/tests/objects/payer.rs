//! Buckets whose owner lets the requesters pay.

use serde_json::json;

use crate::client::{Here, Keys, OTHER, Reply};

const CHARGED: &str = "x-amz-request-charged";

/// A method, path, query, headers and body, and whether the answer tells of the charge.
type Asked<'a> = (
    &'a str,
    &'a str,
    &'a str,
    &'a [(&'static str, &'a str)],
    &'a [u8],
    bool,
);

/// A bucket in which another account may do anything, and which that account is to pay for.
fn paid() -> (Here, Keys) {
    let here = Here::versioned();
    let stranger = here.stranger();
    here.delete("/bucket", "publicAccessBlock").expect(204);
    here.policy(&json!([
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")}, "Action": "s3:*",
         "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]},
        {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
         "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]},
    ]));
    here.put("/bucket/k", "", b"x").expect(200);
    let payment = b"<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";
    here.put("/bucket", "requestPayment", payment).expect(200);
    (here, stranger)
}

fn uploaded(here: &Here, stranger: &Keys) -> String {
    let payer = [("x-amz-request-payer", "requester")];
    let begun = here.send_as(stranger, "POST", "/bucket/big", "uploads", &payer, b"");
    begun.expect(200).one("UploadId")
}

#[test]
fn others_say_that_they_pay_and_are_told_that_they_do() {
    let (here, stranger) = paid();
    let upload = uploaded(&here, &stranger);
    let part = format!("partNumber=1&uploadId={upload}");
    let whole = format!("uploadId={upload}");
    let delete = b"<Delete><Object><Key>none</Key></Object></Delete>";
    let complete = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"9dd4e461268c8034f5c8564e155c67a6\"</ETag></Part></CompleteMultipartUpload>";
    let tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    // Each with whether its answer tells of the charge.
    let asked: &[Asked<'_>] = &[
        ("GET", "/bucket/k", "", &[], b"", true),
        ("HEAD", "/bucket/k", "", &[], b"", true),
        ("PUT", "/bucket/own", "", &[], b"x", true),
        (
            "PUT",
            "/bucket/copy",
            "",
            &[("x-amz-copy-source", "bucket/k")],
            b"",
            true,
        ),
        ("GET", "/bucket", "", &[], b"", true),
        ("GET", "/bucket", "list-type=2", &[], b"", true),
        ("GET", "/bucket", "versions", &[], b"", true),
        ("GET", "/bucket", "uploads", &[], b"", true),
        ("GET", "/bucket/k", "acl", &[], b"", true),
        (
            "PUT",
            "/bucket/k",
            "acl",
            &[("x-amz-acl", "bucket-owner-full-control")],
            b"",
            true,
        ),
        (
            "GET",
            "/bucket/k",
            "attributes",
            &[("x-amz-object-attributes", "ETag")],
            b"",
            true,
        ),
        ("GET", "/bucket", "accelerate", &[], b"", true),
        ("GET", "/bucket/k", "tagging", &[], b"", false),
        ("PUT", "/bucket/k", "tagging", &[], tags, false),
        ("PUT", "/bucket/big", &part, &[], b"x", true),
        ("GET", "/bucket/big", &whole, &[], b"", true),
        ("POST", "/bucket/big", &whole, &[], complete, true),
        (
            "POST",
            "/bucket",
            "delete",
            &[("x-amz-sdk-checksum-algorithm", "CRC32")],
            delete,
            true,
        ),
        ("DELETE", "/bucket/own", "", &[], b"", true),
    ];
    for (method, path, query, headers, body, told) in asked {
        let what = format!("{method} {path}?{query}");
        let send = |keys: &Keys, more: &[(&'static str, &str)]| -> Reply {
            let mut all = headers.to_vec();
            all.extend(more);
            here.send_as(keys, method, path, query, &all, body)
        };
        assert_eq!(send(&stranger, &[]).status, 403, "{what}");
        if *method == "GET" {
            let own = send(&here.root, &[]);
            assert_eq!((own.status, own.header(CHARGED)), (200, None), "{what}");
        }
        let paid = send(&stranger, &[("x-amz-request-payer", "requester")]).fine();
        assert_eq!(paid.header(CHARGED).is_some(), *told, "{what}");
    }
}

#[test]
fn who_aborts_an_upload_pays_too() {
    let (here, stranger) = paid();
    let query = format!("uploadId={}", uploaded(&here, &stranger));
    let abort = |headers| here.send_as(&stranger, "DELETE", "/bucket/big", &query, headers, b"");
    abort(&[]).refused(403, "AccessDenied");
    assert!(
        abort(&[("x-amz-request-payer", "requester")])
            .expect(204)
            .header(CHARGED)
            .is_some()
    );
}

#[test]
fn a_copy_pays_for_its_source() {
    let (here, stranger) = paid();
    let place = b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    here.send_as(&stranger, "PUT", "/theirs", "", &[], place)
        .expect(200);
    let source = ("x-amz-copy-source", "bucket/k");
    let copy =
        |headers: &[(&'static str, &str)]| here.send_as(&stranger, "PUT", "/theirs/k", "", headers, b"");
    copy(&[source]).refused(403, "AccessDenied");
    let paid = copy(&[source, ("x-amz-request-payer", "requester")]).expect(200);
    assert_eq!(paid.header(CHARGED), Some("requester"));
}

#[test]
fn who_is_unknown_cannot_pay() {
    let (here, _) = paid();
    here.anonymous("GET", "/bucket/k").refused(403, "AccessDenied");
    here.anonymous("GET", "/bucket").refused(403, "AccessDenied");
    let payment = b"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>";
    here.put("/bucket", "requestPayment", payment).expect(200);
    here.anonymous("GET", "/bucket/k").expect(200);
}
