//! Reads what a request claims about its signature, from the `Authorization` header or the query string.
//!
//! Invariant: every accepted claim is complete, its scope ends in `aws4_request` and its date is the scope's date.
//! All texts are bounded, so that a hostile request costs no more than its own length.
//!
//! Source: IAM User Guide, "Elements of an AWS API request signature"; S3 API Reference, "Authenticating Requests:
//! Using Query Parameters".

use std::borrow::Cow;

use http::header::{DATE, HeaderMap, HeaderName};

use super::encoding::{basic_time, parse_basic_time, parse_http_date, percent_decode};
use super::{ALGORITHM, Claim, PRESIGNED_SECONDS_MAX, PayloadHash, Presigned, Scope, SignedAt, Streaming};
use crate::Fault;
use crate::fault::Common;
use crate::protocol::Parts;

const AUTHORIZATION_BYTES_MAX: usize = 16 * 1024;
const QUERY_PARAMETERS_MAX: usize = 4096;

static AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
static AMZ_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
static AMZ_PAYLOAD: HeaderName = HeaderName::from_static("x-amz-content-sha256");
static AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// Reads the claim. `None`: the request is not signed.
///
/// Errors: an incomplete or malformed signature, two signatures at once, or an algorithm that is not served.
pub fn parse<'a>(parts: &Parts<'a>) -> Result<Option<Claim<'a>>, Fault> {
    let query = QuerySignature::find(parts.query)?;
    let Some(header) = parts.headers.get(http::header::AUTHORIZATION) else {
        return match query {
            Some(query) => query.claim(parts).map(Some),
            None => Ok(None),
        };
    };
    if query.is_some() || parts.headers.get_all(http::header::AUTHORIZATION).iter().count() > 1 {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query \
                       string parameter or the Authorization header should be specified";
        return Err(Fault::plain("InvalidArgument", 400, message));
    }
    let text = header
        .to_str()
        .map_err(|_| incomplete("The Authorization header is not visible ASCII."))?;
    from_header(text, parts).map(Some)
}

fn incomplete(message: impl Into<String>) -> Fault {
    Fault::common(Common::IncompleteSignature, message)
}

fn from_header<'a>(text: &'a str, parts: &Parts<'a>) -> Result<Claim<'a>, Fault> {
    if text.len() > AUTHORIZATION_BYTES_MAX {
        return Err(incomplete("The Authorization header is too long."));
    }
    let (algorithm, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    check_algorithm(algorithm)?;
    let [mut credential, mut signed_headers, mut signature] = [None; 3];
    for field in rest.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let Some((name, value)) = field.split_once('=') else {
            return Err(incomplete(format!(
                "'{}' not a valid key=value pair (missing equal-sign) in Authorization header: '{text}'.",
                field
            )));
        };
        let slot = match name.trim() {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        if slot.replace(value.trim()).is_some() {
            return Err(incomplete(format!(
                "Authorization header has more than one '{}' parameter.",
                name.trim()
            )));
        }
    }
    let timestamp = header_time(parts.headers)?;
    let (Some(credential), Some(signed_headers), Some(signature), Some(timestamp)) =
        (credential, signed_headers, signature, timestamp.as_ref())
    else {
        return Err(missing_header_parts(
            credential,
            signature,
            signed_headers,
            timestamp.is_some(),
            text,
        ));
    };
    let (access_key_id, scope) = split_credential(Cow::Borrowed(credential))?;
    let claim = Claim {
        access_key_id,
        scope,
        signed_headers: Cow::Borrowed(signed_headers),
        signature: Cow::Borrowed(signature),
        timestamp: SignedAt {
            seconds: timestamp.seconds,
            text: timestamp.text.clone(),
        },
        session_token: header_text(parts.headers, &AMZ_TOKEN)?.map(Cow::Borrowed),
        presigned: None,
        payload: payload_of(header_text(parts.headers, &AMZ_PAYLOAD)?.map(Cow::Borrowed))?,
        algorithm: ALGORITHM,
    };
    check_claim(claim, parts)
}

fn missing_header_parts(
    credential: Option<&str>,
    signature: Option<&str>,
    signed_headers: Option<&str>,
    dated: bool,
    text: &str,
) -> Fault {
    let mut message = String::new();
    for (name, value) in [
        ("Credential", credential),
        ("Signature", signature),
        ("SignedHeaders", signed_headers),
    ] {
        if value.is_none() {
            message.push_str(&format!("Authorization header requires '{name}' parameter. "));
        }
    }
    if !dated {
        message.push_str(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
        );
    }
    // The signature itself is not echoed: what was sent may be a whole secret pasted by mistake.
    message.push_str("Authorization=");
    message.push_str(text.split([' ', '\t']).next().unwrap_or_default());
    incomplete(message)
}

fn check_algorithm(algorithm: &str) -> Result<(), Fault> {
    match algorithm {
        ALGORITHM => Ok(()),
        "AWS4-ECDSA-P256-SHA256" => Err(Fault::plain(
            "InvalidRequest",
            400,
            "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported. Please use AWS4-HMAC-SHA256.",
        )),
        "AWS" | "AWS3" | "AWS3-HTTPS" => Err(Fault::plain(
            "InvalidRequest",
            400,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )),
        _ => Err(incomplete(
            "Unsupported Authorization type: the header must begin with the algorithm 'AWS4-HMAC-SHA256'.",
        )),
    }
}

/// One value of a header, if it is there. A header that decides and occurs twice is refused, since two readers
/// could pick different ones.
fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(incomplete(format!(
            "The header '{name}' must not occur more than once."
        )));
    }
    first
        .map(|value| value.to_str().map(str::trim))
        .transpose()
        .map_err(|_| incomplete(format!("The header '{name}' is not visible ASCII.")))
}

