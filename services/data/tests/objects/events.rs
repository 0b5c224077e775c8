//! What happens to objects is told to a function.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::Value;

use crate::client::{DAY, Here, Reply};
use crate::function::{FUNCTION, close, heard};

fn function(id: &str, event: &str, filter: &[(&str, &str)]) -> String {
    let rules: String = filter
        .iter()
        .map(|(name, value)| format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>"))
        .collect();
    format!(
        "<CloudFunctionConfiguration><Id>{id}</Id><CloudFunction>{FUNCTION}</CloudFunction><Event>{event}</Event><Filter><S3Key>{rules}\
         </S3Key></Filter></CloudFunctionConfiguration>"
    )
}

fn configure(here: &Here, inner: &str) -> Reply {
    let body = format!("<NotificationConfiguration>{inner}</NotificationConfiguration>");
    here.put("/bucket", "notification", body.as_bytes())
}

/// A cloud whose bucket tells the function of events of a kind, whatever the key.
fn telling(events: &[&str]) -> Here {
    let here = Here::new();
    let all: String = events.iter().map(|event| function(event, event, &[])).collect();
    configure(&here, &all).fine();
    here
}

/// The events that were delivered.
fn events(here: &Here) -> Vec<Value> {
    here.advance(0);
    heard()
}

fn named(told: &[Value]) -> Vec<&str> {
    told.iter()
        .map(|record| record["eventName"].as_str().unwrap())
        .collect()
}

/// The names of the events that were delivered: those of one moment come in any order.
fn names(here: &Here) -> Vec<String> {
    let told = events(here);
    let mut names: Vec<_> = named(&told).into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_record_tells_who_did_what_to_which_object() {
    let here = telling(&["s3:ObjectCreated:*"]);
    let put = here.put("/bucket/red%20flower/%C3%A4.jpg", "", b"hello").fine();
    let told = events(&here);
    assert_eq!(told.len(), 1);
    let record = &told[0];
    assert_eq!(record["eventVersion"], "2.6");
    assert_eq!(record["eventSource"], "aws:s3");
    assert_eq!(record["awsRegion"], REGION);
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    assert_eq!(record["eventTime"], "2026-11-22T00:00:00.000Z");
    assert_eq!(record["userIdentity"]["principalId"], format!("AWS:{ACCOUNT}"));
    assert_eq!(record["requestParameters"]["sourceIPAddress"], "127.0.0.1");
    let answered = &record["responseElements"];
    assert_eq!(
        answered["x-amz-request-id"],
        put.header("x-amz-request-id").unwrap()
    );
    assert_eq!(answered["x-amz-id-2"], put.header("x-amz-id-2").unwrap());
    let s3 = &record["s3"];
    assert_eq!(s3["s3SchemaVersion"], "1.0");
    assert_eq!(s3["configurationId"], "s3:ObjectCreated:*");
    assert_eq!(s3["bucket"]["name"], "bucket");
    assert_eq!(s3["bucket"]["arn"], "arn:aws:s3:::bucket");
    assert_eq!(s3["object"]["key"], "red+flower/%C3%A4.jpg");
    assert_eq!(s3["object"]["size"], 5);
    assert_eq!(
        s3["object"]["eTag"],
        put.header("etag").unwrap().trim_matches('"')
    );
    assert!(s3["object"].get("versionId").is_none());
    // A user is told by id.
    let user = here.user("writer", &["s3:PutObject"], &["*"]);
    here.send_as(&user, "PUT", "/bucket/k", "", &[], b"x").fine();
    let told = events(&here);
    let principal = told[0]["userIdentity"]["principalId"].as_str().unwrap();
    assert!(principal.starts_with("AWS:AIDA"), "{principal}");
}

#[test]
fn keys_pass_filters_by_their_ends() {
    let here = Here::new();
    let created = "s3:ObjectCreated:*";
    let both = [("prefix", "my+images/"), ("suffix", ".jpg")];
    configure(&here, &function("images", created, &both)).fine();
    for key in ["my%20images/a.jpg", "my%20images/a.png", "other/a.jpg"] {
        here.put(&format!("/bucket/{key}"), "", b"x").fine();
    }
    let told = events(&here);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["s3"]["object"]["key"], "my+images/a.jpg");
    // Filters of the same events may not overlap, even with functions.
    let clash = function("a", created, &[("prefix", "a")])
        + &function("b", "s3:ObjectCreated:Put", &[("prefix", "ab")]);
    configure(&here, &clash).refused(400, "InvalidArgument");
    let apart =
        function("a", created, &[("suffix", ".jpg")]) + &function("b", created, &[("suffix", ".png")]);
    configure(&here, &apart).fine();
    configure(&here, "").fine();
    here.put("/bucket/a.jpg", "", b"x").fine();
    assert_eq!(names(&here), Vec::<String>::new());
}

#[test]
fn every_way_to_make_and_remove_an_object_has_its_event() {
    let here = telling(&["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]);
    here.put("/bucket/a", "", b"x").fine();
    here.advance(1);
    here.send("PUT", "/bucket/b", "", &[("x-amz-copy-source", "bucket/a")], b"")
        .fine();
    here.advance(1);
    let upload = here.post("/bucket/c", "uploads", "").fine().one("UploadId");
    let etag = here
        .put("/bucket/c", &format!("partNumber=1&uploadId={upload}"), b"part")
        .fine();
    here.advance(1);
    let etag = etag.header("etag").unwrap();
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    here.post("/bucket/c", &format!("uploadId={upload}"), &body)
        .fine();
    here.advance(1);
    here.delete("/bucket/a", "").fine();
    here.advance(1);
    assert_eq!(
        named(&heard()),
        [
            "ObjectCreated:Put",
            "ObjectCreated:Copy",
            "ObjectCreated:CompleteMultipartUpload",
            "ObjectRemoved:Delete"
        ]
    );
    here.versioning("Enabled");
    let put = here.put("/bucket/a", "", b"x").fine();
    here.advance(1);
    let id = put.header("x-amz-version-id").unwrap().to_owned();
    let marked = here.delete("/bucket/a", "").fine();
    here.advance(1);
    let marker = marked.header("x-amz-version-id").unwrap().to_owned();
    here.delete("/bucket/a", &format!("versionId={marker}")).fine();
    here.advance(1);
    here.delete("/bucket/a", &format!("versionId={id}")).fine();
    here.advance(1);
    let batch = "<Delete><Object><Key>b</Key></Object></Delete>";
    let digest = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        crypto::digest::sha256(batch.as_bytes()),
    );
    let headers = [("x-amz-checksum-sha256", digest.as_str())];
    here.send("POST", "/bucket", "delete", &headers, batch.as_bytes())
        .fine();
    here.advance(1);
    let told = heard();
    let of = |member: &str| -> Vec<&str> {
        told.iter()
            .map(|record| record["s3"]["object"][member].as_str().unwrap_or("-"))
            .collect()
    };
    let called = named(&told);
    let created = "ObjectRemoved:DeleteMarkerCreated";
    assert_eq!(
        called,
        [
            "ObjectCreated:Put",
            created,
            "ObjectRemoved:Delete",
            "ObjectRemoved:Delete",
            created
        ]
    );
    assert_eq!(of("versionId")[..4], [&*id, &*marker, &*marker, &*id]);
    // The order of one key's events can be told, of whatever length they are.
    let order = of("sequencer");
    assert!(order.iter().all(|number| number.len() == order[0].len()));
    assert!(
        order[0] < order[1] && order[1] < order[2] && order[2] <= order[3],
        "{order:?}"
    );
    // What was refused or found nothing is no event.
    here.delete("/bucket/a", &format!("versionId={id}")).fine();
    here.advance(1);
    here.get("/bucket/none", "").expect(404);
    assert_eq!(names(&here), Vec::<String>::new());
}

#[test]
fn tags_lists_and_restorations_have_theirs() {
    let here = telling(&["s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:ObjectRestore:*"]);
    let controls =
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    here.put("/bucket", "ownershipControls", controls.as_bytes())
        .fine();
    here.send(
        "PUT",
        "/bucket/k",
        "",
        &[("x-amz-storage-class", "GLACIER")],
        b"x",
    )
    .fine();
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    here.put("/bucket/k", "tagging", tags.as_bytes()).fine();
    here.delete("/bucket/k", "tagging").fine();
    let list = [("x-amz-acl", "authenticated-read")];
    here.delete("/bucket", "publicAccessBlock").fine();
    here.send("PUT", "/bucket/k", "acl", &list, b"").fine();
    // A list that stays as it is, is no event.
    here.send("PUT", "/bucket/k", "acl", &list, b"").fine();
    assert_eq!(
        names(&here),
        ["ObjectAcl:Put", "ObjectTagging:Delete", "ObjectTagging:Put"]
    );
    let restore = "<RestoreRequest><Days>1</Days></RestoreRequest>";
    here.post("/bucket/k", "restore", restore).fine();
    assert_eq!(names(&here), ["ObjectRestore:Post"]);
    here.advance(DAY / 4);
    let told = heard();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["eventName"], "ObjectRestore:Completed");
    let restored = &told[0]["glacierEventData"]["restoreEventData"];
    assert_eq!(restored["lifecycleRestoreStorageClass"], "GLACIER");
    assert_eq!(
        restored["lifecycleRestorationExpiryTime"],
        "2026-11-24T00:00:00.000Z"
    );
    here.advance(2 * DAY);
    assert_eq!(names(&here), ["ObjectRestore:Delete"]);
    assert!(here.head("/bucket/k").header("x-amz-restore").is_none());
}

#[test]
fn lifecycle_rules_have_theirs() {
    let here = telling(&[
        "s3:LifecycleExpiration:*",
        "s3:LifecycleTransition",
        "s3:ObjectRemoved:*",
    ]);
    let rule = |id: &str, prefix: &str, action: &str| {
        format!(
            "<Rule><ID>{id}</ID><Status>Enabled</Status><Filter><Prefix>{prefix}</Prefix></Filter>{action}</Rule>"
        )
    };
    let rules = rule("old", "old/", "<Expiration><Days>1</Days></Expiration>")
        + &rule(
            "cold",
            "cold/",
            "<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition>",
        );
    let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    here.put("/bucket", "lifecycle", body.as_bytes()).fine();
    here.put("/bucket/old/a", "", b"x").fine();
    here.put("/bucket/cold/a", "", &[0; 200 << 10]).fine();
    here.advance(3 * DAY);
    let told = heard();
    let called = named(&told);
    assert_eq!(called.len(), 2, "{called:?}");
    let moved = told
        .iter()
        .find(|record| record["eventName"] == "LifecycleTransition")
        .unwrap();
    let class = &moved["lifecycleEventData"]["transitionEventData"]["destinationStorageClass"];
    assert_eq!(class, "GLACIER");
    assert_eq!(moved["userIdentity"]["principalId"], "s3.amazonaws.com");
    assert!(called.contains(&"LifecycleExpiration:Delete"));
}

#[test]
fn the_function_must_let_s3_in_for_the_bucket() {
    let here = Here::new();
    here.make_bucket("other");
    close(true);
    let created = function("f", "s3:ObjectCreated:*", &[]);
    let refused = configure(&here, &created).refused(400, "InvalidArgument");
    assert_eq!(
        refused.one("Message"),
        "Unable to validate the following destination configurations"
    );
    assert_eq!(refused.one("ArgumentName1"), format!("{FUNCTION}, null"));
    assert_eq!(
        refused.one("ArgumentValue1"),
        format!("Not authorized to invoke function [{FUNCTION}]")
    );
    // Of a function that there is not, no more is told.
    let absent = FUNCTION.replace("hears", "absent");
    let refused = configure(&here, &created.replace(FUNCTION, &absent)).refused(400, "InvalidArgument");
    let told = [
        refused.one("Message"),
        refused.one("ArgumentName1"),
        refused.one("ArgumentValue1"),
    ];
    assert_eq!(
        told,
        [
            "Unable to validate the following destination configurations".to_owned(),
            format!("{absent}, null"),
            format!("Not authorized to invoke function [{absent}]"),
        ]
    );
    close(false);
    let body = format!("<NotificationConfiguration>{created}</NotificationConfiguration>");
    here.put("/other", "notification", body.as_bytes())
        .refused(400, "InvalidArgument");
    configure(&here, &created).fine();
    // A function that closes its door gets what happens meanwhile when it opens it again, and not after six hours.
    close(true);
    here.put("/bucket/a", "", b"x").fine();
    here.advance(60_000);
    assert_eq!(heard().len(), 0);
    let tries = |here: &Here| {
        let records = here.cloud.records(ACCOUNT, REGION);
        let tried = records
            .iter()
            .filter(|record| record.operation == "Invoke" && record.error.is_some());
        tried.count()
    };
    assert!(tries(&here) > 4);
    close(false);
    here.advance(3_600_000);
    assert_eq!(heard().len(), 1);
    close(true);
    here.put("/bucket/b", "", b"x").fine();
    here.advance(DAY);
    close(false);
    here.advance(DAY);
    assert_eq!(heard().len(), 0);
}

#[test]
fn what_is_not_served_is_not_told() {
    let here = Here::new();
    let created = "<Event>s3:ObjectCreated:*</Event>";
    let place = format!("{REGION}:{ACCOUNT}");
    for inner in [
        format!("<QueueConfiguration><Queue>arn:aws:sqs:{place}:q</Queue>{created}</QueueConfiguration>"),
        format!("<TopicConfiguration><Topic>arn:aws:sns:{place}:t</Topic>{created}</TopicConfiguration>"),
        "<EventBridgeConfiguration/>".to_owned(),
    ] {
        let skip = [("x-amz-skip-destination-validation", "true")];
        let body = format!("<NotificationConfiguration>{inner}</NotificationConfiguration>");
        here.send("PUT", "/bucket", "notification", &skip, body.as_bytes())
            .refused(501, "NotImplemented");
    }
    let far = function("f", "s3:ObjectCreated:*", &[]).replace(REGION, "eu-west-1");
    let refused = configure(&here, &far).refused(400, "InvalidArgument");
    assert!(
        refused.one("Message").contains("region is not valid"),
        "{}",
        refused.text()
    );
    assert!(
        !here
            .get("/bucket", "notification")
            .fine()
            .text()
            .contains("CloudFunction")
    );
}

/// A bucket that tells nobody plans nothing.
#[test]
fn without_a_configuration_nothing_is_planned() {
    let here = Here::versioned();
    here.put("/bucket/a", "", b"x").fine();
    here.delete("/bucket/a", "").fine();
    assert!(here.is_idle());
}
