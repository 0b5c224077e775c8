//! From the name in a request to the bucket that it denotes.
//!
//! Invariant: a bucket is handed out only to requests of its own region; whoever names another owner than it has is refused.

use pipeline::{Found, Located, Look, Owned, Result};
use policy::Principal;
use wire::Fault;

use super::access_point;
use super::bucket::{self, BUCKETS, BucketTarget};
use super::fault::{no_such_bucket, permanent_redirect};

/// The bucket that a request reaches by its name or through an access point, for operations that know access points. `expected_owner`
/// is `x-amz-expected-bucket-owner`.
pub fn entrance(
    look: &mut Look<'_>,
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Found<BucketTarget>> {
    match access_point::entrance(look, name, expected_owner)? {
        Some(found) => Ok(found),
        None => bucket(look, name, expected_owner),
    }
}

/// The same, whatever region the request was signed for, if it names the bucket.
pub fn entrance_anywhere(
    look: &mut Look<'_>,
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Found<BucketTarget>> {
    match access_point::entrance(look, name, expected_owner)? {
        Some(found) => Ok(found),
        None => bucket_anywhere(look, name, expected_owner),
    }
}

/// The bucket of a copy's source, in whatever region it is. What is told of the source is the copy's to tell: it is not followed.
///
/// # Errors
/// `InvalidRequest` for an access point of another region (S3 API Reference, "CopyObject": copies know access points of one region).
pub fn source(look: &mut Look<'_>, name: &str, expected_owner: Option<&str>) -> Result<Found<BucketTarget>> {
    let far = |_: &bucket::Bucket| {
        Fault::plain(
            "InvalidRequest",
            400,
            "Copying through an access point is only supported when the source and destination buckets are in the same Region.",
        )
    };
    match access_point::reached(look, name, expected_owner, far)? {
        Some(found) => Ok(found),
        None => found_anywhere(look, name, expected_owner),
    }
}

/// The bucket of a name, for operations that access points do not know.
pub fn bucket(look: &mut Look<'_>, name: &str, expected_owner: Option<&str>) -> Result<Found<BucketTarget>> {
    let found = look.get(&BUCKETS, name)?;
    if let Some(found) = found.as_ref().filter(|found| found.is_followed()) {
        look.follow(&found.name);
    }
    if let Some(found) = found
        // A request without a signature names no region.
        && found.region != look.region()
        && !anonymous(look)
    {
        return Err(permanent_redirect(&found));
    }
    found_anywhere(look, name, expected_owner)
}

/// The same, whatever region the request was signed for.
pub fn bucket_anywhere(
    look: &mut Look<'_>,
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Found<BucketTarget>> {
    if let Some(found) = look.get(&BUCKETS, name)?
        && found.is_followed()
    {
        look.follow(&found.name);
    }
    found_anywhere(look, name, expected_owner)
}

fn found_anywhere(
    look: &mut Look<'_>,
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Found<BucketTarget>> {
    let found = look.get(&BUCKETS, name)?.map(BucketTarget::new);
    if found.is_none() {
        access_point::expect_none(look, name)?;
    }
    if found.is_none() && anonymous(look) {
        // Nobody's policies speak of strangers, and names are public: whoever asks learns that one is free.
        return Err(no_such_bucket(name));
    }
    if let (Some(found), Some(owner)) = (&found, expected_owner)
        && owner != found.account
    {
        return Err(Fault::access_denied("Access Denied"));
    }
    if found.as_ref().is_some_and(|found| found.requester_pays) && anonymous(look) {
        // There would be nobody to charge.
        return Err(Fault::access_denied("Access Denied"));
    }
    Ok(Found::or_absent(found, || {
        (bucket::arn(name), no_such_bucket(name))
    }))
}

/// The bucket that the first segment of a path names, before anybody's request for it is looked at.
pub fn owner(look: &mut Look<'_>, name: &str) -> Result<Option<Located>> {
    let name = wire::sigv4::percent_decode(name);
    let found = look.get(&BUCKETS, name.as_ref())?;
    Ok(found.map(|bucket| Located {
        owned: Owned {
            account: bucket.account.clone(),
            region: bucket.region.clone(),
        },
        followed: bucket.is_followed().then(|| bucket.name.clone()),
    }))
}

/// Whether nobody signed the request.
pub fn anonymous(look: &Look<'_>) -> bool {
    look.caller()
        .is_some_and(|caller| matches!(caller.principal, Principal::Anonymous))
}
