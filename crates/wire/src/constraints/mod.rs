//! The model's constraints, checked in one walk over a decoded input: required, length, range, pattern, enumeration.
//!
//! Invariant: every broken constraint is reported, in the model's order, with AWS's words; sensitive values are never
//! echoed, and the message is bounded. What the model does not constrain is left to the handlers.
//!
//! Source: AWS answers such as "1 validation error detected: Value 'x' at 'keyId' failed to satisfy constraint: …",
//! which services with and without query protocols share.

use std::fmt::{self, Write};
use std::sync::OnceLock;

use crate::model::Protocol;
use crate::model::{Kind, Member, Service, Shape, ShapeId};
use crate::per_service::PerService;
use crate::{Document, Fault};

mod own;
mod pattern;

use own::Reason;
pub use pattern::{Pattern, Unsupported};

/// Deeper than any input in use; decoders stop earlier.
const DEPTH_MAX: u32 = 128;
/// Violations that are spelled out; all are counted.
const VIOLATIONS_SHOWN_MAX: usize = 64;
/// Characters of a value that are echoed.
const ECHO_CHARS_MAX: usize = 4096;

static PATTERNS: PerService<Vec<OnceLock<Option<Pattern>>>> = PerService::new();

/// Checks a decoded input against its shape.
///
/// Errors: a validation fault that lists every violation.
pub fn check(service: &'static Service, shape: ShapeId, input: &Document) -> Result<(), Fault> {
    let patterns = PATTERNS.get(service, |service| {
        service.shapes.iter().map(|_| OnceLock::new()).collect()
    });
    let mut walk = Walk {
        service,
        patterns,
        count: 0,
        first: None,
        member: None,
        told: None,
        shown: Vec::new(),
    };
    walk.value(
        shape,
        false,
        input,
        &Path {
            parent: None,
            step: Step::Root,
        },
        0,
    );
    if walk.count == 0 {
        return Ok(());
    }
    if let Some(fault) = walk.first.and_then(|reason| own::fault(service, reason)) {
        return Err(fault);
    }
    if service.bare_errors {
        return Err(own::of_objects(service, shape, walk.member, &walk.shown));
    }
    if service.protocols.contains(&Protocol::Ec2Query) {
        let told = walk.told.unwrap_or_default();
        return Err(own::of_ec2(service, shape, walk.member, told));
    }
    let plural = if walk.count == 1 { "" } else { "s" };
    Err(Fault::validation(format!(
        "{} validation error{plural} detected: {}",
        walk.count,
        walk.shown.join("; ")
    )))
}

struct Walk {
    service: &'static Service,
    patterns: &'static [OnceLock<Option<Pattern>>],
    count: usize,
    /// What was broken first.
    first: Option<Reason>,
    /// The member of the input in which the first was broken.
    member: Option<&'static str>,
    /// The same for services that tell of one thing alone.
    told: Option<Told>,
    shown: Vec<String>,
}

/// The first that is broken.
#[derive(Default)]
struct Told {
    /// Where, from the member of the input on.
    path: String,
    /// The value, as far as it may be shown; none where there is no value.
    value: Option<String>,
    /// What it has to be; none where there has to be a value.
    constraint: Option<String>,
}

/// One thing that a value can break.
enum Constraint<'a> {
    LengthMin(f64),
    LengthMax(f64),
    Min(f64),
    Max(f64),
    Pattern(&'a str),
    Values(&'a [&'static str]),
}

impl Constraint<'_> {
    const fn reason(&self) -> Reason {
        match self {
            Self::LengthMin(_) => Reason::TooShort,
            Self::LengthMax(_) => Reason::TooLong,
            Self::Min(_) => Reason::TooSmall,
            Self::Max(_) => Reason::TooGreat,
            Self::Pattern(_) => Reason::Pattern,
            Self::Values(_) => Reason::Values,
        }
    }
}

impl fmt::Display for Constraint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMin(min) => write!(f, "Member must have length greater than or equal to {min}"),
            Self::LengthMax(max) => write!(f, "Member must have length less than or equal to {max}"),
            Self::Min(min) => write!(f, "Member must have value greater than or equal to {min}"),
            Self::Max(max) => write!(f, "Member must have value less than or equal to {max}"),
            Self::Pattern(pattern) => write!(f, "Member must satisfy regular expression pattern: {pattern}"),
            Self::Values(values) => write!(f, "Member must satisfy enum value set: [{}]", values.join(", ")),
        }
    }
}

