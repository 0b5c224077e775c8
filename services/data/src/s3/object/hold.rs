//! The legal hold of a version: it stands until it is lifted.

use api::s3 as model;
use model::ObjectLockLegalHoldStatus as Status;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::change::{self, Amended};
use super::retention::{expect_configured, none_set};
use super::target::{self, ObjectTarget};
use super::write::PUT_HOLD;
use crate::s3::fault::malformed_xml;

/// Shows whether a version is under legal hold.
pub struct GetObjectLegalHold;

impl Operation for GetObjectLegalHold {
    type Input = model::GetObjectLegalHoldRequest;
    type Output = model::GetObjectLegalHoldOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = Access::read("s3:GetObjectLegalHold");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let version = object.object(call, "GET")?;
        expect_configured(&object)?;
        let held = version.lock.hold.ok_or_else(none_set)?;
        let status = Some(if held { Status::On } else { Status::Off });
        Ok(model::GetObjectLegalHoldOutput {
            legal_hold: Some(model::ObjectLockLegalHold { status }),
        })
    }
}

/// Puts a version under legal hold, or lifts the hold.
pub struct PutObjectLegalHold;

impl Operation for PutObjectLegalHold {
    type Input = model::PutObjectLegalHoldRequest;
    type Output = model::PutObjectLegalHoldOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = PUT_HOLD;
    const CONDITIONS: &'static [&'static str] = &["s3:object-lock-legal-hold"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let status = input.legal_hold.as_ref().and_then(|hold| hold.status);
        if let Some(status) = status {
            context.insert("s3:object-lock-legal-hold", status.as_str());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let version = object.object(call, "PUT")?;
        expect_configured(&object)?;
        let status = input
            .legal_hold
            .and_then(|hold| hold.status)
            .ok_or_else(malformed_xml)?;
        let mut version = (*version).clone();
        version.lock.hold = Some(status == Status::On);
        change::amend(call, object.slot(), Amended::Hold, version)?;
        Ok(Self::Output::default())
    }
}
