//! Listeners: the AWS endpoint, the small client that the command line speaks to it with, and the way out to other places; and the
//! processes of functions and instances.
//!
//! Invariant: planes open sockets and know no service. A plane hands a bounded request to a [`Front`], its body whole or as a stream, and sends
//! back what the front answers; nothing that a peer sends can hold memory, time or a connection beyond [`Limits`].

mod admission;
mod body;
pub mod client;
mod connection;
pub mod contents;
mod error;
mod exchange;
mod front;
pub mod functions;
mod gauge;
mod health;
pub mod instances;
mod jail;
mod limits;
mod listener;
mod origins;
mod outside;
mod target;
mod tls;
mod upload;

pub use error::{Error, Result};
pub use front::{Front, Head, Health, plain};
pub use limits::Limits;
pub use listener::{Listener, ListenerConfig, PeerPolicy, Served};
pub use origins::Origins;
pub use outside::Https;
pub use tls::TlsMaterial;
