//! The line of a request.
//!
//! Invariant: a line is one line, whatever the client sent; it holds nothing by which somebody could act in the requester's name.
//!
//! Source: S3 User Guide, "Amazon S3 server access log format".

use http::HeaderMap;
use pipeline::call::RequestFacts;
use pipeline::identity::{Identity, IdentityType};
use pipeline::signed::Way;
use pipeline::{Ended, EndedPart, SignatureVersion};
use policy::Principal;
use wire::Timestamp;

use super::Done;
use crate::s3::bucket::Bucket;
use crate::s3::canonical;
use crate::s3::ended::Reached;

/// Bytes of a field that the client chose.
const FIELD_BYTES_MAX: usize = 8 << 10;
const NONE: &str = "-";

/// Writes the line, without its end.
pub(super) fn of(
    bucket: &Bucket,
    identity: &Identity,
    facts: &RequestFacts,
    at: Timestamp,
    (ended, reached): (&Ended<'_>, &Reached),
) -> String {
    fields(bucket, identity, facts, at, (ended, reached)).join(" ")
}

/// The line of what a copy read, in the log of its source's bucket.
pub(super) fn of_source(
    bucket: &Bucket,
    identity: &Identity,
    facts: &RequestFacts,
    at: Timestamp,
    (ended, source, key, operation): (&Ended<'_>, &EndedPart, &str, &str),
) -> String {
    let mut fields = fields(bucket, identity, facts, at, (ended, &Reached::default()));
    fields[6] = operation.to_owned();
    fields[7] = plain(Some(&encoded(key)));
    // The reading part is a request to this bucket, whose log says nothing of the bucket that was written to.
    let version = source.version.as_deref().map_or_else(String::new, |id| {
        format!("?versionId={}", wire::sigv4::percent_encode(id))
    });
    fields[8] = quoted(Some(&format!(
        "GET /{}/{}{version} HTTP/1.1",
        bucket.name,
        encoded(key)
    )));
    fields[9] = source.status.to_string();
    fields[10] = source.code.clone().unwrap_or_else(|| NONE.to_owned());
    // To the client nothing of it is sent.
    fields[11] = NONE.to_owned();
    fields[12] = source
        .size
        .map_or_else(|| NONE.to_owned(), |size| size.to_string());
    fields[17] = plain(source.version.as_deref());
    fields.join(" ")
}

fn fields(
    bucket: &Bucket,
    identity: &Identity,
    facts: &RequestFacts,
    at: Timestamp,
    (ended, reached): (&Ended<'_>, &Reached),
) -> [String; 27] {
    let header = |name: &str| text(ended.headers, name);
    let number = |value: Option<u64>| value.map_or_else(|| NONE.to_owned(), |value| value.to_string());
    let sent = Some(ended.sent).filter(|sent| *sent > 0 && ended.method != "HEAD");
    let (signed, how) = authentication(ended);
    let tls = facts.tls.as_ref();
    let posted = ended.parts.first().filter(|_| facts.posted);
    let of_form = posted.map(|object| encoded(&object.name));
    let key = of_form.as_deref().or(reached.key.as_deref());
    let size = if facts.posted {
        posted.and_then(|object| object.size)
    } else {
        object_size(ended)
    };
    [
        canonical::id_of(&bucket.account),
        bucket.name.clone(),
        format!("[{}]", moment(at)),
        facts.source_ip.clone(),
        requester(identity),
        facts.id.clone(),
        operation(ended.operation, ended.method, key.is_some()),
        plain(key),
        quoted(Some(&format!(
            "{} {} HTTP/1.1",
            ended.method,
            uri(ended.path, ended.query)
        ))),
        ended.status.to_string(),
        ended.code.unwrap_or(NONE).to_owned(),
        number(sent),
        number(size),
        ended.took.max(0).to_string(),
        ended.took.max(0).to_string(),
        quoted(header("referer")),
        quoted(facts.user_agent.as_deref()),
        plain(version(ended.query)),
        plain(text(ended.answer, "x-amz-id-2")),
        signed.to_owned(),
        tls.map_or(NONE, |tls| tls.cipher_suite).to_owned(),
        how.to_owned(),
        plain(facts.host.as_deref()),
        tls.map_or(NONE, |tls| tls.version).to_owned(),
        plain(reached.point.as_deref()),
        // Whether a list of grants decided, and the region that the request came from.
        NONE.to_owned(),
        NONE.to_owned(),
    ]
}

/// The line of one of several objects that a request deleted.
pub(super) fn of_part(
    bucket: &Bucket,
    identity: &Identity,
    facts: &RequestFacts,
    at: Timestamp,
    (ended, part): (&Ended<'_>, &EndedPart),
) -> String {
    let (signed, how) = authentication(ended);
    let tls = facts.tls.as_ref();
    let none = || NONE.to_owned();
    let fields = [
        canonical::id_of(&bucket.account),
        bucket.name.clone(),
        format!("[{}]", moment(at)),
        facts.source_ip.clone(),
        requester(identity),
        facts.id.clone(),
        "BATCH.DELETE.OBJECT".to_owned(),
        plain(Some(&encoded(&part.name))),
        none(),
        part.status.to_string(),
        part.code.clone().unwrap_or_else(none),
        none(),
        part.size.map_or_else(none, |size| size.to_string()),
        none(),
        none(),
        none(),
        none(),
        plain(part.version.as_deref()),
        plain(text(ended.answer, "x-amz-id-2")),
        signed.to_owned(),
        tls.map_or(NONE, |tls| tls.cipher_suite).to_owned(),
        how.to_owned(),
        plain(facts.host.as_deref()),
        tls.map_or(NONE, |tls| tls.version).to_owned(),
        none(),
        none(),
        none(),
    ];
    fields.join(" ")
}

/// The line of what S3 did by a bucket's rules: nobody sent a request.
pub(super) fn of_rule(bucket: &Bucket, at: Timestamp, id: &str, done: &Done<'_>) -> String {
    let none = || NONE.to_owned();
    let mut fields = vec![
        canonical::id_of(&bucket.account),
        bucket.name.clone(),
        format!("[{}]", moment(at)),
        none(),
        "AmazonS3".to_owned(),
        id.to_owned(),
        done.operation.to_owned(),
        plain(Some(&encoded(done.key))),
    ];
    // Request, status, code and bytes sent.
    fields.extend(std::iter::repeat_with(none).take(4));
    fields.push(done.size.map_or_else(none, |size| size.to_string()));
    // Times, referer and agent.
    fields.extend(std::iter::repeat_with(none).take(4));
    fields.push(plain(done.version));
    fields.extend(std::iter::repeat_with(none).take(9));
    fields.join(" ")
}

/// A key as a path has it.
fn encoded(key: &str) -> String {
    let segments: Vec<String> = key.split('/').map(wire::sigv4::percent_encode).collect();
    segments.join("/")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `22/Nov/2026:00:36:56 +0000`
fn moment(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let iso = at.iso8601();
    let part = |from: usize, to: usize| iso.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().unwrap_or(1).saturating_sub(1);
    let month = MONTHS.get(month).copied().unwrap_or("Jan");
    format!("{}/{month}/{}:{} +0000", part(8, 10), part(0, 4), part(11, 19))
}

/// The canonical id of an account's root user, the ARN of everybody else.
fn requester(identity: &Identity) -> String {
    if matches!(identity.principal, Principal::Anonymous) {
        return NONE.to_owned();
    }
    if identity.kind == IdentityType::Root {
        return canonical::id_of(&identity.account);
    }
    plain(Some(&identity.arn))
}

/// What a client chose, so that it stays one field.
fn plain(value: Option<&str>) -> String {
    let value = value.map(|value| bounded(value).replace(|c: char| c.is_whitespace() || c.is_control(), "+"));
    value
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| NONE.to_owned())
}

fn quoted(value: Option<&str>) -> String {
    let value = value.map_or_else(
        || NONE.to_owned(),
        |value| bounded(value).replace(char::is_control, " "),
    );
    format!("\"{value}\"")
}

fn bounded(value: &str) -> &str {
    let end = (0..=FIELD_BYTES_MAX.min(value.len()))
        .rev()
        .find(|end| value.is_char_boundary(*end));
    value.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// Path and query. What would let a reader of the log send the request again, act by its session or open the object is left out: the
/// headers that a presigned query carries are among it, and names are read decoded.
fn uri(path: &str, query: &str) -> String {
    const SECRET: [&str; 6] = [
        "signature",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-mfa",
        "x-amz-security-token",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-signature",
    ];
    if query.is_empty() {
        return path.to_owned();
    }
    let parameters = query.split('&').map(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        let decoded = wire::sigv4::percent_decode(name).to_ascii_lowercase();
        if SECRET.contains(&decoded.as_str()) {
            format!("{name}={NONE}")
        } else {
            parameter.to_owned()
        }
    });
    format!("{path}?{}", parameters.collect::<Vec<_>>().join("&"))
}

fn version(query: &str) -> Option<&str> {
    query
        .split('&')
        .find_map(|parameter| parameter.strip_prefix("versionId="))
}

/// The signature's version, and where it was.
fn authentication(ended: &Ended<'_>) -> (&'static str, &'static str) {
    let header = text(ended.headers, "authorization");
    if header.is_some_and(|said| said.starts_with("AWS ")) {
        return ("SigV2", "AuthHeader");
    }
    match ended.signed.map(|signed| (signed.way, signed.version)) {
        Some((Way::Form, SignatureVersion::V2)) => ("SigV2", NONE),
        Some((Way::Form, SignatureVersion::V4)) => ("SigV4", NONE),
        _ if header.is_some() => ("SigV4", "AuthHeader"),
        _ if ended.query.contains("X-Amz-Signature=") => ("SigV4", "QueryString"),
        _ if ended.query.contains("AWSAccessKeyId=") => ("SigV2", "QueryString"),
        _ => (NONE, NONE),
    }
}

/// The size of the object that was read or written.
fn object_size(ended: &Ended<'_>) -> Option<u64> {
    let number = |value: &str| value.parse().ok();
    if ended.code.is_some() {
        return None;
    }
    match ended.operation {
        "GetObject" | "HeadObject" | "WebsiteGetObject" => match text(ended.answer, "content-range") {
            Some(range) => range.rsplit('/').next().and_then(number),
            None => text(ended.answer, "content-length")
                .and_then(number)
                .or_else(|| Some(ended.sent).filter(|_| ended.operation == "GetObject")),
        },
        "PutObject" | "UploadPart" => text(ended.headers, "x-amz-decoded-content-length")
            .or_else(|| text(ended.headers, "content-length"))
            .and_then(number),
        _ => None,
    }
}

/// `REST.GET.OBJECT`, and `WEBSITE.GET.OBJECT` of a website's visitor.
fn operation(name: &str, method: &str, keyed: bool) -> String {
    if name == "WebsiteGetObject" {
        return format!("WEBSITE.{method}.OBJECT");
    }
    let whole = match name {
        "" if keyed => return format!("REST.{method}.OBJECT"),
        "PreflightRequest" => Some("REST.OPTIONS.PREFLIGHT"),
        "CopyObject" => Some("REST.COPY.OBJECT"),
        "UploadPartCopy" => Some("REST.COPY.PART"),
        "DeleteObjects" => Some("REST.POST.MULTI_OBJECT_DELETE"),
        _ => None,
    };
    whole.map_or_else(|| format!("REST.{method}.{}", resource(name)), str::to_owned)
}

fn resource(operation: &str) -> &'static str {
    const VERBS: [&str; 5] = ["Get", "Put", "Delete", "Head", "List"];
    let noun = VERBS.iter().find_map(|verb| operation.strip_prefix(verb));
    match noun.unwrap_or(operation) {
        "Object" => "OBJECT",
        "ObjectAcl" | "BucketAcl" => "ACL",
        "ObjectTagging" => "OBJECT_TAGGING",
        "ObjectAttributes" => "OBJECT_ATTRIBUTES",
        "ObjectLegalHold" => "LEGAL_HOLD",
        "ObjectRetention" => "RETENTION",
        "ObjectLockConfiguration" => "OBJECT_LOCK_CONFIGURATION",
        "ObjectVersions" => "BUCKETVERSIONS",
        "RestoreObject" => "OBJECT_RESTORE",
        "UpdateObjectEncryption" => "OBJECT_ENCRYPTION",
        "UploadPart" => "PART",
        "CreateMultipartUpload" | "MultipartUploads" => "UPLOADS",
        "CompleteMultipartUpload" | "AbortMultipartUpload" | "Parts" => "UPLOAD",
        "BucketAccelerateConfiguration" => "ACCELERATE",
        "BucketAnalyticsConfiguration" | "BucketAnalyticsConfigurations" => "ANALYTICS",
        "BucketCors" => "CORS",
        "BucketEncryption" => "ENCRYPTION",
        "BucketIntelligentTieringConfiguration" | "BucketIntelligentTieringConfigurations" => {
            "INTELLIGENT_TIERING"
        }
        "BucketInventoryConfiguration" | "BucketInventoryConfigurations" => "INVENTORY",
        "BucketLifecycle" | "BucketLifecycleConfiguration" => "LIFECYCLE",
        "BucketLocation" => "LOCATION",
        "BucketLogging" => "LOGGING_STATUS",
        "BucketMetricsConfiguration" | "BucketMetricsConfigurations" => "METRICS",
        "BucketNotificationConfiguration" => "NOTIFICATION",
        "BucketOwnershipControls" => "OWNERSHIP_CONTROLS",
        "BucketPolicy" => "BUCKETPOLICY",
        "BucketPolicyStatus" => "POLICY_STATUS",
        "BucketReplication" => "REPLICATION",
        "BucketRequestPayment" => "REQUEST_PAYMENT",
        "BucketTagging" => "TAGGING",
        "BucketVersioning" => "VERSIONING",
        "BucketWebsite" => "WEBSITE",
        "PublicAccessBlock" => "PUBLIC_ACCESS_BLOCK",
        _ => "BUCKET",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_as_the_format_has_it() {
        assert_eq!(moment(Timestamp(1_795_305_600_000)), "22/Nov/2026:00:00:00 +0000");
    }

    #[test]
    fn operations_are_named_by_method_and_resource() {
        assert_eq!(operation("", "PATCH", true), "REST.PATCH.OBJECT");
        let operation = |name, method| operation(name, method, false);
        assert_eq!(operation("", "PATCH"), "REST.PATCH.BUCKET");
        assert_eq!(operation("PutObject", "PUT"), "REST.PUT.OBJECT");
        assert_eq!(operation("ListObjectsV2", "GET"), "REST.GET.BUCKET");
        assert_eq!(operation("GetBucketLogging", "GET"), "REST.GET.LOGGING_STATUS");
        assert_eq!(operation("CopyObject", "PUT"), "REST.COPY.OBJECT");
        assert_eq!(operation("AbortMultipartUpload", "DELETE"), "REST.DELETE.UPLOAD");
    }

    #[test]
    fn nothing_secret_of_a_query_is_written() {
        assert_eq!(uri("/b/k", ""), "/b/k");
        assert_eq!(
            uri(
                "/b/k",
                "versionId=1&Signature=s&X-Amz-Signature=s&x-amz-security-token=t"
            ),
            "/b/k?versionId=1&Signature=-&X-Amz-Signature=-&x-amz-security-token=-"
        );
        let query = "x-amz-server-side-encryption-customer-key=c2VjcmV0&X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key=c2VjcmV0\
                     &X-Amz-Security%2DToken=c2VjcmV0&x-amz-mfa=s+secret";
        let written = uri("/b/k", query);
        assert!(
            !written.contains("c2VjcmV0") && !written.contains("secret"),
            "{written}"
        );
    }

    #[test]
    fn a_field_stays_one() {
        assert_eq!(plain(Some("a b\nc")), "a+b+c");
        assert_eq!(quoted(Some("a\r\nb")), "\"a  b\"");
        assert_eq!(plain(Some("")), "-");
        assert_eq!(bounded(&"ä".repeat(FIELD_BYTES_MAX)).len(), FIELD_BYTES_MAX);
    }
}
