//! Contents: the bytes of objects, which are too many for a row's record and lie sealed, whatever their size.
//!
//! A service takes a request's body in by `Call::receive`, makes it part of a row's truth by `Call::keep`, lets it go by
//! `Call::release`, and answers with it by `Call::deliver`. Small contents lie in rows of their own and cost no more than a row;
//! larger ones lie in files, which are durable before the row that names them.
//!
//! Invariant: no byte of a content rests in clear. The keys are the service's to wrap: the pipeline keeps none.

mod arrival;
mod call;
mod care;
mod carried;
mod content;
mod flow;
mod intake;
mod reader;
mod row;
#[cfg(test)]
mod tests;
mod workers;
mod yard;

pub(crate) use call::{Delivery, Moves};
pub(crate) use carried::{Contents, Order};
pub use content::{Content, ContentId, Intake, Received, Segment, Source};
pub use crypto::checksum::{Checksum, ChecksumSet, Checksums};
pub(crate) use intake::interrupted;
pub use reader::ContentReader;
pub use row::belongs;
pub(crate) use yard::Yard;

/// Bodies of operations that take contents in are streamed from this length on; shorter ones are received whole. It leaves a small
/// content room for the framing of its chunks.
pub const STREAMED_FROM_BYTES: u64 = intake::ROW_BYTES_MAX + (8 << 10);

/// The memory that one streamed body or answer may take, in bytes, however large it is and however slow its client: what an upload
/// holds, or three batches of an answer; with the buffers of its connection and their bookkeeping.
pub const STREAM_MEMORY_BYTES: usize = 2 << 20;
const _: () = assert!(arrival::HELD_BYTES_MAX + CONNECTION_BYTES <= STREAM_MEMORY_BYTES);
const _: () = assert!(3 * flow::BATCH + CONNECTION_BYTES <= STREAM_MEMORY_BYTES);
/// What a connection's own buffers hold of a body: as many bytes as its head may have, in and out.
const CONNECTION_BYTES: usize = 128 << 10;
