//! Policy documents of a seed: JSON text, or the same written as YAML, which becomes JSON in the order of the file.
//!
//! Invariant: each value of a document that was written as YAML keeps its place, so that a refusal can point at it.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

/// A place in the file: line and column, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self {
            line: location.line(),
            column: location.column(),
        }
    }
}

/// Where a value of the file stands; behind an alias, where it was written.
pub(crate) fn place<T>(value: &Spanned<T>) -> Place {
    value.defined.into()
}

/// A policy document, as the API takes it.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) text: String,
    /// Byte offsets in `text` and the places that these parts came from, ascending; empty for text that was given as JSON.
    places: Vec<(usize, Place)>,
}

impl Document {
    /// The place of the part that an error points at, if it is known, and what is wrong.
    pub(crate) fn refusal(&self, error: &policy::Error) -> (Option<Place>, String) {
        let code = "MalformedPolicyDocument";
        if self.places.is_empty() {
            return (None, format!("{code}: {}", error.located()));
        }
        let before = self
            .places
            .iter()
            .take_while(|(offset, _)| *offset <= error.position().offset);
        let detail = error
            .detail()
            .map(|detail| format!(" ({detail})"))
            .unwrap_or_default();
        (
            before.last().map(|(_, place)| *place),
            format!("{code}: {error}{detail}"),
        )
    }

    /// Whether another document means the same as JSON, whatever its spaces and the order of its members.
    pub(crate) fn equals(&self, other: &str) -> bool {
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        self.text == other
            || read(&self.text).is_some_and(|own| read(other).is_some_and(|other| own == other))
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut document = Self {
            text: String::new(),
            places: Vec::new(),
        };
        match Node::deserialize(deserializer)? {
            Node::Text(text) => document.text = text,
            node => document.write(&node),
        }
        Ok(document)
    }
}

impl Document {
    fn write(&mut self, node: &Node) {
        match node {
            Node::Null => self.text.push_str("null"),
            Node::Text(text) => self.write_text(text),
            Node::List(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.text.push(',');
                    }
                    self.write_placed(item);
                }
                self.text.push(']');
            }
            Node::Map(members) => {
                self.text.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        self.text.push(',');
                    }
                    self.places.push((self.text.len(), place(name)));
                    self.write_text(&name.value);
                    self.text.push(':');
                    self.write_placed(value);
                }
                self.text.push('}');
            }
        }
    }

    fn write_placed(&mut self, node: &Spanned<Node>) {
        self.places.push((self.text.len(), place(node)));
        self.write(&node.value);
    }

    fn write_text(&mut self, text: &str) {
        self.text.push_str(&Value::from(text).to_string());
    }
}

/// A value of a document. The policy language knows no numbers and truth values of its own: they are text there.
enum Node {
    Null,
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a policy document")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, _value: f64) -> Result<Node, E> {
        // Its spelling is lost here, and policies compare text.
        Err(E::custom("this number must be in quotes"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Document {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn yaml_becomes_json_in_the_order_of_the_file() {
        let document =
            read("Version: 2012-10-17\nStatement:\n- Sid: ~\n  Effect: Allow\n  Action: [a, true, 7]\n");
        assert_eq!(
            document.text,
            r#"{"Version":"2012-10-17","Statement":[{"Sid":null,"Effect":"Allow","Action":["a","true","7"]}]}"#
        );
    }

    #[test]
    fn json_text_stays_as_it_is() {
        let document = read("'{ \"Version\" : 1 }'");
        assert_eq!(document.text, "{ \"Version\" : 1 }");
        assert!(document.equals("{\"Version\":1}") && !document.equals("{\"Version\":2}"));
    }
}
