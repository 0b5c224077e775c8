//! CloudTrail's files: events found in any of the forms that they come in, read without copying, with the actions that they tell of.
//!
//! Invariant: whatever the bytes are, reading ends with an event or an error. This folder knows nothing of the rest, so that it is fuzzed alone.

pub(crate) mod action;
pub(crate) mod event;
pub(crate) mod split;
