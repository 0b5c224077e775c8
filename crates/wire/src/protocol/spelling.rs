//! How each family of protocols spells the faults that all services share.
//!
//! Source: the "Common errors" pages of the API references of IAM (query), KMS (JSON), Lambda (REST-JSON), Route 53
//! (REST-XML), EC2 ("Error codes for the Amazon EC2 API") and S3 ("Error responses").

use std::borrow::Cow;

use crate::Fault;
use crate::fault::{Code, Common, Side};
use crate::model::{Kind, Protocol, Service, Shape};

/// A fault's name, status and side on one protocol's wire.
pub struct Spelling {
    /// What clients of the protocol report as the error's code.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    pub side: Side,
}

/// Who shares one set of names.
#[derive(Clone, Copy)]
enum Family {
    Query,
    Ec2,
    Json,
    RestJson,
    RestXml,
    /// restXml without a wrapper around errors, which is S3's.
    Bare,
}

/// Spells a fault for a protocol.
pub fn spell(service: Option<&Service>, protocol: Protocol, fault: &Fault) -> Spelling {
    let json = matches!(
        protocol,
        Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RestJson1 | Protocol::RpcV2Cbor
    );
    match &fault.code {
        Code::Modeled {
            shape,
            code,
            status,
            side,
        } => Spelling {
            code: Cow::Borrowed(if json { shape } else { code }),
            status: *status,
            side: *side,
        },
        Code::Plain { code, status, side } => Spelling {
            code: code.clone(),
            status: *status,
            side: *side,
        },
        Code::Common(common) => {
            let (code, status) = match family(service, protocol) {
                Family::Query => query(*common),
                Family::Ec2 => ec2(*common),
                Family::Json => cbor_or_json(protocol, *common),
                Family::RestJson => rest_json(*common),
                Family::RestXml => rest_xml(service, *common),
                Family::Bare => bare(*common),
            };
            // Where the service's model has the error too, its status is the model's.
            let status = service
                .and_then(|service| modeled_status(service, code))
                .unwrap_or(status);
            let side = if status >= 500 {
                Side::Receiver
            } else {
                Side::Sender
            };
            Spelling {
                code: Cow::Borrowed(code),
                status,
                side,
            }
        }
    }
}

/// The code that a query client would see, for those who moved to another protocol.
pub(super) fn query_code(fault: &Fault) -> (Cow<'static, str>, Side) {
    match &fault.code {
        Code::Modeled { code, side, .. } => (Cow::Borrowed(*code), *side),
        Code::Plain { code, side, .. } => (code.clone(), *side),
        Code::Common(common) => {
            let (code, status) = query(*common);
            (
                Cow::Borrowed(code),
                if status >= 500 {
                    Side::Receiver
                } else {
                    Side::Sender
                },
            )
        }
    }
}

fn family(service: Option<&Service>, protocol: Protocol) -> Family {
    match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor => Family::Json,
        Protocol::AwsQuery => Family::Query,
        Protocol::Ec2Query => Family::Ec2,
        Protocol::RestJson1 => Family::RestJson,
        Protocol::RestXml if service.is_some_and(|service| service.bare_errors) => Family::Bare,
        Protocol::RestXml => Family::RestXml,
    }
}

/// The model's error of a name.
pub(crate) fn error_shape<'m>(service: &'m Service, name: &str) -> Option<&'m Shape> {
    let is_error = |shape: &&Shape| matches!(&shape.kind, Kind::Structure(s) if s.error.is_some());
    service
        .shapes
        .iter()
        .filter(|shape| shape.name == name)
        .find(is_error)
}

fn modeled_status(service: &Service, name: &str) -> Option<u16> {
    match &error_shape(service, name)?.kind {
        Kind::Structure(structure) => structure.error.as_ref().map(|error| error.status),
        _ => None,
    }
}

const fn query(common: Common) -> (&'static str, u16) {
    match common {
        Common::AccessDenied => ("AccessDenied", 403),
        Common::Validation => ("ValidationError", 400),
        Common::UnknownOperation => ("InvalidAction", 400),
        Common::Malformed => ("MalformedInput", 400),
        Common::MissingAuthenticationToken => ("MissingAuthenticationToken", 403),
        Common::InvalidClientTokenId => ("InvalidClientTokenId", 403),
        Common::SignatureDoesNotMatch | Common::RequestExpired => ("SignatureDoesNotMatch", 403),
        Common::IncompleteSignature => ("IncompleteSignature", 400),
        Common::ExpiredToken => ("ExpiredToken", 403),
        Common::Throttling => ("Throttling", 400),
        Common::TooLarge => ("RequestEntityTooLarge", 413),
        Common::Unavailable => ("ServiceUnavailable", 503),
        Common::Internal => ("InternalFailure", 500),
        Common::NotImplemented => ("NotImplemented", 501),
    }
}

