//! Websites: what a service serves to browsers at hosts of their own, to visitors who show nothing.
//!
//! A service says turn by turn what a visit needs; the gateway has every read of it judged and recorded as the service's own operation, for
//! nobody in particular.
//!
//! Invariant: a visitor gets no byte of an object that an unsigned read of the same object would not give.

use http::HeaderMap;
use wire::Fault;

use crate::call::Look;
use crate::operation::Result;
use crate::origin::Owned;

/// A request of a visitor.
pub struct Visit<'a> {
    pub bucket: &'a str,
    pub method: &'a str,
    /// Raw, percent-encoded.
    pub path: &'a str,
    /// Raw, without the question mark.
    pub query: &'a str,
    /// As the visitor named it, with its port.
    pub host: &'a str,
    /// Came over TLS.
    pub secure: bool,
    pub headers: &'a HeaderMap,
}

impl Visit<'_> {
    /// Whether the visitor wants to read.
    pub fn reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

/// What an object is read for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The visitor asked for it: ranges and conditions of the request count.
    Page,
    /// Only whether it could be read is asked.
    Probe,
    /// It tells of a refusal.
    ErrorDocument,
}

/// A read of a visit that is over.
pub struct Past {
    pub purpose: Purpose,
    /// The redirection that the object carries, if it was read.
    pub read: Result<Option<String>>,
    /// The refusal's status and code, as the visitor would see them.
    pub status: u16,
    pub code: String,
}

/// What comes next.
pub enum Turn {
    Read {
        key: String,
        purpose: Purpose,
    },
    /// The last object that was read is the answer, under this status or its own.
    Serve {
        status: Option<u16>,
    },
    Redirect {
        status: u16,
        location: String,
    },
    /// A refusal without a read.
    Refuse(Fault),
    /// The refusal of the first read, with the last one's beside it if that was to tell of it.
    Fail,
}

/// A turn, and whose website it is, if there is one: in the trail of that account and region the visit is told.
pub struct Course {
    pub owned: Option<Owned>,
    pub turn: Turn,
}

/// A service's websites.
pub struct SiteRules {
    /// botocore's service name.
    pub service: &'static str,
    /// The operations that read: with the object's bytes, and without.
    pub read: &'static str,
    pub probe: &'static str,
    /// Whether there is a website under this name.
    pub is_site: fn(&mut Look<'_>, &str) -> Result<bool>,
    /// What comes next in a visit after the reads that are over.
    pub turn: fn(&mut Look<'_>, &Visit<'_>, &[Past]) -> Result<Course>,
}
