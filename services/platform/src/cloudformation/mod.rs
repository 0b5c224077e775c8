//! CloudFormation: stacks of resources made from templates (S10.10, S36.4).
//!
//! Read `template` for the language.
//!
//! Invariant: a stack's resources are made by the operations of their services, as the stack's caller, and by nothing else.

pub mod template;
