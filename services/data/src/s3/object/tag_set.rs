//! The rules of object tags, and their form in a header.
//!
//! Invariant: a set that passes has ten tags at most, each name once.
//!
//! Source: S3 User Guide, "Categorizing your objects using tags".

use std::collections::BTreeMap;

use api::s3 as model;
use pipeline::Result;
use policy::Context;
use wire::{Document, Fault};

/// Tags by name.
pub(crate) type TagSet = BTreeMap<String, String>;

/// Tags of one object.
const TAGS_MAX: usize = 10;
/// Characters of a name.
const NAME_MAX: usize = 128;
/// Characters of a value.
const VALUE_MAX: usize = 256;

fn invalid_tag(message: &'static str, key: &str) -> Fault {
    Fault::plain("InvalidTag", 400, message).with("TagKey", Document::String(key.to_owned()))
}

/// Reads the set of a body.
pub(crate) fn read(tags: Vec<model::Tag>) -> Result<TagSet> {
    let mut set = TagSet::new();
    for tag in tags {
        expect_tag(&tag.key, &tag.value)?;
        if set.insert(tag.key.clone(), tag.value).is_some() {
            return Err(invalid_tag(
                "Cannot provide multiple Tags with the same key",
                &tag.key,
            ));
        }
    }
    expect_few(&set)?;
    Ok(set)
}

/// Reads `x-amz-tagging`: a query string.
pub(crate) fn read_header(header: Option<&str>) -> Result<TagSet> {
    let mut set = TagSet::new();
    for pair in header
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(key), Some(value)) = (decoded(key), decoded(value)) else {
            return Err(malformed_header(header));
        };
        if key.is_empty() {
            return Err(malformed_header(header));
        }
        expect_tag(&key, &value)?;
        if set.insert(key, value).is_some() {
            return Err(malformed_header(header));
        }
    }
    expect_few(&set)?;
    Ok(set)
}

fn malformed_header(header: Option<&str>) -> Fault {
    Fault::plain(
        "InvalidArgument",
        400,
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    )
    .with("ArgumentName", Document::String("x-amz-tagging".to_owned()))
    .with(
        "ArgumentValue",
        Document::String(header.unwrap_or_default().to_owned()),
    )
}

/// Text of a query string without its escapes.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                out.push(u8::try_from(high << 4 | low).ok()?);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

fn expect_few(set: &TagSet) -> Result<()> {
    if set.len() > TAGS_MAX {
        return Err(Fault::plain(
            "BadRequest",
            400,
            "Object tags cannot be greater than 10",
        ));
    }
    Ok(())
}

fn expect_tag(key: &str, value: &str) -> Result<()> {
    if key
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
    {
        return Err(invalid_tag(
            "System tags cannot be added/updated by requester",
            key,
        ));
    }
    if key.is_empty() || key.chars().count() > NAME_MAX || !key.chars().all(is_allowed) {
        return Err(invalid_tag("The TagKey you have provided is invalid", key));
    }
    if value.chars().count() > VALUE_MAX || !value.chars().all(is_allowed) {
        let fault = Fault::plain("InvalidTag", 400, "The TagValue you have provided is invalid");
        return Err(fault.with("TagValue", Document::String(value.to_owned())));
    }
    Ok(())
}

/// Letters, digits and spaces of any script, and a few marks.
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character)
}

/// Sets the condition keys of the tags that a request gives an object.
pub(crate) fn requested(set: &TagSet, context: &mut Context) {
    for (key, value) in set {
        context.insert(format!("s3:RequestObjectTag/{key}"), value.clone());
    }
    if !set.is_empty() {
        context.insert_many("s3:RequestObjectTagKeys", set.keys().cloned());
    }
}

/// Takes those condition keys back.
pub(crate) fn forget(context: &mut Context) {
    const PREFIX: &str = "s3:RequestObjectTag";
    let keys = context.iter().map(|(key, _)| key.to_owned());
    let tags: Vec<_> = keys.filter(|key| key.starts_with(PREFIX)).collect();
    for key in tags {
        context.remove(&key);
    }
}

/// The set as answers show it.
pub(crate) fn shown(set: &TagSet) -> Vec<model::Tag> {
    let tags = set.iter().map(|(key, value)| model::Tag {
        key: key.clone(),
        value: value.clone(),
    });
    tags.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> model::Tag {
        model::Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    fn refusal(tags: Vec<model::Tag>) -> String {
        read(tags).err().unwrap().message
    }

    #[test]
    fn ten_tags_pass_and_eleven_do_not() {
        let tags = |count: usize| (0..count).map(|at| tag(&format!("k{at}"), "v")).collect();
        assert_eq!(read(tags(10)).ok().unwrap().len(), 10);
        assert_eq!(refusal(tags(11)), "Object tags cannot be greater than 10");
    }

    #[test]
    fn names_and_values_are_checked() {
        assert_eq!(
            refusal(vec![tag("a", "1"), tag("a", "2")]),
            "Cannot provide multiple Tags with the same key"
        );
        assert_eq!(
            refusal(vec![tag("AWS:x", "1")]),
            "System tags cannot be added/updated by requester"
        );
        assert_eq!(
            refusal(vec![tag(&"a".repeat(129), "1")]),
            "The TagKey you have provided is invalid"
        );
        assert_eq!(
            refusal(vec![tag("a", &"v".repeat(257))]),
            "The TagValue you have provided is invalid"
        );
        assert_eq!(
            refusal(vec![tag("a", "<")]),
            "The TagValue you have provided is invalid"
        );
        assert!(read(vec![tag("ä ö", "")]).is_ok());
    }

    #[test]
    fn the_header_is_a_query_string() {
        let set = read_header(Some("a=1&b%20c=x+y&d")).ok().unwrap();
        assert_eq!(set.get("b c").map(String::as_str), Some("x y"));
        assert_eq!(set.get("d").map(String::as_str), Some(""));
        assert!(read_header(None).ok().unwrap().is_empty());
        for header in ["a=1&a=2", "=1", "a=%zz", "a=%ff"] {
            assert!(read_header(Some(header)).is_err(), "{header}");
        }
    }
}
