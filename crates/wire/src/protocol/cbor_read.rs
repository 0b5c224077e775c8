//! CBOR bodies to documents, guided by the shape.
//!
//! Source: Smithy, "Smithy RPC v2 CBOR protocol", and RFC 8949. Invariant: a length that the body claims allocates
//! nothing; every element costs at least one byte of the body.

use minicbor::Decoder;
use minicbor::data::Type;

use crate::model::{Kind, Member, Service, Shape, Structure};
use crate::{Document, Fault};

use super::{DEPTH_MAX, last_of_each, malformed, moment, put, structure, text};

/// RFC 8949, section 3.4.2: seconds since the epoch.
const EPOCH_TAG: u64 = 1;

impl From<minicbor::decode::Error> for Broken {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

/// Bytes that are no CBOR, or not of the type that they claim.
struct Broken;

impl From<Broken> for Fault {
    fn from(_: Broken) -> Self {
        malformed("The request body is not valid CBOR")
    }
}

/// Reads a body that is the whole shape. An empty body is an empty structure.
pub(super) fn body(service: &Service, shape: &Shape, body: &[u8]) -> Result<Document, Fault> {
    if body.is_empty() {
        return Ok(Document::empty());
    }
    let mut reader = Reader {
        service,
        decoder: Decoder::new(body),
    };
    let document = reader.value(shape, 0)?;
    if reader.decoder.position() != body.len() {
        return Err(malformed("The request body goes on after its end"));
    }
    Ok(if matches!(document, Document::Null) {
        Document::empty()
    } else {
        document
    })
}

struct Reader<'m, 'b> {
    service: &'m Service,
    decoder: Decoder<'b>,
}

impl<'m> Reader<'m, '_> {
    fn value(&mut self, shape: &'m Shape, depth: u32) -> Result<Document, Fault> {
        if depth > DEPTH_MAX {
            return Err(malformed("The request nests too deeply"));
        }
        let token = self.kind()?;
        if matches!(token, Type::Null | Type::Undefined) {
            self.decoder.skip().map_err(Broken::from)?;
            return Ok(Document::Null);
        }
        match &shape.kind {
            Kind::Structure(members) => self.structure(members, shape.name, depth),
            Kind::List { member, sparse, .. } => self.list(member, *sparse, depth),
            Kind::Map { value, sparse, .. } => self.map(value, *sparse, depth),
            Kind::Untyped => self.free(depth),
            Kind::String { .. } => Ok(Document::String(self.text()?)),
            Kind::Blob => Ok(Document::Blob(self.bytes()?)),
            Kind::Boolean if token == Type::Bool => {
                Ok(Document::Boolean(self.decoder.bool().map_err(Broken::from)?))
            }
            Kind::Integer(width) => match self.number()? {
                Number::Whole(value) if text::fits(value, *width) => Ok(Document::Integer(value)),
                _ => Err(malformed(text::not_integer("NUMBER_VALUE", *width))),
            },
            Kind::Float(_) => Ok(Document::Float(self.number()?.float())),
            Kind::Timestamp(_) => {
                let tag = self.decoder.tag().map_err(Broken::from)?;
                if tag.as_u64() != EPOCH_TAG {
                    return Err(malformed("The timestamp is not tagged as one"));
                }
                let at = match self.number()? {
                    Number::Whole(seconds) => seconds.checked_mul(1000).and_then(moment::bounded),
                    Number::Broken(seconds) => moment::from_float(seconds),
                };
                at.map(Document::Timestamp)
                    .ok_or_else(|| malformed("Invalid timestamp"))
            }
            Kind::Boolean => Err(malformed("Unexpected value type in payload")),
        }
    }

    /// The type of the next item; at the end of the bytes there is none.
    fn kind(&self) -> Result<Type, Broken> {
        Ok(self.decoder.datatype()?)
    }

    fn structure(&mut self, shape: &'m Structure, name: &'static str, depth: u32) -> Result<Document, Fault> {
        let mut left = self
            .decoder
            .map()
            .map_err(|_| malformed("Unexpected value type in payload"))?;
        let mut members = Vec::new();
        while self.more(&mut left)? {
            let key = self.text()?;
            let member = shape
                .members
                .iter()
                .find(|member| member.wire_name.unwrap_or(member.name) == key);
            let Some(member) = member else {
                self.decoder.skip().map_err(Broken::from)?;
                continue;
            };
            match self.value(self.shape(member)?, depth.saturating_add(1))? {
                Document::Null => {}
                value => put(&mut members, member.name, value),
            }
        }
        structure(shape, name, members)
    }

    fn list(&mut self, member: &'m Member, sparse: bool, depth: u32) -> Result<Document, Fault> {
        let element = self.shape(member)?;
        let mut left = self
            .decoder
            .array()
            .map_err(|_| malformed("Unexpected value type in payload"))?;
        let mut items = Vec::new();
        while self.more(&mut left)? {
            let item = self.value(element, depth.saturating_add(1))?;
            self.dense(sparse, element, &item)?;
            items.push(item);
        }
        Ok(Document::List(items))
    }

