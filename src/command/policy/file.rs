//! The form of a file of policy tests.
//!
//! Invariant: what could be misspelled is refused with its place: unknown fields, doubled keys, wrong kinds of values.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::table::Written;
use crate::error::Error;
use crate::seed::document::{Document, Place};

/// Far more than any file of tests that is written by hand; bounds what a wrong file name may cost.
const BYTES_MAX: u64 = 1024 * 1024;
/// Tests in one file.
const TESTS_MAX: usize = 10_000;

/// A file of tests, each with all that it is made of.
pub(super) struct TestFile {
    /// The policies of every test that does not name its own for the layer.
    pub(super) given: Given,
    pub(super) tests: Vec<Spanned<Case>>,
}

/// A policy: the document itself, or the path of its file.
pub(super) type Source = Spanned<Document>;

/// Policies by layer.
#[derive(serde::Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    pub(super) identity: Option<Vec<Source>>,
    pub(super) boundary: Option<Source>,
    pub(super) session: Option<Vec<Source>>,
    /// One list a level of the organization, from the root down.
    pub(super) service_control: Option<Vec<Vec<Source>>>,
    pub(super) resource_control: Option<Vec<Source>>,
    pub(super) resource: Option<Source>,
    pub(super) trust: Option<Source>,
    pub(super) key: Option<Source>,
    pub(super) endpoint: Option<Source>,
}

/// A request and what is expected of it.
pub(super) struct Case {
    pub(super) name: Option<String>,
    pub(super) given: Given,
    pub(super) caller: Spanned<String>,
    pub(super) action: Spanned<String>,
    pub(super) resource: Option<Spanned<String>>,
    /// The account that owns the resource, if its ARN does not say.
    pub(super) owner: Option<Spanned<String>>,
    pub(super) with: BTreeMap<String, Values>,
    /// Where it is written that it must be so.
    pub(super) source: Option<String>,
    pub(super) expect: Option<Spanned<Expected>>,
    pub(super) because: Option<Spanned<Because>>,
}

#[derive(serde::Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expected {
    Allow,
    Deny,
}

/// What must have decided. Whatever is not said may be anything.
#[derive(serde::Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    pub(super) layer: Option<String>,
    /// The path of the policy's file, or the end of it.
    pub(super) policy: Option<String>,
    /// The `Sid`, or the number of the statement, from 1.
    pub(super) statement: Option<String>,
}

/// One value of a condition key, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor).map(Self)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or a list of values")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(vec![value.to_string()])
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(vec![value.to_string()])
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(vec![value.to_string()])
    }

    fn visit_f64<E: de::Error>(self, _value: f64) -> Result<Self::Value, E> {
        // Its spelling is lost here, and policies compare text.
        Err(E::custom("this number must be in quotes"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Values(held)) = items.next_element()? {
            values.extend(held);
        }
        Ok(values)
    }
}

/// `file:line:column: message`, as editors follow it.
pub(super) fn refusal(file: &Path, place: Place, message: impl fmt::Display) -> Error {
    let Place { line, column } = place;
    Error::Usage(format!("{}:{line}:{column}: {message}", file.display()))
}

/// Reads a bounded text file.
pub(super) fn text(path: &Path, bytes_max: u64) -> Result<String, Error> {
    let failed = |source| Error::File {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let content = |reason: String| Error::Content {
        path: path.to_owned(),
        reason,
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > bytes_max {
        return Err(content(format!("it is longer than {bytes_max} bytes")));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| content(error.to_string()))
}

/// Reads a file of tests.
pub(super) fn read(path: &Path) -> Result<TestFile, Error> {
    parse(path, &text(path, BYTES_MAX)?)
}

/// Reads the text of a file of tests.
pub(super) fn parse(path: &Path, text: &str) -> Result<TestFile, Error> {
    let written: Written =
        serde_saphyr::from_str_with_options(text, crate::yaml::options()).map_err(|error| {
            let place = error.location().map_or(Place { line: 1, column: 1 }, Place::from);
            let message = error.without_snippet().to_string();
            // The place is told already.
            let told = format!(" at line {}, column {}", place.line, place.column);
            refusal(
                path,
                place,
                message.lines().next().unwrap_or_default().replace(&told, ""),
            )
        })?;
    written.settle(path, TESTS_MAX)
}
