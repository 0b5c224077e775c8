//! The way of a request: route, authenticate, decode, authorize, handle, commit, encode.
//!
//! Read `gateway` for the way itself, `operation` for what a service writes, `call` for what a handler may do.
//!
//! Invariants: nothing happens without a decision, and nothing is answered without a record. Only this crate begins a
//! transaction, reads a clock or draws a random number for a service.

mod attempt;
pub mod attempts;
pub mod authenticate;
pub mod authorize;
pub mod blobs;
pub mod call;
mod callback;
pub mod clock;
mod closure;
pub mod described;
mod due;
mod elsewhere;
mod environment;
pub mod errand;
mod form;
mod forwarded;
pub mod front;
pub mod functions;
pub mod gateway;
pub mod identity;
pub mod instances;
mod integrity;
pub mod inventory;
mod invoke;
pub mod jobs;
mod kept;
pub mod ledger;
pub mod operation;
pub mod organization;
pub mod origin;
pub mod outside;
mod payload;
pub mod quota;
mod recorder;
mod remembered;
pub mod replay;
pub mod resource;
pub mod schedule;
mod service_event;
mod services;
pub mod setback;
pub mod signed;
pub mod signin;
pub mod site;
pub mod strangers;
pub mod telemetry;
pub mod testing;
mod trail;
mod whole;
pub mod why;

pub use blobs::{
    Checksum, ChecksumSet, Checksums, Content, ContentId, ContentReader, Intake, Received, Segment, Source,
};
pub use call::{Call, Look};
pub use callback::{Address, CallbackRules};
pub use clock::Clock;
pub use closure::Closure;
pub use form::{Form, FormAnswer, FormRules, Upload, Uploaded};
pub use forwarded::{Acting, Forwarded};
pub use front::{Answer, Arriving, Body, Damaged, Departing, Incoming, Interrupted, TlsFacts};
pub use gateway::{Ended, EndedPart, Gateway};
pub use identity::{Directory, Identity};
pub use inventory::{Dependent, Dependents, Inventoried, Inventory, Observer, Placed, Stretch};
pub use operation::{Access, Endpoint, Operation, Result};
pub use origin::{CrossOrigin, OriginRules, Owned, Sharing};
pub use quota::{Quota, Quotas, Rates};
pub use resource::{AccountScope, Authorized, Denoted, Found, Resource, ResourcePolicies, Way};
pub use services::Readiness;
pub use signed::{SignatureVersion, Signed};
pub use site::{Course, Past, Purpose, SiteRules, Turn, Visit};
pub use trail::{Located, OwnedBy, TrailRules};
