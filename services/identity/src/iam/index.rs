//! Rows whose key says all: who belongs to what.

use serde::{Deserialize, Serialize};

/// The value of an index row.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Present;

store::record!(Present, 1);
