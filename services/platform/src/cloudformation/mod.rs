//! CloudFormation: resources as a template describes them, made and changed together or not at all (S10.10, S11.5, S36.4).
//!
//! `template` reads the language; `resource_type` says how each type of resource is made by calls of the services; the rest are
//! stacks, and the jobs that bring them about.
//!
//! Invariant: a stack's resources are made by the operations of their services, as the stack's caller or the role that was handed to
//! it, and by nothing else.

pub mod resource_type;
pub mod template;

/// The service's principal.
pub(crate) const PRINCIPAL: &str = "cloudformation.amazonaws.com";
