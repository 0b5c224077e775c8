//! Forms by which browsers put objects: the policy that somebody signed for them, and their fields as a put's headers.
//!
//! Invariant: where a form has a policy, every field of it that counts is covered by one of the policy's conditions, and all of these
//! hold; variables are replaced before.
//!
//! Source: S3 API Reference, "POST Object", "Creating a POST policy", "HTML forms (AWS signature version 2)".

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use api::s3 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use pipeline::{Form, FormAnswer, FormRules, Result, Upload, Uploaded};
use serde_json::Value;
use wire::protocol::{self, Parts};
use wire::sigv4::percent_encode;
use wire::{Fault, FromDocument, Timestamp};

use super::fault::{invalid_argument, malformed_xml};
use super::object::write::PUT_BYTES_MAX;

/// S3's forms.
pub static FORMS: FormRules = FormRules {
    service: "s3",
    operation: "PutObject",
    read,
    answer,
};

/// What stands in a field for the name of the file.
const FILE_NAME: &str = "${filename}";
/// Fields that no condition need cover, beside those that are to be ignored.
const UNCOVERED: [&str; 5] = ["x-amz-signature", "file", "policy", "awsaccesskeyid", "signature"];
/// Fields that are headers of a put by the same name, beside those of S3's own.
const HEADERS: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-md5",
    "content-type",
    "expires",
];
/// Fields of S3's own that are no header: the signature's.
const OF_SIGNATURE: [&str; 6] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
];

fn read(form: &Form, bucket: &str, signed: bool, wall: Timestamp) -> Result<Upload> {
    let key = expanded(form, "key").ok_or_else(|| {
        let message = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.";
        invalid_argument(message, "key", "")
    })?;
    if key.is_empty() {
        return Err(invalid_argument(
            "User key must have a length greater than 0.",
            "key",
            "",
        ));
    }
    let size = if signed {
        let policy = Policy::read(form.get("policy").unwrap_or_default())?;
        policy.judge(form, bucket, wall)?
    } else {
        0..=PUT_BYTES_MAX
    };
    Ok(Upload {
        key,
        headers: headers(form)?,
        size: *size.start()..=(*size.end()).min(PUT_BYTES_MAX),
    })
}

/// The value of a field with the name of the file in it: what stands behind the last separator of its path.
fn expanded(form: &Form, name: &str) -> Option<String> {
    let value = form.get(name)?;
    let file = form.file_name.as_deref().unwrap_or_default();
    let file = file.rsplit(['/', '\\']).next().unwrap_or_default();
    Some(value.replace(FILE_NAME, file))
}

/// The headers that a put of the same object would have.
fn headers(form: &Form) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (field, _) in form.fields() {
        let Some(value) = expanded(form, field) else {
            continue;
        };
        let (name, value) = match field {
            "acl" => ("x-amz-acl", value),
            "tagging" => ("x-amz-tagging", tagging(&value)?),
            field if HEADERS.contains(&field) => (field, value),
            field if field.starts_with("x-amz-") && !OF_SIGNATURE.contains(&field) => (field, value),
            _ => continue,
        };
        let invalid = || invalid_argument("The form field cannot be a header.", field, "");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let value = HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| invalid())?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The tags of a form, which has them as a document, as a put has them.
