//! Identifiers of Organizations: a prefix and lower-case letters and digits.

use pipeline::{Call, Result};
use wire::Fault;

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

/// `o-…`, `r-…`, `h-…` and their like.
pub(crate) fn draw(call: &Call<'_>, prefix: &str, length: usize) -> Result<String> {
    let text = crypto::random::text(call.random(), ALPHABET, length).map_err(Fault::internal)?;
    let text = text.expose_text().map_err(Fault::internal)?;
    Ok(format!("{prefix}{text}"))
}
