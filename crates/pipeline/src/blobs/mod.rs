//! Contents: the bytes of objects, which are too many for a row's record and lie sealed, whatever their size.
//!
//! A service takes a request's body in by `Call::receive`, makes it part of a row's truth by `Call::keep`, lets it go by
//! `Call::release`, and answers with it by `Call::deliver`. Small contents lie in rows of their own and cost no more than a row;
//! larger ones lie in files, which are durable before the row that names them.
//!
//! Invariant: no byte of a content rests in clear. The keys are the service's to wrap: the pipeline keeps none.

mod call;
mod carried;
mod content;
mod row;

pub(crate) use carried::{Carried, Delivery, Fresh};
pub use content::{Content, ContentId, Intake, Received, Segment, Source};
pub use crypto::checksum::{Checksum, ChecksumSet, Checksums};
