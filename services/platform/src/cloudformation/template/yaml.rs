//! YAML as CloudFormation takes it: version 1.1's scalars, its own short forms of functions, and no aliases.
//!
//! Invariant: what is built is bounded by what was sent. Aliases, by which a short text grows without end, are refused.
//!
//! Source: CloudFormation User Guide, "CloudFormation template formats" and the short form of each intrinsic function.

use granit_parser::{Event, Options, Parser, ScalarStyle, Tag};
use pipeline::operation::Result;
use wire::Fault;

use super::value::{DEPTH_MAX, Value};

/// Functions that have a short form, by the name behind `!`.
const SHORT: [&str; 24] = [
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

/// Reads one document.
///
/// # Errors
/// `Template format error: YAML not well-formed.` with the place, and what CloudFormation says of aliases and of keys.
pub fn read(text: &str) -> Result<Value> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    let mut builder = Builder {
        open: Vec::new(),
        whole: None,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| malformed(error.marker().line(), error.marker().col()))?;
        let place = (span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, _, tag) => {
                let node = scalar(&text, style, tag.as_deref(), place)?;
                builder.close(node, place)?;
            }
            Event::SequenceStart(_, _, tag) => builder.begin(Open::list(), tag.as_deref(), place)?,
            Event::MappingStart(_, _, tag) => builder.begin(Open::map(), tag.as_deref(), place)?,
            Event::SequenceEnd | Event::MappingEnd => builder.end(place)?,
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return Err(Fault::validation(
                    "Template error: YAML aliases are not allowed in CloudFormation templates",
                ));
            }
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(malformed(place.0, place.1));
                }
            }
            _ => {}
        }
    }
    Ok(builder.whole.unwrap_or(Value::Null))
}

fn malformed(line: usize, column: usize) -> Fault {
    // The parser counts columns from zero, people from one.
    let column = column.saturating_add(1);
    Fault::validation(format!(
        "Template format error: YAML not well-formed. (line {line}, column {column})"
    ))
}

/// A list or map whose end has not come.
struct Open {
    node: Node,
    /// The function that its tag names.
    function: Option<String>,
}

enum Node {
    List(Vec<Value>),
    Map {
        members: Vec<(String, Value)>,
        key: Option<String>,
    },
}

impl Open {
    const fn list() -> Node {
        Node::List(Vec::new())
    }

    const fn map() -> Node {
        Node::Map {
            members: Vec::new(),
            key: None,
        }
    }
}

struct Builder {
    open: Vec<Open>,
    whole: Option<Value>,
}

impl Builder {
    fn begin(&mut self, node: Node, tag: Option<&Tag>, place: (usize, usize)) -> Result<()> {
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed(place.0, place.1));
        }
        let function = match tag {
            None => None,
            Some(tag) if tag.is_yaml_core_schema() && matches!(tag.core_suffix(), Some("map" | "seq")) => {
                None
            }
            Some(tag) => Some(function(tag, place)?),
        };
        self.open.push(Open { node, function });
        Ok(())
    }

    fn end(&mut self, place: (usize, usize)) -> Result<()> {
        let Some(open) = self.open.pop() else {
            return Err(malformed(place.0, place.1));
        };
        let value = match open.node {
            Node::List(items) => Value::List(items),
            Node::Map { members, .. } => Value::Map(members),
        };
        let value = match open.function {
            Some(name) => Value::Map(vec![(name, value)]),
            None => value,
        };
        self.close(Scalar { value, text: None }, place)
    }

    /// Puts a finished node where it belongs: it is an item, a key, the value of a key, or the whole.
    fn close(&mut self, node: Scalar, place: (usize, usize)) -> Result<()> {
        let Some(parent) = self.open.last_mut() else {
            self.whole = Some(node.value);
            return Ok(());
        };
        match &mut parent.node {
            Node::List(items) => items.push(node.value),
            Node::Map { members, key } => match key.take() {
                None => {
                    let Some(text) = node.text else {
                        let kind = if matches!(node.value, Value::List(_)) {
                            "list"
                        } else {
                            "map"
                        };
                        return Err(Fault::validation(format!(
                            "Template format error: map keys must be strings; received a {kind} instead"
                        )));
                    };
                    if members.iter().any(|(known, _)| *known == text) {
                        let (line, column) = (place.0, place.1.saturating_add(1));
                        return Err(Fault::validation(format!(
                            "Template format error: Duplicate key \"{text}\". (line {line}, column {column})"
                        )));
                    }
                    *key = Some(text);
                }
                Some(key) => members.push((key, node.value)),
            },
        }
        Ok(())
    }
}