fn header_time(headers: &HeaderMap) -> Result<Option<SignedAt>, Fault> {
    let (name, text) = match header_text(headers, &AMZ_DATE)? {
        Some(text) => ("X-Amz-Date", text),
        None => match header_text(headers, &DATE)? {
            Some(text) => ("Date", text),
            None => return Ok(None),
        },
    };
    signed_at(name, text).map(Some)
}

fn signed_at(name: &str, text: &str) -> Result<SignedAt, Fault> {
    if let Some(seconds) = parse_basic_time(text) {
        return Ok(SignedAt {
            seconds,
            text: text.to_owned(),
        });
    }
    // X-Amz-Date has one form; the Date header is usually an HTTP date.
    let seconds = if name == "Date" {
        parse_http_date(text)
    } else {
        None
    };
    let Some(seconds) = seconds else {
        let shown: String = text.chars().take(64).collect();
        return Err(incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{shown}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )));
    };
    Ok(SignedAt {
        seconds,
        text: basic_time(seconds),
    })
}

/// The access key id and the scope of a form's credential.
pub(crate) fn scope_of(credential: &str) -> Result<(&str, Scope<'_>), Fault> {
    let (key, scope) = split_credential(Cow::Borrowed(credential))?;
    match key {
        Cow::Borrowed(key) => Ok((key, scope)),
        Cow::Owned(_) => Err(Fault::internal("a borrowed credential was copied")),
    }
}

/// Splits `KEY/date/region/service/aws4_request`.
fn split_credential(credential: Cow<'_, str>) -> Result<(Cow<'_, str>, Scope<'_>), Fault> {
    let (fields, terminator) = match credential {
        Cow::Borrowed(text) => {
            let (fields, terminator) = five(text)?;
            (fields.map(Cow::Borrowed), terminator.to_owned())
        }
        Cow::Owned(text) => {
            let (fields, terminator) = five(&text)?;
            (
                fields.map(|field| Cow::Owned(field.to_owned())),
                terminator.to_owned(),
            )
        }
    };
    if terminator != "aws4_request" {
        let shown: String = terminator.chars().take(64).collect();
        return Err(Fault::common(
            Common::SignatureDoesNotMatch,
            format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{shown}'. "),
        ));
    }
    let [access_key_id, date, region, service] = fields;
    if access_key_id.is_empty() || access_key_id.len() > 128 {
        return Err(incomplete(
            "Credential must begin with an access key ID of at most 128 characters.",
        ));
    }
    Ok((
        access_key_id,
        Scope {
            date,
            region,
            service,
        },
    ))
}

fn five(text: &str) -> Result<([&str; 4], &str), Fault> {
    let mut fields = text.split('/');
    if let (Some(key), Some(date), Some(region), Some(service), Some(terminator), None) = (
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
    ) {
        return Ok(([key, date, region, service], terminator));
    }
    let shown: String = text.chars().take(256).collect();
    Err(incomplete(format!(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{shown}'"
    )))
}

