//! What an object is, without its bytes.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::facts;
use super::get::GET_VERSION;
use super::precondition::Conditions;
use super::target::{self, ObjectTarget};
use super::write::GET;
use crate::s3::encryption;
use crate::s3::lifecycle;
use crate::s3::payer;

/// Tells of an object what its read would, but for the bytes.
pub struct HeadObject;

impl Operation for HeadObject {
    type Input = model::HeadObjectRequest;
    type Output = model::HeadObjectOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = GET;
    const CONDITIONS: &'static [&'static str] = &["s3:ExistingObjectTag/<key>", "s3:versionid"];
    const ALSO: &'static [Access] = &[GET_VERSION, target::LIST];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), GET, GET_VERSION)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let version = object.object(call, "HEAD")?;
        let conditions = Conditions {
            matches: input.if_match.as_deref(),
            none_match: input.if_none_match.as_deref(),
            modified_since: input.if_modified_since,
            unmodified_since: input.if_unmodified_since,
        };
        facts::expect(conditions, &version)?;
        let customer = encryption::customer!(input);
        // Who lacks the customer's key learns nothing of the object either. KMS is asked only for what it keeps: the checksums.
        if input.checksum_mode.is_some() {
            encryption::Opener::of(
                call,
                &version.encryption,
                object.bucket(),
                object.key(),
                &customer,
            )?;
        } else {
            version.encryption.expect_customer(&customer)?;
        }
        let range = facts::ranged(call, &version, input.range.as_deref());
        let extent = facts::extent(call, object.slot(), &version, range, input.part_number)?;
        let mut output = model::HeadObjectOutput {
            request_charged: charged,
            ..Default::default()
        };
        let now = call.now;
        facts::tell!(output, object, version, extent, input, now);
        if object.asked().is_none() {
            output.expiration = lifecycle::expiration(call, object.bucket(), object.key(), &version)?;
        }
        Ok(output)
    }
}
