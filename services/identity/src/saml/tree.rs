//! XML documents of outside parties as trees, with their namespaces resolved.
//!
//! Invariant: no document type and no processing instruction is taken and no entity but the five predefined ones is resolved, so
//! nothing expands and nothing is fetched; nesting, attributes and nodes are bounded. Comments are dropped before anything is read,
//! so that text never ends where a comment begins.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::reader::Reader;

/// Elements within each other; SAML needs about ten.
const DEPTH_MAX: usize = 64;
/// Attributes and namespace declarations of one element. Doubles are sought by pairs, which the bound keeps cheap.
const ATTRIBUTES_MAX: usize = 64;
/// Elements of one document: a federation's metadata has thousands, a bomb of empty elements millions.
const ELEMENTS_MAX: usize = 250_000;

/// The namespace that the prefix `xml` always means.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// An element.
pub(super) struct Element {
    pub(super) prefix: String,
    pub(super) local: String,
    /// The namespace; empty for none.
    pub(super) namespace: String,
    /// Namespaces declared here, by prefix; the empty prefix is the default one's.
    pub(super) declared: Vec<(String, String)>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Node>,
}

/// An attribute that declares no namespace.
pub(super) struct Attribute {
    pub(super) prefix: String,
    pub(super) local: String,
    pub(super) namespace: String,
    pub(super) value: String,
}

/// What stands within an element.
pub(super) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    /// Whether it is this element of this namespace.
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }

    /// The value of an attribute without a namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.namespace.is_empty() && attribute.local == name)
            .map(|attribute| attribute.value.as_str())
    }

    /// The elements directly within.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The elements of one name directly within.
    pub(super) fn named<'a>(&'a self, namespace: &'a str, local: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements()
            .filter(move |element| element.is(namespace, local))
    }

    /// The only element of a name directly within; `None` if there is none, or another one.
    pub(super) fn only<'a>(&'a self, namespace: &'a str, local: &'a str) -> Option<&'a Self> {
        let mut named = self.named(namespace, local);
        let first = named.next()?;
        named.next().is_none().then_some(first)
    }

    /// Its text; `None` if it has elements within.
    pub(super) fn text(&self) -> Option<String> {
        let texts = self.children.iter().map(|child| match child {
            Node::Element(_) => None,
            Node::Text(text) => Some(text.as_str()),
        });
        texts.collect()
    }

    /// Whether nothing but white space stands between its elements.
    pub(super) fn has_no_text(&self) -> bool {
        self.children
            .iter()
            .all(|child| !matches!(child, Node::Text(text) if !text.trim_ascii().is_empty()))
    }
}

/// Reads a document; `None` if it is not one, or one that is not taken.
pub(super) fn parse(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    let mut building = Building::default();
    let mut first = true;
    loop {
        let event = reader.read_event().ok()?;
        match event {
            Event::Decl(declaration) if first => accept(&declaration)?,
            Event::Start(start) => building.open(&start)?,
            Event::Empty(start) => {
                building.open(&start)?;
                building.close()?;
            }
            Event::End(_) => building.close()?,
            Event::Text(text) => building.text(&text.xml10_content())?,
            Event::CData(text) => {
                // White space in a CDATA section is still no white space between elements.
                building.open.last()?;
                building.text(&text.xml10_content())?;
            }
            Event::GeneralRef(reference) => {
                building.open.last()?;
                let resolved = match reference.resolve_char_ref().ok()? {
                    Some(character) => character,
                    None => predefined(&reference)?,
                };
                building.text(resolved.encode_utf8(&mut [0; 4]))?;
            }
            Event::Comment(_) => {}
            Event::DocType(_) | Event::PI(_) | Event::Decl(_) => return None,
            Event::Eof => return building.root.filter(|_| building.open.is_empty()),
        }
        first = false;
    }
}

/// Only XML 1.0 in UTF-8 is read.
fn accept(declaration: &BytesDecl<'_>) -> Option<()> {
    let version = declaration.version().ok()?;
    let encoding = declaration.encoding().transpose().ok()?;
    let readable = encoding.is_none_or(|encoding| encoding.eq_ignore_ascii_case("UTF-8"));
    (version == "1.0" && readable).then_some(())
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// Characters that XML 1.0 allows (section 2.2).
fn allowed(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    })
}

/// A name without a colon. Stricter than XML on punctuation, wider on letters, which no comparison depends on.
fn is_name(name: &str) -> bool {
    let starts = name
        .chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_');
    starts
        && name
            .chars()
            .all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'))
}

/// Prefix and local part.
fn split(name: &str) -> Option<(&str, &str)> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    (prefix.is_none_or(is_name) && is_name(local)).then_some((prefix.unwrap_or_default(), local))
}

/// The tree so far.
#[derive(Default)]
struct Building {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Building {
    fn open(&mut self, start: &BytesStart<'_>) -> Option<()> {
        self.elements += 1;
        if self.root.is_some() || self.open.len() >= DEPTH_MAX || self.elements > ELEMENTS_MAX {
            return None;
        }
        let element = self.element(start)?;
        self.open.push(element);
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        let element = self.open.pop()?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
        Some(())
    }

