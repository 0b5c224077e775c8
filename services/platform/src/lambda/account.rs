//! The limits of an account in a region, and what it uses of them.

use api::lambda as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::usage::{self, CODE_BYTES_MAX, CONCURRENT_MAX};

/// Shows limits and usage.
pub struct GetAccountSettings;

impl Operation for GetAccountSettings {
    type Input = model::GetAccountSettingsRequest;
    type Output = model::GetAccountSettingsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("lambda:GetAccountSettings");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        let used = usage::of(call, &account, &region)?;
        let unreserved = CONCURRENT_MAX.saturating_sub(used.reserved);
        Ok(model::GetAccountSettingsResponse {
            account_limit: Some(model::AccountLimit {
                code_size_unzipped: Some(250 << 20),
                code_size_zipped: Some(50 << 20),
                concurrent_executions: i32::try_from(CONCURRENT_MAX).ok(),
                total_code_size: Some(CODE_BYTES_MAX),
                unreserved_concurrent_executions: i32::try_from(unreserved).ok(),
            }),
            account_usage: Some(model::AccountUsage {
                function_count: Some(used.functions),
                total_code_size: Some(used.code_bytes),
            }),
        })
    }
}
