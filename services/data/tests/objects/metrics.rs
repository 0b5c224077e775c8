//! Request metrics and daily storage metrics: what is published of a bucket, and of which requests.

use std::collections::BTreeMap;

use pipeline::Call;
use pipeline::telemetry::{Sink, Summary};
use serde::{Deserialize, Serialize};
use store::Table;

use crate::client::{DAY, Here};

/// What was handed over of one metric in one minute.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    count: f64,
    sum: f64,
}

store::record!(Kept, 1);

/// By what it is of (`DIMENSION=VALUE,…`), the metric's name, and the minute.
static KEPT: Table<(String, String, i64), Kept> = Table::new(0x03ff, "test.metrics");

/// Keeps what is measured.
pub(crate) static SINK: Sink = Sink {
    service: "monitoring",
    take: keep,
};

fn keep(call: &mut Call<'_>, summaries: &[Summary]) -> pipeline::Result<()> {
    for summary in summaries {
        let subject = &summary.subject;
        assert_eq!(subject.namespace, "AWS/S3");
        let of: Vec<String> = subject
            .dimensions
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let row = (of.join(","), summary.name.to_owned(), summary.minute.0);
        let known = call.get(&KEPT, &row)?;
        let known = known.map_or((0.0, 0.0), |known| (known.count, known.sum));
        let kept = Kept {
            count: known.0 + summary.samples.count,
            sum: known.1 + summary.samples.sum,
        };
        call.put(&KEPT, &row, kept)?;
    }
    Ok(())
}

/// The sums of all that was published of a subject, by metric.
fn published(here: &Here, of: &str) -> BTreeMap<String, (f64, f64)> {
    here.advance(60_000);
    let rows = here
        .cloud
        .gateway
        .system("us-east-1", |call| call.range(&KEPT, &(of,), None, 1000));
    let mut all = BTreeMap::new();
    for ((_, name, _), kept) in rows.ok().unwrap() {
        let sums: &mut (f64, f64) = all.entry(name).or_default();
        *sums = (sums.0 + kept.count, sums.1 + kept.sum);
    }
    all
}

fn configure(here: &Here, id: &str, filter: &str) {
    let body = format!("<MetricsConfiguration><Id>{id}</Id>{filter}</MetricsConfiguration>");
    here.put("/bucket", &format!("id={id}&metrics"), body.as_bytes())
        .fine();
}

fn of(id: &str) -> String {
    format!("BucketName=bucket,FilterId={id}")
}

fn sum(all: &BTreeMap<String, (f64, f64)>, name: &str) -> f64 {
    all.get(name).map_or(0.0, |(_, sum)| *sum)
}

#[test]
fn nothing_is_published_of_a_bucket_without_a_configuration() {
    let here = Here::measured();
    here.put("/bucket/a", "", b"x").fine();
    assert!(published(&here, &of("all")).is_empty());
    configure(&here, "all", "");
    here.get("/bucket/a", "").fine();
    assert_eq!(sum(&published(&here, &of("all")), "GetRequests"), 1.0);
    here.delete("/bucket", "id=all&metrics").fine();
    here.get("/bucket/a", "").fine();
    assert_eq!(sum(&published(&here, &of("all")), "GetRequests"), 1.0);
}

