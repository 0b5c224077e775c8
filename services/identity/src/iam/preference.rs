//! What an account prefers of STS: the version of the tokens that the global endpoint gives out.
//!
//! Source: IAM User Guide, "Manage AWS STS in an AWS Region". Every region here is one that is on by default, in which tokens
//! of both versions are good, so that the version is told and decides nothing.

use api::iam as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;

/// The preferences of an account.
#[derive(Clone, Serialize, Deserialize)]
struct Preferences {
    /// 1 or 2.
    global_token_version: i32,
}

store::record!(Preferences, 1);

/// By account; without a row, an account has what a new one has.
static PREFERENCES: Table<String, Preferences> = Table::new(0x0171, "iam.sts_preferences");

/// The version of the global endpoint's tokens, as the account's summary tells it.
pub(crate) fn global_token_version(look: &mut Look<'_>) -> Result<i32> {
    let account = look.account().to_owned();
    let held = look.get(&PREFERENCES, &account)?;
    Ok(held.map_or(2, |held| held.global_token_version))
}

/// Sets the version of the global endpoint's tokens.
pub struct SetSecurityTokenServicePreferences;

impl Operation for SetSecurityTokenServicePreferences {
    type Input = model::SetSecurityTokenServicePreferencesRequest;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:SetSecurityTokenServicePreferences");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, input: Self::Input) -> Result<Empty> {
        let global_token_version = match input.global_endpoint_token_version {
            model::GlobalEndpointTokenVersion::V1Token => 1,
            model::GlobalEndpointTokenVersion::V2Token => 2,
        };
        let account = call.account().to_owned();
        call.put(&PREFERENCES, &account, Preferences { global_token_version })?;
        Ok(Empty)
    }
}