/// A finished node. `text` is what it says as a key, if it can be one.
struct Scalar {
    value: Value,
    text: Option<String>,
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, place: (usize, usize)) -> Result<Scalar> {
    let plain = |text: &str| match style {
        ScalarStyle::Plain => resolved(text),
        _ => Value::text(text),
    };
    let Some(tag) = tag else {
        return Ok(Scalar {
            value: plain(text),
            text: Some(text.to_owned()),
        });
    };
    if tag.is_yaml_core_schema() {
        let value = match tag.core_suffix() {
            Some("str") => Value::text(text),
            Some("int" | "float" | "bool" | "null") => resolved(text),
            _ => return Err(unsupported(tag)),
        };
        return Ok(Scalar {
            value,
            text: Some(text.to_owned()),
        });
    }
    let name = function(tag, place)?;
    let argument = match name.as_str() {
        // These take names, whatever they look like.
        "Ref" | "Condition" | "Fn::Sub" | "Fn::ImportValue" | "Fn::GetAZs" => Value::text(text),
        "Fn::GetAtt" => match text.split_once('.') {
            Some((resource, attribute)) if !resource.is_empty() && !attribute.is_empty() => {
                Value::List(vec![Value::text(resource), Value::text(attribute)])
            }
            _ => {
                return Err(Fault::validation(
                    "Template error: if specifying one argument to Fn::GetAtt, that argument must be a non-empty \
                     string in format <LogicalId>.<Attribute>",
                ));
            }
        },
        _ => plain(text),
    };
    Ok(Scalar {
        value: Value::Map(vec![(name, argument)]),
        text: None,
    })
}

/// The full name of the function that a tag is short for.
fn function(tag: &Tag, _place: (usize, usize)) -> Result<String> {
    let (handle, suffix) = tag.original_parts();
    match (handle, suffix) {
        ("!", "Ref" | "Condition") => Ok(suffix.to_owned()),
        ("!", name) if SHORT.contains(&name) => Ok(format!("Fn::{name}")),
        _ => Err(unsupported(tag)),
    }
}

fn unsupported(tag: &Tag) -> Fault {
    let tag = tag.original();
    Fault::validation(format!("Template format error: YAML tag {tag} is not supported"))
}

/// What a plain scalar is, by YAML 1.1. Numbers that JSON would write otherwise (`007`, `1_000`, `0x1f`) stay the text that they are:
/// account numbers begin with zeros.
fn resolved(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::text(text),
    }
}

/// Whether JSON would take it as a number.
pub fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        read(text).ok().unwrap().to_json()
    }

    #[test]
    fn short_forms_are_the_functions_that_they_stand_for() {
        let text = "A: !Ref X\nB: !GetAtt X.Arn.More\nC: !Sub '${X}-1'\nD: !If [C, !Ref A, !Ref 'AWS::NoValue']\n\
                    E: !Join ['', [a, !Ref b]]\nF: !Base64\n  Fn::Sub: x\nG: !Equals [1, true]\nH: !Condition Z\n";
        assert_eq!(
            json(text),
            r#"{"A":{"Ref":"X"},"B":{"Fn::GetAtt":["X","Arn.More"]},"C":{"Fn::Sub":"${X}-1"},"D":{"Fn::If":["C",{"Ref":"A"},{"Ref":"AWS::NoValue"}]},"E":{"Fn::Join":["",["a",{"Ref":"b"}]]},"F":{"Fn::Base64":{"Fn::Sub":"x"}},"G":{"Fn::Equals":[1,true]},"H":{"Condition":"Z"}}"#
        );
    }

    #[test]
    fn plain_scalars_are_what_yaml_says_and_dates_and_account_numbers_stay_text() {
        let text = "Version: 2012-10-17\nAccount: 012345678901\nQuoted: '12'\nYes: yes\nInt: 12\nFloat: 1.50\n1: x\n";
        assert_eq!(
            json(text),
            r#"{"Version":"2012-10-17","Account":"012345678901","Quoted":"12","Yes":true,"Int":12,"Float":1.5,"1":"x"}"#
        );
        assert_eq!(
            read("A: 1.50").ok().unwrap().get("A"),
            Some(&Value::Number("1.50".to_owned()))
        );
    }

    fn refusal(text: &str) -> String {
        match read(text) {
            Ok(value) => panic!("read {}", value.to_json()),
            Err(fault) => fault.message,
        }
    }

    #[test]
    fn aliases_are_refused_so_no_text_grows() {
        let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
        assert_eq!(
            refusal(laughs),
            "Template error: YAML aliases are not allowed in CloudFormation templates"
        );
    }

    #[test]
    fn what_is_not_well_formed_is_told_with_its_place() {
        assert_eq!(
            refusal("A: [1, 2\nB: }"),
            "Template format error: YAML not well-formed. (line 2, column 2)"
        );
        assert!(refusal("A: !Nope x").contains("!Nope"));
        assert!(refusal("A: 1\nA: 2").contains("Duplicate key \"A\""));
        assert!(refusal("[a]: 1").contains("received a list"));
        assert!(refusal(&"[".repeat(1000)).contains("not well-formed"));
    }
}
