//! Whether a bucket holds anything: what must be known before it goes.
//!
//! Invariant: reads one row of each table, however much the bucket holds.

use pipeline::{Call, Look, Result};

use super::multipart;
use super::object::history;

/// Whether nothing is left in the bucket of this name: no object, no older version, no delete marker.
pub(crate) fn is_empty(look: &mut Look<'_>, bucket: &str) -> Result<bool> {
    history::is_empty(look, bucket)
}

/// Removes what does not keep a bucket from going: uploads that were never completed.
pub(crate) fn discard_rest(call: &mut Call<'_>, bucket: &str) -> Result<()> {
    multipart::discard_all(call, bucket)
}
