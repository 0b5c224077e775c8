//! EC2 through the pipeline, with the real directory, and a plane that notes what it is asked for and runs nothing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod closure;
mod credentials;
mod image;
mod image_content;
mod key_pair;
mod launch;
mod life;
mod permission;
mod scene;
