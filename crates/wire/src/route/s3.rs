//! S3's table: what a request is done to (nothing, a bucket, an object), and which sub-resource of it.
//!
//! S3 has few paths and many operations, which the names in the query tell apart, and keys that are paths of their own: a trailing
//! slash, empty segments and dots belong to them. Invariant: a sub-resource that the method does not have is refused; it never
//! becomes an operation on the bucket or object as a whole.

use std::collections::{BTreeSet, HashMap};

use super::rest::{QueryNames, needs};
use crate::model::{Location, Operation, Segment, Service};
use crate::per_service::PerService;
use crate::protocol::Parts;

static TABLES: PerService<Table> = PerService::new();

/// What a request is done to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    Service,
    Bucket,
    Object,
}

struct Table {
    entries: HashMap<(&'static str, Target), Vec<Entry>>,
    /// Paths that are no names, by method and path.
    fixed: HashMap<(&'static str, &'static str), &'static Operation>,
    /// The names of sub-resources.
    subresources: HashMap<Target, BTreeSet<&'static str>>,
}

struct Entry {
    operation: &'static Operation,
    literals: Vec<(&'static str, &'static str)>,
    needs: Vec<(Location, &'static str)>,
}

impl Table {
    fn of(service: &'static Service) -> Self {
        let (mut entries, mut subresources) = (HashMap::new(), HashMap::new());
        let mut fixed = HashMap::new();
        for operation in &service.operations {
            let target = match operation.uri.segments.as_slice() {
                [] | [Segment::Literal("")] => Target::Service,
                [Segment::Label(_)] | [Segment::Label(_), Segment::Literal("")] => Target::Bucket,
                [Segment::Label(_), Segment::Greedy(_)] => Target::Object,
                [Segment::Literal(text)] => {
                    fixed.insert((operation.method, *text), operation);
                    continue;
                }
                _ => continue,
            };
            let literals: Vec<_> = operation
                .uri
                .query
                .iter()
                .filter(|(name, _)| *name != "x-id")
                .map(|(name, value)| (*name, *value))
                .collect();
            let known: &mut BTreeSet<_> = subresources.entry(target).or_default();
            known.extend(literals.iter().map(|(name, _)| *name));
            let list: &mut Vec<_> = entries.entry((operation.method, target)).or_default();
            list.push(Entry {
                operation,
                literals,
                needs: needs(service, operation),
            });
        }
        Self {
            entries,
            fixed,
            subresources,
        }
    }
}

/// The operation that a request is for. `path` is in path style.
pub(super) fn find(service: &'static Service, parts: &Parts<'_>, path: &str) -> Option<&'static Operation> {
    let table = TABLES.get(service, Table::of);
    let path = path.strip_prefix('/').unwrap_or(path);
    if let Some(operation) = table.fixed.get(&(parts.method, path)) {
        return Some(operation);
    }
    let target = match path.split_once('/') {
        _ if path.is_empty() => Target::Service,
        None | Some((_, "")) => Target::Bucket,
        Some(("", _)) => return None,
        Some(_) => Target::Object,
    };
    let query = QueryNames::of(parts.query);
    let list = table.entries.get(&(parts.method, target))?;
    let mut best: Option<(&Entry, (usize, bool, usize))> = None;
    for entry in list {
        if !entry
            .literals
            .iter()
            .all(|(name, value)| query.has_value(name, value))
        {
            continue;
        }
        let satisfied = entry.needs.iter().all(|(location, name)| match location {
            Location::Header => parts.headers.contains_key(*name),
            _ => query.has(name),
        });
        // Where something is missing, the less demanding one says so.
        let needs = entry.needs.len();
        let rank = (
            entry.literals.len(),
            satisfied,
            if satisfied { needs } else { usize::MAX - needs },
        );
        let better = best.is_none_or(|(other, known)| {
            // A newer form of an operation has the older one's name and more (`…Configuration`).
            let newer = rank == known && entry.operation.name.starts_with(other.operation.name);
            rank > known || newer
        });
        if better {
            best = Some((entry, rank));
        }
    }
    let (entry, (literals, satisfied, _)) = best?;
    let stray = || {
        let known = table.subresources.get(&target);
        known.is_some_and(|known| known.iter().any(|name| query.has(name)))
    };
    if literals == 0 && (!satisfied || stray()) {
        return None;
    }
    Some(entry.operation)
}
