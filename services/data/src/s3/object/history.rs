//! The history of a key: where its versions stand, and how one follows another.
//!
//! Invariant: the newest version is in `OBJECTS` unless it is a delete marker; all others are in `VERSIONS`; a key has one `null`
//! version at most, and `NULLS` says where it is if it is not in `OBJECTS`.

use std::sync::Arc;

use pipeline::{Call, Look, Result};

use super::version_id::{self, NULL};
use super::{
    Body, ELSEWHERE, Elsewhere, NULLS, NullVersion, OBJECTS, PARTS, Piece, Pieces, VERSIONS, Version,
    VersionKey,
};
use crate::s3::bucket::{Bucket, Versioning};

/// One key of one bucket.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) key: &'a str,
}

impl<'a> Slot<'a> {
    pub(crate) const fn new(bucket: &'a Bucket, key: &'a str) -> Self {
        Self { bucket, key }
    }

    fn row(&self) -> (&'a str, &'a [u8]) {
        (self.bucket.name.as_str(), self.key.as_bytes())
    }

    /// The key of a version's row.
    pub(crate) fn version_row(&self, sequence: u64) -> VersionKey {
        let (bucket, key) = self.row();
        (bucket.to_owned(), key.to_vec(), u64::MAX - sequence)
    }

    /// The newest version, which may be a delete marker.
    pub(crate) fn newest(&self, look: &mut Look<'_>) -> Result<Option<Arc<Version>>> {
        if let Some(version) = look.get(&OBJECTS, &self.row())? {
            return Ok(Some(version));
        }
        self.newest_of_versions(look)
    }

    fn newest_of_versions(&self, look: &mut Look<'_>) -> Result<Option<Arc<Version>>> {
        if self.bucket.versioning == Versioning::Never {
            return Ok(None);
        }
        let rows = look.range(&VERSIONS, &self.row(), None, 1)?;
        Ok(rows.into_iter().next().map(|(_, version)| version))
    }

    /// The version of an id.
    pub(crate) fn version(&self, look: &mut Look<'_>, id: &str) -> Result<Option<Arc<Version>>> {
        let current = look.get(&OBJECTS, &self.row())?;
        let sequence = if id == NULL {
            if let Some(current) = current.filter(|current| current.id.is_none()) {
                return Ok(Some(current));
            }
            look.get(&NULLS, &self.row())?.map(|null| null.0)
        } else {
            if let Some(current) = current.filter(|current| current.id.as_deref() == Some(id)) {
                return Ok(Some(current));
            }
            version_id::sequence(id)
        };
        let Some(sequence) = sequence else {
            return Ok(None);
        };
        let found = look.get(&VERSIONS, &self.version_row(sequence))?;
        match found.filter(|found| found.id.as_deref().unwrap_or(NULL) == id) {
            None if id != NULL => self.elsewhere(look, id),
            found => Ok(found),
        }
    }

    /// The copy of another bucket's version whose number was taken here.
    fn elsewhere(&self, look: &mut Look<'_>, id: &str) -> Result<Option<Arc<Version>>> {
        let (bucket, key) = self.row();
        let Some(place) = look.get(&ELSEWHERE, &(bucket, key, id))? else {
            return Ok(None);
        };
        look.get(&VERSIONS, &self.version_row(place.0))
    }

    /// The number that an id stands for, whether or not its version is still there.
    pub(crate) fn place(&self, look: &mut Look<'_>, id: &str) -> Result<Option<u64>> {
        if id != NULL {
            let (bucket, key) = self.row();
            let elsewhere = look.get(&ELSEWHERE, &(bucket, key, id))?;
            return Ok(elsewhere
                .map(|place| place.0)
                .or_else(|| version_id::sequence(id)));
        }
        let found = self.version(look, NULL)?;
        Ok(found.map(|version| version.sequence))
    }

    /// The number and id of a version that is about to be written.
    pub(crate) fn next(&self, call: &mut Call<'_>) -> Result<(u64, Option<String>)> {
        let newest = self.newest(call)?.map_or(0, |newest| newest.sequence);
        let now = u64::try_from(call.now.0).unwrap_or_default();
        let sequence = now.max(newest + 1);
        let id = match self.bucket.versioning {
            Versioning::Enabled => Some(version_id::issue(call.random(), sequence)?),
            Versioning::Never | Versioning::Suspended => None,
        };
        Ok((sequence, id))
    }

    /// The number for a copy of another bucket's version: its own, or the next that is free.
    pub(crate) fn free(&self, look: &mut Look<'_>, wanted: u64) -> Result<u64> {
        let current = look.get(&OBJECTS, &self.row())?.map(|current| current.sequence);
        let mut sequence = wanted;
        while current == Some(sequence) || look.get(&VERSIONS, &self.version_row(sequence))?.is_some() {
            sequence += 1;
        }
        Ok(sequence)
    }

    /// Puts a copy of another bucket's version where its number says, which `free` gave: it may be older than what is here.
    pub(crate) fn insert(&self, call: &mut Call<'_>, version: Version) -> Result<()> {
        if let Some(id) = version
            .id
            .as_deref()
            .filter(|id| version_id::sequence(id) != Some(version.sequence))
        {
            let (bucket, key) = self.row();
            call.put(&ELSEWHERE, &(bucket, key, id), Elsewhere(version.sequence))?;
        }
        let newest = self.newest(call)?;
        if newest.is_none_or(|newest| newest.sequence < version.sequence) {
            return self.append(call, version);
        }
        self.shelve(call, version)
    }

