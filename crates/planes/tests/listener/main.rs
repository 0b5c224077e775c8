//! The AWS endpoint's listener, over real sockets on loopback. Nothing here waits for time to pass: events are ordered
//! by channels and by what a peer can see, and a limit under test is the only short one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking; the lint's own exemption does not reach functions that tests share"
)]

mod http;
mod limits;
mod rig;
mod stop;
mod stream;
mod tls;
