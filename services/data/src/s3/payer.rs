//! Who pays for a request: buckets whose owner lets the requesters pay.
//!
//! Invariant: nobody but the bucket's owner reaches what is in such a bucket without having said that they will be charged, and nobody
//! unknown at all.
//!
//! Source: S3 User Guide, "Using Requester Pays general purpose buckets for storage transfers and usage".

use api::s3 as model;
use pipeline::{Call, Result};
use wire::Fault;

use super::bucket::Bucket;
use super::locate;

/// What the answer says of the charge, to a request that is allowed and `told` what it told of it.
///
/// # Errors
/// `AccessDenied` for who does not say that they pay.
pub(crate) fn charge(
    call: &Call<'_>,
    bucket: &Bucket,
    told: Option<model::RequestPayer>,
) -> Result<Option<model::RequestCharged>> {
    let charged = bucket.requester_pays && (locate::anonymous(call) || call.account() != bucket.account);
    match told {
        _ if !charged => Ok(None),
        Some(model::RequestPayer::Requester) if !locate::anonymous(call) => {
            Ok(Some(model::RequestCharged::Requester))
        }
        _ => Err(Fault::access_denied("Access Denied")),
    }
}
