//! Parts of a large object that are in the destination already, before the last of them is: an object of thousands of parts is brought
//! over by many jobs, each of which takes a few.
//!
//! Invariant: staged contents belong to the destination's account and are sealed by the installation alone until the object is made; they
//! become the object's, or go.

use crypto::Secret;
use pipeline::{Call, Intake, Result, Source};
use serde::{Deserialize, Serialize};
use store::Table;

use super::Due;
use crate::s3::encryption::{Opener, Place, Plan};
use crate::s3::object::Piece;

/// Parts of one step.
pub(super) const STEP: usize = 8;
/// Bytes of one content: what an object may have at most (S3 User Guide, "Amazon S3 multipart upload limits").
const BYTES_MAX: u64 = 5 << 40;

/// Pieces in their order, from the first on.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Staged(pub(super) Vec<Piece>);

store::record!(Staged, 1);

/// By the source's bucket, key and number, and the destination's bucket.
static STAGED: Table<(String, Vec<u8>, u64, String), Staged> = Table::new(0x03b2, "s3.replication-staged");

type Row<'a> = (&'a str, &'a [u8], u64, &'a str);

fn row(due: &Due) -> Row<'_> {
    (&due.bucket, due.key.as_bytes(), due.sequence, &due.to)
}

/// Where a staged piece's keys are bound to.
fn place(due: &Due, part: u16) -> Place<'_> {
    Place {
        bucket: &due.to,
        key: &due.key,
        label: format!("staged/{}/{part}", due.sequence),
    }
}

/// What is there already.
pub(super) fn read(call: &mut Call<'_>, due: &Due) -> Result<Staged> {
    let found = call.get(&STAGED, &row(due))?;
    Ok(found.map(|found| (*found).clone()).unwrap_or_default())
}

/// Takes the bytes of a piece in, under new keys, for the account of the destination.
pub(super) fn take(
    call: &mut Call<'_>,
    piece: &Piece,
    keys: Vec<Secret>,
    layers: u8,
) -> Result<std::sync::Arc<pipeline::Received>> {
    call.transfer(
        Source::whole(piece.content.clone(), keys),
        Intake {
            layers,
            bytes_max: BYTES_MAX,
            digests: pipeline::ChecksumSet::NONE,
        },
    )
}

/// Puts pieces that were taken in beside those that are there, their keys under S3's own.
pub(super) fn add(
    call: &mut Call<'_>,
    due: &Due,
    mut staged: Staged,
    taken: Vec<(Piece, Vec<Secret>)>,
) -> Result<()> {
    for (piece, keys) in taken {
        let layers = u8::try_from(keys.len()).unwrap_or(u8::MAX);
        let keys = Plan::staging(call, layers)?.wrap(call, &place(due, piece.part), &keys)?;
        staged.0.push(Piece { keys, ..piece });
    }
    call.put(&STAGED, &row(due), staged)
}

/// The keys of a piece that is there.
pub(super) fn open(call: &mut Call<'_>, due: &Due, piece: &Piece, layers: u8) -> Result<Vec<Secret>> {
    Opener::staging(call, layers)?.unwrap(call, &place(due, piece.part), &piece.keys)
}

/// The object is made: the row goes, the contents stay.
pub(super) fn clear(call: &mut Call<'_>, due: &Due) -> Result<()> {
    call.delete(&STAGED, &row(due))
}

/// Nothing comes of it: the contents go as well.
pub(super) fn discard(call: &mut Call<'_>, due: &Due) -> Result<()> {
    let staged = read(call, due)?;
    if staged.0.is_empty() {
        return Ok(());
    }
    for piece in staged.0 {
        call.release(&piece.content)?;
    }
    clear(call, due)
}
