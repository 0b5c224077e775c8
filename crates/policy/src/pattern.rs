//! Patterns with wildcards and policy variables, compiled once and matched without allocation.
//!
//! The matcher keeps a single mark (the last `*`), so its work is bounded by the product of the two lengths
//! and no pattern can make it explode.

use crate::context::{Context, fold_hash};

/// What is special in the source of a pattern.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    pub(crate) wildcards: bool,
    pub(crate) variables: bool,
}

impl Syntax {
    pub(crate) const WILDCARDS: Self = Self {
        wildcards: true,
        variables: false,
    };
}

/// How letters are compared; folding is that of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Folded,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pattern {
    Any,
    Exact(Box<str>),
    /// A literal followed by one `*`: the most frequent shape after the exact one.
    Prefix(Box<str>),
    Pieces(Box<[Piece]>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Text(Box<str>),
    Star,
    One,
    Variable {
        key: Box<str>,
        hash: u64,
        default: Option<Box<str>>,
    },
}

impl Piece {
    fn written(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Star => "*".to_owned(),
            Self::One => "?".to_owned(),
            Self::Variable {
                key, default: None, ..
            } => format!("${{{key}}}"),
            Self::Variable {
                key,
                default: Some(default),
                ..
            } => format!("${{{key}, '{default}'}}"),
        }
    }
}

impl Pattern {
    /// The pattern as a policy would write it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Exact(text) => text.to_string(),
            Self::Prefix(text) => format!("{text}*"),
            Self::Pieces(pieces) => pieces.iter().map(Piece::written).collect(),
        }
    }

    pub(crate) fn compile(source: &str, syntax: Syntax) -> Self {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(next) = rest.chars().next() {
            let special = match next {
                '*' if syntax.wildcards => Some((Piece::Star, 1)),
                '?' if syntax.wildcards => Some((Piece::One, 1)),
                '$' if syntax.variables => variable(rest),
                _ => None,
            };
            let taken = match special {
                Some((Piece::Text(literal), length)) => {
                    text.push_str(&literal);
                    length
                }
                Some((piece, length)) => {
                    flush(&mut pieces, &mut text);
                    // `**` says no more than `*`.
                    if !(piece == Piece::Star && pieces.last() == Some(&Piece::Star)) {
                        pieces.push(piece);
                    }
                    length
                }
                None => {
                    text.push(next);
                    next.len_utf8()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        flush(&mut pieces, &mut text);
        Self::simplified(pieces)
    }

    pub(crate) fn matches(&self, text: &str, context: &Context, case: Case) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => match case {
                Case::Sensitive => **exact == *text,
                Case::Folded => exact.eq_ignore_ascii_case(text),
            },
            Self::Prefix(prefix) => begins(text.as_bytes(), prefix, case),
            Self::Pieces(pieces) => walk(pieces, text.as_bytes(), context, case),
        }
    }

    /// The pattern with its variables replaced, for showing; `None` if one has no value.
    pub(crate) fn resolved(&self, context: &Context) -> Option<String> {
        match self {
            Self::Any => Some("*".to_owned()),
            Self::Exact(text) => Some(text.to_string()),
            Self::Prefix(text) => Some(format!("{text}*")),
            Self::Pieces(pieces) => pieces.iter().map(|piece| piece.literal(context)).collect(),
        }
    }

    fn simplified(pieces: Vec<Piece>) -> Self {
        match pieces.as_slice() {
            [] => Self::Exact("".into()),
            [Piece::Star] => Self::Any,
            [Piece::Text(text)] => Self::Exact(text.clone()),
            [Piece::Text(text), Piece::Star] => Self::Prefix(text.clone()),
            _ => Self::Pieces(pieces.into()),
        }
    }
}

impl Piece {
    fn literal<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Star => Some("*"),
            Self::One => Some("?"),
            Self::Variable { key, hash, default } => context.single(*hash, key).or(default.as_deref()),
        }
    }
}

fn flush(pieces: &mut Vec<Piece>, text: &mut String) {
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text).into()));
    }
}