const fn ec2(common: Common) -> (&'static str, u16) {
    match common {
        Common::AccessDenied => ("UnauthorizedOperation", 403),
        Common::Validation => ("InvalidParameterValue", 400),
        Common::UnknownOperation => ("InvalidAction", 400),
        Common::Malformed => ("MalformedQueryString", 404),
        Common::MissingAuthenticationToken => ("MissingAuthenticationToken", 403),
        Common::InvalidClientTokenId | Common::SignatureDoesNotMatch => ("AuthFailure", 401),
        Common::IncompleteSignature => ("IncompleteSignature", 400),
        Common::RequestExpired | Common::ExpiredToken => ("RequestExpired", 400),
        Common::Throttling => ("RequestLimitExceeded", 503),
        Common::TooLarge => ("RequestEntityTooLarge", 413),
        Common::Unavailable => ("Unavailable", 503),
        Common::Internal => ("InternalError", 500),
        Common::NotImplemented => ("NotImplemented", 501),
    }
}

const fn cbor_or_json(protocol: Protocol, common: Common) -> (&'static str, u16) {
    match (protocol, common) {
        (Protocol::RpcV2Cbor, Common::AccessDenied) => ("AccessDeniedException", 403),
        (_, common) => json(common),
    }
}

const fn json(common: Common) -> (&'static str, u16) {
    match common {
        Common::AccessDenied => ("AccessDeniedException", 400),
        Common::Validation => ("ValidationException", 400),
        Common::UnknownOperation => ("UnknownOperationException", 400),
        Common::Malformed => ("SerializationException", 400),
        Common::MissingAuthenticationToken => ("MissingAuthenticationTokenException", 400),
        Common::InvalidClientTokenId => ("UnrecognizedClientException", 400),
        Common::SignatureDoesNotMatch | Common::RequestExpired => ("InvalidSignatureException", 400),
        Common::IncompleteSignature => ("IncompleteSignatureException", 400),
        Common::ExpiredToken => ("ExpiredTokenException", 400),
        Common::Throttling => ("ThrottlingException", 400),
        Common::TooLarge => ("RequestEntityTooLargeException", 413),
        Common::Unavailable => ("ServiceUnavailableException", 503),
        Common::Internal => ("InternalFailure", 500),
        Common::NotImplemented => ("NotImplemented", 501),
    }
}

/// REST services answer the JSON names with HTTP's own statuses.
const fn rest_json(common: Common) -> (&'static str, u16) {
    let (code, status) = json(common);
    let status = match common {
        Common::AccessDenied
        | Common::MissingAuthenticationToken
        | Common::InvalidClientTokenId
        | Common::SignatureDoesNotMatch
        | Common::RequestExpired
        | Common::ExpiredToken => 403,
        Common::UnknownOperation => 404,
        _ => status,
    };
    (code, status)
}

/// The query protocol's names, but for bad input, where the services' models have names of their own.
fn rest_xml(service: Option<&Service>, common: Common) -> (&'static str, u16) {
    let has = |name| service.is_some_and(|service| error_shape(service, name).is_some());
    match common {
        Common::Validation | Common::Malformed if has("InvalidInput") => ("InvalidInput", 400),
        Common::Validation if has("InvalidArgument") => ("InvalidArgument", 400),
        Common::UnknownOperation => ("UnknownOperationException", 404),
        other => query(other),
    }
}

const fn bare(common: Common) -> (&'static str, u16) {
    match common {
        Common::AccessDenied | Common::MissingAuthenticationToken => ("AccessDenied", 403),
        Common::Validation => ("InvalidArgument", 400),
        Common::UnknownOperation => ("MethodNotAllowed", 405),
        Common::Malformed => ("MalformedXML", 400),
        Common::InvalidClientTokenId => ("InvalidAccessKeyId", 403),
        Common::SignatureDoesNotMatch => ("SignatureDoesNotMatch", 403),
        Common::RequestExpired => ("RequestTimeTooSkewed", 403),
        Common::IncompleteSignature => ("AuthorizationHeaderMalformed", 400),
        Common::ExpiredToken => ("ExpiredToken", 400),
        Common::Throttling => ("SlowDown", 503),
        Common::TooLarge => ("EntityTooLarge", 400),
        Common::Unavailable => ("ServiceUnavailable", 503),
        Common::Internal => ("InternalError", 500),
        Common::NotImplemented => ("NotImplemented", 501),
    }
}
