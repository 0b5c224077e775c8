//! What the lists of a bucket share: sizes of pages, tokens, and the encoding of names.

use api::s3 as model;
use pipeline::{Look, Result};

use super::walk::Position;
use crate::s3::object::refusal::invalid_argument;

const PURPOSE: &str = "s3.list";
/// Lines of a page.
const LINES_MAX: i32 = 1000;

/// The size of a page, and how answers show it.
///
/// # Errors
/// `InvalidArgument` for a negative one.
pub(crate) fn size(asked: Option<i32>, name: &str) -> Result<(usize, i32)> {
    let size = asked.unwrap_or(LINES_MAX);
    if size < 0 {
        return Err(invalid_argument(
            format!("Argument {name} must be an integer between 0 and 2147483647"),
            name,
            size.to_string(),
        ));
    }
    let size = size.min(LINES_MAX);
    Ok((usize::try_from(size).unwrap_or_default(), size))
}

/// The token that leads to the next page of a bucket's list.
pub(crate) fn token(look: &Look<'_>, bucket: &str, position: &Position) -> Result<String> {
    let mut payload = bucket.as_bytes().to_vec();
    payload.push(0);
    payload.extend_from_slice(&position.row.to_be_bytes());
    payload.extend_from_slice(&position.key);
    look.issue_token(PURPOSE, &payload)
}

/// Where the page of a token begins.
///
/// # Errors
/// `InvalidArgument` for a token that is none of this bucket.
pub(crate) fn open_token(look: &Look<'_>, bucket: &str, token: &str) -> Result<Position> {
    let payload = look.open_token(PURPOSE, token);
    let position = payload.as_ref().and_then(|payload| {
        let rest = payload
            .expose()
            .strip_prefix(bucket.as_bytes())?
            .strip_prefix(&[0])?;
        let (row, key) = rest.split_first_chunk::<8>()?;
        Some(Position {
            key: key.to_vec(),
            row: u64::from_be_bytes(*row),
        })
    });
    position.ok_or_else(|| {
        invalid_argument(
            "The continuation token provided is incorrect",
            "continuation-token",
            token,
        )
    })
}

/// How names are written: as they are, or escaped where the client asked for it.
#[derive(Clone, Copy)]
pub(crate) struct Names(pub(crate) Option<model::EncodingType>);

impl Names {
    /// One name.
    pub(crate) fn show(self, name: &str) -> String {
        if self.0.is_none() {
            return name.to_owned();
        }
        let mut out = String::with_capacity(name.len());
        for byte in name.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                    out.push(char::from(byte));
                }
                b' ' => out.push('+'),
                other => {
                    out.push('%');
                    out.push_str(&crypto::digest::hex(&[other]).to_ascii_uppercase());
                }
            }
        }
        out
    }

    /// One that may be absent.
    pub(crate) fn show_given(self, name: Option<&String>) -> Option<String> {
        name.map(|name| self.show(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_where_asked() {
        let names = Names(Some(model::EncodingType::Url));
        assert_eq!(names.show("a b/ä+(3).png"), "a+b/%C3%A4%2B%283%29.png");
        assert_eq!(Names(None).show("a b"), "a b");
    }

    #[test]
    fn a_page_has_a_thousand_lines_at_most() {
        assert_eq!(size(None, "max-keys").ok(), Some((1000, 1000)));
        assert_eq!(size(Some(5000), "max-keys").ok(), Some((1000, 1000)));
        assert_eq!(size(Some(0), "max-keys").ok(), Some((0, 0)));
        assert!(size(Some(-1), "max-keys").is_err());
    }
}
