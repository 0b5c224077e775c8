//! What a bucket keeps from the public, and who owns what is written into it.
//!
//! Invariant: a bucket whose owner is to own everything has no access control list that grants anything to others.
//!
//! Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", "Controlling ownership of objects".

use api::s3 as model;
use pipeline::Access;
use wire::Fault;
use wire::typed::Empty;

use super::{Ownership, PublicAccessBlock, on_bucket::on_bucket, to_change};
use crate::s3::fault::{malformed_xml, text};

const PUT: Access = Access::permissions("s3:PutBucketPublicAccessBlock");
const PUT_OWNERSHIP: Access = Access::permissions("s3:PutBucketOwnershipControls");

on_bucket! {
    /// Shows what a bucket keeps from the public.
    GetPublicAccessBlock(model::GetPublicAccessBlockRequest) -> model::GetPublicAccessBlockOutput,
    Access::read("s3:GetBucketPublicAccessBlock");
    |_call, bucket, _input| {
        let Some(block) = bucket.public_access_block else {
            return Err(Fault::plain(
                "NoSuchPublicAccessBlockConfiguration",
                404,
                "The public access block configuration was not found",
            )
            .with("BucketName", text(&bucket.name)));
        };
        Ok(model::GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(model::PublicAccessBlockConfiguration {
                block_public_acls: Some(block.block_public_acls),
                ignore_public_acls: Some(block.ignore_public_acls),
                block_public_policy: Some(block.block_public_policy),
                restrict_public_buckets: Some(block.restrict_public_buckets),
            }),
        })
    }
}

on_bucket! {
    /// Sets what a bucket keeps from the public; what the request does not name is let through.
    PutPublicAccessBlock(model::PutPublicAccessBlockRequest) -> Empty, PUT;
    |call, bucket, input| {
        let asked = input.public_access_block_configuration;
        let mut bucket = to_change(&bucket);
        bucket.public_access_block = Some(PublicAccessBlock {
            block_public_acls: asked.block_public_acls == Some(true),
            ignore_public_acls: asked.ignore_public_acls == Some(true),
            block_public_policy: asked.block_public_policy == Some(true),
            restrict_public_buckets: asked.restrict_public_buckets == Some(true),
        });
        bucket.keep(call)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Lets the public through, as far as policies do.
    DeletePublicAccessBlock(model::DeletePublicAccessBlockRequest) -> Empty, PUT;
    |call, bucket, _input| {
        let mut bucket = to_change(&bucket);
        bucket.public_access_block = None;
        bucket.keep(call)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Shows who owns what is written into a bucket.
    GetBucketOwnershipControls(model::GetBucketOwnershipControlsRequest) -> model::GetBucketOwnershipControlsOutput,
    Access::read("s3:GetBucketOwnershipControls");
    |_call, bucket, _input| {
        if bucket.ownership_unsaid {
            return Err(Fault::plain(
                "OwnershipControlsNotFoundError",
                404,
                "The bucket ownership controls were not found",
            )
            .with("BucketName", text(&bucket.name)));
        }
        let object_ownership = bucket.ownership.into();
        Ok(model::GetBucketOwnershipControlsOutput {
            ownership_controls: Some(model::OwnershipControls {
                rules: vec![model::OwnershipControlsRule { object_ownership }],
            }),
        })
    }
}

on_bucket! {
    /// Says who owns what is written into a bucket.
    PutBucketOwnershipControls(model::PutBucketOwnershipControlsRequest) -> Empty, PUT_OWNERSHIP;
    |call, bucket, input| {
        let [rule] = input.ownership_controls.rules.as_slice() else {
            return Err(malformed_xml());
        };
        let ownership = Ownership::from(rule.object_ownership);
        if ownership == Ownership::BucketOwnerEnforced && !bucket.acl.is_private() {
            return Err(Fault::plain(
                "InvalidBucketAclWithObjectOwnership",
                400,
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            )
            .with("BucketName", text(&bucket.name)));
        }
        let mut bucket = to_change(&bucket);
        bucket.ownership = ownership;
        bucket.ownership_unsaid = false;
        bucket.keep(call)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Lets whoever writes an object own it, as it was before there was a choice.
    DeleteBucketOwnershipControls(model::DeleteBucketOwnershipControlsRequest) -> Empty, PUT_OWNERSHIP;
    |call, bucket, _input| {
        let mut bucket = to_change(&bucket);
        bucket.ownership = Ownership::ObjectWriter;
        bucket.ownership_unsaid = true;
        bucket.keep(call)?;
        Ok(Empty)
    }
}