/// Requests are counted by their sort, refused ones too, with their bytes and times.
#[test]
fn requests_are_counted_by_what_they_are() {
    let here = Here::measured();
    configure(&here, "all", "");
    here.put("/bucket/a", "", b"12345").fine();
    here.put("/bucket/big", "", &vec![7; 300_000]).fine();
    here.get("/bucket/a", "").fine();
    assert_eq!(here.get("/bucket/big", "").fine().bytes().len(), 300_000);
    here.get("/bucket/missing", "").expect(404);
    here.head("/bucket/a").fine();
    here.get("/bucket", "list-type=2").fine();
    here.post("/bucket/u", "uploads", "").fine();
    here.delete("/bucket/a", "").fine();
    let nobody = here.user("nobody", &["s3:ListAllMyBuckets"], &["*"]);
    here.send_as(&nobody, "GET", "/bucket/big", "", &[], b"")
        .expect(403);
    let said = [("x-amz-decoded-content-length", "18446744073709551615")];
    here.send_as(&nobody, "GET", "/bucket/big", "", &said, b"")
        .expect(403);
    let wrong = crate::client::Keys {
        secret: "x".repeat(40),
        ..here.root.clone()
    };
    here.send_as(&wrong, "GET", "/bucket/big", "", &[], b"")
        .expect(403);
    let all = published(&here, &of("all"));
    for (name, expected) in [
        // The request that configured it came before.
        ("AllRequests", 12.0),
        ("GetRequests", 6.0),
        ("PutRequests", 2.0),
        ("HeadRequests", 1.0),
        ("ListRequests", 1.0),
        ("PostRequests", 1.0),
        ("DeleteRequests", 1.0),
        ("4xxErrors", 4.0),
        ("5xxErrors", 0.0),
        ("BytesUploaded", 300_005.0),
    ] {
        assert_eq!(sum(&all, name), expected, "{name}: {all:?}");
    }
    assert_eq!(all["4xxErrors"].0, 12.0);
    assert_eq!(all["FirstByteLatency"].0, 12.0);
    assert_eq!(all["TotalRequestLatency"].0, 12.0);
    assert!(sum(&all, "BytesDownloaded") > 300_005.0);
    assert!(!all.contains_key("SelectRequests"));
}

/// A filter counts what it is about alone: by prefix, by tags, and by both.
#[test]
fn filters_choose_requests() {
    let here = Here::measured();
    let tag = "<Tag><Key>class</Key><Value>blue</Value></Tag>";
    configure(&here, "prefix", "<Filter><Prefix>logs/</Prefix></Filter>");
    configure(&here, "tag", &format!("<Filter>{tag}</Filter>"));
    configure(
        &here,
        "both",
        &format!("<Filter><And><Prefix>logs/</Prefix>{tag}</And></Filter>"),
    );
    let blue = [("x-amz-tagging", "class=blue")];
    here.send("PUT", "/bucket/logs/a%20b", "", &blue, b"x").fine();
    here.send("PUT", "/bucket/other", "", &blue, b"x").fine();
    here.put("/bucket/logs/plain", "", b"x").fine();
    here.get("/bucket/logs/a%20b", "").fine();
    here.get("/bucket", "list-type=2&prefix=logs/").fine();
    let counted = |id: &str| {
        let all = published(&here, &of(id));
        (
            sum(&all, "AllRequests"),
            sum(&all, "PutRequests"),
            sum(&all, "GetRequests"),
        )
    };
    assert_eq!(counted("prefix"), (3.0, 2.0, 1.0));
    assert_eq!(counted("tag"), (3.0, 2.0, 1.0));
    assert_eq!(counted("both"), (2.0, 1.0, 1.0));
}

/// A deletion is of an object that was tagged, whether a marker hides it, a version goes or all of it.
#[test]
fn deletions_fit_the_filters_of_the_tags_that_went() {
    let here = Here::measured();
    let tag = "<Tag><Key>class</Key><Value>blue</Value></Tag>";
    configure(&here, "tag", &format!("<Filter>{tag}</Filter>"));
    let blue = [("x-amz-tagging", "class=blue")];
    let deleted = || sum(&published(&here, &of("tag")), "DeleteRequests");
    here.send("PUT", "/bucket/a", "", &blue, b"x").fine();
    here.put("/bucket/plain", "", b"x").fine();
    here.delete("/bucket/a", "").fine();
    here.delete("/bucket/plain", "").fine();
    here.delete("/bucket/none", "").fine();
    assert_eq!(deleted(), 1.0);
    here.versioning("Enabled");
    let made = here.send("PUT", "/bucket/a", "", &blue, b"x").fine();
    let id = made.header("x-amz-version-id").unwrap().to_owned();
    here.delete("/bucket/a", "").fine();
    assert_eq!(deleted(), 2.0);
    here.delete("/bucket/a", &format!("versionId={id}")).fine();
    assert_eq!(deleted(), 3.0);
    let plain = here.put("/bucket/a", "", b"x").fine();
    let plain = plain.header("x-amz-version-id").unwrap().to_owned();
    here.send("PUT", "/bucket/a", "", &blue, b"x").fine();
    here.delete("/bucket/a", &format!("versionId={plain}")).fine();
    assert_eq!(deleted(), 3.0, "a version without tags, under one that has them");
    let nobody = here.user("nobody", &["s3:ListAllMyBuckets"], &["*"]);
    here.send_as(&nobody, "DELETE", "/bucket/a", "", &[], b"")
        .expect(403);
    assert_eq!(deleted(), 4.0);
}

