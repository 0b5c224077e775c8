//! What an object says of itself: the headers that are kept with it, and its user's metadata.
//!
//! Invariant: metadata that is kept fits AWS's bounds, so that every answer can carry it.
//!
//! Source: S3 User Guide, "Working with object metadata".

use std::collections::BTreeMap;

use pipeline::Result;
use serde::{Deserialize, Serialize};
use wire::{Document, Fault};

/// Bytes of all names and values of the user's metadata.
const BYTES_MAX: usize = 2048;
/// Bytes of a key.
const KEY_MAX: usize = 1024;
/// What an object is served as if nobody said.
const CONTENT_TYPE: &str = "binary/octet-stream";

/// Headers and metadata as they were put.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Metadata {
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(rename = "cc", default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(rename = "cd", default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(rename = "ce", default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(rename = "cl", default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(rename = "ex", default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<String>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(crate) website_redirect: Option<String>,
    /// Names in lower case, without `x-amz-meta-`.
    #[serde(rename = "m", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) user: BTreeMap<String, String>,
}

impl Metadata {
    /// What the object is served as.
    pub(crate) fn content_type(&self) -> String {
        self.content_type.clone().unwrap_or_else(|| CONTENT_TYPE.to_owned())
    }

    /// Refuses what is too large or cannot be.
    pub(crate) fn expect_fitting(&self) -> Result<()> {
        let size: usize = self.user.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > BYTES_MAX {
            return Err(Fault::plain(
                "MetadataTooLarge",
                400,
                "Your metadata headers exceed the maximum allowed metadata size",
            )
            .with("Size", Document::String(size.to_string()))
            .with("MaxSizeAllowed", Document::String(BYTES_MAX.to_string())));
        }
        if let Some(place) = &self.website_redirect
            && !["/", "http://", "https://"]
                .iter()
                .any(|start| place.starts_with(start))
        {
            return Err(Fault::plain(
                "InvalidRedirectLocation",
                400,
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            ));
        }
        Ok(())
    }
}

/// The user's metadata of a request: names in lower case, as HTTP's are.
pub(crate) fn user(given: Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let given = given.unwrap_or_default().into_iter();
    given
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

/// What is kept of `Content-Encoding`: the encoding of the transfer is none of the content.
pub(crate) fn content_encoding(given: Option<String>) -> Option<String> {
    let given = given?;
    let kept: Vec<&str> = given
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// Reads the headers of a request of any shape that carries them.
macro_rules! of_request {
    ($input:expr) => {
        $crate::s3::object::metadata::Metadata {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::s3::object::metadata::content_encoding($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            website_redirect: $input.website_redirect_location.take(),
            user: $crate::s3::object::metadata::user($input.metadata.take()),
        }
    };
}
pub(crate) use of_request;

/// Refuses a key that is too long (S3 User Guide, "Naming Amazon S3 objects").
pub(crate) fn expect_key(key: &str) -> Result<()> {
    if key.len() <= KEY_MAX {
        return Ok(());
    }
    Err(Fault::plain("KeyTooLongError", 400, "Your key is too long")
        .with("Size", Document::String(key.len().to_string()))
        .with("MaxSizeAllowed", Document::String(KEY_MAX.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_together_have_two_kibibytes() {
        let with = |length: usize| Metadata {
            user: BTreeMap::from([("name".to_owned(), "v".repeat(length))]),
            ..Metadata::default()
        };
        assert!(with(2044).expect_fitting().is_ok());
        let refused = with(2045).expect_fitting().err().unwrap();
        assert_eq!(
            refused.message,
            "Your metadata headers exceed the maximum allowed metadata size"
        );
    }

    #[test]
    fn a_key_has_1024_bytes_of_utf8() {
        assert!(expect_key(&"ä".repeat(512)).is_ok());
        assert!(expect_key(&"ä".repeat(513)).is_err());
    }

    #[test]
    fn the_transfers_own_encoding_is_not_kept() {
        let kept = |given: &str| content_encoding(Some(given.to_owned()));
        assert_eq!(kept("aws-chunked"), None);
        assert_eq!(kept("gzip,aws-chunked").as_deref(), Some("gzip"));
        assert_eq!(kept("gzip").as_deref(), Some("gzip"));
    }

    #[test]
    fn names_are_compared_without_case() {
        let given = BTreeMap::from([("Author".to_owned(), " me ".to_owned())]);
        assert_eq!(user(Some(given)).get("author").map(String::as_str), Some("me"));
    }
}
