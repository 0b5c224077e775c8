//! Versions, delete markers, and the `null` version of buckets whose versioning is suspended.

use crate::client::{Here, Reply};

fn id(reply: &Reply) -> String {
    reply.header("x-amz-version-id").unwrap_or_default().to_owned()
}

#[test]
fn versions_are_kept_and_read_by_their_ids() {
    let here = Here::versioned();
    let one = id(&here.put("/bucket/k", "", b"one").expect(200));
    let two = id(&here.put("/bucket/k", "", b"two").expect(200));
    assert!(one.len() == 32 && two.len() == 32 && one != two);
    let by = |version: &str| here.get("/bucket/k", &format!("versionId={version}"));
    assert_eq!(here.get("/bucket/k", "").expect(200).bytes(), b"two");
    assert_eq!(by(&one).expect(200).bytes(), b"one");
    assert_eq!(id(&by(&one)), one);
    by(&"A".repeat(32)).refused(404, "NoSuchVersion");
    by("x").refused(400, "InvalidArgument");
    let listed = here.get("/bucket", "versions").expect(200);
    assert_eq!(listed.all("VersionId"), [two.clone(), one.clone()]);
    assert_eq!(listed.all("IsLatest"), ["true", "false"]);
    here.delete("/bucket/k", &format!("versionId={two}")).expect(204);
    assert_eq!(here.get("/bucket/k", "").expect(200).bytes(), b"one");
    by(&two).refused(404, "NoSuchVersion");
}

#[test]
fn a_delete_marker_hides_and_its_removal_shows_again() {
    let here = Here::versioned();
    let one = id(&here.put("/bucket/k", "", b"one").expect(200));
    let gone = here.delete("/bucket/k", "").expect(204);
    assert_eq!(gone.header("x-amz-delete-marker"), Some("true"));
    let marker = id(&gone);
    let hidden = here.get("/bucket/k", "").refused(404, "NoSuchKey");
    assert_eq!(hidden.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(id(&hidden), marker);
    let of_marker = here
        .get("/bucket/k", &format!("versionId={marker}"))
        .refused(405, "MethodNotAllowed");
    assert_eq!(of_marker.header("allow"), Some("DELETE"));
    assert!(
        here.get("/bucket", "list-type=2")
            .expect(200)
            .all("Key")
            .is_empty()
    );
    let listed = here.get("/bucket", "versions").expect(200);
    assert_eq!(listed.all("DeleteMarker").len(), 1);
    assert_eq!(listed.all("VersionId").len(), 2);
    let again = here
        .delete("/bucket/k", &format!("versionId={marker}"))
        .expect(204);
    assert_eq!(again.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(here.get("/bucket/k", "").expect(200).bytes(), b"one");
    here.delete("/bucket/k", &format!("versionId={one}")).expect(204);
    assert!(here.get("/bucket", "versions").all("VersionId").is_empty());
}

#[test]
fn a_suspended_bucket_has_one_null_version() {
    let here = Here::new();
    here.put("/bucket/k", "", b"before").expect(200);
    here.versioning("Enabled");
    assert_eq!(id(&here.get("/bucket/k", "")), "null");
    let kept = id(&here.put("/bucket/k", "", b"kept").expect(200));
    let by = |version: &str| here.get("/bucket/k", &format!("versionId={version}"));
    assert_eq!(by("null").expect(200).bytes(), b"before");
    here.versioning("Suspended");
    here.put("/bucket/k", "", b"after").expect(200);
    assert_eq!(by("null").expect(200).bytes(), b"after");
    assert_eq!(by(&kept).expect(200).bytes(), b"kept");
    assert_eq!(here.get("/bucket", "versions").all("VersionId"), ["null", &kept]);
    let gone = here.delete("/bucket/k", "").expect(204);
    assert_eq!(id(&gone), "null");
    by("null").refused(405, "MethodNotAllowed");
    assert_eq!(here.get("/bucket", "versions").all("VersionId"), ["null", &kept]);
    here.delete("/bucket/k", "versionId=null").expect(204);
    assert_eq!(here.get("/bucket/k", "").expect(200).bytes(), b"kept");
}

#[test]
fn versions_are_listed_in_pages() {
    let here = Here::versioned();
    let mut expected = Vec::new();
    for key in ["a", "b", "c/1", "c/2"] {
        let mut ids: Vec<String> = (0..3)
            .map(|_| id(&here.put(&format!("/bucket/{key}"), "", b"x").expect(200)))
            .collect();
        ids.reverse();
        expected.extend(ids.into_iter().map(|id| (key.to_owned(), id)));
    }
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = here
            .get("/bucket", &format!("max-keys=2&versions{marker}"))
            .expect(200);
        seen.extend(page.all("Key").into_iter().zip(page.all("VersionId")));
        if page.one("IsTruncated") == "false" {
            break;
        }
        marker = format!(
            "&key-marker={}&version-id-marker={}",
            page.one("NextKeyMarker").replace('/', "%2F"),
            page.one("NextVersionIdMarker")
        );
    }
    assert_eq!(seen, expected);
    let rolled = here.get("/bucket", "delimiter=%2F&versions").expect(200);
    assert_eq!(rolled.all("CommonPrefixes"), ["<Prefix>c/</Prefix>"]);
    assert_eq!(rolled.all("VersionId").len(), 6);
}

#[test]
fn changes_of_a_version_stay_with_it() {
    let here = Here::versioned();
    let one = id(&here.put("/bucket/k", "", b"one").expect(200));
    here.put("/bucket/k", "", b"two").expect(200);
    let body = b"<Tagging><TagSet><Tag><Key>c</Key><Value>3</Value></Tag></TagSet></Tagging>";
    here.put("/bucket/k", &format!("tagging&versionId={one}"), body)
        .expect(200);
    assert!(here.get("/bucket/k", "tagging").all("Key").is_empty());
    let tags = here.get("/bucket/k", &format!("tagging&versionId={one}"));
    assert_eq!(tags.all("Key"), ["c"]);
}

#[test]
fn lists_of_versions_tell_the_class_of_each() {
    let here = Here::versioned();
    for class in ["STANDARD", "GLACIER_IR", "DEEP_ARCHIVE"] {
        here.send("PUT", "/bucket/k", "", &[("x-amz-storage-class", class)], b"x")
            .expect(200);
    }
    let listed = here.get("/bucket", "versions").expect(200);
    assert_eq!(
        listed.all("StorageClass"),
        ["DEEP_ARCHIVE", "GLACIER_IR", "STANDARD"]
    );
}
