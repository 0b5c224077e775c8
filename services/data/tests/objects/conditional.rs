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
