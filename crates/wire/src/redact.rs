//! What the record shows of an input or output: CloudTrail's `requestParameters` and `responseElements`.
//!
//! Invariant: a member that the model or the call's rules call sensitive never appears, and neither do the bytes of
//! blobs. Size and depth are bounded.
//!
//! Source: AWS CloudTrail User Guide, "CloudTrail record contents"; records that AWS publishes.

use serde_json::{Map, Value};

use crate::constraints::lower_first;
use crate::model::{Kind, Service, ShapeId};
use crate::{Document, Timestamp};

/// What stands for a value that must not be shown.
pub const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// The most bytes of JSON that the record holds of one document (CloudTrail's 100 KB).
pub const BYTES_MAX: usize = 100 * 1024;

/// Deeper than any shape in use.
const DEPTH_MAX: u32 = 128;

/// How timestamps are written in the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampStyle {
    /// `Jul 30, 2024, 9:46:15 PM`
    #[default]
    Comma,
    /// `Jul 30, 2024 9:46:15 PM` (IAM)
    Plain,
    /// `2024-07-30T21:46:15Z`
    Iso,
}

/// What becomes of sensitive members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sensitive {
    /// Left out, as most services do.
    #[default]
    Drop,
    /// `HIDDEN` instead of the value, as Systems Manager does.
    Mark,
}

/// The rules of one call's record.
#[derive(Clone, Copy, Default)]
pub struct Redactor<'a> {
    /// Members, by the model's names, left out wherever they occur.
    pub drop: &'a [&'a str],
    /// Members, by the model's names, whose value becomes `HIDDEN` wherever they occur.
    pub hide: &'a [&'a str],
    pub sensitive: Sensitive,
    pub timestamps: TimestampStyle,
}

impl Redactor<'_> {
    /// The document as the record shows it; `Null` if nothing is left. Beyond `BYTES_MAX` the content is left out and
    /// the result says so.
    pub fn redact(&self, service: &Service, shape: ShapeId, document: &Document) -> Value {
        let mut left = BYTES_MAX;
        match self.value(service, shape, document, 0, &mut left) {
            Ok(Some(Value::Object(members))) if members.is_empty() => Value::Null,
            Ok(value) => value.unwrap_or(Value::Null),
            Err(TooLarge) => {
                let marker = [
                    ("omitted".to_owned(), Value::Bool(true)),
                    (
                        "reason".to_owned(),
                        Value::String("The content exceeds 100 KB".to_owned()),
                    ),
                ];
                Value::Object(marker.into_iter().collect())
            }
        }
    }

    /// `None`: not to be shown at all.
    fn value(
        &self,
        service: &Service,
        id: ShapeId,
        value: &Document,
        depth: u32,
        left: &mut usize,
    ) -> Result<Option<Value>, TooLarge> {
        let Some(shape) = service.shape(id) else {
            return Ok(None);
        };
        if depth > DEPTH_MAX {
            return Err(TooLarge);
        }
        if shape.sensitive {
            return self.hidden(left);
        }
        Ok(Some(match (&shape.kind, value) {
            (Kind::Structure(structure), Document::Structure(members)) => {
                let mut shown = Map::new();
                for (name, inner) in members {
                    let Some(member) = structure.members.iter().find(|member| member.name == *name) else {
                        continue;
                    };
                    let inner = if self.drop.contains(name) {
                        None
                    } else if self.hide.contains(name) {
                        Some(Value::String(HIDDEN.to_owned()))
                    } else if member.sensitive {
                        self.hidden(left)?
                    } else {
                        self.value(service, member.shape, inner, depth + 1, left)?
                    };
                    if let Some(inner) = inner {
                        spend(left, name.len() + 4)?;
                        shown.insert(lower_first(name), inner);
                    }
                }
                Value::Object(shown)
            }
            (Kind::List { member, .. }, Document::List(items)) => {
                let mut shown = Vec::with_capacity(items.len().min(1024));
                for item in items {
                    spend(left, 1)?;
                    let item = if member.sensitive {
                        self.hidden(left)?
                    } else {
                        self.value(service, member.shape, item, depth + 1, left)?
                    };
                    shown.extend(item);
                }
                Value::Array(shown)
            }
            (
                Kind::Map {
                    key, value: member, ..
                },
                Document::Map(entries),
            ) => {
                let secret = service.shape(key.shape).is_some_and(|shape| shape.sensitive) || key.sensitive;
                if secret {
                    return self.hidden(left);
                }
                let mut shown = Map::new();
                for (name, inner) in entries {
                    spend(left, name.len() + 4)?;
                    let inner = if member.sensitive {
                        self.hidden(left)?
                    } else {
                        self.value(service, member.shape, inner, depth + 1, left)?
                    };
                    if let Some(inner) = inner {
                        shown.insert(name.clone(), inner);
                    }
                }
                Value::Object(shown)
            }
            (Kind::Untyped, _) => untyped(value, depth, left)?,
            (_, simple) => return self.simple(simple, left),
        }))
    }

    fn hidden(&self, left: &mut usize) -> Result<Option<Value>, TooLarge> {
        match self.sensitive {
            Sensitive::Drop => Ok(None),
            Sensitive::Mark => {
                spend(left, HIDDEN.len() + 2)?;
                Ok(Some(Value::String(HIDDEN.to_owned())))
            }
        }
    }

    fn simple(&self, value: &Document, left: &mut usize) -> Result<Option<Value>, TooLarge> {
        let shown = match value {
            Document::Boolean(flag) => Value::Bool(*flag),
            Document::Integer(number) => Value::from(*number),
            Document::Float(number) => Value::from(*number),
            Document::String(text) => {
                spend(left, text.len())?;
                Value::String(text.clone())
            }
            Document::Timestamp(at) => Value::String(moment(*at, self.timestamps)),
            Document::Null => Value::Null,
            // Bytes, streams and what does not have its shape's type are not shown.
            _ => return Ok(None),
        };
        spend(left, 2)?;
        Ok(Some(shown))
    }
}

