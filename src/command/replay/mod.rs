//! `ringwork replay`: which recorded calls would have another verdict under changed policies.
//!
//! Invariant: what the record does not tell is never guessed: a call whose verdict depends on it is undecided, and says on what.

mod change;
mod cloudtrail;
mod known;
mod ledger;
mod report;
mod run;
mod tally;
#[cfg(test)]
mod tests;
mod verdict;

pub(crate) use run::run;
