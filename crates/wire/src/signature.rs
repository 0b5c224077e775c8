//! What a request claims about its signature, in whichever version; and headers that whoever presigned moved into the query.
//!
//! Invariant: a request claims one signature at the most.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::protocol::Parts;
use crate::sigv4::{self, percent_decode};
use crate::{Document, Fault, sigv2};

/// A claim of either version. Nothing in it is proven yet.
pub enum Claim<'a> {
    V4(sigv4::Claim<'a>),
    V2(sigv2::Claim<'a>),
}

/// Reads the claim. `None`: the request is not signed.
///
/// Errors: an incomplete or malformed signature, two signatures at once, or an algorithm that is not served.
pub fn parse<'a>(parts: &Parts<'a>) -> Result<Option<Claim<'a>>, Fault> {
    if let Some(claim) = sigv2::parse(parts)? {
        return Ok(Some(Claim::V2(claim)));
    }
    Ok(sigv4::parse(parts)?.map(Claim::V4))
}

impl Claim<'_> {
    pub fn access_key_id(&self) -> &str {
        match self {
            Self::V4(claim) => &claim.access_key_id,
            Self::V2(claim) => &claim.access_key_id,
        }
    }

    pub fn session_token(&self) -> Option<&str> {
        match self {
            Self::V4(claim) => claim.session_token.as_deref(),
            Self::V2(claim) => claim.session_token.as_deref(),
        }
    }

    /// The service that the request was signed for. Version 2 is S3's.
    pub fn service(&self) -> &str {
        match self {
            Self::V4(claim) => &claim.scope.service,
            Self::V2(_) => "s3",
        }
    }

    /// The region that it was signed for, where the version has one.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::V4(claim) => Some(&claim.scope.region),
            Self::V2(_) => None,
        }
    }

    /// Version 4's claim.
    pub const fn v4(&self) -> Option<&sigv4::Claim<'_>> {
        match self {
            Self::V4(claim) => Some(claim),
            Self::V2(_) => None,
        }
    }

    /// Whether the signature came in the query string.
    pub const fn presigned(&self) -> bool {
        match self {
            Self::V4(claim) => claim.presigned.is_some(),
            Self::V2(claim) => claim.presigned(),
        }
    }
}

/// The headers of a request to S3 that was presigned, with those among them that stand in its query; `None` where none does. All of a
/// query is signed, so what stands there counts as signed too.
///
/// Errors: for what cannot be a header.
pub fn lifted(claim: &Claim<'_>, parts: &Parts<'_>) -> Result<Option<HeaderMap>, Fault> {
    const OF_SIGNATURE: [&str; 8] = [
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    ];
    if !claim.presigned() || claim.service() != "s3" {
        return Ok(None);
    }
    let old = matches!(claim, Claim::V2(_));
    let mut all: Option<HeaderMap> = None;
    for pair in parts.query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode(name).to_ascii_lowercase();
        let amz = name.starts_with("x-amz-") && !OF_SIGNATURE.contains(&name.as_str());
        let other = old && (name == "content-md5" || name == CONTENT_TYPE.as_str());
        if !(amz || other) || parts.headers.contains_key(&name) {
            continue;
        }
        let value = percent_decode(value);
        let header = HeaderName::from_bytes(name.as_bytes());
        let Ok((name, value)) = header
            .map_err(drop)
            .and_then(|name| Ok((name, HeaderValue::from_bytes(value.as_bytes()).map_err(drop)?)))
        else {
            let shown: String = name.chars().take(64).collect();
            let message = format!("The query parameter {shown} cannot be a header.");
            return Err(Fault::plain("InvalidArgument", 400, message));
        };
        all.get_or_insert_with(|| parts.headers.clone())
            .append(name, value);
    }
    Ok(all)
}

/// What a form claims about its signature, which covers its policy. Nothing in it is proven yet.
pub struct FormClaim<'a> {
    pub access_key_id: &'a str,
    pub session_token: Option<&'a str>,
    /// The policy as the form has it: the text that is signed.
    pub policy: &'a str,
    /// As the form has it.
    pub signature: &'a str,
    /// The scope and the time that version 4 signs for; `None` in version 2.
    pub scope: Option<(sigv4::Scope<'a>, sigv4::SignedAt)>,
}

/// Reads what a form's fields, by their names in lower case, claim. `None`: the form is nobody's in particular.
///
/// Source: S3 API Reference, "Authenticating Requests: Browser-Based Uploads Using POST", and "HTML forms (AWS signature version 2)".
///
/// Errors: a signature without what belongs to it.
pub fn of_form<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Result<Option<FormClaim<'a>>, Fault> {
    let needed = |name: &str| {
        field(&name.to_ascii_lowercase()).ok_or_else(|| {
            let message = format!(
                "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
            );
            Fault::plain("InvalidArgument", 400, message)
                .with("ArgumentName", Document::String(name.to_owned()))
                .with("ArgumentValue", Document::String(String::new()))
        })
    };
    let session_token = field("x-amz-security-token");
    let newer = ["x-amz-algorithm", "x-amz-credential", "x-amz-signature"];
    if newer.iter().any(|name| field(name).is_some()) {
        let algorithm = needed("X-Amz-Algorithm")?;
        if algorithm != sigv4::ALGORITHM {
            let shown: String = algorithm.chars().take(64).collect();
            return Err(Fault::plain(
                "InvalidArgument",
                400,
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
            )
            .with("ArgumentName", Document::String("X-Amz-Algorithm".to_owned()))
            .with("ArgumentValue", Document::String(shown)));
        }
        let (access_key_id, scope) = sigv4::scope_of(needed("X-Amz-Credential")?)?;
        let date = needed("X-Amz-Date")?;
        let Some(seconds) = sigv4::parse_basic_time(date).filter(|_| date.starts_with(scope.date.as_ref()))
        else {
            let message = "X-Amz-Date must be formatted via ISO8601 Long format";
            return Err(Fault::plain("InvalidArgument", 400, message));
        };
        let text = date.to_owned();
        return Ok(Some(FormClaim {
            access_key_id,
            session_token,
            signature: needed("X-Amz-Signature")?,
            policy: needed("Policy")?,
            scope: Some((scope, sigv4::SignedAt { seconds, text })),
        }));
    }
    if ["awsaccesskeyid", "signature", "policy"]
        .iter()
        .all(|name| field(name).is_none())
    {
        return Ok(None);
    }
    Ok(Some(FormClaim {
        access_key_id: needed("AWSAccessKeyId")?,
        session_token,
        signature: needed("Signature")?,
        policy: needed("Policy")?,
        scope: None,
    }))
}