/// Where the walk is, as a list on the stack, so that nothing is allocated unless something is broken.
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

impl Path<'_> {
    /// The member of the input that the place is in.
    fn member(&self) -> Option<&'static str> {
        let above = self.parent.and_then(Path::member);
        above.or(match self.step {
            Step::Member(name) => Some(name),
            _ => None,
        })
    }
}

enum Step<'a> {
    Root,
    Member(&'static str),
    /// Counted from one.
    Item(usize),
    Key(&'a str),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            if !matches!(parent.step, Step::Root) {
                f.write_char('.')?;
            }
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Member(name) => f.write_str(&lower_first(name)),
            Step::Item(number) => write!(f, "{number}.member"),
            Step::Key(key) => key.chars().take(128).try_for_each(|letter| f.write_char(letter)),
        }
    }
}

/// The name as AWS's messages and records spell it: `KeyId` is `keyId`, `MFADevice` is `mFADevice`.
pub(crate) fn lower_first(name: &str) -> String {
    let mut lowered = name.to_owned();
    if let Some(first) = lowered.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    lowered
}

impl Walk {
    fn value(&mut self, id: ShapeId, sensitive: bool, value: &Document, path: &Path<'_>, depth: u32) {
        let service = self.service;
        let Some(shape) = service.shape(id) else { return };
        let sensitive = sensitive || shape.sensitive;
        if depth > DEPTH_MAX {
            return self.report(None, path, &"Member must not be nested as deeply");
        }
        match (&shape.kind, value) {
            (_, Document::Null | Document::Stream) => {}
            (Kind::Structure(structure), Document::Structure(members)) => {
                if structure.union && members.len() != 1 {
                    self.report(
                        Some((value, sensitive)),
                        path,
                        &"Member must have exactly one member set",
                    );
                }
                for member in &structure.members {
                    let path = Path {
                        parent: Some(path),
                        step: Step::Member(member.name),
                    };
                    match value.member(member.name) {
                        Some(Document::Null) | None if member.required => self.null(&path),
                        Some(inner) => self.value(
                            member.shape,
                            sensitive || member.sensitive,
                            inner,
                            &path,
                            depth + 1,
                        ),
                        None => {}
                    }
                }
            }
            (Kind::List { member, sparse, .. }, Document::List(items)) => {
                self.length(shape, items.len(), sensitive, value, path);
                self.list(member, *sparse, items, sensitive, value, path, depth);
            }
            (
                Kind::Map {
                    key,
                    value: member,
                    sparse,
                    ..
                },
                Document::Map(entries),
            ) => {
                self.length(shape, entries.len(), sensitive, value, path);
                self.map((key, member), *sparse, entries, sensitive, value, path, depth);
            }
            _ => {
                for constraint in self.broken(id, shape, value) {
                    self.first.get_or_insert(constraint.reason());
                    self.report(Some((value, sensitive)), path, &constraint);
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the walk's place is five values, and a struct of them would be used once"
    )]
    fn list(
        &mut self,
        member: &'static Member,
        sparse: bool,
        items: &[Document],
        sensitive: bool,
        whole: &Document,
        path: &Path<'_>,
        depth: u32,
    ) {
        let service = self.service;
        let Some(shape) = service.shape(member.shape) else {
            return;
        };
        let sensitive = sensitive || member.sensitive;
        if is_leaf(&shape.kind) {
            // AWS reports a list of simple values once, with all constraints of its member.
            if items
                .iter()
                .any(|item| !self.broken(member.shape, shape, item).is_empty())
            {
                let all = format!("Member must satisfy constraint: {}", bracketed(shape));
                self.first.get_or_insert(Reason::ListMember);
                self.report(Some((whole, sensitive || shape.sensitive)), path, &all);
            }
        }
        for (index, item) in items.iter().enumerate() {
            let path = Path {
                parent: Some(path),
                step: Step::Item(index + 1),
            };
            match item {
                Document::Null if !sparse => self.null(&path),
                _ if is_leaf(&shape.kind) => {}
                _ => self.value(member.shape, sensitive, item, &path, depth + 1),
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the walk's place is five values, and a struct of them would be used once"
    )]
    fn map(
        &mut self,
        (key, member): (&'static Member, &'static Member),
        sparse: bool,
        entries: &[(String, Document)],
        sensitive: bool,
        whole: &Document,
        path: &Path<'_>,
        depth: u32,
    ) {
        let service = self.service;
        let (Some(key_shape), Some(shape)) = (service.shape(key.shape), service.shape(member.shape)) else {
            return;
        };
        let hidden = sensitive || key.sensitive || key_shape.sensitive || member.sensitive || shape.sensitive;
        if entries
            .iter()
            .any(|(text, _)| !self.broken_text(key.shape, key_shape, text).is_empty())
        {
            self.first.get_or_insert(Reason::ListMember);
            let all = format!("Map keys must satisfy constraint: {}", bracketed(key_shape));
            self.report(Some((whole, hidden)), path, &all);
        }
        let leaf = is_leaf(&shape.kind);
        if leaf
            && entries
                .iter()
                .any(|(_, item)| !self.broken(member.shape, shape, item).is_empty())
        {
            self.first.get_or_insert(Reason::ListMember);
            let all = format!("Map value must satisfy constraint: {}", bracketed(shape));
            self.report(Some((whole, hidden)), path, &all);
        }
        for (text, item) in entries {
            let path = Path {
                parent: Some(path),
                step: Step::Key(if hidden { "*" } else { text }),
            };
            match item {
                Document::Null if !sparse => self.null(&path),
                _ if leaf => {}
                _ => self.value(
                    member.shape,
                    sensitive || member.sensitive,
                    item,
                    &path,
                    depth + 1,
                ),
            }
        }
    }

    fn length(&mut self, shape: &Shape, length: usize, sensitive: bool, value: &Document, path: &Path<'_>) {
        for constraint in bounds(shape, length) {
            self.first.get_or_insert(constraint.reason());
            self.report(Some((value, sensitive)), path, &constraint);
        }
    }

    /// The constraints that a simple value breaks.
    fn broken(&self, id: ShapeId, shape: &'static Shape, value: &Document) -> Vec<Constraint<'static>> {
        match (&shape.kind, value) {
            (Kind::String { .. }, Document::String(text)) => self.broken_text(id, shape, text),
            (Kind::Blob, Document::Blob(bytes)) => bounds(shape, bytes.len()).collect(),
            #[expect(
                clippy::cast_precision_loss,
                reason = "no bound of a model needs more than 53 bits"
            )]
            (Kind::Integer(_), Document::Integer(number)) => range(shape, *number as f64),
            (Kind::Float(_), Document::Float(number)) => range(shape, *number),
            _ => Vec::new(),
        }
    }

    fn broken_text(&self, id: ShapeId, shape: &'static Shape, text: &str) -> Vec<Constraint<'static>> {
        let mut broken: Vec<Constraint<'static>> = match (shape.min, shape.max) {
            (None, None) => Vec::new(),
            // The length in characters is at most that in bytes, so most texts need no counting.
            (None, Some(max)) if size(text.len()) <= max => Vec::new(),
            _ => bounds(shape, text.chars().count()).collect(),
        };
        if let Some(source) = shape.pattern {
            let cell = usize::try_from(id.0)
                .ok()
                .and_then(|index| self.patterns.get(index));
            let compiled = cell.and_then(|cell| cell.get_or_init(|| Pattern::new(source).ok()).as_ref());
            if compiled.is_some_and(|pattern| !pattern.matches(text)) {
                broken.push(Constraint::Pattern(source));
            }
        }
        if let Kind::String { values } = &shape.kind
            && !values.is_empty()
            && !values.contains(&text)
        {
            broken.push(Constraint::Values(values));
        }
        broken
    }

    fn null(&mut self, path: &Path<'_>) {
        self.first.get_or_insert(Reason::Required);
        self.member = self.member.or_else(|| path.member());
        self.count += 1;
        self.told.get_or_insert_with(|| Told {
            path: path.to_string(),
            ..Told::default()
        });
        if self.shown.len() < VIOLATIONS_SHOWN_MAX {
            self.shown.push(format!(
                "Value null at '{path}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    /// Reports a violation by a value, which is echoed unless it is sensitive.
    fn report(&mut self, value: Option<(&Document, bool)>, path: &Path<'_>, constraint: &dyn fmt::Display) {
        self.member = self.member.or_else(|| path.member());
        self.count += 1;
        if self.shown.len() >= VIOLATIONS_SHOWN_MAX {
            return;
        }
        let echoed = match value {
            Some((value, false)) => {
                let mut echo = Echo {
                    text: String::new(),
                    left: ECHO_CHARS_MAX,
                };
                // An error says only that the bound is reached.
                let _ = echo.write(value, 0);
                format!(" '{}'", echo.text)
            }
            _ => String::new(),
        };
        self.told.get_or_insert_with(|| Told {
            path: path.to_string(),
            value: value.map(|_| echoed.trim_matches([' ', '\'']).to_owned()),
            constraint: Some(constraint.to_string()),
        });
        self.shown.push(format!(
            "Value{echoed} at '{path}' failed to satisfy constraint: {constraint}"
        ));
    }
}

const fn is_leaf(kind: &Kind) -> bool {
    !matches!(kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. })
}

/// A length as the model's bounds count.
fn size(length: usize) -> f64 {
    u32::try_from(length).map_or(f64::INFINITY, f64::from)
}

fn bounds(shape: &Shape, length: usize) -> impl Iterator<Item = Constraint<'static>> + use<> {
    let length = size(length);
    let max = shape.max.filter(|max| length > *max).map(Constraint::LengthMax);
    let min = shape.min.filter(|min| length < *min).map(Constraint::LengthMin);
    max.into_iter().chain(min)
}

fn range(shape: &Shape, number: f64) -> Vec<Constraint<'static>> {
    let max = shape.max.filter(|max| number > *max).map(Constraint::Max);
    let min = shape.min.filter(|min| number < *min).map(Constraint::Min);
    max.into_iter().chain(min).collect()
}

/// All constraints of a simple shape, as AWS lists them for members of lists and maps.
fn bracketed(shape: &Shape) -> String {
    let mut all: Vec<Constraint<'_>> = Vec::new();
    let numeric = matches!(shape.kind, Kind::Integer(_) | Kind::Float(_));
    all.extend(shape.max.map(if numeric {
        Constraint::Max
    } else {
        Constraint::LengthMax
    }));
    all.extend(shape.min.map(if numeric {
        Constraint::Min
    } else {
        Constraint::LengthMin
    }));
    all.extend(shape.pattern.map(Constraint::Pattern));
    if let Kind::String { values } = &shape.kind
        && !values.is_empty()
    {
        all.push(Constraint::Values(values));
    }
    format!(
        "[{}]",
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )
}

/// Writes a value as AWS's messages do, up to a bound.
struct Echo {
    text: String,
    left: usize,
}

impl Echo {
    fn write(&mut self, value: &Document, depth: u32) -> fmt::Result {
        match value {
            _ if depth > 8 => self.write_str("…"),
            Document::Boolean(flag) => write!(self, "{flag}"),
            Document::Integer(number) => write!(self, "{number}"),
            Document::Float(number) => write!(self, "{number}"),
            Document::String(text) => self.write_str(text),
            Document::Blob(bytes) => {
                write!(
                    self,
                    "java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]",
                    bytes.len()
                )
            }
            Document::Timestamp(at) => write!(self, "{}", at.seconds()),
            Document::Null => self.write_str("null"),
            Document::Stream => self.write_str("stream"),
            Document::List(items) => {
                self.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    self.write_str(if index == 0 { "" } else { ", " })?;
                    self.write(item, depth + 1)?;
                }
                self.write_char(']')
            }
            Document::Map(entries) => {
                self.write_char('{')?;
                for (index, (key, item)) in entries.iter().enumerate() {
                    self.write_str(if index == 0 { "" } else { ", " })?;
                    write!(self, "{key}=")?;
                    self.write(item, depth + 1)?;
                }
                self.write_char('}')
            }
            // A structure's members may be sensitive one by one, so none is shown.
            Document::Structure(_) => self.write_str("{…}"),
        }
    }
}

impl Write for Echo {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(letter);
        }
        Ok(())
    }
}
