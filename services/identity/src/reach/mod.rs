//! Who can do something, and what somebody can do: the evaluator asked of every principal at once, over every layer, with the roles
//! that each can become.
//!
//! Invariant: every verdict told here is one that the evaluator gave; what only conditions stand before is told apart, with the
//! conditions.

mod escalation;
mod population;
mod question;
mod what;
mod who;

pub use escalation::Escalation;
pub use population::Population;
pub use question::{Need, Way};
pub use what::{Granted, Refused, Role, WhatCan, what_can};
pub use who::{Able, WhoCan, who_can};