fn payload_of(value: Option<Cow<'_, str>>) -> Result<PayloadHash<'_>, Fault> {
    let Some(value) = value else {
        return Ok(PayloadHash::AbsentComputed);
    };
    Ok(match value.as_ref() {
        "UNSIGNED-PAYLOAD" => PayloadHash::Unsigned,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => PayloadHash::Streaming(Streaming::Signed),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => PayloadHash::Streaming(Streaming::SignedTrailer),
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => PayloadHash::Streaming(Streaming::UnsignedTrailer),
        text if super::encoding::unhex(text).is_some() => PayloadHash::Literal(value),
        _ => {
            let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                           STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid \
                           sha256 value.";
            return Err(Fault::plain("InvalidArgument", 400, message));
        }
    })
}

/// What both forms must fulfil.
fn check_claim<'a>(claim: Claim<'a>, parts: &Parts<'_>) -> Result<Claim<'a>, Fault> {
    let day = claim.timestamp.text.get(..8).unwrap_or_default();
    if claim.scope.date != day {
        let shown: String = claim.scope.date.chars().take(64).collect();
        return Err(Fault::common(
            Common::SignatureDoesNotMatch,
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{shown}' != \
                 '{day}', from '{}'.",
                claim.timestamp.text
            ),
        ));
    }
    if !claim.signs("host") && !claim.signs(":authority") {
        return Err(Fault::common(
            Common::SignatureDoesNotMatch,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    // The target names the operation: unsigned, a signature for one operation would serve for any other.
    if parts.headers.contains_key(&AMZ_TARGET) && !claim.signs("x-amz-target") {
        return Err(Fault::common(
            Common::SignatureDoesNotMatch,
            "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    Ok(claim)
}

/// The signature's parameters in a query string, decoded.
#[derive(Default)]
struct QuerySignature<'a> {
    algorithm: Option<Cow<'a, str>>,
    credential: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    date: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    token: Option<Cow<'a, str>>,
    payload: Option<Cow<'a, str>>,
}

impl<'a> QuerySignature<'a> {
    /// `None` if the query string does not carry a signature.
    fn find(query: &'a str) -> Result<Option<Self>, Fault> {
        let mut found = Self::default();
        for (index, pair) in query.split('&').enumerate() {
            if index >= QUERY_PARAMETERS_MAX {
                return Err(Fault::common(
                    Common::Malformed,
                    "The query string has too many parameters.",
                ));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode(name);
            let slot = match name.as_ref() {
                "X-Amz-Algorithm" => &mut found.algorithm,
                "X-Amz-Credential" => &mut found.credential,
                "X-Amz-Signature" => &mut found.signature,
                "X-Amz-SignedHeaders" => &mut found.signed_headers,
                "X-Amz-Date" => &mut found.date,
                "X-Amz-Expires" => &mut found.expires,
                "X-Amz-Security-Token" => &mut found.token,
                "X-Amz-Content-Sha256" => &mut found.payload,
                _ => continue,
            };
            if slot.replace(percent_decode(value)).is_some() {
                return Err(incomplete(format!(
                    "The query parameter '{name}' must not occur more than once."
                )));
            }
        }
        if found.algorithm.is_some() || found.credential.is_some() || found.signature.is_some() {
            return Ok(Some(found));
        }
        Ok(None)
    }

    fn claim(self, parts: &Parts<'a>) -> Result<Claim<'a>, Fault> {
        if let Some(algorithm) = &self.algorithm {
            check_algorithm(algorithm)?;
        }
        let mut missing = String::new();
        for (name, value) in [
            ("X-Amz-Algorithm", &self.algorithm),
            ("X-Amz-Credential", &self.credential),
            ("X-Amz-Signature", &self.signature),
            ("X-Amz-SignedHeaders", &self.signed_headers),
            ("X-Amz-Date", &self.date),
        ] {
            if value.is_none() {
                missing.push_str(&format!("AWS query-string parameters must include '{name}'. "));
            }
        }
        let (Some(credential), Some(signature), Some(signed_headers), Some(date), "") = (
            self.credential,
            self.signature,
            self.signed_headers,
            self.date,
            missing.as_str(),
        ) else {
            return Err(incomplete(format!(
                "{missing}Re-examine the query-string parameters."
            )));
        };
        let timestamp = signed_at("X-Amz-Date", &date)?;
        let expires_seconds = self.expires.as_deref().map(expires).transpose()?;
        let (access_key_id, scope) = split_credential(credential)?;
        let payload = match self.payload {
            Some(value) => Some(value),
            None => header_text(parts.headers, &AMZ_PAYLOAD)?.map(Cow::Borrowed),
        };
        let session_token = match self.token {
            Some(token) => Some(token),
            None => header_text(parts.headers, &AMZ_TOKEN)?.map(Cow::Borrowed),
        };
        let claim = Claim {
            access_key_id,
            scope,
            signed_headers,
            signature,
            timestamp,
            session_token,
            presigned: Some(Presigned { expires_seconds }),
            payload: payload_of(payload)?,
            algorithm: ALGORITHM,
        };
        check_claim(claim, parts)
    }
}

fn expires(text: &str) -> Result<i64, Fault> {
    let refuse = |message| Err(Fault::plain("AuthorizationQueryParametersError", 400, message));
    let Ok(seconds) = text.parse::<i64>() else {
        return refuse("X-Amz-Expires should be a number");
    };
    if seconds < 0 {
        return refuse("X-Amz-Expires must be non-negative");
    }
    if seconds > PRESIGNED_SECONDS_MAX {
        return refuse(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        );
    }
    Ok(seconds)
}
