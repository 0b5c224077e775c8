//! The walk over keys in their order, with common prefixes rolled up: one stretch of rows after another, and a leap over every
//! prefix that is told already.
//!
//! Invariant: what a walk reads depends on the page and on the prefixes in it, never on how many keys lie below a prefix or in the
//! bucket.

use pipeline::Result;

/// Rows of one kind in the order of their keys' bytes.
pub(crate) trait Rows {
    /// What a row is beside its key.
    type Item;

    /// Up to `limit` rows behind a position.
    fn next(&mut self, behind: &Position, limit: usize) -> Result<Vec<(Vec<u8>, Self::Item)>>;

    /// Where a row stands.
    fn position(&self, key: &[u8], item: &Self::Item) -> Position;
}

/// Where a walk goes on: behind everything up to here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Position {
    /// No key of a bucket: UTF-8 has no byte `0xff`, so that a prefix with one behind it stands behind all its keys.
    pub(crate) key: Vec<u8>,
    /// For several rows of one key: behind this one. `u64::MAX` is behind all of them.
    pub(crate) row: u64,
}

/// A byte that no UTF-8 has.
const BEYOND: u8 = 0xff;

impl Position {
    /// Behind a key, and all rows of it.
    pub(crate) fn behind(key: &str) -> Self {
        Self {
            key: key.as_bytes().to_vec(),
            row: u64::MAX,
        }
    }

    /// Behind every key that begins so.
    pub(crate) fn beyond(prefix: &[u8]) -> Self {
        let mut key = prefix.to_vec();
        key.push(BEYOND);
        Self { key, row: u64::MAX }
    }

    /// Behind a marker of a list. A marker that is itself a common prefix stands for all that it rolls up.
    pub(crate) fn behind_marker(marker: &str, prefix: &str, delimiter: Option<&str>) -> Self {
        let rolled = delimiter
            .filter(|delimiter| !delimiter.is_empty())
            .and_then(|delimiter| common(marker.as_bytes(), prefix.as_bytes(), delimiter.as_bytes()));
        match rolled {
            Some(common) if common == marker.as_bytes() => Self::beyond(common),
            _ => Self::behind(marker),
        }
    }
}

/// One line of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Line<T> {
    Row(String, T),
    /// Keys that share this beginning, up to the delimiter.
    Common(String),
}

/// A page, and where the next one begins if there is one.
pub(crate) struct Page<T> {
    pub(crate) lines: Vec<Line<T>>,
    pub(crate) next: Option<Position>,
}

