//! What rules of replication choose, and what a configuration may say.

use pipeline::testing::REGION;
use serde_json::json;

use crate::client::OTHER;
use crate::replication::{ROLE, by_role, configure, id, pair, replicated, rule, status};

#[test]
fn rules_choose_by_prefix_tags_and_priority() {
    let here = pair();
    here.make_bucket("third");
    here.versioning_of("third", "Enabled");
    let colder = "<StorageClass>ONEZONE_IA</StorageClass></Destination>";
    let tagged = "<And><Prefix>t/</Prefix><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></And>";
    let rules = rule("low", 1, "<Prefix>p/</Prefix>", "copies", "")
        + &rule("high", 2, "<Prefix>p/cold/</Prefix>", "copies", "").replace("</Destination>", colder)
        + &rule("tagged", 3, tagged, "third", "")
        + &rule("off", 4, "", "third", "").replace("<Status>Enabled", "<Status>Disabled");
    configure(&here, "bucket", &rules).fine();
    for key in ["p/a", "p/cold/a", "t/none", "other"] {
        here.put(&format!("/bucket/{key}"), "", b"x").fine();
    }
    let tags = [("x-amz-tagging", "a=1&b=2&c=3")];
    here.send("PUT", "/bucket/t/a", "", &tags, b"x").fine();
    here.advance(0);
    assert_eq!(here.get("/copies", "list-type=2").all("Key"), ["p/a", "p/cold/a"]);
    assert_eq!(here.get("/third", "list-type=2").all("Key"), ["t/a"]);
    assert_eq!(
        here.head("/copies/p/cold/a").header("x-amz-storage-class"),
        Some("ONEZONE_IA")
    );
    assert_eq!(status(&here, "/bucket/other"), "-");
    // Tags that come later do not make an object one to be copied.
    let later = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>";
    here.put("/bucket/t/none", "tagging", later).fine();
    here.advance(0);
    here.head("/third/t/none").expect(404);
}

/// A bucket may have copies in several others; what fails in one does not keep the others.
#[test]
fn each_destination_is_served_by_itself() {
    let here = pair();
    here.make_bucket("third");
    here.versioning_of("third", "Enabled");
    let rules = rule("one", 1, "", "copies", "") + &rule("two", 2, "", "third", "");
    configure(&here, "bucket", &rules).fine();
    here.put("/bucket/a", "", b"x").fine();
    here.advance(0);
    assert_eq!(status(&here, "/bucket/a"), "COMPLETED");
    let deny = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:ReplicateObject", "Principal": "*",
        "Resource": "arn:aws:s3:::third/*"}});
    here.put("/third", "policy", deny.to_string().as_bytes()).fine();
    here.put("/bucket/b", "", b"x").fine();
    here.advance(0);
    assert_eq!(status(&here, "/bucket/b"), "FAILED");
    assert_eq!(status(&here, "/copies/b"), "REPLICA");
    here.head("/third/b").expect(404);
    // Once there is no configuration, what was still to be copied stays where it is, and says so.
    here.put("/bucket/c", "", b"x").fine();
    here.delete("/bucket", "replication").fine();
    here.advance(0);
    assert_eq!(status(&here, "/bucket/c"), "FAILED");
    here.head("/copies/c").expect(404);
}

#[test]
fn delete_markers_are_copied_where_a_rule_says_so() {
    let here = replicated();
    here.put("/bucket/a", "", b"x").fine();
    here.delete("/bucket/a", "").fine();
    here.advance(0);
    here.head("/copies/a").expect(200);
    let marked = rule("all", 1, "", "copies", "")
        .replace("Replication><Status>Disabled", "Replication><Status>Enabled");
    configure(&here, "bucket", &marked).fine();
    here.put("/bucket/b", "", b"x").fine();
    let marker = id(&here.delete("/bucket/b", "").fine());
    here.advance(0);
    let gone = here.head("/copies/b").expect(404);
    assert_eq!(
        (id(&gone), gone.header("x-amz-delete-marker")),
        (marker.clone(), Some("true"))
    );
    // The removal of the marker is not copied.
    here.delete("/bucket/b", &format!("versionId={marker}")).fine();
    here.advance(0);
    here.head("/bucket/b").expect(200);
    here.head("/copies/b").expect(404);
    // A rule of the older form copies markers without being asked.
    let older = "<Rule><ID>old</ID><Prefix></Prefix><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::copies</Bucket></Destination></Rule>";
    configure(&here, "bucket", older).fine();
    here.put("/bucket/c", "", b"x").fine();
    here.delete("/bucket/c", "").fine();
    here.advance(0);
    assert!(
        here.head("/copies/c")
            .expect(404)
            .header("x-amz-delete-marker")
            .is_some()
    );
    assert_eq!(by_role(&here, "DeleteObject").len(), 2);
}

