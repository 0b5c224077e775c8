//! XML as a tree to compare: no namespaces' declarations, no white space between elements, siblings in any order
//! unless they have one name.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// One element.
#[derive(Clone, PartialEq, PartialOrd, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    fn order(&self) -> (&str, Vec<String>) {
        let entry = self.children.len() == 2;
        let content = |child: &Self| {
            if entry {
                format!("{child:?}")
            } else {
                String::new()
            }
        };
        (
            &self.name,
            self.children.iter().filter(|_| entry).map(content).collect(),
        )
    }

    /// Removes the children of a name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.children.retain(|child| child.name != name);
        self
    }
}

/// Reads a document.
pub(crate) fn parse(text: &str) -> Node {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(node(&start)),
            Event::Empty(start) => {
                let node = node(&start);
                open.last_mut().unwrap().children.push(node);
            }
            Event::End(_) => {
                let mut node = open.pop().unwrap();
                if !node.children.is_empty() || (node.text.contains('\n') && node.text.trim().is_empty()) {
                    node.text.clear();
                }
                // Both are UTC.
                if node.text.ends_with("+00:00") {
                    node.text = node.text.replace("+00:00", "Z");
                }
                // Elements of one name keep their order, unless they are a map's entries.
                node.children
                    .sort_by(|left, right| left.order().cmp(&right.order()));
                open.last_mut().unwrap().children.push(node);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().unwrap() {
                    Some(character) => character,
                    None => match &*reference {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        _ => '\'',
                    },
                };
                open.last_mut().unwrap().text.push(resolved);
            }
            Event::Eof => return open.pop().unwrap().children.pop().unwrap_or_default(),
            _ => {}
        }
    }
}

fn node(start: &quick_xml::events::BytesStart<'_>) -> Node {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        (attribute.key.0.to_owned(), attribute.value.into_owned())
    });
    Node {
        name: start.name().0.to_owned(),
        attributes: attributes
            .filter(|(name, _)| !name.starts_with("xmlns"))
            .collect(),
        ..Node::default()
    }
}
