//! Where in a document a finding is: the way through its elements, and the place in its text.
//!
//! Source: IAM Access Analyzer API Reference, "Location", "PathElement", "Position". Invariant: lines count from 1, columns and
//! offsets from 0, all in characters; a string's place includes its quotation marks.

use crate::{
    document::Span,
    json::{Member, Node},
};

/// A step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathElement {
    /// Into an array.
    Index(usize),
    /// To the name of a member.
    Key(String),
    /// To the value of a member.
    Value(String),
    /// To a part of a string, in characters.
    Substring {
        /// Where it begins.
        start: usize,
        /// How long it is.
        length: usize,
    },
}

/// A place in the text of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// From 1.
    pub line: usize,
    /// Characters, from 0.
    pub column: usize,
    /// Characters, from 0.
    pub offset: usize,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The way from the root.
    pub path: Vec<PathElement>,
    /// Its first character.
    pub start: Point,
    /// The character after its last.
    pub end: Point,
    /// The same in bytes of the text.
    pub span: Span,
}

/// A node and the way to it.
#[derive(Clone)]
pub(super) struct Spot<'a> {
    pub(super) path: Vec<PathElement>,
    pub(super) span: Span,
    pub(super) node: &'a Node,
}

/// A string and the way to it.
#[derive(Clone)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) spot: Spot<'a>,
}

impl<'a> Spot<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self {
            path: Vec::new(),
            span: node.span,
            node,
        }
    }

    fn to(&self, step: PathElement, span: Span, node: &'a Node) -> Self {
        let path = self.path.iter().cloned().chain([step]).collect();
        Self { path, span, node }
    }

    pub(super) fn value(&self, member: &'a Member) -> Self {
        let step = PathElement::Value(member.name.clone());
        self.to(step, member.node.span, &member.node)
    }

    pub(super) fn key(&self, member: &'a Member) -> Self {
        let step = PathElement::Key(member.name.clone());
        self.to(step, member.name_span, &member.node)
    }

    pub(super) fn index(&self, index: usize, node: &'a Node) -> Self {
        self.to(PathElement::Index(index), node.span, node)
    }
}

impl Text<'_> {
    /// A part of the string, of which `start` is a byte offset. Its place is exact unless the string has escapes.
    pub(super) fn part(&self, start: usize, length: usize) -> Spot<'_> {
        let before = self.text.get(..start).map_or(0, |text| text.chars().count());
        let part = self.text.get(start..start + length).unwrap_or_default();
        let step = PathElement::Substring {
            start: before,
            length: part.chars().count(),
        };
        let plain = self.spot.span.end - self.spot.span.start == self.text.len() + 2;
        let span = if plain {
            let start = self.spot.span.start + 1 + start;
            Span {
                start,
                end: start + length,
            }
        } else {
            self.spot.span
        };
        self.spot.to(step, span, self.spot.node)
    }
}

/// The lines of a text, so that a place costs no walk through it.
pub(super) struct Lines {
    starts: Vec<usize>,
    /// Characters before each byte; empty if all are ASCII.
    characters: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        let mut characters = Vec::new();
        if !text.is_ascii() {
            let mut count = 0;
            for byte in text.bytes() {
                characters.push(count);
                // Continuation bytes begin with 10.
                count += usize::from(byte & 0xC0 != 0x80);
            }
            characters.push(count);
        }
        Self { starts, characters }
    }

    fn before(&self, byte: usize) -> usize {
        let counted = self.characters.get(byte).or(self.characters.last());
        counted.copied().unwrap_or(byte)
    }

    pub(super) fn point(&self, byte: usize) -> Point {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let offset = self.before(byte);
        Point {
            line,
            column: offset - self.before(start),
            offset,
        }
    }

    pub(super) fn location(&self, spot: &Spot<'_>) -> Location {
        Location {
            path: spot.path.clone(),
            start: self.point(spot.span.start),
            end: self.point(spot.span.end),
            span: spot.span,
        }
    }
}