fn tagging(document: &str) -> Result<String> {
    let service = api::models::service("s3").ok_or_else(|| Fault::internal("the model is not there"))?;
    let operation = service.operation("PutObjectTagging");
    let operation = operation.ok_or_else(|| Fault::internal("the operation is not there"))?;
    let parts = Parts {
        method: "PUT",
        path: "/bucket/key",
        query: "tagging",
        headers: &HeaderMap::new(),
        body: document.as_bytes(),
    };
    let input = protocol::decode(service, operation, wire::model::Protocol::RestXml, &parts);
    let input = input
        .ok()
        .and_then(|input| model::PutObjectTaggingRequest::from_document(input).ok())
        .ok_or_else(malformed_xml)?;
    let pairs = input.tagging.tag_set.iter();
    let pairs = pairs.map(|tag| format!("{}={}", percent_encode(&tag.key), percent_encode(&tag.value)));
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

/// What somebody signed for a browser.
struct Policy {
    expiration: Timestamp,
    conditions: Vec<Value>,
}

fn invalid(what: &str) -> Fault {
    Fault::plain("InvalidPolicyDocument", 400, format!("Invalid Policy: {what}"))
}

fn unlike(what: &str) -> Fault {
    Fault::access_denied(format!("Invalid according to Policy: {what}"))
}

impl Policy {
    fn read(encoded: &str) -> Result<Self> {
        let bare: String = encoded.chars().filter(|letter| !letter.is_whitespace()).collect();
        let decoded = STANDARD.decode(bare).map_err(|_| invalid("Invalid encoding."))?;
        let mut policy: Value = serde_json::from_slice(&decoded).map_err(|_| invalid("Invalid JSON."))?;
        let expiration = match policy.get("expiration") {
            None => return Err(invalid("Policy missing expiration.")),
            Some(Value::String(text)) => Timestamp::from_iso8601(text).ok_or_else(|| {
                let shown: String = text.chars().take(64).collect();
                invalid(&format!("Invalid 'expiration' value: '{shown}'"))
            })?,
            Some(_) => return Err(invalid("Invalid 'expiration' value: it must be a string.")),
        };
        let conditions = policy.get_mut("conditions").map(Value::take);
        let Some(Value::Array(conditions)) = conditions else {
            return Err(invalid("Policy missing conditions."));
        };
        Ok(Self {
            expiration,
            conditions,
        })
    }

    /// Holds a form to the policy. Gives the sizes that its file may have.
    fn judge(&self, form: &Form, bucket: &str, wall: Timestamp) -> Result<RangeInclusive<u64>> {
        if self.expiration < wall {
            return Err(unlike("Policy expired."));
        }
        let value = |name: &str| match name {
            "bucket" => Some(bucket.to_owned()),
            name => expanded(form, name),
        };
        let mut covered = BTreeSet::new();
        let mut size = 0..=u64::MAX;
        for condition in &self.conditions {
            let read = Condition::read(condition);
            match &read {
                Some(Condition::Equal(name, wanted)) => {
                    let name = name.to_ascii_lowercase();
                    let holds = value(&name).unwrap_or_default() == **wanted;
                    covered.insert(name);
                    if holds {
                        continue;
                    }
                }
                Some(Condition::StartsWith(name, wanted)) => {
                    let name = name.to_ascii_lowercase();
                    let value = value(&name).unwrap_or_default();
                    // A list of types fits if each does.
                    let holds = match name.as_str() {
                        "content-type" => value.split(',').all(|kind| kind.trim().starts_with(*wanted)),
                        _ => value.starts_with(*wanted),
                    };
                    covered.insert(name);
                    if holds {
                        continue;
                    }
                }
                Some(Condition::Length(least, most)) => {
                    size = (*size.start()).max(*least)..=(*size.end()).min(*most);
                    continue;
                }
                None => {}
            }
            let shown = read.map_or_else(|| condition.to_string(), |condition| condition.shown());
            return Err(unlike(&format!("Policy Condition failed: {shown}")));
        }
        let extra: Vec<&str> = form
            .fields()
            .map(|(name, _)| name)
            .filter(|name| {
                !UNCOVERED.contains(name) && !name.starts_with("x-ignore-") && !covered.contains(*name)
            })
            .collect();
        if !extra.is_empty() {
            return Err(unlike(&format!("Extra input fields: {}", extra.join(", "))));
        }
        Ok(size)
    }
}

enum Condition<'a> {
    Equal(&'a str, &'a str),
    StartsWith(&'a str, &'a str),
    Length(u64, u64),
}

