//! The protocols: bytes to documents and back, by the model.
//!
//! Invariant: decoding hostile bytes costs time and memory in proportion to their number, and never panics. What a
//! document holds of an answer is written whole, or encoding fails as an internal fault.

mod cbor_read;
mod cbor_write;
mod fault_answer;
mod form;
mod json_read;
mod json_write;
mod moment;
mod page;
mod percent;
mod query_read;
mod rest_read;
mod rest_write;
mod root;
mod spelling;
mod text;
pub mod told;
mod xml_read;
mod xml_tree;
mod xml_write;

use std::io::Read;

use base64::Engine as _;
use flate2::bufread::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::fault::Common;
use crate::model::{Kind, Operation, Protocol, Service, Shape, Structure};
use crate::{Document, Fault};

pub use fault_answer::encode_fault;
pub(crate) use moment::date_time;
pub use page::{encode_page, encode_redirect};
pub(crate) use spelling::error_shape;
pub use spelling::{Spelling, spell};

/// How deep a request may nest: deeper than any AWS shape in use, shallow enough for any stack.
const DEPTH_MAX: u32 = 100;

/// How much a compressed body may unfold to, in bytes: the most that AWS takes of any API that knows compression.
const INFLATED_MAX: u64 = 16 * 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// What S3 calls its request id.
const BARE_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// What S3 sends beside it, for those who look into a problem.
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");

/// The extended request id: the request id once more, in the form that S3's has.
fn host_id(request_id: &str) -> String {
    text::BASE64.encode(request_id)
}

/// A request's parts, as they arrived.
pub struct Parts<'a> {
    pub method: &'a str,
    /// Raw, percent-encoded.
    pub path: &'a str,
    /// Raw, without the question mark.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// An encoded answer.
pub struct Encoded {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// An output that does not have its shape's types: a bug of the handler, never of the caller.
#[derive(Debug, thiserror::Error)]
#[error("the output cannot be written as {shape}: {reason}")]
struct Unwritable {
    shape: &'static str,
    reason: &'static str,
}

impl From<Unwritable> for Fault {
    fn from(unwritable: Unwritable) -> Self {
        Self::internal(unwritable)
    }
}

/// A request whose bytes do not have the shape's types.
fn malformed(message: impl Into<String>) -> Fault {
    Fault::common(Common::Malformed, message)
}

/// Decodes a request by the shape of the operation's input. Constraints are not checked here.
///
/// A streaming payload becomes `Document::Stream` and the body stays untouched. Fails with `Common::Malformed` on bytes
/// that do not have the shape's types.
pub fn decode(
    service: &Service,
    operation: &Operation,
    protocol: Protocol,
    parts: &Parts<'_>,
) -> Result<Document, Fault> {
    let Some(input) = operation.input else {
        return Ok(Document::empty());
    };
    let shape = service
        .shape(input)
        .ok_or_else(|| malformed("the operation's input has no shape"))?;
    let inflated = inflate(shape, parts)?;
    let parts = &Parts {
        body: inflated.as_deref().unwrap_or(parts.body),
        ..*parts
    };
    match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json_read::body(service, shape, parts.body),
        Protocol::AwsQuery => query_read::parameters(service, shape, parts, query_read::Dialect::Aws),
        Protocol::Ec2Query => query_read::parameters(service, shape, parts, query_read::Dialect::Ec2),
        Protocol::RestJson1 => rest_read::request(service, operation, shape, parts, rest_read::Body::Json),
        Protocol::RestXml => rest_read::request(service, operation, shape, parts, rest_read::Body::Xml),
        Protocol::RpcV2Cbor => cbor_read::body(service, shape, parts.body),
    }
}

/// The body of a client that compresses large requests; `None` where the bytes are the caller's own content. All members of the gzip
/// file are read, one after the other (RFC 1952, section 2.2), and nothing may follow them.
fn inflate(shape: &Shape, parts: &Parts<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let gzip = parts
        .headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let own = matches!(&shape.kind, Kind::Structure(structure) if structure.payload.is_some());
    if !gzip || own || parts.body.is_empty() {
        return Ok(None);
    }
    let mut inflated = Vec::new();
    MultiGzDecoder::new(parts.body)
        .take(INFLATED_MAX.saturating_add(1))
        .read_to_end(&mut inflated)
        .map_err(|_| malformed("The request body is not valid gzip"))?;
    if u64::try_from(inflated.len()).is_ok_and(|length| length <= INFLATED_MAX) {
        return Ok(Some(inflated));
    }
    Err(Fault::common(
        Common::TooLarge,
        "The request body unfolds to more than is taken",
    ))
}

/// Whether the answer's bytes are to be streamed by the caller.
fn streams(output: &Document) -> bool {
    matches!(output, Document::Structure(members) if members.iter().any(|(_, v)| matches!(v, Document::Stream)))
}

/// Room for what most answers have, so that they do not grow while they are written.
const HEADERS: usize = 8;
const BODY_BYTES: usize = 512;