/// A copy is a write of its target and a read of its source.
#[test]
fn a_copy_reads_its_source() {
    let here = Here::measured();
    here.make_bucket("target");
    here.put("/bucket/a", "", b"x").fine();
    configure(&here, "all", "");
    here.send("PUT", "/target/b", "", &[("x-amz-copy-source", "/bucket/a")], b"")
        .fine();
    let all = published(&here, &of("all"));
    let counted = |all: &BTreeMap<String, (f64, f64)>| {
        let names = ["AllRequests", "GetRequests", "PutRequests"];
        names.map(|name| sum(all, name))
    };
    assert_eq!(counted(&all), [1.0, 1.0, 0.0]);
    here.send("PUT", "/bucket/c", "", &[("x-amz-copy-source", "/bucket/a")], b"")
        .fine();
    assert_eq!(counted(&published(&here, &of("all"))), [3.0, 2.0, 1.0]);
}

#[test]
fn configurations_are_checked() {
    let here = Here::measured();
    let put = |query: &str, body: &str| {
        let body = format!("<MetricsConfiguration>{body}</MetricsConfiguration>");
        let said = here.put("/bucket", query, body.as_bytes());
        (said.status, said.code())
    };
    let refused = |code: &str| (400, code.to_owned());
    assert_eq!(put("id=a&metrics", "<Id>b</Id>"), refused("InvalidArgument"));
    assert_eq!(
        put("id=a%2Fb&metrics", "<Id>a/b</Id>"),
        refused("InvalidArgument")
    );
    let long = "x".repeat(65);
    assert_eq!(
        put(&format!("id={long}&metrics"), &format!("<Id>{long}</Id>")),
        refused("InvalidArgument")
    );
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    for filter in [
        "",
        "<And><Prefix>a</Prefix></And>",
        &format!("<Prefix>a</Prefix>{tag}"),
    ] {
        assert_eq!(
            put("id=a&metrics", &format!("<Id>a</Id><Filter>{filter}</Filter>")),
            refused("MalformedXML"),
            "{filter}"
        );
    }
    let point = "<AccessPointArn>arn:aws:s3:::bucket</AccessPointArn>";
    assert_eq!(
        put("id=a&metrics", &format!("<Id>a</Id><Filter>{point}</Filter>")),
        refused("InvalidArgument")
    );
    here.get("/bucket", "id=a&metrics")
        .refused(404, "NoSuchConfiguration");
    configure(&here, "a", &format!("<Filter>{tag}</Filter>"));
    let shown = here.get("/bucket", "id=a&metrics").fine();
    assert_eq!(
        (shown.one("Id"), shown.one("Value")),
        ("a".to_owned(), "v".to_owned())
    );
    let listed = here.get("/bucket", "metrics").fine();
    assert_eq!(listed.all("Id"), ["a"]);
    here.delete("/bucket", "id=a&metrics").fine();
    here.delete("/bucket", "id=a&metrics")
        .refused(404, "NoSuchConfiguration");
}

