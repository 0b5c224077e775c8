//! AWS's wire, service by service unknown: shapes, documents, protocols, constraints, signatures and faults.
//!
//! Invariant: this crate interprets models. It holds no service's name, no state and no key.

pub mod constraints;
pub mod document;
pub mod fault;
pub mod form_data;
pub mod loose;
pub mod model;
mod per_service;
pub mod protocol;
pub mod redact;
pub mod route;
pub mod signature;
pub mod sigv2;
pub mod sigv4;
pub mod typed;
pub mod zip;

pub use document::{Document, Timestamp};
pub use fault::Fault;
pub use typed::{FromDocument, IntoDocument};
