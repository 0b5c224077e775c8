//! The client's side of awsQuery: requests of our own, and what answers tell. For clients within Ringwork, such as the console.
//!
//! Invariant: an answer is read with the bounds that requests have, and what it does not hold reads as nothing.

use std::borrow::Cow;

use super::percent;
use super::xml_tree::{self, Element};
use crate::Fault;
use crate::sigv4::percent_encode;

/// A request's body.
pub fn query(operation: &str, version: &str, parameters: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let mut body = format!("Action={operation}&Version={version}");
    for (name, value) in parameters {
        body.push('&');
        body.push_str(&percent_encode(name));
        body.push('=');
        body.push_str(&percent_encode(value));
    }
    body
}

/// The pairs of a form or query string, decoded.
///
/// # Errors
/// A broken percent-encoding, or text that is not UTF-8.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = Vec::new();
    percent::pairs(text, &mut pairs)?;
    Ok(pairs)
}

/// What an answer tells: a tree of names, texts and lists.
#[derive(Default)]
pub struct Told(Element);

impl Told {
    /// Reads an answer.
    ///
    /// # Errors
    /// What is no XML.
    pub fn read(body: &[u8]) -> Result<Self, Fault> {
        xml_tree::parse(body).map(|root| Self(root.unwrap_or_default()))
    }

    /// The whole.
    pub const fn root(&self) -> Part<'_> {
        Part(Some(&self.0))
    }

    /// The result within the answer, whatever its wrapper is called.
    pub fn result(&self) -> Part<'_> {
        let wrapper = self
            .0
            .children
            .iter()
            .find(|child| child.name.ends_with("Result"));
        Part(wrapper)
    }
}

/// A part of an answer; one that is not there has no text and no parts.
#[derive(Clone, Copy)]
pub struct Part<'a>(Option<&'a Element>);

impl<'a> Part<'a> {
    pub fn part(self, name: &str) -> Self {
        let children = self.0.map_or(&[][..], |element| &element.children);
        Part(children.iter().find(|child| child.is(name)))
    }

    pub const fn is_there(self) -> bool {
        self.0.is_some()
    }

    /// Its own text.
    pub fn own(self) -> &'a str {
        self.0.map_or("", |element| element.text.as_str())
    }

    /// The text of a part.
    pub fn text(self, name: &str) -> &'a str {
        self.part(name).own()
    }

    /// The members of a list, or the entries of a map.
    pub fn members(self, name: &str) -> impl Iterator<Item = Part<'a>> {
        let list = self.part(name).0.map_or(&[][..], |element| &element.children);
        list.iter().map(|member| Part(Some(member)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Told, query};

    #[test]
    fn an_answer_is_read_by_names() {
        let answer = br#"<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><IsTruncated>false</IsTruncated><Roles><member><RoleName>a&amp;b</RoleName></member></Roles></ListRolesResult></ListRolesResponse>"#;
        let told = Told::read(answer).ok().unwrap();
        let names: Vec<_> = told
            .result()
            .members("Roles")
            .map(|role| role.text("RoleName"))
            .collect();
        assert_eq!(names, ["a&b"]);
        assert_eq!(told.result().text("Marker"), "");
        assert!(!told.result().part("Marker").part("deeper").is_there());
    }

    #[test]
    fn values_are_escaped() {
        let body = query("GetRole", "2010-05-08", &[("RoleName".into(), "a&b=c d".into())]);
        assert_eq!(body, "Action=GetRole&Version=2010-05-08&RoleName=a%26b%3Dc%20d");
    }
}
