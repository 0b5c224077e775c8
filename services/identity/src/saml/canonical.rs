//! Exclusive XML Canonicalization 1.0 without comments (W3C Recommendation of 18 July 2002): the octets of an element that a
//! signature covers.
//!
//! Nothing is trusted because these octets are right. They are compared with what was signed by their digest, and whoever goes on
//! reads them and not the tree that they were made of; a mistake here refuses a good signature and admits no bad one.

use std::collections::BTreeMap;

use super::tree::{Attribute, Element, Node};

/// The canonical octets of `apex` below `ancestors` (outermost first), without its child `without`. `inclusive` lists the prefixes
/// that are rendered though unused, `#default` being the default namespace's.
pub(super) fn octets(
    apex: &Element,
    ancestors: &[&Element],
    without: Option<&Element>,
    inclusive: &[String],
) -> String {
    let mut writer = Writer {
        out: String::new(),
        inclusive,
        without,
        scope: Vec::new(),
        rendered: Vec::new(),
    };
    for ancestor in ancestors {
        writer.declare(ancestor);
    }
    writer.element(apex);
    writer.out
}

struct Writer<'a> {
    out: String,
    inclusive: &'a [String],
    without: Option<&'a Element>,
    /// Declarations in scope, the innermost last.
    scope: Vec<(&'a str, &'a str)>,
    /// Declarations that the output has in scope, the innermost last.
    rendered: Vec<(&'a str, &'a str)>,
}

fn last<'a>(scope: &[(&str, &'a str)], prefix: &str) -> Option<&'a str> {
    scope
        .iter()
        .rev()
        .find(|(known, _)| *known == prefix)
        .map(|(_, namespace)| *namespace)
}

impl<'a> Writer<'a> {
    fn declare(&mut self, element: &'a Element) {
        let declared = element
            .declared
            .iter()
            .map(|(prefix, namespace)| (prefix.as_str(), namespace.as_str()));
        self.scope.extend(declared);
    }

    fn element(&mut self, element: &'a Element) {
        let (scope, rendered) = (self.scope.len(), self.rendered.len());
        self.declare(element);
        self.out.push('<');
        name(&mut self.out, &element.prefix, &element.local);
        self.namespaces(element);
        let mut attributes: Vec<&Attribute> = element.attributes.iter().collect();
        attributes.sort_by(|one, two| (&one.namespace, &one.local).cmp(&(&two.namespace, &two.local)));
        for attribute in attributes {
            self.out.push(' ');
            name(&mut self.out, &attribute.prefix, &attribute.local);
            self.out.push_str("=\"");
            value(&mut self.out, &attribute.value);
            self.out.push('"');
        }
        self.out.push('>');
        for child in &element.children {
            match child {
                Node::Text(content) => text(&mut self.out, content),
                Node::Element(child) if self.without.is_some_and(|without| std::ptr::eq(without, child)) => {}
                Node::Element(child) => self.element(child),
            }
        }
        self.out.push_str("</");
        name(&mut self.out, &element.prefix, &element.local);
        self.out.push('>');
        self.scope.truncate(scope);
        self.rendered.truncate(rendered);
    }

    /// Declares what the element uses or the list includes, unless the output has it in scope.
    fn namespaces(&mut self, element: &'a Element) {
        let mut needed: BTreeMap<&str, &str> = BTreeMap::new();
        needed.insert(&element.prefix, &element.namespace);
        for attribute in &element.attributes {
            if !attribute.prefix.is_empty() {
                needed.insert(&attribute.prefix, &attribute.namespace);
            }
        }
        for prefix in self.inclusive {
            let prefix = if prefix == "#default" { "" } else { prefix };
            if let Some(namespace) = last(&self.scope, prefix) {
                needed.insert(prefix, namespace);
            }
        }
        // Always in scope, and never rendered.
        needed.remove("xml");
        for (prefix, namespace) in needed {
            if last(&self.rendered, prefix).unwrap_or_default() == namespace {
                continue;
            }
            self.rendered.push((prefix, namespace));
            self.out.push_str(" xmlns");
            if !prefix.is_empty() {
                self.out.push(':');
                self.out.push_str(prefix);
            }
            self.out.push_str("=\"");
            value(&mut self.out, namespace);
            self.out.push('"');
        }
    }
}

fn name(out: &mut String, prefix: &str, local: &str) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(local);
}

fn text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
}

fn value(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    fn whole(text: &str) -> String {
        octets(&parse(text).unwrap(), &[], None, &[])
    }

    /// The Recommendation's section 2.2: the same element in two contexts has the same octets.
    #[test]
    fn an_element_is_the_same_in_every_context() {
        let inner = r#"<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>"#;
        let one = r#"<n0:pdu xmlns:n0="http://a.example" xmlns:n1="http://example.net"><n1:elem2 xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n0:pdu>"#;
        let two = r#"<n2:pdu xmlns:n1="http://example.net" xmlns:n2="http://foo.example" xml:lang="fr" xml:space="retain"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n2:pdu>"#;
        for text in [one, two] {
            let root = parse(text).unwrap();
            let apex = root.elements().next().unwrap();
            assert_eq!(octets(apex, &[&root], None, &[]), inner);
        }
    }

    /// Canonical XML 1.0, section 3.3 and 3.4: attributes and declarations in order, references resolved, what must be is escaped.
    #[test]
    fn order_and_escapes_are_canonical() {
        assert_eq!(
            whole(r#"<a xmlns:b="u:2" xmlns:a="u:1" b:z='1' a:z="2" y='"'	x="&#10;&#13;&#9;&lt;>"/>"#),
            r#"<a xmlns:a="u:1" xmlns:b="u:2" x="&#xA;&#xD;&#x9;&lt;>" y="&quot;" a:z="2" b:z="1"></a>"#
        );
        assert_eq!(
            whole("<a>\r\n<![CDATA[<&]]>\"&gt;&#13;<!-- c --></a>"),
            "<a>\n&lt;&amp;\"&gt;&#xD;</a>"
        );
    }

    #[test]
    fn the_default_namespace_is_undone_only_where_it_was_rendered() {
        assert_eq!(
            whole(r#"<a xmlns="u"><b xmlns=""><c xmlns=""/></b></a>"#),
            r#"<a xmlns="u"><b xmlns=""><c></c></b></a>"#
        );
        assert_eq!(whole(r#"<a xmlns=""/>"#), "<a></a>");
    }

    #[test]
    fn listed_prefixes_are_rendered_though_unused() {
        let root =
            parse(r#"<r xmlns:xs="u:xs" xmlns="u:d"><p:a xmlns:p="u:p">xs:string<p:b/></p:a></r>"#).unwrap();
        let apex = root.elements().next().unwrap();
        assert_eq!(
            octets(apex, &[&root], None, &["xs".to_owned(), "#default".to_owned()]),
            r#"<p:a xmlns="u:d" xmlns:p="u:p" xmlns:xs="u:xs">xs:string<p:b></p:b></p:a>"#
        );
        assert_eq!(
            octets(apex, &[&root], None, &[]),
            r#"<p:a xmlns:p="u:p">xs:string<p:b></p:b></p:a>"#
        );
        let child = apex.elements().next();
        assert_eq!(
            octets(apex, &[&root], child, &[]),
            r#"<p:a xmlns:p="u:p">xs:string</p:a>"#
        );
    }
}
