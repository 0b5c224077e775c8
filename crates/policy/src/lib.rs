//! The IAM policy language and its evaluator, as a pure crate: no I/O, no clock, no wire.
//!
//! A document is parsed once ([`Policy::parse`]) into a form that is indexed by action; [`decide`] answers
//! a request over all [`Layers`] without allocating; [`explain`] walks the same rules slowly and says why.
//! Invariant: both go through the one rule in `rule.rs`, so an explanation never contradicts a decision.

mod action;
mod address;
mod arn;
mod condition;
pub mod contain;
mod context;
pub mod control;
mod date;
mod decide;
mod document;
mod error;
mod explain;
mod extent;
mod grammar;
mod grant;
mod json;
mod layers;
mod mention;
mod operator;
mod pattern;
mod principal;
pub mod public;
mod reason;
pub mod reference;
mod render;
mod rule;
mod substitute;
mod suggest;
mod uncertain;
pub mod validate;

pub use arn::Arn;
pub use context::{Context, Value};
pub use decide::decide;
pub use document::{Effect, Policy, PolicyKind, Span, StatementView, Version};
pub use error::{Error, Position};
pub use explain::{
    Derivation, Element, Excerpt, Failure, GrantTrace, LayerTrace, PolicyTrace, Standing, StatementTrace,
    explain,
};
pub use grant::Grant;
pub use layers::{Attached, Attachment, Digest, KeyLayer, Layers, Mark, Request};
pub use principal::Principal;
pub use reason::{Decision, Layer, Reason, because, because_naming};
pub use substitute::substitute;
pub use suggest::{Nearly, Step, Suggestion, suggest};
pub use uncertain::{Finding, Unknown, decide_knowing};