    fn map(&mut self, member: &'m Member, sparse: bool, depth: u32) -> Result<Document, Fault> {
        let element = self.shape(member)?;
        let mut left = self
            .decoder
            .map()
            .map_err(|_| malformed("Unexpected value type in payload"))?;
        let mut entries = Vec::new();
        while self.more(&mut left)? {
            let key = self.text()?;
            let item = self.value(element, depth.saturating_add(1))?;
            self.dense(sparse, element, &item)?;
            entries.push((key, item));
        }
        Ok(Document::Map(last_of_each(entries)))
    }

    fn dense(&self, sparse: bool, element: &Shape, item: &Document) -> Result<(), Fault> {
        if !sparse && matches!(item, Document::Null) && !matches!(element.kind, Kind::Untyped) {
            return Err(malformed("Unexpected value type in payload"));
        }
        Ok(())
    }

    fn shape(&self, member: &Member) -> Result<&'m Shape, Fault> {
        self.service
            .shape(member.shape)
            .ok_or_else(|| malformed("the member has no shape"))
    }

    /// Whether another element follows: by the count, or until the break of an indefinite length.
    fn more(&mut self, left: &mut Option<u64>) -> Result<bool, Broken> {
        match left {
            Some(0) => Ok(false),
            Some(count) => {
                *count = count.saturating_sub(1);
                Ok(true)
            }
            None if self.kind()? == Type::Break => {
                self.decoder
                    .set_position(self.decoder.position().saturating_add(1));
                Ok(false)
            }
            None => Ok(true),
        }
    }

    fn text(&mut self) -> Result<String, Broken> {
        if self.kind()? == Type::String {
            return Ok(self.decoder.str()?.to_owned());
        }
        let mut whole = String::new();
        for part in self.decoder.str_iter()? {
            whole.push_str(part?);
        }
        Ok(whole)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Broken> {
        if self.kind()? == Type::Bytes {
            return Ok(self.decoder.bytes()?.to_vec());
        }
        let mut whole = Vec::new();
        for part in self.decoder.bytes_iter()? {
            whole.extend_from_slice(part?);
        }
        Ok(whole)
    }

    fn number(&mut self) -> Result<Number, Fault> {
        match self.kind()? {
            Type::F16 => Ok(Number::Broken(self.half()?)),
            Type::F32 => Ok(Number::Broken(self.decoder.f32().map_err(Broken::from)?.into())),
            Type::F64 => Ok(Number::Broken(self.decoder.f64().map_err(Broken::from)?)),
            Type::Tag | Type::String | Type::Bytes | Type::Bool | Type::Array | Type::Map => {
                Err(malformed("Unexpected value type in payload"))
            }
            _ => Ok(Number::Whole(self.decoder.i64().map_err(Broken::from)?)),
        }
    }

    /// RFC 8949, appendix D.
    fn half(&mut self) -> Result<f64, Broken> {
        let start = self.decoder.position();
        let bits = self
            .decoder
            .input()
            .get(start.saturating_add(1)..start.saturating_add(3))
            .ok_or(Broken)?;
        let bits = u16::from_be_bytes(<[u8; 2]>::try_from(bits).map_err(|_| Broken)?);
        self.decoder.set_position(start.saturating_add(3));
        let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
        let size = match exponent {
            0 => mantissa * 2f64.powi(-24),
            31 if mantissa == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
        };
        Ok(if bits & 0x8000 == 0 { size } else { -size })
    }

    /// A value without a shape.
    fn free(&mut self, depth: u32) -> Result<Document, Fault> {
        if depth > DEPTH_MAX {
            return Err(malformed("The request nests too deeply"));
        }
        let deeper = depth.saturating_add(1);
        Ok(match self.kind()? {
            Type::Null | Type::Undefined => {
                self.decoder.skip().map_err(Broken::from)?;
                Document::Null
            }
            Type::Bool => Document::Boolean(self.decoder.bool().map_err(Broken::from)?),
            Type::String | Type::StringIndef => Document::String(self.text()?),
            Type::Bytes | Type::BytesIndef => Document::Blob(self.bytes()?),
            Type::Array | Type::ArrayIndef => {
                let mut left = self.decoder.array().map_err(Broken::from)?;
                let mut items = Vec::new();
                while self.more(&mut left)? {
                    items.push(self.free(deeper)?);
                }
                Document::List(items)
            }
            Type::Map | Type::MapIndef => {
                let mut left = self.decoder.map().map_err(Broken::from)?;
                let mut entries = Vec::new();
                while self.more(&mut left)? {
                    entries.push((self.text()?, self.free(deeper)?));
                }
                Document::Map(last_of_each(entries))
            }
            _ => match self.number()? {
                Number::Whole(value) => Document::Integer(value),
                Number::Broken(value) => Document::Float(value),
            },
        })
    }
}

/// A number of either kind.
enum Number {
    Whole(i64),
    Broken(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "a float shape holds what a float can")]
    const fn float(&self) -> f64 {
        match self {
            Self::Whole(value) => *value as f64,
            Self::Broken(value) => *value,
        }
    }
}