    /// Text outside the root element can only be white space.
    fn text(&mut self, text: &str) -> Option<()> {
        if !allowed(text) {
            return None;
        }
        let Some(element) = self.open.last_mut() else {
            return text.trim_ascii().is_empty().then_some(());
        };
        match element.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => element.children.push(Node::Text(text.to_owned())),
        }
        Some(())
    }

    fn element(&self, start: &BytesStart<'_>) -> Option<Element> {
        let mut declared: Vec<(String, String)> = Vec::new();
        let mut attributes: Vec<Attribute> = Vec::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            if declared.len() + attributes.len() >= ATTRIBUTES_MAX || attribute.value.contains('<') {
                return None;
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            let value = allowed(&value).then(|| value.into_owned())?;
            let (prefix, local) = split(attribute.key.0)?;
            if let Some(bound) = declares(prefix, local, &value)? {
                if declared.iter().any(|(known, _)| known == bound) {
                    return None;
                }
                declared.push((bound.to_owned(), value));
                continue;
            }
            attributes.push(Attribute {
                prefix: prefix.to_owned(),
                local: local.to_owned(),
                namespace: String::new(),
                value,
            });
        }
        for attribute in &mut attributes {
            // The default namespace is not one of attributes.
            if !attribute.prefix.is_empty() {
                attribute.namespace = self.resolve(&declared, &attribute.prefix)?;
            }
        }
        let double = attributes.iter().enumerate().any(|(place, one)| {
            let mut before = attributes.iter().take(place);
            before.any(|other| other.local == one.local && other.namespace == one.namespace)
        });
        let name = start.name();
        let (prefix, local) = split(name.0)?;
        let namespace = self.resolve(&declared, prefix)?;
        (!double && prefix != "xmlns").then(|| Element {
            prefix: prefix.to_owned(),
            local: local.to_owned(),
            namespace,
            declared,
            attributes,
            children: Vec::new(),
        })
    }

    /// The namespace of a prefix; `None` if nothing declares it.
    fn resolve(&self, declared: &[(String, String)], prefix: &str) -> Option<String> {
        if prefix == "xml" {
            return Some(XML.to_owned());
        }
        let outer = self.open.iter().rev().map(|element| element.declared.as_slice());
        let found = std::iter::once(declared)
            .chain(outer)
            .find_map(|declared| declared.iter().find(|(known, _)| known == prefix))
            .map(|(_, namespace)| namespace.clone());
        found.or_else(|| prefix.is_empty().then(String::new))
    }
}

/// The prefix that an attribute declares, `Some(None)` for an ordinary attribute, `None` for a forbidden declaration (Namespaces in
/// XML 1.0, sections 3 and 5).
fn declares<'a>(prefix: &str, local: &'a str, value: &str) -> Option<Option<&'a str>> {
    let bound = match (prefix, local) {
        ("", "xmlns") => "",
        ("xmlns", bound) => bound,
        _ => return Some(None),
    };
    let reserved = bound == "xmlns" || value == XMLNS || (bound == "xml") != (value == XML);
    let emptied = !bound.is_empty() && value.is_empty();
    (!reserved && !emptied).then_some(Some(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_on_behind_comments_and_sections() {
        let root = parse("<a>one<!-- x -->&amp;<![CDATA[<two>]]>&#x33;</a>").unwrap();
        assert_eq!(root.text().unwrap(), "one&<two>3");
    }

    #[test]
    fn namespaces_are_resolved_where_they_stand() {
        let root =
            parse(r#"<a xmlns="u:a" xmlns:p="u:p"><p:b q="1" p:q="2" xmlns:p="u:other"/><b xmlns=""/></a>"#)
                .unwrap();
        assert!(root.is("u:a", "a"));
        let children: Vec<_> = root.elements().collect();
        assert!(children[0].is("u:other", "b") && children[1].is("", "b"));
        assert_eq!(children[0].attribute("q"), Some("1"));
        assert_eq!(children[0].attributes[1].namespace, "u:other");
    }

    /// What expands, fetches, hides or confuses is no document.
    #[test]
    fn what_is_not_taken() {
        let deep = "<a>".repeat(65) + &"</a>".repeat(65);
        let wide = format!(
            "<a{}/>",
            (0..65).map(|n| format!(" a{n}='x'")).collect::<String>()
        );
        for text in [
            r#"<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>"#,
            "<!DOCTYPE a><a/>",
            r#"<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>"#,
            "<a>&x;</a>",
            "<a b='&x;'/>",
            "<?php x?><a/>",
            "<a/><a/>",
            "<a/>text",
            "text<a/>",
            "<a>",
            "<a></b>",
            "<p:a/>",
            "<a p:b='1'/>",
            "<a b='1' b='2'/>",
            r#"<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>"#,
            r#"<a xmlns:xml="u"/>"#,
            r#"<a xmlns:p=""/>"#,
            "<a b='<'/>",
            "<a>\u{1}</a>",
            "<a>&#1;</a>",
            "<?xml version=\"1.1\"?><a/>",
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>",
            "",
            &deep,
            &wide,
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