/// The beginning that a key shares with others: up to the first delimiter behind the prefix.
fn common<'a>(key: &'a [u8], prefix: &[u8], delimiter: &[u8]) -> Option<&'a [u8]> {
    let rest = key.strip_prefix(prefix)?;
    let at = rest
        .windows(delimiter.len())
        .position(|window| window == delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// Walks from a position until a page of `limit` lines is full. The rows are those below `prefix`.
pub(crate) fn walk<R: Rows>(
    rows: &mut R,
    prefix: &str,
    delimiter: Option<&str>,
    from: Position,
    limit: usize,
) -> Result<Page<R::Item>> {
    // Where every line may be a prefix that is leapt over, stretches grow as long as what they read is shown, and shrink again.
    let mut pace = 4_usize;
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    let (mut position, mut lines) = (from, Vec::new());
    if limit == 0 {
        return Ok(Page { lines, next: None });
    }
    loop {
        // One line more than fits tells that there is a next page.
        let wanted = limit + 1 - lines.len();
        let stretch = match delimiter {
            Some(_) => wanted.min(pace),
            None => wanted,
        };
        let read = rows.next(&position, stretch)?;
        let last = read.len() < stretch;
        let shown = lines.len();
        for (key, item) in read {
            let here = rows.position(&key, &item);
            // A prefix that was leapt over within this stretch.
            if here <= position {
                continue;
            }
            if lines.len() == limit {
                return Ok(Page {
                    lines,
                    next: Some(position),
                });
            }
            let rolled = delimiter
                .and_then(|delimiter| common(&key, prefix.as_bytes(), delimiter.as_bytes()))
                .map(<[u8]>::to_vec);
            match rolled {
                Some(common) => {
                    position = Position::beyond(&common);
                    lines.push(Line::Common(text(common)));
                }
                None => {
                    position = here;
                    lines.push(Line::Row(text(key), item));
                }
            }
        }
        if last {
            return Ok(Page { lines, next: None });
        }
        pace = if 2 * (lines.len() - shown) > stretch {
            pace.saturating_mul(2).min(512)
        } else {
            (pace / 2).max(2)
        };
    }
}

fn text(key: Vec<u8>) -> String {
    String::from_utf8(key).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Keys in memory, which count what is read of them.
    struct Counted {
        keys: BTreeMap<Vec<u8>, ()>,
        prefix: Vec<u8>,
        rows: usize,
        reads: usize,
    }

    impl Counted {
        fn new<'a>(keys: impl IntoIterator<Item = &'a str>, prefix: &str) -> Self {
            Self {
                keys: keys
                    .into_iter()
                    .map(|key| (key.as_bytes().to_vec(), ()))
                    .collect(),
                prefix: prefix.as_bytes().to_vec(),
                rows: 0,
                reads: 0,
            }
        }
    }

    impl Rows for Counted {
        type Item = ();

        fn next(&mut self, behind: &Position, limit: usize) -> Result<Vec<(Vec<u8>, ())>> {
            let prefix = self.prefix.clone();
            let found: Vec<_> = self
                .keys
                .keys()
                .filter(|key| key.starts_with(&prefix) && **key > behind.key)
                .take(limit)
                .map(|key| (key.clone(), ()))
                .collect();
            self.reads += 1;
            self.rows += found.len();
            Ok(found)
        }

        fn position(&self, key: &[u8], (): &()) -> Position {
            Position {
                key: key.to_vec(),
                row: u64::MAX,
            }
        }
    }

    fn all(
        keys: &[&str],
        prefix: &str,
        delimiter: Option<&str>,
        limit: usize,
    ) -> (Vec<String>, Vec<String>, usize) {
        let mut rows = Counted::new(keys.iter().copied(), prefix);
        let (mut found, mut commons, mut pages) = (Vec::new(), Vec::new(), 0);
        let mut position = Position::default();
        loop {
            let page = walk(&mut rows, prefix, delimiter, position, limit).ok().unwrap();
            pages += 1;
            assert!(page.lines.len() <= limit);
            for line in page.lines {
                match line {
                    Line::Row(key, ()) => found.push(key),
                    Line::Common(prefix) => commons.push(prefix),
                }
            }
            match page.next {
                Some(next) => position = next,
                None => return (found, commons, pages),
            }
        }
    }

    #[test]
    fn prefixes_are_rolled_up_across_pages() {
        let keys = [
            "asdf",
            "boo/bar",
            "boo/baz/xyzzy",
            "cquux/thud",
            "cquux/bla",
            "foo",
        ];
        for limit in 1..6 {
            let (found, commons, _) = all(&keys, "", Some("/"), limit);
            assert_eq!(found, ["asdf", "foo"]);
            assert_eq!(commons, ["boo/", "cquux/"]);
        }
        let (found, commons, _) = all(&keys, "boo/", Some("/"), 1);
        assert_eq!(
            (found, commons),
            (vec!["boo/bar".into()], vec!["boo/baz/".into()])
        );
    }

    #[test]
    fn the_last_page_says_so_even_if_it_is_full() {
        assert_eq!(all(&["a", "b"], "", None, 2).2, 1);
        assert_eq!(all(&["a/1", "a/2"], "", Some("/"), 1).2, 1);
        assert_eq!(all(&["a", "b", "c"], "", None, 2).2, 2);
    }

    #[test]
    fn a_marker_that_is_a_prefix_stands_for_its_keys() {
        assert_eq!(
            Position::behind_marker("a/", "", Some("/")),
            Position::beyond(b"a/")
        );
        assert_eq!(
            Position::behind_marker("a/b", "", Some("/")),
            Position::behind("a/b")
        );
        assert_eq!(Position::behind_marker("a/", "", None), Position::behind("a/"));
        assert_eq!(
            Position::behind_marker("a/b/", "a/", Some("/")),
            Position::beyond(b"a/b/")
        );
    }

    /// The cost of a page is that of its lines, wherever it begins and however much lies below its prefixes.
    #[test]
    fn a_page_reads_what_it_shows() {
        let keys: Vec<String> = (0..20)
            .flat_map(|folder| (0..1000).map(move |file| format!("{folder:02}/{file:04}")))
            .collect();
        let mut rows = Counted::new(keys.iter().map(String::as_str), "");
        let page = walk(&mut rows, "", Some("/"), Position::default(), 5)
            .ok()
            .unwrap();
        assert_eq!(page.lines.len(), 5);
        assert!(rows.reads <= 6 && rows.rows <= 6 * 6, "{} rows", rows.rows);
        let mut rows = Counted::new(keys.iter().map(String::as_str), "");
        let page = walk(&mut rows, "", None, Position::behind("10/0500"), 100)
            .ok()
            .unwrap();
        assert_eq!(page.lines.len(), 100);
        assert_eq!((rows.reads, rows.rows), (1, 101));
    }

    proptest! {
        #[test]
        fn pages_agree_with_a_naive_list(
            keys in prop::collection::btree_set("[ab/\u{e4}]{1,6}", 0..30),
            prefix in "[ab/]{0,2}",
            delimiter in prop::option::of("[/a]{1,2}"),
            limit in 1_usize..5,
        ) {
            let list: Vec<&str> = keys.iter().map(String::as_str).collect();
            let (found, commons, _) = all(&list, &prefix, delimiter.as_deref(), limit);
            let (mut rows, mut rolled) = (Vec::new(), BTreeSet::new());
            for key in keys.iter().filter(|key| key.starts_with(&prefix)) {
                let rest = key.strip_prefix(prefix.as_str()).unwrap_or_default();
                match delimiter.as_deref().and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len())) {
                    Some(end) => { rolled.insert(key.get(..prefix.len() + end).unwrap_or_default().to_owned()); }
                    None => rows.push(key.clone()),
                }
            }
            prop_assert_eq!(found, rows);
            prop_assert_eq!(commons, rolled.into_iter().collect::<Vec<_>>());
        }
    }
}
