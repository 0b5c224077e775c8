//! Reads a compact model: gzip around one JSON object of string, operation and shape tables.
//!
//! Invariant: whatever the bytes, the answer is a service whose every index is valid, or an error, in bounded memory.
//! `cargo xtask models` writes the format; numbers in the tables are indices into `strings` and `shapes`.

use std::borrow::Cow;
use std::io::Read;

use serde::Deserialize;

use super::{
    ErrorTrait, Kind, Location, Member, Operation, Protocol, Segment, Service, Shape, ShapeId, Structure,
    TimestampFormat, UriPattern,
};

/// The version of the format that this reader knows.
pub const FORMAT: u32 = 1;

/// The greatest size in bytes of a model's text: several times the greatest model's, against decompression bombs.
const TEXT_BYTES_MAX: u64 = 32 << 20;

/// Why a model cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not decompress the model")]
    Decompress(#[source] std::io::Error),
    #[error("the model is larger than {TEXT_BYTES_MAX} bytes")]
    TooLarge,
    #[error("could not parse the model's tables")]
    Parse(#[from] serde_json::Error),
    #[error("the model has format {0}, not {FORMAT}")]
    Format(u32),
    #[error("the model's {table} has no entry {index}")]
    Index { table: &'static str, index: usize },
    #[error("the model's {0} has an unknown code")]
    Code(&'static str),
    #[error("the URI pattern {0:?} is malformed")]
    Uri(&'static str),
}

/// A place in the string table.
type Text = u32;

#[derive(Deserialize)]
struct RawModel<'a> {
    format: u32,
    #[serde(borrow)]
    strings: Vec<RawText<'a>>,
    service: RawService,
    operations: Vec<RawOperation>,
    shapes: Vec<RawShape>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct RawText<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct RawService {
    name: Text,
    api_version: Text,
    service_id: Text,
    signing_name: Text,
    endpoint_prefix: Text,
    event_source: Text,
    xml_namespace: Option<Text>,
    global: bool,
    query_compatible: bool,
    bare_errors: bool,
    target_prefixes: Vec<Text>,
    protocols: Vec<u8>,
}

/// Name, method, URI pattern, status, input, output, result wrapper, input root and its namespace, errors, flags.
#[derive(Deserialize)]
struct RawOperation(
    Text,
    Text,
    Text,
    u16,
    Option<u32>,
    Option<u32>,
    Option<Text>,
    Option<(Text, Option<Text>)>,
    Vec<u32>,
    u8,
);

/// Name, kind, flags, least, greatest, pattern, members, enumerated values, and an error's code and status or a
/// structure's payload index.
#[derive(Deserialize)]
struct RawShape(
    Text,
    u8,
    u16,
    Option<f64>,
    Option<f64>,
    Option<Text>,
    Vec<RawMember>,
    Vec<Text>,
    Option<usize>,
    Option<(Text, u16, bool)>,
);

/// Name, shape, flags, wire name, location, and the rare rest.
#[derive(Deserialize)]
struct RawMember(Text, u32, u16, Option<Text>, Option<u8>, Option<RawRare>);

/// Query name, XML namespace (prefix, URI), timestamp format.
#[derive(Deserialize)]
struct RawRare(Option<Text>, Option<(Option<Text>, Text)>, Option<u8>);

mod flag {
    pub(super) const ANONYMOUS: u8 = 1;
    pub(super) const UNSIGNED_PAYLOAD: u8 = 2;

    pub(super) const SENSITIVE: u16 = 1;
    pub(super) const FLATTENED: u16 = 2;
    pub(super) const SPARSE: u16 = 4;
    pub(super) const UNION: u16 = 8;
    pub(super) const EVENT_STREAM: u16 = 16;

    pub(super) const REQUIRED: u16 = 4;
    pub(super) const XML_ATTRIBUTE: u16 = 8;
    pub(super) const STREAMING: u16 = 16;
    pub(super) const IDEMPOTENCY_TOKEN: u16 = 32;
    pub(super) const JSON_VALUE: u16 = 64;
    pub(super) const HOST_LABEL: u16 = 128;
}

/// Parses a compact model. Its strings live as long as the process: call it once a service.
///
/// # Errors
/// When the bytes are not a compact model of [`FORMAT`], or an index in it leads nowhere.
pub fn parse(gz: &[u8]) -> Result<Service, Error> {
    let mut text = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(gz).take(TEXT_BYTES_MAX + 1);
    reader.read_to_end(&mut text).map_err(Error::Decompress)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    parse_text(&text)
}

/// Parses the decompressed text of a compact model.
///
/// # Errors
/// As [`parse`].
pub fn parse_text(text: &[u8]) -> Result<Service, Error> {
    let raw: RawModel<'_> = serde_json::from_slice(text)?;
    if raw.format != FORMAT {
        return Err(Error::Format(raw.format));
    }
    let tables = Tables {
        strings: leak(&raw.strings),
        shapes: raw.shapes.len(),
    };
    let service = raw.service;
    let mut operations = raw
        .operations
        .into_iter()
        .map(|o| operation(&tables, o))
        .collect::<Result<Vec<_>, _>>()?;
    operations.sort_by_key(|operation| operation.name);
    Ok(Service {
        name: tables.text(service.name)?,
        api_version: tables.text(service.api_version)?,
        service_id: tables.text(service.service_id)?,
        signing_name: tables.text(service.signing_name)?,
        endpoint_prefix: tables.text(service.endpoint_prefix)?,
        event_source: tables.text(service.event_source)?,
        global: service.global,
        target_prefixes: tables.texts(&service.target_prefixes)?,
        protocols: service
            .protocols
            .into_iter()
            .map(protocol)
            .collect::<Result<_, _>>()?,
        xml_namespace: tables.maybe(service.xml_namespace)?,
        query_compatible: service.query_compatible,
        bare_errors: service.bare_errors,
        operations,
        shapes: raw
            .shapes
            .into_iter()
            .map(|s| shape(&tables, s))
            .collect::<Result<_, _>>()?,
    })
}

/// Joins all strings into one allocation, so that leaking a model is one leak.
fn leak(strings: &[RawText<'_>]) -> Vec<&'static str> {
    let joined: String = strings.iter().map(|text| &*text.0).collect();
    let mut rest: &'static str = Box::leak(joined.into_boxed_str());
    let mut table = Vec::with_capacity(strings.len());
    for text in strings {
        let (head, tail) = rest.split_at_checked(text.0.len()).unwrap_or((rest, ""));
        table.push(head);
        rest = tail;
    }
    table
}

/// What indices lead into.
struct Tables {
    strings: Vec<&'static str>,
    shapes: usize,
}

impl Tables {
    fn text(&self, index: Text) -> Result<&'static str, Error> {
        let index = index as usize;
        self.strings.get(index).copied().ok_or(Error::Index {
            table: "string table",
            index,
        })
    }

    fn maybe(&self, index: Option<Text>) -> Result<Option<&'static str>, Error> {
        index.map(|index| self.text(index)).transpose()
    }

    fn texts(&self, indices: &[Text]) -> Result<Vec<&'static str>, Error> {
        indices.iter().map(|index| self.text(*index)).collect()
    }

    fn shape(&self, index: u32) -> Result<ShapeId, Error> {
        if (index as usize) < self.shapes {
            Ok(ShapeId(index))
        } else {
            Err(Error::Index {
                table: "shape table",
                index: index as usize,
            })
        }
    }
}

fn protocol(code: u8) -> Result<Protocol, Error> {
    Ok(match code {
        0 => Protocol::AwsJson10,
        1 => Protocol::AwsJson11,
        2 => Protocol::AwsQuery,
        3 => Protocol::Ec2Query,
        4 => Protocol::RestJson1,
        5 => Protocol::RestXml,
        6 => Protocol::RpcV2Cbor,
        _ => return Err(Error::Code("protocol")),
    })
}

fn location(code: u8) -> Result<Location, Error> {
    Ok(match code {
        0 => Location::Header,
        1 => Location::HeaderPrefix,
        2 => Location::Query,
        3 => Location::QueryMap,
        4 => Location::Label,
        5 => Location::Status,
        _ => return Err(Error::Code("location")),
    })
}

fn timestamp_format(code: u8) -> Result<TimestampFormat, Error> {
    Ok(match code {
        0 => TimestampFormat::EpochSeconds,
        1 => TimestampFormat::DateTime,
        2 => TimestampFormat::HttpDate,
        _ => return Err(Error::Code("timestamp format")),
    })
}

fn operation(tables: &Tables, raw: RawOperation) -> Result<Operation, Error> {
    let RawOperation(name, method, uri, status, input, output, wrapper, root, errors, flags) = raw;
    Ok(Operation {
        name: tables.text(name)?,
        method: tables.text(method)?,
        uri: uri_pattern(tables.text(uri)?)?,
        status,
        input: input.map(|id| tables.shape(id)).transpose()?,
        output: output.map(|id| tables.shape(id)).transpose()?,
        result_wrapper: tables.maybe(wrapper)?,
        input_root: match root {
            Some((name, namespace)) => Some((tables.text(name)?, tables.maybe(namespace)?)),
            None => None,
        },
        errors: errors
            .into_iter()
            .map(|id| tables.shape(id))
            .collect::<Result<_, _>>()?,
        anonymous: flags & flag::ANONYMOUS != 0,
        unsigned_payload: flags & flag::UNSIGNED_PAYLOAD != 0,
    })
}

/// Splits `/{Bucket}/{Key+}?list-type=2`. A trailing slash makes no segment.
fn uri_pattern(text: &'static str) -> Result<UriPattern, Error> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let path = path.strip_prefix('/').ok_or(Error::Uri(text))?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = Vec::new();
    if !path.is_empty() {
        for part in path.split('/') {
            let label = part
                .strip_prefix('{')
                .map(|rest| rest.strip_suffix('}').ok_or(Error::Uri(text)));
            segments.push(match label.transpose()? {
                None if part.contains(['{', '}']) => return Err(Error::Uri(text)),
                None => Segment::Literal(part),
                Some(label) => match label.strip_suffix('+') {
                    Some(label) => Segment::Greedy(label),
                    None => Segment::Label(label),
                },
            });
        }
    }
    let literals = query.split('&').filter(|literal| !literal.is_empty());
    let query = literals
        .map(|literal| literal.split_once('=').unwrap_or((literal, "")))
        .collect();
    Ok(UriPattern { segments, query })
}

fn member(tables: &Tables, raw: RawMember) -> Result<Member, Error> {
    let RawMember(name, shape, flags, wire_name, place, rare) = raw;
    let RawRare(query_name, namespace, format) = rare.unwrap_or(RawRare(None, None, None));
    Ok(Member {
        name: tables.text(name)?,
        wire_name: tables.maybe(wire_name)?,
        query_name: tables.maybe(query_name)?,
        shape: tables.shape(shape)?,
        required: flags & flag::REQUIRED != 0,
        location: place.map(location).transpose()?,
        flattened: flags & flag::FLATTENED != 0,
        xml_attribute: flags & flag::XML_ATTRIBUTE != 0,
        xml_namespace: match namespace {
            Some((prefix, uri)) => Some((tables.maybe(prefix)?, tables.text(uri)?)),
            None => None,
        },
        timestamp_format: format.map(timestamp_format).transpose()?,
        streaming: flags & flag::STREAMING != 0,
        sensitive: flags & flag::SENSITIVE != 0,
        idempotency_token: flags & flag::IDEMPOTENCY_TOKEN != 0,
        json_value: flags & flag::JSON_VALUE != 0,
        host_label: flags & flag::HOST_LABEL != 0,
    })
}

fn shape(tables: &Tables, raw: RawShape) -> Result<Shape, Error> {
    let RawShape(name, code, flags, min, max, pattern, members, values, payload, error) = raw;
    let members = members
        .into_iter()
        .map(|m| member(tables, m))
        .collect::<Result<Vec<_>, _>>()?;
    let (flattened, sparse) = (flags & flag::FLATTENED != 0, flags & flag::SPARSE != 0);
    let kind = match code {
        0 => {
            if let Some(index) = payload
                && index >= members.len()
            {
                return Err(Error::Index {
                    table: "member list",
                    index,
                });
            }
            let error = match error {
                Some((code, status, sender)) => Some(ErrorTrait {
                    code: tables.text(code)?,
                    status,
                    sender,
                }),
                None => None,
            };
            let union = flags & flag::UNION != 0;
            Kind::Structure(Structure {
                members,
                payload,
                union,
                error,
                event_stream: flags & flag::EVENT_STREAM != 0,
            })
        }
        1 => {
            let [member] = exactly(members)?;
            Kind::List {
                member,
                flattened,
                sparse,
            }
        }
        2 => {
            let [key, value] = exactly(members)?;
            Kind::Map {
                key,
                value,
                flattened,
                sparse,
            }
        }
        3 => Kind::String {
            values: tables.texts(&values)?,
        },
        4 => Kind::Blob,
        5 => Kind::Boolean,
        8 | 16 | 32 | 64 => Kind::Integer(code),
        132 => Kind::Float(32),
        164 => Kind::Float(64),
        6 => Kind::Timestamp(None),
        200 => Kind::Timestamp(Some(TimestampFormat::EpochSeconds)),
        201 => Kind::Timestamp(Some(TimestampFormat::DateTime)),
        202 => Kind::Timestamp(Some(TimestampFormat::HttpDate)),
        7 => Kind::Untyped,
        _ => return Err(Error::Code("shape")),
    };
    let (name, pattern) = (tables.text(name)?, tables.maybe(pattern)?);
    Ok(Shape {
        name,
        kind,
        min,
        max,
        pattern,
        sensitive: flags & flag::SENSITIVE != 0,
    })
}

/// The members of a list or map.
fn exactly<const N: usize>(members: Vec<Member>) -> Result<[Member; N], Error> {
    let index = members.len();
    members.try_into().map_err(|_| Error::Index {
        table: "list's or map's members",
        index,
    })
}
