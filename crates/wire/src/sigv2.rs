//! Signature Version 2 of S3's own kind: what a request claims, and the text that its signature must cover.
//!
//! Invariant: every sub-resource of S3 and every `x-amz-` header is covered, wherever it stands, so that no signature for one
//! operation serves for another. The keyed hash and its comparison belong to the caller, who holds the key.
//!
//! Source: S3 API Reference, "Signing and authenticating REST requests (AWS signature version 2)".

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};

use crate::fault::Common;
use crate::protocol::Parts;
use crate::route::path_style;
use crate::sigv4::{
    WINDOW_SECONDS, decode_bytes, extended, parse_basic_time, parse_http_date, percent_decode, skewed,
    spaced_hex,
};
use crate::{Document, Fault};

/// Regions that were there before 2014, and so know this version.
const REGIONS: [&str; 9] = [
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-west-1",
    "sa-east-1",
    "us-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// Names in a query that belong to the resource.
const SUBRESOURCES: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "annotation",
    "annotations",
    "attributes",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataAnnotationTable",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// What a request says about its signature. Nothing in it is proven yet.
pub struct Claim<'a> {
    pub access_key_id: Cow<'a, str>,
    /// Base64 of an HMAC-SHA1, as the client sent it.
    pub signature: Cow<'a, str>,
    pub session_token: Option<Cow<'a, str>>,
    pub when: When<'a>,
}

/// What the request says of its time.
pub enum When<'a> {
    /// In a header: when it was signed, in Unix seconds. The text is the signed `Date`, empty where `x-amz-date` says it.
    Signed { seconds: i64, date: &'a str },
    /// In the query: until when it is good, in Unix seconds, and as the client wrote it.
    Until { seconds: i64, text: Cow<'a, str> },
}

impl Claim<'_> {
    /// Whether the signature came in the query string.
    pub const fn presigned(&self) -> bool {
        matches!(self.when, When::Until { .. })
    }
}

/// Reads the claim. `None`: the request is not signed in this version.
///
/// Errors: an incomplete or malformed signature, or two signatures at once.
pub fn parse<'a>(parts: &Parts<'a>) -> Result<Option<Claim<'a>>, Fault> {
    let mut said = parts.headers.get_all(AUTHORIZATION).iter();
    let header = said.next().and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.strip_prefix("AWS "));
    let query = Query::find(parts.query);
    match (header, query) {
        (None, None) => Ok(None),
        (None, Some(query)) if !parts.headers.contains_key(AUTHORIZATION) => query.claim().map(Some),
        (Some(header), None) if said.next().is_none() && !parts.query.contains("X-Amz-Signature=") => {
            of_header(header, parts.headers).map(Some)
        }
        _ => Err(Fault::plain(
            "InvalidArgument",
            400,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the \
             Authorization header should be specified",
        )),
    }
}

fn of_header<'a>(said: &'a str, headers: &'a HeaderMap) -> Result<Claim<'a>, Fault> {
    let pair = said.trim().split_once(':');
    let Some((key, signature)) = pair.filter(|(key, _)| !key.is_empty() && key.len() <= 128) else {
        let message = "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature";
        return Err(Fault::plain("InvalidArgument", 400, message));
    };
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let undated = || {
        let message = "AWS authentication requires a valid Date or x-amz-date header";
        Fault::common(Common::AccessDenied, message)
    };
    let own = text("x-amz-date");
    let date = own.or_else(|| text(DATE.as_str())).ok_or_else(undated)?;
    let seconds = parse_http_date(date)
        .or_else(|| parse_basic_time(date))
        .ok_or_else(undated)?;
    Ok(Claim {
        access_key_id: Cow::Borrowed(key),
        signature: Cow::Borrowed(signature.trim()),
        session_token: text("x-amz-security-token").map(Cow::Borrowed),
        when: When::Signed {
            seconds,
            date: if own.is_some() { "" } else { date },
        },
    })
}

/// The signature's parameters in a query string, decoded.
#[derive(Default)]
struct Query<'a> {
    key: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    token: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    fn find(query: &'a str) -> Option<Self> {
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "AWSAccessKeyId" => &mut found.key,
                "Expires" => &mut found.expires,
                "Signature" => &mut found.signature,
                name if name.eq_ignore_ascii_case("x-amz-security-token") => &mut found.token,
                _ => continue,
            };
            slot.get_or_insert_with(|| percent_decode(value));
        }
        (found.key.is_some() || found.signature.is_some() && found.expires.is_some()).then_some(found)
    }

    fn claim(self) -> Result<Claim<'a>, Fault> {
        let (Some(key), Some(text), Some(signature)) = (self.key, self.expires, self.signature) else {
            let message =
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
            return Err(Fault::common(Common::AccessDenied, message));
        };
        if key.is_empty() || key.len() > 128 {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            return Err(Fault::common(Common::InvalidClientTokenId, message));
        }
        let Ok(seconds) = text.parse::<i64>() else {
            let shown: String = text.chars().take(64).collect();
            let message = format!("Invalid date (should be seconds since epoch): {shown}");
            return Err(Fault::common(Common::AccessDenied, message));
        };
        Ok(Claim {
            access_key_id: key,
            // A plus sign that was not encoded came out as a space.
            signature: signature.replace(' ', "+").into(),
            session_token: self.token,
            when: When::Until { seconds, text },
        })
    }
}

