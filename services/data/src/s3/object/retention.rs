//! How long a version is kept.
//!
//! Invariant: a compliance retention is never made shorter or weaker, a governance one only by who may bypass it.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::{Fault, Timestamp};

use super::change::{self, Amended};
use super::delete::BYPASS;
use super::lock::{self, Retention};
use super::on_object::on_object;
use super::target::{self, ObjectTarget};
use super::write::{self, PUT_RETENTION};
use super::{Version, refusal};
use crate::s3::fault::malformed_xml;
use crate::s3::payer;

on_object! {
    /// Shows how long a version is kept.
    GetObjectRetention(model::GetObjectRetentionRequest) -> model::GetObjectRetentionOutput,
    Access::read("s3:GetObjectRetention"), keys &[], charged _charged;
    |call, object, input| {
        let version = object.object(call, "GET")?;
        expect_configured(&object)?;
        let retention = version.lock.retention.ok_or_else(none_set)?;
        Ok(model::GetObjectRetentionOutput {
            retention: Some(model::ObjectLockRetention {
                mode: Some(retention.mode()),
                retain_until_date: Some(Timestamp(retention.until)),
                ..Default::default()
            }),
        })
    }
}

/// Says how long a version is kept, or that it is no longer.
pub struct PutObjectRetention;

impl Operation for PutObjectRetention {
    type Input = model::PutObjectRetentionRequest;
    type Output = model::PutObjectRetentionOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = PUT_RETENTION;
    const CONDITIONS: &'static [&'static str] = &[
        "s3:object-lock-mode",
        "s3:object-lock-remaining-retention-days",
        "s3:object-lock-retain-until-date",
    ];
    const ALSO: &'static [Access] = &[BYPASS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        let until = input
            .retention
            .as_ref()
            .and_then(|retention| retention.retain_until_date);
        let now = look.now;
        let found = target::found(look, (&input.bucket, &input.key), version, owner)?;
        Ok(target::retained(found, until, now))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let mode = input.retention.as_ref().and_then(|retention| retention.mode);
        if let Some(mode) = mode {
            context.insert("s3:object-lock-mode", mode.as_str());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let keys = write::keys::<Self>(&input);
        let version = object.object(call, "PUT")?;
        expect_configured(&object)?;
        let asked = input.retention.unwrap_or_default();
        if asked.event_hold.is_some() || asked.event_hold_duration.is_some() {
            return Err(refusal::not_implemented("EventHold"));
        }
        let retention = match (asked.mode, asked.retain_until_date) {
            (Some(mode), Some(until)) => {
                lock::expect_future(until, call.now)?;
                Some(Retention {
                    compliance: mode == model::ObjectLockRetentionMode::Compliance,
                    until: until.0,
                })
            }
            (None, None) => None,
            _ => return Err(malformed_xml()),
        };
        if weakens(&version, retention, call.now) {
            let compliance = version.lock.retention.is_some_and(|kept| kept.compliance);
            if compliance || input.bypass_governance_retention != Some(true) {
                return Err(refusal::locked());
            }
            object.also(call, BYPASS, keys)?;
        }
        let mut version = (*version).clone();
        version.lock.retention = retention;
        change::amend(call, object.slot(), Amended::Retention, version)?;
        Ok(model::PutObjectRetentionOutput {
            request_charged: charged,
        })
    }
}

/// Whether a version that is kept now would be kept shorter or in a weaker mode.
pub(crate) fn weakens(version: &Version, asked: Option<Retention>, now: Timestamp) -> bool {
    let Some(kept) = version.lock.retention.filter(|kept| kept.until > now.0) else {
        return false;
    };
    match asked {
        None => true,
        Some(asked) => asked.until < kept.until || (kept.compliance && !asked.compliance),
    }
}

/// Locks are of buckets that have object lock.
pub(crate) fn expect_configured(object: &ObjectTarget) -> Result<()> {
    match object.bucket().object_lock {
        Some(_) => Ok(()),
        None => Err(lock::no_configuration()),
    }
}

/// `NoSuchObjectLockConfiguration`, 404.
pub(crate) fn none_set() -> Fault {
    Fault::plain(
        "NoSuchObjectLockConfiguration",
        404,
        "The specified object does not have a ObjectLock configuration",
    )
}
