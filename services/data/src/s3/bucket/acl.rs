//! The access control list of a bucket itself.
//!
//! Source: S3 API Reference, "PutBucketAcl".

use ::policy::Context;
use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{BucketTarget, on_bucket::on_bucket, to_change};
use crate::s3::acl::Permission;
use crate::s3::acl_request::{Asked, expect_allowed, shown, shown_owner};
use crate::s3::fault::text;
use crate::s3::{access, locate};

on_bucket! {
    /// Shows a bucket's access control list.
    GetBucketAcl(model::GetBucketAclRequest) -> model::GetBucketAclOutput, Access::read("s3:GetBucketAcl"), entrance;
    |_call, bucket, _input| {
        Ok(model::GetBucketAclOutput {
            grants: Some(shown(&bucket.acl)),
            owner: Some(shown_owner(&bucket.account)),
        })
    }
}

/// Gives a bucket another access control list.
pub struct PutBucketAcl;

impl Operation for PutBucketAcl {
    type Input = model::PutBucketAclRequest;
    type Output = Empty;
    type Target = BucketTarget;
    const ACCESS: Access = Access::permissions("s3:PutBucketAcl");
    const CONDITIONS: &'static [&'static str] = &[
        "s3:x-amz-acl",
        "s3:x-amz-grant-full-control",
        "s3:x-amz-grant-read",
        "s3:x-amz-grant-read-acp",
        "s3:x-amz-grant-write",
        "s3:x-amz-grant-write-acp",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        locate::bucket(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(canned) = &input.acl {
            context.insert("s3:x-amz-acl", canned.as_str());
        }
        for (key, value) in [
            ("s3:x-amz-grant-full-control", &input.grant_full_control),
            ("s3:x-amz-grant-read", &input.grant_read),
            ("s3:x-amz-grant-read-acp", &input.grant_read_acp),
            ("s3:x-amz-grant-write", &input.grant_write),
            ("s3:x-amz-grant-write-acp", &input.grant_write_acp),
        ] {
            if let Some(value) = value {
                context.insert(key, value.clone());
            }
        }
    }

    fn handle(call: &mut Call<'_>, bucket: Authorized<BucketTarget>, input: Self::Input) -> Result<Empty> {
        let asked = Asked {
            body: input.access_control_policy.as_ref(),
            ..Asked::new(
                input.acl.map(model::BucketCannedACL::as_str),
                [
                    (Permission::FullControl, input.grant_full_control.as_ref()),
                    (Permission::Read, input.grant_read.as_ref()),
                    (Permission::ReadAcp, input.grant_read_acp.as_ref()),
                    (Permission::Write, input.grant_write.as_ref()),
                    (Permission::WriteAcp, input.grant_write_acp.as_ref()),
                ],
            )
        };
        let Some(acl) = asked.read(call, &bucket.account, &bucket.account)? else {
            return Err(Fault::plain(
                "MissingSecurityHeader",
                400,
                "Your request was missing a required header",
            )
            .with("MissingHeaderName", text("x-amz-acl")));
        };
        let block = access::block(call, &bucket)?;
        let place = ("s3:PutBucketAcl", bucket.arn());
        expect_allowed(&acl, &bucket, block, &call.identity.arn, (place.0, &place.1))?;
        let mut bucket = to_change(&bucket);
        bucket.acl = acl;
        bucket.keep(call)?;
        Ok(Empty)
    }
}
