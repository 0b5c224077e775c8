//! XML bodies as a tree of elements.
//!
//! Invariant: no document type is taken and no entity but the five predefined ones is resolved, so nothing expands;
//! nesting and attributes are bounded.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::Fault;

use super::{DEPTH_MAX, malformed};

/// More attributes than any AWS element has.
const ATTRIBUTES_MAX: usize = 32;

/// One element.
#[derive(Default)]
pub(super) struct Element {
    /// With its prefix.
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    /// All text directly within, entities resolved.
    pub(super) text: String,
}

impl Element {
    /// Whether the element has this name, with or without its prefix.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name || self.name.split_once(':').is_some_and(|(_, local)| local == name)
    }
}

/// Reads a body's root element. `None` for a body without one.
pub(super) fn parse(body: &[u8]) -> Result<Option<Element>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("The request body is not UTF-8"))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|_| broken())?;
        match event {
            Event::Start(start) => {
                if root.is_some() || open.len() > DEPTH_MAX as usize {
                    return Err(broken());
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => {
                let element = element(&start)?;
                close(element, &mut open, &mut root)?;
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(broken)?;
                close(element, &mut open, &mut root)?;
            }
            Event::Text(text) => add(&text.xml10_content(), &mut open)?,
            Event::CData(text) => add(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().map_err(|_| broken())? {
                    Some(character) => character,
                    None => predefined(&reference).ok_or_else(broken)?,
                };
                add(resolved.encode_utf8(&mut [0; 4]), &mut open)?;
            }
            Event::DocType(_) => return Err(broken()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if open.is_empty() => return Ok(root),
            Event::Eof => return Err(broken()),
        }
    }
}

fn broken() -> Fault {
    malformed("The XML you provided was not well-formed or did not validate against our published schema")
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, Fault> {
    let mut attributes = Vec::new();
    // Without the check for doubles, which costs the square of their number; the count is bounded instead.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| broken())?;
        if attributes.len() >= ATTRIBUTES_MAX {
            return Err(broken());
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| broken())?;
        attributes.push((attribute.key.0.to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: start.name().0.to_owned(),
        attributes,
        ..Element::default()
    })
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), Fault> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err(broken()),
    }
    Ok(())
}

/// Text outside the root element can only be white space.
fn add(text: &str, open: &mut [Element]) -> Result<(), Fault> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(broken()),
    }
    Ok(())
}