    /// Makes a version, with the number and id that `next` gave, the newest of the key.
    pub(crate) fn append(&self, call: &mut Call<'_>, version: Version) -> Result<()> {
        let current = call.get(&OBJECTS, &self.row())?;
        if version.id.is_none() {
            self.remove_null(call, current.as_deref())?;
        }
        if let Some(current) = current.filter(|current| version.id.is_some() || current.id.is_some()) {
            self.shelve(call, (*current).clone())?;
        }
        if version.is_marker() {
            call.delete(&OBJECTS, &self.row())?;
            self.shelve(call, version)
        } else {
            call.put(&OBJECTS, &self.row(), version)
        }
    }

    /// Puts a version among the older ones.
    fn shelve(&self, call: &mut Call<'_>, version: Version) -> Result<()> {
        if version.id.is_none() {
            call.put(&NULLS, &self.row(), NullVersion(version.sequence))?;
        }
        let row = self.version_row(version.sequence);
        call.put(&VERSIONS, &row, version)
    }

    /// Lets the `null` version go, which another replaces.
    fn remove_null(&self, call: &mut Call<'_>, current: Option<&Version>) -> Result<()> {
        if let Some(current) = current.filter(|current| current.id.is_none()) {
            return self.let_go(call, current);
        }
        if self.bucket.versioning == Versioning::Never {
            return Ok(());
        }
        let Some(null) = call.get(&NULLS, &self.row())? else {
            return Ok(());
        };
        let row = self.version_row(null.0);
        if let Some(version) = call.get(&VERSIONS, &row)? {
            self.let_go(call, &version)?;
        }
        call.delete(&VERSIONS, &row)?;
        call.delete(&NULLS, &self.row())
    }

    /// Removes one version for good; the one before it becomes the newest, if this was.
    pub(crate) fn remove(&self, call: &mut Call<'_>, version: &Version) -> Result<()> {
        self.let_go(call, version)?;
        if let Some(id) = version.id.as_deref().filter(|_| version.replication.is_some()) {
            let (bucket, key) = self.row();
            call.delete(&ELSEWHERE, &(bucket, key, id))?;
        }
        let current = call.get(&OBJECTS, &self.row())?;
        if current.is_some_and(|current| current.sequence == version.sequence) {
            call.delete(&OBJECTS, &self.row())?;
            return self.promote(call);
        }
        let had_none = call.get(&OBJECTS, &self.row())?.is_none();
        call.delete(&VERSIONS, &self.version_row(version.sequence))?;
        if version.id.is_none() {
            call.delete(&NULLS, &self.row())?;
        }
        if had_none { self.promote(call) } else { Ok(()) }
    }

    /// Brings the newest of the older versions back, unless it is a delete marker.
    fn promote(&self, call: &mut Call<'_>) -> Result<()> {
        let Some(newest) = self
            .newest_of_versions(call)?
            .filter(|newest| !newest.is_marker())
        else {
            return Ok(());
        };
        call.delete(&VERSIONS, &self.version_row(newest.sequence))?;
        if newest.id.is_none() {
            call.delete(&NULLS, &self.row())?;
        }
        call.put(&OBJECTS, &self.row(), (*newest).clone())
    }

    /// Writes what has changed of a version where it stands.
    pub(crate) fn amend(&self, call: &mut Call<'_>, version: Version) -> Result<()> {
        let current = call.get(&OBJECTS, &self.row())?;
        if current.is_some_and(|current| current.sequence == version.sequence) {
            return call.put(&OBJECTS, &self.row(), version);
        }
        let row = self.version_row(version.sequence);
        call.put(&VERSIONS, &row, version)
    }

    /// The pieces of a version's bytes.
    pub(crate) fn pieces(&self, look: &mut Look<'_>, version: &Version) -> Result<Vec<Piece>> {
        match &version.body {
            Body::None => Ok(Vec::new()),
            Body::One(piece) => Ok(vec![piece.clone()]),
            Body::Parts { .. } => {
                let found = look.get(&PARTS, &self.version_row(version.sequence))?;
                let found = found.ok_or_else(|| wire::Fault::internal("an object's parts are missing"))?;
                Ok(found.0.clone())
            }
        }
    }

    /// Keeps the list of a version's parts.
    pub(crate) fn keep_pieces(&self, call: &mut Call<'_>, sequence: u64, pieces: Vec<Piece>) -> Result<()> {
        call.put(&PARTS, &self.version_row(sequence), Pieces(pieces))
    }

    /// Lets the bytes of a version go.
    fn let_go(&self, call: &mut Call<'_>, version: &Version) -> Result<()> {
        for piece in self.pieces(call, version)? {
            call.release(&piece.content)?;
        }
        if matches!(version.body, Body::Parts { .. }) {
            call.delete(&PARTS, &self.version_row(version.sequence))?;
        }
        Ok(())
    }
}

/// Whether nothing is left of any key of a bucket: no object, no older version, no delete marker.
pub(crate) fn is_empty(look: &mut Look<'_>, bucket: &str) -> Result<bool> {
    Ok(look.range(&OBJECTS, &(bucket,), None, 1)?.is_empty()
        && look.range(&VERSIONS, &(bucket,), None, 1)?.is_empty())
}
