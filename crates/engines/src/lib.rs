//! Pure deciders: they are shown something and say what is wrong with it.
//!
//! Invariant: nothing here opens a file or a socket, reads a clock, or keeps anything from one call to the next.

pub mod disk;
pub mod secrets;
