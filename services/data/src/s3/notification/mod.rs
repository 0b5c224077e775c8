//! Event notifications: what happens to a bucket's objects is told to the functions that its configuration names.
//!
//! `filter` says which of them an event is for, `event` writes the message, `deliver` has the function invoked.
//!
//! Invariant: an event has its job planned in the transaction of what it tells of; a bucket without a configuration reads and writes
//! nothing here.
//!
//! Source: S3 User Guide, "Amazon S3 Event Notifications".

use api::s3 as model;
use pipeline::{Call, Result};

use super::bucket::Configured;
use super::configuration;
use super::object::history::Slot;

mod deliver;
mod event;
pub(crate) mod filter;

pub use deliver::JOB;
pub(crate) use event::{Event, time};

/// The service that invokes.
pub(crate) const BY: &str = "s3.amazonaws.com";

/// Tells of an event whom the bucket's configuration names for it.
pub(crate) fn tell(call: &mut Call<'_>, slot: Slot<'_>, event: &Event<'_>) -> Result<()> {
    if !slot.bucket.configured.contains(&Configured::Notification) {
        return Ok(());
    }
    let found: Option<model::NotificationConfiguration> =
        configuration::read(call, slot.bucket, Configured::Notification, "")?;
    let functions = found.and_then(|found| found.lambda_function_configurations);
    for one in functions.iter().flatten() {
        let named = one
            .events
            .iter()
            .any(|named| filter::names(named.as_str(), event.name));
        if !named || !filter::passes(one.filter.as_ref(), slot.key) {
            continue;
        }
        let id = one.id.as_deref().unwrap_or_default();
        let message = event.message(call, slot, id)?;
        deliver::plan(call, slot.bucket, &one.lambda_function_arn, message)?;
    }
    Ok(())
}
