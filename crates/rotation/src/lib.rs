//! The rotation functions that Ringwork ships: they change the password of a user of PostgreSQL, MySQL or MariaDB, step by step, as
//! Secrets Manager asks (S11.3).
//!
//! A function is this program itself, deployed as `bootstrap` in a zip (`package`) and run by Lambda's Runtime API (`runtime`). The
//! handler's name says which one it is. It calls Secrets Manager with its role's credentials, like any other client.
//!
//! Read `steps` for what a rotation is, then `single_user` and `alternating_users`.
//!
//! Invariant: a password is in the memory of the function's process and on its way to the server alone; no log line, error or answer
//! bears one.

mod alternating_users;
mod credential;
mod database;
mod environment;
mod error;
mod handler;
mod mysql;
mod package;
mod postgresql;
mod program;
mod runtime;
mod secrets;
mod single_user;
mod steps;
mod tls;

pub use environment::Environment;
pub use error::{Error, Result};
pub use handler::HANDLERS;
pub use package::package;
pub use runtime::serve;
