//! What a caller sees when a call is refused or fails, in no protocol yet.

use std::borrow::Cow;
use std::error::Error;

use crate::Document;

/// Whose fault a fault is; query and XML protocols say it on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Sender,
    Receiver,
}

/// Faults that AWS names differently by protocol and service family; the encoder chooses the spelling.
///
/// Source: the "Common errors" page of each service's API reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Common {
    /// `AccessDenied` (query, XML: 403) or `AccessDeniedException` (JSON: 400; REST-JSON and CBOR: 403).
    AccessDenied,
    /// `ValidationError` (query) or `ValidationException` (others); 400.
    Validation,
    /// `InvalidAction` (query) or `UnknownOperationException` (JSON, REST); 400 or 404.
    UnknownOperation,
    /// `MalformedInput`-like: `SerializationException` (JSON, CBOR), `MalformedQueryString` (query), `MalformedXML`.
    Malformed,
    /// `MissingAuthenticationToken` or `MissingAuthenticationTokenException`; 403 or 400.
    MissingAuthenticationToken,
    /// `InvalidClientTokenId` (query; 403) or `UnrecognizedClientException` (JSON; 400).
    InvalidClientTokenId,
    /// `SignatureDoesNotMatch` or `InvalidSignatureException`.
    SignatureDoesNotMatch,
    /// `IncompleteSignature` or `IncompleteSignatureException`; 400.
    IncompleteSignature,
    /// A signature too old or too new: `SignatureDoesNotMatch`/`InvalidSignatureException` with the times in the message.
    RequestExpired,
    /// `ExpiredToken` (query, XML) or `ExpiredTokenException` (JSON).
    ExpiredToken,
    /// `Throttling` or `ThrottlingException`; 400.
    Throttling,
    /// `RequestEntityTooLarge`; 413.
    TooLarge,
    /// `ServiceUnavailable` or `ServiceUnavailableException`; 503.
    Unavailable,
    /// `InternalFailure`; 500. Says the request id and nothing else.
    Internal,
    /// `NotImplemented`; 501. The operation exists on AWS and is not built here.
    NotImplemented,
}

/// How a fault is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Code {
    /// Named by the protocol and service family.
    Common(Common),
    /// The service's own error: the model's shape name, its code on the wire, its HTTP status.
    Modeled {
        shape: &'static str,
        code: &'static str,
        status: u16,
        side: Side,
    },
    /// A code that AWS answers though its model does not list it.
    Plain {
        code: Cow<'static, str>,
        status: u16,
        side: Side,
    },
}

/// A refusal or failure as the caller sees it. Made by the generated constructors of `api`, or by the ones below.
pub struct Fault {
    pub code: Code,
    pub message: String,
    /// Further members of the error's shape, by the model's names.
    pub members: Vec<(&'static str, Document)>,
    /// What went wrong inside; for the log only, never for the wire.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault whose spelling depends on the protocol.
    pub fn common(common: Common, message: impl Into<String>) -> Self {
        Self {
            code: Code::Common(common),
            message: message.into(),
            members: Vec::new(),
            source: None,
        }
    }

    /// A fault of the service's model.
    pub fn modeled(
        shape: &'static str,
        code: &'static str,
        status: u16,
        side: Side,
        message: impl Into<String>,
    ) -> Self {
        let code = Code::Modeled {
            shape,
            code,
            status,
            side,
        };
        Self {
            code,
            message: message.into(),
            members: Vec::new(),
            source: None,
        }
    }

    /// A fault that AWS answers though the service's model does not list it.
    pub fn plain(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        let side = if status >= 500 {
            Side::Receiver
        } else {
            Side::Sender
        };
        let code = Code::Plain {
            code: Cow::Borrowed(code),
            status,
            side,
        };
        Self {
            code,
            message: message.into(),
            members: Vec::new(),
            source: None,
        }
    }

    /// A constraint of the model that the input breaks, or a value that a handler cannot take.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::common(Common::Validation, message)
    }

    /// A call that no policy allows, or that one denies.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::common(Common::AccessDenied, message)
    }

    /// Something inside failed: the caller learns the request id, the log learns the source.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut fault = Self::common(Common::Internal, "");
        fault.source = Some(source.into());
        fault
    }

    /// Adds a member of the error's shape.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Document) -> Self {
        self.members.push((name, value));
        self
    }
}