impl<'a> Condition<'a> {
    /// `None` of what is no condition, which then does not hold.
    fn read(condition: &'a Value) -> Option<Self> {
        match condition {
            Value::Object(members) => {
                let (name, value) = members.iter().next().filter(|_| members.len() == 1)?;
                Some(Self::Equal(name, value.as_str()?))
            }
            Value::Array(items) => {
                let [operator, first, second] = items.as_slice() else {
                    return None;
                };
                let operator = operator.as_str()?.to_ascii_lowercase();
                if operator == "content-length-range" {
                    return Some(Self::Length(number(first)?, number(second)?));
                }
                let name = first.as_str()?.strip_prefix('$')?;
                match operator.as_str() {
                    "eq" => Some(Self::Equal(name, second.as_str()?)),
                    "starts-with" => Some(Self::StartsWith(name, second.as_str()?)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn shown(&self) -> String {
        let (operator, name, value) = match self {
            Self::Equal(name, value) => ("eq", name, value),
            Self::StartsWith(name, value) => ("starts-with", name, value),
            Self::Length(least, most) => return format!("[\"content-length-range\", {least}, {most}]"),
        };
        let text = |text: String| Value::String(text).to_string();
        let (name, value) = (text(format!("${name}")), text((*value).to_owned()));
        format!("[\"{operator}\", {name}, {value}]")
    }
}

/// A number, as clients write it with quotes or without.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn answer(form: &Form, uploaded: &Uploaded<'_>) -> FormAnswer {
    let key = expanded(form, "key").unwrap_or_default();
    let Uploaded { bucket, region, etag } = *uploaded;
    let redirect = expanded(form, "success_action_redirect").or_else(|| expanded(form, "redirect"));
    // An address that is none counts as if it were not there.
    let redirect = redirect.filter(|to| {
        to.parse::<http::Uri>()
            .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")))
    });
    if let Some(to) = redirect {
        let joint = if to.contains('?') { '&' } else { '?' };
        let told = [("bucket", bucket), ("key", &key), ("etag", etag)];
        let told = told.map(|(name, value)| format!("{name}={}", percent_encode(value)));
        return FormAnswer {
            status: 303,
            location: format!("{to}{joint}{}", told.join("&")),
            body: Vec::new(),
        };
    }
    let path: Vec<String> = key.split('/').map(percent_encode).collect();
    let location = format!("https://{bucket}.s3.{region}.amazonaws.com/{}", path.join("/"));
    let (status, body) = match form.get("success_action_status").map(str::trim) {
        Some("200") => (200, Vec::new()),
        Some("201") => {
            let members = [
                ("Location", location.as_str()),
                ("Bucket", bucket),
                ("Key", &key),
                ("ETag", etag),
            ];
            (201, protocol::post_response(&members))
        }
        _ => (204, Vec::new()),
    };
    FormAnswer {
        status,
        location,
        body,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WALL: Timestamp = Timestamp(1_795_305_600_000);

    fn form(fields: &[(&str, &str)], file: &str) -> Form {
        let mut form = Form::default();
        for (name, value) in fields {
            form.add(name, (*value).to_owned()).ok().unwrap();
        }
        form.file_name = Some(file.to_owned());
        form
    }

    fn judged(
        conditions: &Value,
        fields: &[(&str, &str)],
    ) -> std::result::Result<RangeInclusive<u64>, String> {
        let policy = json!({"expiration": "2026-11-22T00:00:01Z", "conditions": conditions}).to_string();
        let policy = Policy::read(&STANDARD.encode(policy)).map_err(|fault| fault.message)?;
        let judged = policy.judge(&form(fields, "dir\\a b.txt"), "bucket", WALL);
        judged.map_err(|fault| fault.message.replace("Invalid according to Policy: ", ""))
    }

    #[test]
    fn conditions_hold_of_the_expanded_fields() {
        let conditions = json!([
            {"Bucket": "bucket"},
            ["starts-with", "$key", "user/a b"],
            {"ACL": "private"},
            ["starts-with", "$Content-Type", "image/"],
            ["content-length-range", 1, "10"],
            ["starts-with", "$x-amz-meta-tag", ""],
        ]);
        let fields = [
            ("key", "user/${filename}"),
            ("acl", "private"),
            ("Content-Type", "image/a, image/b"),
            ("x-ignore-me", "x"),
            ("policy", "x"),
        ];
        assert_eq!(judged(&conditions, &fields), Ok(1..=10));
        let with = |field: (&'static str, &'static str)| {
            let mut all: Vec<_> = fields.into_iter().filter(|(name, _)| *name != field.0).collect();
            all.push(field);
            judged(&conditions, &all).err()
        };
        let failed = |text: &str| Some(format!("Policy Condition failed: {text}"));
        assert_eq!(
            with(("key", "other")),
            failed("[\"starts-with\", \"$key\", \"user/a b\"]")
        );
        assert_eq!(
            with(("acl", "public-read")),
            failed("[\"eq\", \"$ACL\", \"private\"]")
        );
        assert_eq!(
            with(("Content-Type", "image/a, text/b")),
            failed("[\"starts-with\", \"$Content-Type\", \"image/\"]")
        );
        assert_eq!(
            with(("tagging", "x")),
            Some("Extra input fields: tagging".to_owned())
        );
        assert_eq!(with(("x-amz-meta-tag", "anything")), None);
        let elsewhere = json!([{"bucket": "other"}]);
        assert_eq!(
            judged(&elsewhere, &[]).err(),
            failed("[\"eq\", \"$bucket\", \"other\"]")
        );
    }

    #[test]
    fn what_is_no_condition_does_not_hold() {
        for condition in [
            json!(["eq", "key", "a"]),
            json!(["like", "$key", "a"]),
            json!(["eq", "$key"]),
            json!({"key": 1}),
            json!({}),
            json!("key"),
            json!(["content-length-range", "a", 1]),
            json!(["content-length-range", -1, 1]),
        ] {
            let refused = judged(&json!([condition]), &[("key", "a")]).err().unwrap();
            assert!(
                refused.starts_with("Policy Condition failed"),
                "{condition}: {refused}"
            );
        }
    }

    #[test]
    fn a_policy_is_a_document_with_an_end() {
        let read = |text: &str| {
            let policy = Policy::read(&STANDARD.encode(text));
            policy.map(drop).map_err(|fault| fault.message)
        };
        for (text, message) in [
            ("{", "Invalid JSON."),
            ("{\"conditions\": []}", "Policy missing expiration."),
            (
                "{\"expiration\": \"soon\", \"conditions\": []}",
                "Invalid 'expiration' value: 'soon'",
            ),
            (
                "{\"expiration\": \"2026-11-22T00:00:00Z\"}",
                "Policy missing conditions.",
            ),
        ] {
            assert_eq!(read(text), Err(format!("Invalid Policy: {message}")));
        }
        assert!(Policy::read("%").is_err());
        let ended =
            Policy::read(&STANDARD.encode("{\"expiration\": \"2026-11-21T23:59:59Z\", \"conditions\": []}"));
        let refused = ended.ok().unwrap().judge(&form(&[], ""), "bucket", WALL);
        assert_eq!(
            refused.err().unwrap().message,
            "Invalid according to Policy: Policy expired."
        );
    }

    #[test]
    fn fields_become_headers_of_a_put() {
        let tags = "<Tagging><TagSet><Tag><Key>a b</Key><Value>&amp;</Value></Tag></TagSet></Tagging>";
        let fields = [
            ("acl", "private"),
            ("tagging", tags),
            ("x-amz-meta-name", "${filename}"),
            ("x-amz-credential", "x"),
            ("success_action_status", "201"),
            ("Content-Type", "text/plain"),
        ];
        let headers = headers(&form(&fields, "/tmp/a.txt")).ok().unwrap();
        let mut all: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        all.sort_unstable();
        assert_eq!(
            all,
            [
                ("content-type", "text/plain"),
                ("x-amz-acl", "private"),
                ("x-amz-meta-name", "a.txt"),
                ("x-amz-tagging", "a%20b=%26"),
            ]
        );
        assert!(super::headers(&form(&[("acl", "a\r\nb: c")], "")).is_err());
        assert!(super::headers(&form(&[("tagging", "<Tag")], "")).is_err());
    }
}
