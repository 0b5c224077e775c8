//! The REST protocols' table: method and path to operation, made once for a service.
//!
//! Invariant: the most specific pattern wins: literals before labels before greedy labels, from the left; then more
//! query literals. Patterns that are alike are told apart by the required headers and query parameters of their
//! inputs, as S3 tells `UploadPart` from `PutObject`.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use crate::model::{Kind, Location, Operation, Segment, Service};
use crate::per_service::PerService;
use crate::protocol::Parts;
use crate::sigv4::percent_decode;

static TABLES: PerService<Table> = PerService::new();

/// One service's patterns.
struct Table {
    /// By method and first literal segment; those that begin with a label, or have no segment, under the empty text.
    /// Each list holds the most specific first.
    entries: HashMap<&'static str, HashMap<&'static str, Vec<Entry>>>,
}

struct Entry {
    operation: &'static Operation,
    /// Without the empty last segment of a pattern that ends with a slash.
    segments: &'static [Segment],
    /// Header and query names that the input requires beside the pattern.
    needs: Vec<(Location, &'static str)>,
}

/// The operation that fits best among several services (more than one where they share a signing name).
pub(super) fn find(
    parts: &Parts<'_>,
    services: &[&'static Service],
) -> Option<(&'static Service, &'static Operation)> {
    let path: Vec<&str> = split(parts.path);
    let query = QueryNames::of(parts.query);
    let mut best: Option<(&'static Service, &'static Entry)> = None;
    for service in services {
        let table = TABLES.get(service, Table::of);
        let Some(entry) = table.find(parts, &path, &query) else {
            continue;
        };
        let better = best.is_none_or(|(_, other)| {
            let rank = |entry: &Entry| Reverse(entry.is_satisfied(parts, &query));
            rank(entry)
                .cmp(&rank(other))
                .then_with(|| specificity(entry, other))
                == Ordering::Less
        });
        if better {
            best = Some((service, entry));
        }
    }
    best.map(|(service, entry)| (service, entry.operation))
}

/// Segments of a raw path. A slash at the end adds none.
fn split(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Vec::new();
    }
    let mut segments: Vec<&str> = path.split('/').collect();
    if segments.last() == Some(&"") {
        segments.pop();
    }
    segments
}

/// The decoded names and values of a query string, as far as routing looks at them.
pub(super) struct QueryNames<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> QueryNames<'a> {
    pub(super) fn of(query: &'a str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).take(512);
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (percent_decode(name), percent_decode(value)))
                .collect(),
        )
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    pub(super) fn has_value(&self, name: &str, value: &str) -> bool {
        self.0
            .iter()
            .any(|(known, found)| known == name && (value.is_empty() || found == value))
    }
}

impl Table {
    fn of(service: &'static Service) -> Self {
        let mut entries: HashMap<&'static str, HashMap<&'static str, Vec<Entry>>> = HashMap::new();
        for operation in &service.operations {
            let segments = match operation.uri.segments.as_slice() {
                [rest @ .., Segment::Literal("")] => rest,
                all => all,
            };
            let first = match segments.first() {
                Some(Segment::Literal(text)) => text,
                _ => "",
            };
            let needs = needs(service, operation);
            let list = entries
                .entry(operation.method)
                .or_default()
                .entry(first)
                .or_default();
            list.push(Entry {
                operation,
                segments,
                needs,
            });
        }
        for list in entries.values_mut().flat_map(HashMap::values_mut) {
            list.sort_by(specificity);
        }
        Self { entries }
    }

    fn find(&self, parts: &Parts<'_>, path: &[&str], query: &QueryNames<'_>) -> Option<&Entry> {
        let first = path
            .first()
            .map(|segment| percent_decode(segment))
            .unwrap_or_default();
        let literal = if first.is_empty() {
            None
        } else {
            self.list(parts.method, &first, path, query, parts)
        };
        literal.or_else(|| self.list(parts.method, "", path, query, parts))
    }

