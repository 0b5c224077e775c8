//! The protocols, judged by the published protocol vectors, by round trips on random shapes, and by random bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets what it does not expect has failed"
)]

mod client;
mod excused;
mod faults;
mod hostile;
mod model;
mod random;
mod roundtrip;
mod value;
mod vectors;
mod xml;