/// A value by a shape of the model, in the form that stores keep what has the shape: JSON by the model's names.
///
/// # Errors
/// An internal fault for a value that is not of the shape, or a shape that there is not.
pub fn kept(service: &Service, shape: &str, value: &Document) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    json_write::value(&mut out, service, named(service, shape)?, None, value)?;
    Ok(out)
}

/// Reads what `kept` wrote.
///
/// # Errors
/// As `decode`.
pub fn read_kept(service: &Service, shape: &str, bytes: &[u8]) -> Result<Document, Fault> {
    json_read::body(service, named(service, shape)?, bytes)
}

fn named<'m>(service: &'m Service, shape: &str) -> Result<&'m Shape, Fault> {
    let found = service.shapes.iter().find(|known| known.name == shape);
    found.ok_or_else(|| Fault::internal("a shape that the model does not have"))
}

/// The document that answers a form which asks for one: where its file lies now (S3 API Reference, "POST Object").
pub fn post_response(members: &[(&str, &str)]) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
    xml_write::open(&mut out, "PostResponse");
    for (name, text) in members {
        xml_write::leaf(&mut out, name, text);
    }
    xml_write::close(&mut out, "PostResponse");
    out
}

/// Encodes an operation's output. Fails, as an internal fault, only if the document does not have the shape's types.
///
/// Where the output is `Document::Stream` the body is left empty, for the caller to stream.
pub fn encode(
    service: &Service,
    operation: &Operation,
    protocol: Protocol,
    output: &Document,
    request_id: &str,
) -> Result<Encoded, Fault> {
    let shape = operation.output.and_then(|id| service.shape(id));
    let mut answer = Encoded {
        status: 200,
        headers: HeaderMap::with_capacity(HEADERS),
        body: Vec::with_capacity(BODY_BYTES),
    };
    name_request(service.bare_errors, &mut answer.headers, request_id);
    match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            content_type(&mut answer.headers, json_content_type(protocol));
            if let Some(shape) = shape.filter(|_| !streams(output)) {
                json_write::value(&mut answer.body, service, shape, None, output)?;
            }
        }
        Protocol::AwsQuery => {
            content_type(&mut answer.headers, "text/xml");
            xml_write::query_answer(&mut answer.body, service, operation, output, request_id)?;
        }
        Protocol::Ec2Query => {
            content_type(&mut answer.headers, "text/xml;charset=UTF-8");
            xml_write::ec2_answer(&mut answer.body, service, operation, output, request_id)?;
        }
        Protocol::RestJson1 => {
            rest_write::answer(service, operation, output, rest_write::Body::Json, &mut answer)?
        }
        Protocol::RestXml => {
            rest_write::answer(service, operation, output, rest_write::Body::Xml, &mut answer)?
        }
        Protocol::RpcV2Cbor => {
            answer
                .headers
                .insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
            if let Some(shape) = shape.filter(|_| !streams(output)) {
                content_type(&mut answer.headers, "application/cbor");
                cbor_write::value(&mut answer.body, service, shape, output)?;
            }
        }
    }
    Ok(answer)
}

/// The content type of a JSON protocol's answers.
const fn json_content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::AwsJson10 => "application/x-amz-json-1.0",
        Protocol::AwsJson11 => "application/x-amz-json-1.1",
        _ => "application/json",
    }
}

fn content_type(headers: &mut HeaderMap, value: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
}

/// Puts the request id into the headers. An id that no header can carry is left out, since an answer matters more.
fn name_request(bare: bool, headers: &mut HeaderMap, request_id: &str) {
    if bare && let Ok(value) = HeaderValue::from_str(&host_id(request_id)) {
        headers.insert(HOST_ID, value);
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(if bare { BARE_REQUEST_ID } else { REQUEST_ID }, value);
    }
}

/// Finishes a structure's members: a later value of a name replaced the earlier, and a union has one member.
fn structure(
    shape: &Structure,
    name: &'static str,
    members: Vec<(&'static str, Document)>,
) -> Result<Document, Fault> {
    if shape.union && members.len() > 1 {
        return Err(malformed(format!("Union {name} has more than one member set")));
    }
    Ok(Document::Structure(members))
}

/// Adds a member, replacing one of the same name: the last one wins, as it does in AWS's own parsers.
fn put(members: &mut Vec<(&'static str, Document)>, name: &'static str, value: Document) {
    match members.iter_mut().find(|(present, _)| *present == name) {
        Some((_, earlier)) => *earlier = value,
        None => members.push((name, value)),
    }
}

/// Removes earlier entries of a map whose key comes again, in n log n, so that no two readers see different values.
fn last_of_each(entries: Vec<(String, Document)>) -> Vec<(String, Document)> {
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    if keys.windows(2).all(|pair| pair.first() != pair.last()) {
        return entries;
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut kept: Vec<_> = entries
        .into_iter()
        .rev()
        .filter(|(key, _)| seen.insert(key.clone()))
        .collect();
    kept.reverse();
    kept
}
