//! What the server said, as clients of each protocol read it, and what AWS's clients expect of shared faults.

use minicbor::Decoder;
use minicbor::data::Type;
use pipeline::Answer;
use serde_json::Value;
use wire::model::{Protocol, Service};

/// An answer as a client understands it.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub status: u16,
    /// The error's code; `None` of success.
    pub code: Option<String>,
    pub message: String,
    pub request_id: String,
    pub body: Vec<u8>,
}

impl Said {
    /// Reads an answer.
    pub fn of(protocol: Protocol, answer: Answer) -> Self {
        let header = |name: &str| {
            answer
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let request_id = [header("x-amzn-requestid"), header("x-amz-request-id")].concat();
        let body = answer.body.at_hand().to_vec();
        let (code, message) = if answer.status < 300 {
            (None, String::new())
        } else {
            let (code, message) = match protocol {
                Protocol::AwsJson10 | Protocol::AwsJson11 => json(&body),
                Protocol::RestJson1 => {
                    let (code, message) = json(&body);
                    let named = header("x-amzn-errortype");
                    (if named.is_empty() { code } else { named.to_owned() }, message)
                }
                Protocol::RpcV2Cbor => cbor(&body),
                Protocol::AwsQuery | Protocol::Ec2Query | Protocol::RestXml => {
                    let text = String::from_utf8_lossy(&body);
                    (between(&text, "Code"), between(&text, "Message"))
                }
            };
            let code = code
                .rsplit('#')
                .next()
                .unwrap_or_default()
                .split(':')
                .next()
                .unwrap_or_default();
            (Some(code.to_owned()), message)
        };
        Self {
            status: answer.status,
            code,
            message,
            request_id,
            body,
        }
    }

    /// The code, empty of success.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    /// Whether the caller's credential was accepted.
    pub fn authenticated(&self) -> bool {
        let refusals = [
            Shared::MissingToken,
            Shared::UnknownKey,
            Shared::WrongSignature,
            Shared::Expired,
        ];
        let protocols = [Protocol::AwsJson11, Protocol::AwsQuery];
        self.code() != "InvalidAccessKeyId"
            && !refusals.iter().any(|shared| {
                protocols
                    .iter()
                    .any(|protocol| shared.on(*protocol).0 == self.code())
            })
    }
}

fn json(body: &[u8]) -> (String, String) {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    (text("__type"), [text("message"), text("Message")].concat())
}

fn between(text: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let inner = text
        .split_once(&open)
        .and_then(|(_, rest)| rest.split_once(&close))
        .map(|(inner, _)| inner);
    let plain = inner
        .unwrap_or_default()
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    plain
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

fn cbor(body: &[u8]) -> (String, String) {
    let mut decoder = Decoder::new(body);
    let (mut code, mut message) = (String::new(), String::new());
    let entries = decoder.map().ok().flatten().unwrap_or_default();
    for _ in 0..entries {
        let name = decoder.str().unwrap_or_default().to_owned();
        if decoder.datatype().ok() != Some(Type::String) {
            let _skipped = decoder.skip();
            continue;
        }
        let value = decoder.str().unwrap_or_default().to_owned();
        match name.as_str() {
            "__type" => code = value,
            "message" | "Message" => message = value,
            _ => {}
        }
    }
    (code, message)
}

/// Faults that all services share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shared {
    MissingToken,
    UnknownKey,
    WrongSignature,
    Expired,
    Denied,
    Invalid,
}

impl Shared {
    /// The same in a service's own words, where it has some (S3 API Reference, "Error responses").
    pub fn of(self, service: &Service, protocol: Protocol) -> (&'static str, u16) {
        match self {
            Self::MissingToken if service.bare_errors => ("AccessDenied", 403),
            Self::UnknownKey if service.bare_errors => ("InvalidAccessKeyId", 403),
            Self::Expired if service.bare_errors => ("ExpiredToken", 400),
            _ => self.on(protocol),
        }
    }

    /// The code and status ("Common errors" of the API references of IAM, KMS and Lambda).
    pub fn on(self, protocol: Protocol) -> (&'static str, u16) {
        if protocol == Protocol::Ec2Query {
            // Amazon EC2 Developer Guide, "Error codes for the Amazon EC2 API".
            return match self {
                Self::MissingToken => ("MissingAuthenticationToken", 403),
                Self::UnknownKey | Self::WrongSignature => ("AuthFailure", 401),
                Self::Expired => ("RequestExpired", 400),
                Self::Denied => ("UnauthorizedOperation", 403),
                Self::Invalid => ("InvalidParameterValue", 400),
            };
        }
        let query = matches!(protocol, Protocol::AwsQuery | Protocol::RestXml);
        if query {
            return match self {
                Self::MissingToken => ("MissingAuthenticationToken", 403),
                Self::UnknownKey => ("InvalidClientTokenId", 403),
                Self::WrongSignature => ("SignatureDoesNotMatch", 403),
                Self::Expired => ("ExpiredToken", 403),
                Self::Denied => ("AccessDenied", 403),
                Self::Invalid => ("ValidationError", 400),
            };
        }
        let code = match self {
            Self::MissingToken => "MissingAuthenticationTokenException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::WrongSignature => "InvalidSignatureException",
            Self::Expired => "ExpiredTokenException",
            Self::Denied => "AccessDeniedException",
            Self::Invalid => "ValidationException",
        };
        let forbidden = match protocol {
            Protocol::RestJson1 => self != Self::Invalid,
            Protocol::RpcV2Cbor => self == Self::Denied,
            _ => false,
        };
        (code, if forbidden { 403 } else { 400 })
    }
}
