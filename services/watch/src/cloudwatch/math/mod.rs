//! Metric math: expressions over the series of a request.
//!
//! `parse` reads an expression, `evaluate` and `function` say what it comes to, `series` holds what they work on.
//!
//! Invariant: what an expression asks for is bounded before it is made (`Work`); what is not understood is refused with its name, and
//! nothing is guessed.
//!
//! Source: CloudWatch User Guide, "Math expressions with metrics".

mod evaluate;
mod function;
mod parse;
mod series;

pub(super) use evaluate::{Evaluation, Known, Work};
pub(super) use parse::{Expression, parse};
pub(super) use series::{Series, Value};
