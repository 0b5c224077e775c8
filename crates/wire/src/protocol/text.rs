//! Scalars as text: in query strings, headers, labels and XML.
//!
//! Invariant: numbers and booleans are read strictly; nothing is guessed from a text that almost fits.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::fmt::Write;

use crate::model::{Kind, Member, Shape, TimestampFormat};
use crate::{Document, Fault};

use super::{Unwritable, malformed, moment};

/// Standard alphabet; padding is written, and taken with or without, as AWS does.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The format of a timestamp: the member's, else the shape's, else the protocol's for the place.
pub(super) fn timestamp_format(
    shape: &Shape,
    member: Option<&Member>,
    place: TimestampFormat,
) -> TimestampFormat {
    let of_shape = match shape.kind {
        Kind::Timestamp(format) => format,
        _ => None,
    };
    member
        .and_then(|member| member.timestamp_format)
        .or(of_shape)
        .unwrap_or(place)
}

/// Reads a scalar's text by its shape.
pub(super) fn read(
    shape: &Shape,
    member: Option<&Member>,
    place: TimestampFormat,
    text: String,
) -> Result<Document, Fault> {
    Ok(match &shape.kind {
        Kind::String { .. } => Document::String(text),
        Kind::Boolean => match text.as_str() {
            "true" => Document::Boolean(true),
            "false" => Document::Boolean(false),
            _ => return Err(malformed("STRING_VALUE can not be converted to a Boolean")),
        },
        Kind::Integer(width) => Document::Integer(integer(&text, *width)?),
        Kind::Float(_) => Document::Float(float(&text)?),
        Kind::Blob => Document::Blob(BASE64.decode(text).map_err(|_| malformed("Invalid Base64"))?),
        Kind::Timestamp(_) => moment::parse(&text, timestamp_format(shape, member, place))
            .map(Document::Timestamp)
            .ok_or_else(|| malformed("Invalid timestamp"))?,
        Kind::Untyped => {
            serde_json::from_str::<super::json_read::Free>(&text)
                .map_err(|_| malformed("Invalid JSON document"))?
                .0
        }
        Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. } => {
            return Err(malformed("Start of list found where not expected"));
        }
    })
}

fn integer(text: &str, width: u8) -> Result<i64, Fault> {
    // Rust's reading also takes a plus sign, which AWS's does not write but does read.
    text.parse()
        .ok()
        .filter(|value| fits(*value, width))
        .ok_or_else(|| malformed(not_integer("STRING_VALUE", width)))
}

/// Whether an integer has no more bits than its shape.
pub(super) const fn fits(value: i64, width: u8) -> bool {
    match width {
        8 => value >= i8::MIN as i64 && value <= i8::MAX as i64,
        16 => value >= i16::MIN as i64 && value <= i16::MAX as i64,
        32 => value >= i32::MIN as i64 && value <= i32::MAX as i64,
        _ => true,
    }
}

/// AWS's message for a token that is no integer of its width.
pub(super) fn not_integer(token: &str, width: u8) -> String {
    format!(
        "{token} can not be converted to {}",
        match width {
            8 => "a Byte",
            16 => "a Short",
            32 => "an Integer",
            _ => "a Long",
        }
    )
}

/// Decimal, or one of Smithy's three words.
pub(super) fn float(text: &str) -> Result<f64, Fault> {
    special(text)
        .or_else(|| {
            let decimal = text.bytes().any(|byte| byte.is_ascii_digit())
                && !text
                    .bytes()
                    .any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'));
            if decimal { text.parse().ok() } else { None }
        })
        .ok_or_else(|| malformed("STRING_VALUE can not be converted to a Double"))
}

/// The values that are not decimals, as every protocol spells them.
pub(super) fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The word for a float that is not a decimal.
pub(super) fn special_word(value: f64) -> Option<&'static str> {
    match value {
        v if v.is_nan() => Some("NaN"),
        v if v == f64::INFINITY => Some("Infinity"),
        v if v == f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

/// Writes a float with as many digits as its width needs.
pub(super) fn write_float(out: &mut String, value: f64, width: u8) {
    if let Some(word) = special_word(value) {
        out.push_str(word);
        return;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a 32-bit shape holds what a 32-bit float can"
    )]
    let narrow = value as f32;
    // Writing to a string cannot fail.
    let _ = if width == 32 {
        write!(out, "{narrow:?}")
    } else {
        write!(out, "{value:?}")
    };
}

/// Writes a scalar's text by its shape.
pub(super) fn write(
    out: &mut String,
    shape: &Shape,
    member: Option<&Member>,
    place: TimestampFormat,
    value: &Document,
) -> Result<(), Unwritable> {
    match (&shape.kind, value) {
        (Kind::String { .. }, Document::String(text)) => out.push_str(text),
        (Kind::Boolean, Document::Boolean(value)) => out.push_str(if *value { "true" } else { "false" }),
        (Kind::Integer(_), Document::Integer(value)) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{value}");
        }
        (Kind::Float(width), Document::Float(value)) => write_float(out, *value, *width),
        (Kind::Blob, Document::Blob(bytes)) => BASE64.encode_string(bytes, out),
        (Kind::Timestamp(_), Document::Timestamp(at)) => {
            moment::write(out, *at, timestamp_format(shape, member, place));
        }
        _ => {
            return Err(Unwritable {
                shape: shape.name,
                reason: "not a scalar of its type",
            });
        }
    }
    Ok(())
}
