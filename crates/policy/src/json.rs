//! A strict JSON reader that keeps the place of every value.
//!
//! It refuses what AWS refuses: comments, a byte order mark, duplicate keys, trailing text. Depth and size are
//! bounded, so that no document can exhaust the stack.

use crate::{
    document::Span,
    error::{Error, Fault},
};
use std::collections::BTreeSet;

/// Deeper than any policy (statement, condition, operator, key, values: six), and safe for the stack.
const DEPTH_MAX: usize = 32;
/// Many times the largest document that any AWS service takes (KMS key policies: 32 KiB).
pub(crate) const BYTES_MAX: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// The number as written.
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) node: Node,
}

pub(crate) fn read(text: &str) -> Result<Node, Error> {
    let mut reader = Reader { text, at: 0 };
    if text.len() > BYTES_MAX {
        return Err(reader.fault("the document is too large"));
    }
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.fault("text after the end of the document"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, Error> {
        if depth > DEPTH_MAX {
            return Err(self.fault("nested too deeply"));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(_) => return Err(self.fault("expected a value")),
            None => return Err(self.fault("the document ends too early")),
        };
        Ok(Node {
            value,
            span: Span { start, end: self.at },
        })
    }

    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        // A set, so that an object of very many members does not cost the square of their number.
        let mut names = BTreeSet::new();
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.fault("expected a member name in double quotes"));
            }
            let name = self.string()?;
            let name_span = Span { start, end: self.at };
            if !names.insert(name.clone()) {
                let detail = format!("the member \"{name}\" occurs twice");
                return Err(Error::new(self.text, start, Fault::Syntax(detail)));
            }
            self.space();
            if !self.take(b':') {
                return Err(self.fault("expected a colon"));
            }
            self.space();
            let node = self.value(depth + 1)?;
            members.push(Member {
                name,
                name_span,
                node,
            });
            self.space();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.fault("expected a comma or a closing brace"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        self.at += 1;
        let mut nodes = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::Array(nodes));
        }
        loop {
            self.space();
            nodes.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(Value::Array(nodes));
            }
            if !self.take(b',') {
                return Err(self.fault("expected a comma or a closing bracket"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(next) = rest.chars().next() else {
                return Err(self.fault("a string is not closed"));
            };
            match next {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                control if control < ' ' => return Err(self.fault("a control character within a string")),
                plain => {
                    self.at += plain.len_utf8();
                    out.push(plain);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let Some(letter) = self.peek() else {
            return Err(self.fault("a string is not closed"));
        };
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.fault("an unknown escape")),
        })
    }

    fn unicode(&mut self) -> Result<char, Error> {
        let high = self.four_digits()?;
        let code = if (0xD800..0xDC00).contains(&high) {
            if !(self.take(b'\\') && self.take(b'u')) {
                return Err(self.fault("half of a surrogate pair"));
            }
            let low = self.four_digits()?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err(self.fault("half of a surrogate pair"));
            }
            0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.fault("half of a surrogate pair"))
    }

    fn four_digits(&mut self) -> Result<u32, Error> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|text| u32::from_str_radix(text, 16).ok());
        let code = code.ok_or_else(|| self.fault("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Result<String, Error> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(self.text.get(start..self.at).unwrap_or_default().to_owned())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fault("expected a digit"))
        } else {
            Ok(())
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        if !self.text.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.at += 1;
        }
        here
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault(&self, detail: &str) -> Error {
        Error::new(self.text, self.at, Fault::Syntax(detail.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(text: &str) -> String {
        let error = read(text).unwrap_err();
        assert_eq!(error.to_string(), "Syntax errors in policy.");
        format!("{}: {}", error.position(), error.detail().unwrap())
    }

    #[test]
    fn strings_numbers_and_places() {
        let text = " {\"a\\u00e9\\ud83d\\ude00\\n\": [1, -2.5e3, true, null]} ";
        let node = read(text).unwrap();
        let Value::Object(members) = node.value else {
            panic!()
        };
        assert_eq!(members[0].name, "aé😀\n");
        let Value::Array(values) = &members[0].node.value else {
            panic!()
        };
        assert!(matches!(&values[1].value, Value::Number(text) if text == "-2.5e3"));
        assert_eq!(
            node.span,
            Span {
                start: 1,
                end: text.len() - 1
            }
        );
    }

    // S2.3: the sample with a missing comma and comments is refused, and the place is named.
    #[test]
    fn comments_and_missing_commas_are_refused() {
        assert_eq!(
            detail("{\n  \"Sid\": \"1\"\n  \"Effect\": \"Allow\"\n}"),
            "line 3, column 3: expected a comma or a closing brace"
        );
        assert_eq!(
            detail("{ // comment\n}"),
            "line 1, column 3: expected a member name in double quotes"
        );
        assert_eq!(detail("\u{feff}{}"), "line 1, column 1: expected a value");
        assert_eq!(
            detail("{\"a\":1,\"a\":2}"),
            "line 1, column 8: the member \"a\" occurs twice"
        );
        assert_eq!(
            detail("{} x"),
            "line 1, column 4: text after the end of the document"
        );
        assert_eq!(detail(""), "line 1, column 1: the document ends too early");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert!(detail(&"[".repeat(100_000)).ends_with("nested too deeply"));
        assert!(detail(&" ".repeat(BYTES_MAX + 1)).ends_with("the document is too large"));
    }
}
