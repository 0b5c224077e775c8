//! An input and an output without members, for the operations that tests make.

use wire::typed::Mismatch;
use wire::{Document, FromDocument, IntoDocument};

/// Has no members.
pub(crate) struct Nothing;

impl FromDocument for Nothing {
    fn from_document(_document: Document) -> Result<Self, Mismatch> {
        Ok(Self)
    }
}

impl IntoDocument for Nothing {
    fn into_document(self) -> Document {
        Document::empty()
    }
}
