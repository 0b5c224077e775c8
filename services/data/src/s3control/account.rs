//! What an account keeps from the public in all of its buckets, whatever they say themselves.
//!
//! Source: S3 User Guide, "Configuring block public access settings for your account".

use api::s3control as model;
use api::s3control::fault::no_such_public_access_block_configuration;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;
use wire::typed::Empty;

use crate::s3::access::{ACCOUNT_BLOCKS, AccountBlock};
use crate::s3::bucket::PublicAccessBlock;

const GET: Access = Access::read("s3:GetAccountPublicAccessBlock");
const PUT: Access = Access::permissions("s3:PutAccountPublicAccessBlock");

/// The caller's own account, which the request must name.
pub(crate) fn own(look: &Look<'_>, named: &str) -> Result<Found<AccountScope>> {
    if named == look.account() {
        return Ok(AccountScope::of(look));
    }
    Err(Fault::access_denied("Access Denied"))
}

/// Shows what the account keeps from the public.
pub struct GetPublicAccessBlock;

impl Operation for GetPublicAccessBlock {
    type Input = model::GetPublicAccessBlockRequest;
    type Output = model::GetPublicAccessBlockOutput;
    type Target = AccountScope;
    const ACCESS: Access = GET;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Self::Output> {
        own(call, &input.account_id)?;
        let Some(row) = call.get(&ACCOUNT_BLOCKS, &input.account_id)? else {
            return Err(no_such_public_access_block_configuration(
                "The public access block configuration was not found",
            ));
        };
        let block = row.0;
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

/// Sets what the account keeps from the public.
pub struct PutPublicAccessBlock;

impl Operation for PutPublicAccessBlock {
    type Input = model::PutPublicAccessBlockRequest;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = PUT;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Empty> {
        own(call, &input.account_id)?;
        let asked = input.public_access_block_configuration;
        let block = PublicAccessBlock {
            block_public_acls: asked.block_public_acls == Some(true),
            ignore_public_acls: asked.ignore_public_acls == Some(true),
            block_public_policy: asked.block_public_policy == Some(true),
            restrict_public_buckets: asked.restrict_public_buckets == Some(true),
        };
        call.put(&ACCOUNT_BLOCKS, &input.account_id, AccountBlock(block))?;
        Ok(Empty)
    }
}

/// Leaves it to each bucket.
pub struct DeletePublicAccessBlock;

impl Operation for DeletePublicAccessBlock {
    type Input = model::DeletePublicAccessBlockRequest;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = PUT;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Empty> {
        own(call, &input.account_id)?;
        call.delete(&ACCOUNT_BLOCKS, &input.account_id)?;
        Ok(Empty)
    }
}