#[test]
fn a_configuration_is_checked() {
    let here = pair();
    let all = rule("all", 1, "", "copies", "");
    let refused = |rules: &str, code: &str, words: &str| {
        let answer = configure(&here, "bucket", rules).refused(400, code);
        assert!(answer.one("Message").contains(words), "{}", answer.text());
    };
    refused(
        &rule("a", 1, "", "bucket", ""),
        "InvalidRequest",
        "same as the source",
    );
    refused(&rule("a", 1, "", "nowhere", ""), "InvalidRequest", "must exist");
    let existing = "<ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication>";
    refused(&rule("a", 1, "", "copies", existing), "MalformedXML", "");
    refused(
        &(all.clone() + &rule("b", 1, "<Prefix>x</Prefix>", "copies", "")),
        "InvalidRequest",
        "duplicate priority 1",
    );
    refused(
        &(all.clone() + &rule("all", 2, "", "copies", "")),
        "InvalidArgument",
        "unique",
    );
    refused(
        &all.replace("<Priority>1</Priority>", ""),
        "InvalidRequest",
        "Priority must be specified",
    );
    let time = |metrics: &str, minutes: u32| {
        let time = format!(
            "<ReplicationTime><Status>Enabled</Status><Time><Minutes>{minutes}</Minutes></Time></ReplicationTime>"
        );
        all.replace("</Destination>", &format!("{time}{metrics}</Destination>"))
    };
    let metrics =
        "<Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics>";
    refused(&time("", 15), "InvalidRequest", "Metrics");
    refused(&time(metrics, 5), "InvalidArgument", "15 minutes");
    refused(
        &all.replace("</Destination>", &format!("{metrics}</Destination>")),
        "InvalidArgument",
        "event threshold",
    );
    configure(&here, "bucket", &time(metrics, 15)).fine();
    let body = format!("<ReplicationConfiguration><Role>{ROLE}s</Role>{all}</ReplicationConfiguration>");
    here.put("/bucket", "replication", body.as_bytes())
        .refused(400, "InvalidArgument");
    let passer = here.user("passer", &["s3:PutReplicationConfiguration"], &["*"]);
    let body = body.replace("replicators", "replicator");
    here.send_as(&passer, "PUT", "/bucket", "replication", &[], body.as_bytes())
        .refused(403, "AccessDenied");
    here.versioning_of("copies", "Suspended");
    refused(&all, "InvalidRequest", "versioning enabled");
}

/// A name can come into other hands: where a rule says whose the other bucket is, nobody else gets the copies.
#[test]
fn a_bucket_of_another_owner_than_the_rule_s_gets_nothing() {
    let here = pair();
    let stranger = here.stranger();
    let theirs = |method, query, body: String| {
        here.send_as(&stranger, method, "/theirs", query, &[], body.as_bytes())
            .fine();
    };
    let place = format!("<LocationConstraint>{REGION}</LocationConstraint>");
    theirs(
        "PUT",
        "",
        format!("<CreateBucketConfiguration>{place}</CreateBucketConfiguration>"),
    );
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    theirs("PUT", "versioning", versioning.to_owned());
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": ROLE},
        "Action": ["s3:ReplicateObject", "s3:ReplicateTags"], "Resource": "arn:aws:s3:::theirs/*"}});
    theirs("PUT", "policy", policy.to_string());
    for (owner, came) in [("999988887777", "FAILED"), (OTHER, "COMPLETED")] {
        let account = format!("<Account>{owner}</Account></Destination>");
        let rule = rule("all", 1, "", "theirs", "").replace("</Destination>", &account);
        configure(&here, "bucket", &rule).fine();
        here.put("/bucket/a", "", b"x").fine();
        here.advance(5_000);
        assert_eq!(status(&here, "/bucket/a"), came, "{owner}");
    }
}
