//! MFA delete: versions that go for good, and the versioning itself, only with a code of the root user's device.
//!
//! Invariant: where it is on, nothing but such a code lets a version go or turns it off.
//!
//! Source: S3 User Guide, "Configuring MFA delete", "Deleting an object from an MFA delete-enabled bucket".

use pipeline::identity::IdentityType;
use pipeline::{Call, Result};
use wire::Fault;

use super::Bucket;
use crate::s3::fault::invalid_request;

/// Whether a bucket asks for a code.
pub(crate) fn is_on(bucket: &Bucket) -> bool {
    bucket.mfa_delete == Some(true)
}

/// Verifies what `x-amz-mfa` shows: the serial number of a device, a space and its code.
///
/// # Errors
/// `AccessDenied` without the header, for others than the owner's root user, and for codes that are not good; `InvalidRequest` where the
/// code came in clear.
pub(crate) fn prove(call: &mut Call<'_>, bucket: &Bucket, header: Option<&str>) -> Result<()> {
    let shown = header.and_then(|header| header.trim().rsplit_once(' '));
    let is_owner = call.identity.kind == IdentityType::Root && call.account() == bucket.account;
    let Some((serial, code)) = shown.filter(|_| is_owner) else {
        return Err(Fault::access_denied(
            "Mfa Authentication must be used for this request",
        ));
    };
    if !call.request.secure {
        return Err(invalid_request("Requests that include x-amz-mfa must use HTTPS."));
    }
    let directory = call.directory();
    directory.prove_mfa(call, serial.trim(), code)
}
