//! Who the caller is: the operation that every authenticated caller may call, whatever policies say.

use api::sts as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

/// Tells the caller's account, ARN and unique id.
pub struct GetCallerIdentity;

impl Operation for GetCallerIdentity {
    type Input = model::GetCallerIdentityRequest;
    type Output = model::GetCallerIdentityResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::open("sts:GetCallerIdentity");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let identity = call.identity;
        Ok(model::GetCallerIdentityResponse {
            account: Some(identity.account.to_string()),
            arn: Some(identity.arn.to_string()),
            user_id: Some(identity.user_id.to_string()),
        })
    }
}