    fn list(
        &self,
        method: &str,
        first: &str,
        path: &[&str],
        query: &QueryNames<'_>,
        parts: &Parts<'_>,
    ) -> Option<&Entry> {
        let list = self.entries.get(method)?.get(first)?;
        let at = list.iter().position(|entry| entry.matches(path, query))?;
        let mut rest = list.get(at..)?.iter();
        let mut best = rest.next()?;
        // Of those that are as specific, the one with most of what it needs, all of it there.
        for other in rest.take_while(|other| specificity(best, other) == Ordering::Equal) {
            if !other.matches(path, query) {
                continue;
            }
            let rank = |entry: &Entry| {
                let satisfied = entry.is_satisfied(parts, query);
                // Where neither has what it needs, the less demanding one says so.
                let needs = entry.needs.len();
                (satisfied, if satisfied { needs } else { usize::MAX - needs })
            };
            // A newer form of an operation has the older one's name and more (`…Configuration`).
            let newer = rank(other) == rank(best) && other.operation.name.starts_with(best.operation.name);
            if rank(other) > rank(best) || newer {
                best = other;
            }
        }
        Some(best)
    }
}

/// Header and query names that an operation's input requires.
pub(super) fn needs(
    service: &'static Service,
    operation: &'static Operation,
) -> Vec<(Location, &'static str)> {
    let shape = operation.input.and_then(|id| service.shape(id));
    let Some(Kind::Structure(structure)) = shape.map(|shape| &shape.kind) else {
        return Vec::new();
    };
    let members = structure.members.iter().filter(|member| member.required);
    members
        .filter_map(|member| {
            let location = member
                .location
                .filter(|at| matches!(at, Location::Header | Location::Query))?;
            Some((location, member.wire_name.unwrap_or(member.name)))
        })
        .collect()
}

impl Entry {
    fn matches(&self, path: &[&str], query: &QueryNames<'_>) -> bool {
        // Some models list a literal that clients add and servers need not see.
        let literals = self
            .operation
            .uri
            .query
            .iter()
            .filter(|(name, _)| *name != "x-id");
        matches_path(self.segments, path)
            && literals
                .into_iter()
                .all(|(name, value)| query.has_value(name, value))
    }

    fn is_satisfied(&self, parts: &Parts<'_>, query: &QueryNames<'_>) -> bool {
        self.needs.iter().all(|(location, name)| match location {
            Location::Header => parts.headers.contains_key(*name),
            _ => query.has(name),
        })
    }
}

fn matches_path(pattern: &[Segment], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((Segment::Literal(text), pattern)), Some((segment, path))) => {
            (text == segment || segment.contains('%') && percent_decode(segment) == *text)
                && matches_path(pattern, path)
        }
        (Some((Segment::Label(_), pattern)), Some((segment, path))) => {
            !segment.is_empty() && matches_path(pattern, path)
        }
        (Some((Segment::Greedy(_), pattern)), Some(_)) => {
            // The greedy label takes all but what the rest of the pattern needs.
            let Some(taken) = path.len().checked_sub(pattern.len()).filter(|taken| *taken > 0) else {
                return false;
            };
            let (greedy, rest) = path.split_at_checked(taken).unwrap_or((path, &[]));
            greedy.iter().any(|segment| !segment.is_empty()) && matches_path(pattern, rest)
        }
        _ => false,
    }
}

/// `Less`: the first is more specific.
fn specificity(first: &Entry, second: &Entry) -> Ordering {
    let rank = |segment: &Segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Label(_) => 1,
        Segment::Greedy(_) => 2,
    };
    let mut pairs = first.segments.iter().zip(second.segments);
    let differing = pairs.find_map(|(a, b)| Some(rank(a).cmp(&rank(b))).filter(|order| order.is_ne()));
    differing
        .unwrap_or(Ordering::Equal)
        .then_with(|| second.segments.len().cmp(&first.segments.len()))
        .then_with(|| {
            second
                .operation
                .uri
                .query
                .len()
                .cmp(&first.operation.uri.query.len())
        })
}
