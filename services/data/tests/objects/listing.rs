//! The two lists of objects.

use crate::client::Here;

#[test]
fn keys_are_listed_by_their_bytes_in_pages() {
    let here = Here::new();
    let keys = ["a", "a b", "a/b", "\u{e4}", "z", "\u{1f600}"];
    for key in ["z", "%C3%A4", "a/b", "a%20b", "%F0%9F%98%80", "a"] {
        here.put(&format!("/bucket/{key}"), "", b"x").expect(200);
    }
    let mut sorted = keys.map(str::to_owned).to_vec();
    sorted.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let query = if token.is_empty() {
            "list-type=2&max-keys=2".to_owned()
        } else {
            format!(
                "continuation-token={}&list-type=2&max-keys=2",
                token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
            )
        };
        let page = here.get("/bucket", &query).expect(200);
        assert_eq!(page.one("KeyCount"), page.all("Key").len().to_string());
        seen.extend(page.all("Key"));
        if page.one("IsTruncated") == "false" {
            break;
        }
        token = page.one("NextContinuationToken");
    }
    assert_eq!(seen, sorted);
    let behind = here.get("/bucket", "list-type=2&start-after=a%2Fb").expect(200);
    assert_eq!(behind.all("Key"), sorted[3..]);
    assert!(behind.all("Owner").is_empty());
    let owned = here
        .get("/bucket", "fetch-owner=true&list-type=2&max-keys=1")
        .expect(200);
    assert_eq!(owned.all("Owner").len(), 1);
    let escaped = here.get("/bucket", "encoding-type=url&list-type=2").expect(200);
    assert!(
        escaped.all("Key").contains(&"a+b".to_owned()),
        "{}",
        escaped.text()
    );
    let none = here.get("/bucket", "list-type=2&max-keys=0").expect(200);
    assert_eq!(
        (none.one("IsTruncated").as_str(), none.all("Key").len()),
        ("false", 0)
    );
    here.get("/bucket", "list-type=2&max-keys=-1")
        .refused(400, "InvalidArgument");
    here.get("/bucket", "continuation-token=x&list-type=2")
        .refused(400, "InvalidArgument");
}

#[test]
fn the_older_list_goes_by_markers() {
    let here = Here::new();
    for key in ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla"] {
        here.put(&format!("/bucket/{key}"), "", b"x").expect(200);
    }
    let first = here.get("/bucket", "delimiter=%2F&max-keys=1").expect(200);
    assert_eq!(
        (first.all("Key"), first.one("NextMarker").as_str()),
        (vec!["asdf".to_owned()], "asdf")
    );
    let second = here
        .get("/bucket", "delimiter=%2F&marker=asdf&max-keys=1")
        .expect(200);
    assert_eq!(second.all("CommonPrefixes"), ["<Prefix>boo/</Prefix>"]);
    assert_eq!(second.one("NextMarker"), "boo/");
    let third = here
        .get("/bucket", "delimiter=%2F&marker=boo%2F&max-keys=1")
        .expect(200);
    assert_eq!(third.all("CommonPrefixes"), ["<Prefix>cquux/</Prefix>"]);
    assert_eq!(third.one("IsTruncated"), "false");
    let below = here.get("/bucket", "delimiter=%2F&prefix=boo%2F").expect(200);
    assert_eq!(below.all("Key"), ["boo/bar"]);
    assert_eq!(below.all("CommonPrefixes"), ["<Prefix>boo/baz/</Prefix>"]);
    assert!(!below.all("Owner").is_empty());
}

/// S3 API Reference, "ListObjectsV2": `RestoreStatus` is told to who asks for it, of versions too.
#[test]
fn the_state_of_restored_copies_is_listed_where_asked() {
    let here = Here::versioned();
    let archive = [("x-amz-storage-class", "GLACIER")];
    here.send("PUT", "/bucket/cold", "", &archive, b"x").fine();
    here.put("/bucket/warm", "", b"x").fine();
    let restore = "<RestoreRequest><Days>1</Days></RestoreRequest>";
    here.post("/bucket/cold", "restore", restore).fine();
    let asked = [("x-amz-optional-object-attributes", "RestoreStatus")];
    for query in ["", "list-type=2", "versions"] {
        assert!(
            here.get("/bucket", query).fine().all("RestoreStatus").is_empty(),
            "{query}"
        );
        let told = here.send("GET", "/bucket", query, &asked, b"").fine();
        assert_eq!(told.all("IsRestoreInProgress"), ["true"], "{query}");
    }
    here.advance(crate::client::DAY / 2);
    for query in ["", "list-type=2", "versions"] {
        let told = here.send("GET", "/bucket", query, &asked, b"").fine();
        assert_eq!(told.all("IsRestoreInProgress"), ["false"], "{query}");
        assert_eq!(told.all("RestoreExpiryDate").len(), 1, "{query}");
    }
}

/// What a parameter cannot be is an argument's fault: `MalformedXML` is for documents.
#[test]
fn a_size_that_is_no_number_is_an_invalid_argument() {
    let here = Here::new();
    for query in [
        "list-type=2&max-keys=many",
        "max-keys=99999999999",
        "max-keys=",
        "max-uploads=x&uploads",
    ] {
        let refused = here.get("/bucket", query).refused(400, "InvalidArgument");
        assert!(
            refused.one("ArgumentName").starts_with("max-"),
            "{}",
            refused.text()
        );
    }
    let until = [("x-amz-object-lock-retain-until-date", "soon")];
    here.send("PUT", "/bucket/k", "", &until, b"x")
        .refused(400, "InvalidArgument");
}

/// S3's documents write dates with their milliseconds, also where there are none (S3 API Reference, "ListObjectsV2").
#[test]
fn dates_of_documents_have_milliseconds() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").fine();
    let modified = here.get("/bucket", "list-type=2").fine().one("LastModified");
    assert!(modified.ends_with(".000Z") && modified.len() == 24, "{modified}");
    let created = here.get("/", "").fine().one("CreationDate");
    assert!(created.ends_with('Z') && created.len() == 24, "{created}");
}
