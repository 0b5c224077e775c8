//! Other names in the `Principal` elements of a policy's text: unique ids for the ARNs of users and roles where a policy is kept, so
//! that what it gives ends with the one it was given to, and ARNs again where it is shown (IAM User Guide, "AWS JSON policy
//! elements: Principal").
//!
//! Invariant: outside of `Principal` elements the text stays as it was given, to the byte.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The text of a policy with other names in its `Principal` elements.
pub fn substitute(text: &str, names: &BTreeMap<String, String>) -> String {
    if names.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for element in principals(text) {
        for literal in literals(text, element) {
            let name = text
                .get(literal.clone())
                .and_then(|json| serde_json::from_str::<String>(json).ok());
            if let Some(other) = name.and_then(|name| names.get(&name)) {
                out.push_str(text.get(done..literal.start).unwrap_or_default());
                out.push('"');
                out.push_str(other);
                out.push('"');
                done = literal.end;
            }
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "Statement", borrow)]
    statement: &'a RawValue,
}

#[derive(Deserialize)]
struct Statement<'a> {
    #[serde(rename = "Principal", borrow, default)]
    principal: Option<&'a RawValue>,
}

/// Where the `Principal` elements of a document stand; it is known to be one.
fn principals(text: &str) -> Vec<Range<usize>> {
    let Ok(document) = serde_json::from_str::<Document<'_>>(text) else {
        return Vec::new();
    };
    let whole = document.statement.get();
    let statements = serde_json::from_str::<Vec<Statement<'_>>>(whole)
        .or_else(|_| serde_json::from_str::<Statement<'_>>(whole).map(|statement| vec![statement]));
    let elements = statements
        .unwrap_or_default()
        .into_iter()
        .filter_map(|statement| statement.principal);
    // The elements are borrowed from the text, so their addresses tell their places.
    let place = |element: &RawValue| element.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
    elements
        .map(|element| place(element)..place(element) + element.get().len())
        .collect()
}

/// Where the string literals of a piece of JSON stand, quotes included.
fn literals(text: &str, piece: Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut start, mut escaped) = (Vec::new(), None, false);
    let bytes = text.as_bytes().get(piece.clone()).unwrap_or_default();
    for (place, byte) in (piece.start..).zip(bytes) {
        match (start, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(begin), b'"') => {
                found.push(begin..place + 1);
                start = None;
            }
            (None, b'"') => start = Some(place),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{ "Version": "2012-10-17",
 "Statement": [{"Effect":"Allow","Principal": {"AWS": ["arn:x",  "arn:\u0079"]}, "Action": "sts:AssumeRole",
   "Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:x"}}},
   {"Effect":"Allow","Principal":{"Service":"arn\\:x"},"Action":"sts:AssumeRole"}]}"#;

    #[test]
    fn names_change_in_principals_alone() {
        let names = [("arn:x", "AIDAX"), ("arn:y", "AROAY")].map(|(arn, id)| (arn.to_owned(), id.to_owned()));
        let changed = substitute(TEXT, &names.into());
        let expected = TEXT
            .replacen("\"arn:x\"", "\"AIDAX\"", 1)
            .replacen("\"arn:\\u0079\"", "\"AROAY\"", 1);
        assert_eq!(changed, expected);
        assert!(changed.contains(r#""aws:PrincipalArn": "arn:x""#));
    }

    #[test]
    fn a_single_statement_is_read_too() {
        let names = BTreeMap::from([("arn:x".to_owned(), "AIDAX".to_owned())]);
        assert_eq!(
            substitute(r#"{"Statement":{"Principal":{"AWS":"arn:x"}}}"#, &names),
            r#"{"Statement":{"Principal":{"AWS":"AIDAX"}}}"#
        );
    }
}