/// Refuses a query that would sign as another one: of its values only the decoded text is signed, with nothing around it.
///
/// # Errors
/// `InvalidArgument` for a value in which another sub-resource, or another header's line, seems to begin.
pub fn check_query(parts: &Parts<'_>) -> Result<(), Fault> {
    for pair in parts.query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (percent_decode(name), percent_decode(value));
        let begins = |part: &str| is_subresource(part.split('=').next().unwrap_or(part));
        let two = if is_subresource(&name) {
            value.split('&').skip(1).any(begins)
        } else {
            name.to_ascii_lowercase().starts_with("x-amz-") && value.contains('\n')
        };
        if two {
            let shown: String = name.chars().take(64).collect();
            let message = "The value of a query parameter is ambiguous in Signature Version 2.";
            return Err(Fault::plain("InvalidArgument", 400, message)
                .with("ArgumentName", Document::String(shown))
                .with("ArgumentValue", Document::String(String::new())));
        }
    }
    Ok(())
}

/// Whether a name in a query belongs to the signed resource.
pub fn is_subresource(name: &str) -> bool {
    SUBRESOURCES.binary_search(&name).is_ok()
}

/// Whether a region knows this version.
pub fn is_known_in(region: &str) -> bool {
    REGIONS.contains(&region)
}

/// The refusal of this version where it is not known.
pub fn unsupported() -> Fault {
    Fault::plain(
        "InvalidRequest",
        400,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
}

/// Checks that the signature is neither too old nor too new, by the wall clock in Unix seconds.
pub fn check_time(claim: &Claim<'_>, now: i64) -> Result<(), Fault> {
    match &claim.when {
        When::Signed { seconds, date } => {
            let apart = seconds.saturating_sub(now).saturating_abs();
            if apart <= WINDOW_SECONDS {
                return Ok(());
            }
            let said = if date.is_empty() {
                extended(*seconds)
            } else {
                (*date).to_owned()
            };
            Err(skewed(&said, now))
        }
        When::Until { seconds, .. } if now <= *seconds => Ok(()),
        When::Until { seconds, .. } => Err(Fault::common(Common::AccessDenied, "Request has expired")
            .with("Expires", Document::String(extended(*seconds)))
            .with("ServerTime", Document::String(extended(now)))),
    }
}

/// The text that the claim's signature must cover.
pub fn string_to_sign(claim: &Claim<'_>, parts: &Parts<'_>) -> String {
    string_of(claim, parts, &path_style(parts.path, parts.headers))
}

/// The same where the path is a bucket's without the slash at its end, which AWS's own clients sign with it.
pub fn string_with_slash(claim: &Claim<'_>, parts: &Parts<'_>) -> Option<String> {
    let path = path_style(parts.path, parts.headers);
    let bucket = path.strip_prefix('/').unwrap_or(&path);
    (!bucket.is_empty() && !bucket.contains('/')).then(|| string_of(claim, parts, &format!("/{bucket}/")))
}

fn string_of(claim: &Claim<'_>, parts: &Parts<'_>, path: &str) -> String {
    let presigned = claim.presigned();
    let mut amz: BTreeMap<String, Vec<Cow<'_, str>>> = BTreeMap::new();
    let mut named: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for name in ["content-md5", CONTENT_TYPE.as_str()] {
        if let Some(value) = parts.headers.get(name) {
            named.insert(name, String::from_utf8_lossy(value.as_bytes()));
        }
    }
    for (name, value) in parts.headers {
        if name.as_str().starts_with("x-amz-") {
            let value = String::from_utf8_lossy(value.as_bytes());
            amz.entry(name.as_str().to_owned()).or_default().push(value);
        }
    }
    let mut resource: Vec<(Cow<'_, str>, Option<String>)> = Vec::new();
    for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .map_or((pair, None), |(name, value)| (name, Some(value)));
        let plain = || {
            let bytes = decode_bytes(value.unwrap_or_default(), false);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        // Whoever reads the query decodes its names first.
        let name = percent_decode(name);
        if is_subresource(&name) {
            resource.push((name, value.map(|_| plain())));
            continue;
        }
        if !presigned {
            continue;
        }
        // Whoever presigns moves headers into the query, where they count as such.
        let lower = name.to_ascii_lowercase();
        let value = || percent_decode(value.unwrap_or_default());
        match lower.as_str() {
            "content-md5" => _ = named.entry("content-md5").or_insert_with(value),
            "content-type" => _ = named.entry(CONTENT_TYPE.as_str()).or_insert_with(value),
            name if name.starts_with("x-amz-") && !parts.headers.contains_key(name) => {
                amz.entry(lower).or_default().push(value());
            }
            _ => {}
        }
    }
    let text = |name: &str| named.get(name).map_or("", |value| value.trim());
    let date = match &claim.when {
        When::Signed { date, .. } => date,
        When::Until { text, .. } => text.as_ref(),
    };
    let mut out = format!(
        "{}\n{}\n{}\n{date}\n",
        parts.method,
        text("content-md5"),
        text(CONTENT_TYPE.as_str())
    );
    for (name, values) in &amz {
        let values: Vec<&str> = values.iter().map(|value| value.trim()).collect();
        out.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    out.push_str(path);
    resource.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (at, (name, value)) in resource.iter().enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        out.push_str(name);
        if let Some(value) = value {
            out.push('=');
            out.push_str(value);
        }
    }
    out
}

/// The refusal of a wrong signature, with what should have been signed beside the message.
pub fn mismatch(access_key_id: &str, signature: &str, should: &str) -> Fault {
    let message = "The request signature we calculated does not match the signature you provided. Check your key and signing \
                   method.";
    Fault::common(Common::SignatureDoesNotMatch, message)
        .with("AWSAccessKeyId", Document::String(access_key_id.to_owned()))
        .with("StringToSign", Document::String(should.to_owned()))
        .with("SignatureProvided", Document::String(signature.to_owned()))
        .with("StringToSignBytes", Document::String(spaced_hex(should)))
}