/// The content does not fit the record.
struct TooLarge;

fn spend(left: &mut usize, bytes: usize) -> Result<(), TooLarge> {
    *left = left.checked_sub(bytes).ok_or(TooLarge)?;
    Ok(())
}

/// A value without shape: its names are the client's own and stay as they are.
fn untyped(value: &Document, depth: u32, left: &mut usize) -> Result<Value, TooLarge> {
    if depth > DEPTH_MAX {
        return Err(TooLarge);
    }
    spend(left, 2)?;
    Ok(match value {
        Document::Boolean(flag) => Value::Bool(*flag),
        Document::Integer(number) => Value::from(*number),
        Document::Float(number) => Value::from(*number),
        Document::String(text) => {
            spend(left, text.len())?;
            Value::String(text.clone())
        }
        Document::List(items) => Value::Array(
            items
                .iter()
                .map(|item| untyped(item, depth + 1, left))
                .collect::<Result<_, _>>()?,
        ),
        Document::Map(entries) => {
            let mut shown = Map::new();
            for (name, inner) in entries {
                spend(left, name.len() + 4)?;
                shown.insert(name.clone(), untyped(inner, depth + 1, left)?);
            }
            Value::Object(shown)
        }
        _ => Value::Null,
    })
}

fn moment(at: Timestamp, style: TimestampStyle) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at =
        time::OffsetDateTime::from_unix_timestamp(at.seconds()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (minute, second) = (at.minute(), at.second());
    if style == TimestampStyle::Iso {
        let month = u8::from(at.month());
        let (year, day, hour) = (at.year(), at.day(), at.hour());
        return format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    }
    let month = MONTHS
        .get(usize::from(u8::from(at.month())) - 1)
        .copied()
        .unwrap_or_default();
    let comma = if style == TimestampStyle::Comma { "," } else { "" };
    let hour = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if at.hour() < 12 { "AM" } else { "PM" };
    format!(
        "{month} {}, {}{comma} {hour}:{minute:02}:{second:02} {half}",
        at.day(),
        at.year()
    )
}
