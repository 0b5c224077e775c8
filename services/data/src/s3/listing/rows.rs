//! The rows that lists walk through.

use std::sync::Arc;

use pipeline::{Look, Result};
use store::{AsKey, Prefix};

use super::walk::{Position, Rows};
use crate::s3::object::{OBJECTS, ObjectKey, VERSIONS, Version, VersionKey};

/// The rows of a bucket whose keys begin with `prefix`.
#[derive(Clone, Copy)]
pub(crate) struct Under<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
}

impl Under<'_> {
    /// Key bytes end in a mark of two; without it they are the beginning of all longer ones.
    fn encoded(&self, out: &mut Vec<u8>) {
        const MARK: usize = 2;
        AsKey::<String>::encode(self.bucket, out);
        AsKey::<Vec<u8>>::encode(self.prefix.as_bytes(), out);
        out.truncate(out.len().saturating_sub(MARK));
    }
}

impl Prefix<ObjectKey> for Under<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encoded(out);
    }
}

impl Prefix<VersionKey> for Under<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encoded(out);
    }
}

/// The objects of a bucket.
pub(super) struct Objects<'a, 'b> {
    pub(super) look: &'a mut Look<'b>,
    pub(super) under: Under<'a>,
}

impl Rows for Objects<'_, '_> {
    type Item = Arc<Version>;

    fn next(&mut self, behind: &Position, limit: usize) -> Result<Vec<(Vec<u8>, Arc<Version>)>> {
        let after = (self.under.bucket.to_owned(), behind.key.clone());
        let after = (!behind.key.is_empty()).then_some(&after);
        let rows = self.look.range(&OBJECTS, &self.under, after, limit)?;
        Ok(rows
            .into_iter()
            .map(|((_, key), version)| (key, version))
            .collect())
    }

    fn position(&self, key: &[u8], _item: &Arc<Version>) -> Position {
        Position {
            key: key.to_vec(),
            row: u64::MAX,
        }
    }
}

/// A version in its list.
pub(super) struct Listed {
    pub(super) version: Arc<Version>,
    pub(super) latest: bool,
}

/// All versions of a bucket, those of a key from the newest on.
pub(super) struct Versions<'a, 'b> {
    pub(super) look: &'a mut Look<'b>,
    pub(super) under: Under<'a>,
}

impl Rows for Versions<'_, '_> {
    type Item = Listed;

    fn next(&mut self, behind: &Position, limit: usize) -> Result<Vec<(Vec<u8>, Listed)>> {
        let bucket = || self.under.bucket.to_owned();
        let begun = !behind.key.is_empty();
        let object = (bucket(), behind.key.clone());
        let version = (bucket(), behind.key.clone(), behind.row);
        let newest = self
            .look
            .range(&OBJECTS, &self.under, begun.then_some(&object), limit)?;
        let older = self
            .look
            .range(&VERSIONS, &self.under, begun.then_some(&version), limit)?;
        let newest = newest
            .into_iter()
            .map(|((_, key), version)| (key, u64::MAX - version.sequence, version));
        let older = older
            .into_iter()
            .map(|((_, key, row), version)| (key, row, version));
        let mut all: Vec<_> = newest.chain(older).collect();
        all.sort_by(|(one, row, _), (other, than, _)| (one, row).cmp(&(other, than)));
        all.truncate(limit);
        // Behind a row of a key, that key's newest version was told before.
        let mut told = (behind.row != u64::MAX).then(|| behind.key.clone());
        let listed = all.into_iter().map(|(key, _, version)| {
            let latest = told.as_ref() != Some(&key);
            told = Some(key.clone());
            (key, Listed { version, latest })
        });
        Ok(listed.collect())
    }

    fn position(&self, key: &[u8], item: &Listed) -> Position {
        Position {
            key: key.to_vec(),
            row: u64::MAX - item.version.sequence,
        }
    }
}