/// What a bucket holds is told once a day: all versions, markers and parts, by storage class.
#[test]
fn what_buckets_hold_is_told_every_day() {
    let here = Here::measured();
    here.make_bucket("empty");
    here.versioning("Enabled");
    here.put("/bucket/a", "", b"12345").fine();
    here.put("/bucket/a", "", b"123").fine();
    here.send(
        "PUT",
        "/bucket/rare",
        "",
        &[("x-amz-storage-class", "STANDARD_IA")],
        b"1234567",
    )
    .fine();
    here.delete("/bucket/rare", "").fine();
    let upload = here.post("/bucket/u", "uploads", "").fine().one("UploadId");
    here.put("/bucket/u", &format!("partNumber=1&uploadId={upload}"), &[7; 100])
        .fine();
    here.put("/bucket/u", &format!("partNumber=2&uploadId={upload}"), &[7; 10])
        .fine();
    let told = |kind: &str| {
        let of = format!("BucketName=bucket,StorageType={kind}");
        published(&here, &of)
    };
    assert!(told("AllStorageTypes").is_empty());
    here.advance(DAY);
    assert_eq!(told("AllStorageTypes")["NumberOfObjects"], (1.0, 6.0));
    assert_eq!(told("StandardStorage")["BucketSizeBytes"], (1.0, 118.0));
    assert_eq!(told("StandardIAStorage")["BucketSizeBytes"], (1.0, 7.0));
    assert!(published(&here, "BucketName=empty,StorageType=AllStorageTypes").is_empty());
    here.advance(2 * DAY);
    assert_eq!(told("AllStorageTypes")["NumberOfObjects"], (3.0, 18.0));
}

/// Jobs that are planned, and the mark that the count of what buckets hold is among them.
static JOBS: Table<(i64, String), pipeline::jobs::Job> = Table::new(pipeline::jobs::TABLE, "pipeline.jobs");
static PLANNED: Table<String, Kept> = Table::new(0x03b4, "s3.storage-metrics");

/// A folder whose buckets are older than the count is counted from its next start on.
#[test]
fn older_buckets_are_counted_from_the_next_start_on() {
    let here = Here::measured();
    here.put("/bucket/a", "", b"12345").fine();
    let forget = |call: &mut Call<'_>| {
        for (row, job) in call.range(&JOBS, &(), None, 100)? {
            if job.kind == "s3.StorageMetrics" {
                call.delete(&JOBS, &row)?;
            }
        }
        let account = call.management_account().to_owned();
        call.delete(&PLANNED, &account)
    };
    let system = |work: &dyn Fn(&mut Call<'_>) -> pipeline::Result<()>| {
        here.cloud.gateway.system("us-east-1", work).ok().unwrap();
    };
    system(&forget);
    here.advance(DAY);
    let told = || published(&here, "BucketName=bucket,StorageType=AllStorageTypes");
    assert!(told().is_empty());
    system(&data::s3::resume_storage_metrics);
    // Once is enough.
    system(&data::s3::resume_storage_metrics);
    here.advance(DAY);
    assert_eq!(told()["NumberOfObjects"], (1.0, 1.0));
}

/// A bucket of more rows than a run takes is counted whole.
#[test]
fn a_large_bucket_is_counted_in_several_runs() {
    let here = Here::measured();
    for number in 0..2100 {
        here.put(&format!("/bucket/{number}"), "", b"xy").fine();
    }
    let upload = here.post("/bucket/u", "uploads", "").fine().one("UploadId");
    here.put("/bucket/u", &format!("partNumber=1&uploadId={upload}"), b"x")
        .fine();
    here.advance(DAY);
    let all = published(&here, "BucketName=bucket,StorageType=AllStorageTypes");
    assert_eq!(all["NumberOfObjects"], (1.0, 2101.0));
    let all = published(&here, "BucketName=bucket,StorageType=StandardStorage");
    assert_eq!(all["BucketSizeBytes"], (1.0, 4201.0));
}
