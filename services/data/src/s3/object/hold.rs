//! The legal hold of a version: it stands until it is lifted.

use api::s3 as model;
use model::ObjectLockLegalHoldStatus as Status;
use pipeline::Access;

use super::change::{self, Amended};
use super::on_object::on_object;
use super::retention::{expect_configured, none_set};
use super::write::PUT_HOLD;
use crate::s3::fault::malformed_xml;

on_object! {
    /// Shows whether a version is under legal hold.
    GetObjectLegalHold(model::GetObjectLegalHoldRequest) -> model::GetObjectLegalHoldOutput,
    Access::read("s3:GetObjectLegalHold"), keys &[], charged _charged;
    |call, object, input| {
        let version = object.object(call, "GET")?;
        expect_configured(&object)?;
        let held = version.lock.hold.ok_or_else(none_set)?;
        let status = Some(if held { Status::On } else { Status::Off });
        Ok(model::GetObjectLegalHoldOutput {
            legal_hold: Some(model::ObjectLockLegalHold { status }),
        })
    }
}

on_object! {
    /// Puts a version under legal hold, or lifts the hold.
    PutObjectLegalHold(model::PutObjectLegalHoldRequest) -> model::PutObjectLegalHoldOutput,
    PUT_HOLD, keys &["s3:object-lock-legal-hold"],
    set |input, context| {
        let status = input.legal_hold.as_ref().and_then(|hold| hold.status);
        if let Some(status) = status {
            context.insert("s3:object-lock-legal-hold", status.as_str());
        }
    },
    charged charged;
    |call, object, input| {
        let version = object.object(call, "PUT")?;
        expect_configured(&object)?;
        let status = input
            .legal_hold
            .and_then(|hold| hold.status)
            .ok_or_else(malformed_xml)?;
        let mut version = (*version).clone();
        version.lock.hold = Some(status == Status::On);
        change::amend(call, object.slot(), Amended::Hold, version)?;
        Ok(model::PutObjectLegalHoldOutput {
            request_charged: charged,
        })
    }
}
