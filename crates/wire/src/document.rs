//! The value that every protocol decodes to and encodes from: a tree guided by the model's shapes.

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z. AWS's wire carries no finer grain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Makes a timestamp of whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads `2026-11-22T00:36:56.789Z`, with or without a fraction; `None` for other text.
    pub fn from_iso8601(text: &str) -> Option<Self> {
        crate::protocol::date_time(text)
    }

    /// `2026-11-22T00:36:56Z`: whole seconds, as condition keys and records have it. Years outside 1970–9999 are shown
    /// as the nearest of them.
    pub fn iso8601(self) -> String {
        const LAST_SECOND: i64 = 253_402_300_799;
        let at = time::OffsetDateTime::from_unix_timestamp(self.seconds().clamp(0, LAST_SECOND))
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// A decoded value. It has no `Debug`, since it may carry secrets: see `crate::redact` for what may be shown.
///
/// Invariant: after `constraints::check`, the tree agrees with its shape: members are the model's names, each at
/// most once, and absent members are left out rather than null.
#[derive(Clone, PartialEq)]
pub enum Document {
    Boolean(bool),
    /// Integer, long, short and byte shapes.
    Integer(i64),
    /// Float and double shapes.
    Float(f64),
    String(String),
    Blob(Vec<u8>),
    Timestamp(Timestamp),
    /// In a sparse list an absent element is `Null`.
    List(Vec<Document>),
    /// In the order of arrival.
    Map(Vec<(String, Document)>),
    /// Member names are the model's own (leaked once with the model), never a protocol's location names.
    Structure(Vec<(&'static str, Document)>),
    /// Only inside sparse lists and maps, and for untyped document shapes.
    Null,
    /// A streaming payload, whose bytes travel beside the document.
    Stream,
}

impl Document {
    /// An empty structure.
    pub const fn empty() -> Self {
        Self::Structure(Vec::new())
    }

    /// The member of a structure by the model's name.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Structure(members) => members.iter().find(|(n, _)| *n == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}