/// Reads `${key}`, `${key, 'default'}`, `${*}`, `${?}` or `${$}` at the start of `source`; returns the piece and
/// its length in bytes. Whatever else begins with `$` is ordinary text.
///
/// Source: IAM User Guide, "IAM policy elements: Variables and tags".
fn variable(source: &str) -> Option<(Piece, usize)> {
    let inner = source.strip_prefix("${")?;
    let end = inner.find('}')?;
    let body = inner.get(..end)?;
    let length = end + 3;
    if matches!(body, "*" | "?" | "$") {
        return Some((Piece::Text(body.into()), length));
    }
    let (key, default) = match body.split_once(',') {
        None => (body, None),
        Some((key, quoted)) => {
            let default = quoted
                .trim()
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''));
            (key, default.map(Box::from))
        }
    };
    let key = key.trim();
    Some((
        Piece::Variable {
            key: key.into(),
            hash: fold_hash(key),
            default,
        },
        length,
    ))
}

fn walk(pieces: &[Piece], text: &[u8], context: &Context, case: Case) -> bool {
    let mut piece_at = 0;
    let mut rest = text;
    // Where to go on when the guess about the last `*` was wrong: the piece after it, and the text from there.
    let mut mark: Option<(usize, &[u8])> = None;
    loop {
        let step = match pieces.get(piece_at) {
            Some(Piece::Star) => {
                if piece_at + 1 == pieces.len() {
                    return true;
                }
                mark = Some((piece_at + 1, rest));
                Some(rest)
            }
            Some(Piece::One) => after_one(rest),
            Some(piece) => match piece.literal(context) {
                None => return false,
                Some(literal) if begins(rest, literal, case) => rest.get(literal.len()..),
                Some(_) => None,
            },
            None if rest.is_empty() => return true,
            None => None,
        };
        match (step, mark) {
            (Some(after), _) => {
                rest = after;
                piece_at += 1;
            }
            (None, Some((after_star, from))) => {
                let Some(shorter) = after_one(from) else {
                    return false;
                };
                mark = Some((after_star, shorter));
                piece_at = after_star;
                rest = shorter;
            }
            (None, None) => return false,
        }
    }
}

/// The text after its first character (UTF-8); `None` at the end.
fn after_one(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = text.split_first()?;
    let continued = rest.iter().take_while(|byte| **byte & 0xC0 == 0x80).count();
    rest.get(continued..)
}

fn begins(text: &[u8], prefix: &str, case: Case) -> bool {
    match (case, text.get(..prefix.len())) {
        (_, None) => false,
        (Case::Sensitive, Some(head)) => head == prefix.as_bytes(),
        (Case::Folded, Some(head)) => head.eq_ignore_ascii_case(prefix.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Syntax = Syntax {
        wildcards: true,
        variables: true,
    };

    fn matches(pattern: &str, text: &str) -> bool {
        let context = Context::new().with("aws:username", "martha").with("s3:x", "a*b");
        Pattern::compile(pattern, ALL).matches(text, &context, Case::Sensitive)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("a*", "a", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*b*", "abc", true),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a??c", "aéc", false),
            ("a?c", "ac", false),
            ("**a", "ba", true),
            ("a", "A", false),
            ("", "", true),
            ("", "a", false),
            ("*é?", "xéz", true),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn variables_stand_for_the_value_and_never_for_a_wildcard() {
        for (pattern, text, wanted) in [
            ("home/${aws:username}/*", "home/martha/x", true),
            ("home/${AWS:UserName}/*", "home/nikki/x", false),
            ("${s3:x}", "a*b", true),
            ("${s3:x}", "aXb", false),
            ("${*}", "*", true),
            ("${*}", "x", false),
            ("a${?}${$}", "a?$", true),
            ("*${aws:absent}*", "anything", false),
            ("b-${aws:absent, 'company-wide'}", "b-company-wide", true),
            ("b-${aws:username, 'company-wide'}", "b-martha", true),
            ("$5", "$5", true),
            ("${unclosed", "${unclosed", true),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    // Exponential matchers need minutes for this one; it is here to hang if the matcher becomes one.
    #[test]
    fn hostile_patterns_stay_cheap() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!matches(&pattern, &"a".repeat(4000)));
    }
}
