//! The password policy of an account (IAM User Guide, "Set an account password policy for IAM users").

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::no_such_entity_exception;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use store::Table;
use wire::typed::Empty;

use super::rules::{LENGTH_MIN_UNSET, PasswordPolicy};

/// By account.
static POLICIES: Table<String, PasswordPolicy> = Table::new(0x0120, "iam.password_policies");

/// The policy that an account set, if it did.
pub(crate) fn of_account(look: &mut Look<'_>, account: &str) -> Result<Option<Arc<PasswordPolicy>>> {
    look.get(&POLICIES, account)
}

/// Whether the account lets every user change the own password, whatever the policies of users say
/// (IAM User Guide, "Permit IAM users to change their own passwords").
pub(crate) fn change_is_open(look: &mut Look<'_>, account: &str) -> Result<bool> {
    Ok(of_account(look, account)?.is_some_and(|policy| policy.users_may_change))
}

fn own(look: &mut Look<'_>) -> Result<Arc<PasswordPolicy>> {
    let account = look.account().to_owned();
    of_account(look, &account)?.ok_or_else(|| {
        no_such_entity_exception(format!(
            "The Password Policy with domain name {account} cannot be found."
        ))
    })
}

/// Sets the whole policy: what the request leaves out takes AWS's default, not its former value (S3.10).
pub struct UpdateAccountPasswordPolicy;

impl Operation for UpdateAccountPasswordPolicy {
    type Input = model::UpdateAccountPasswordPolicyRequest;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:UpdateAccountPasswordPolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, input: Self::Input) -> Result<Empty> {
        let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
        let policy = PasswordPolicy {
            length_min: number(input.minimum_password_length).unwrap_or(LENGTH_MIN_UNSET),
            symbols: input.require_symbols.unwrap_or(false),
            numbers: input.require_numbers.unwrap_or(false),
            uppercase: input.require_uppercase_characters.unwrap_or(false),
            lowercase: input.require_lowercase_characters.unwrap_or(false),
            users_may_change: input.allow_users_to_change_password.unwrap_or(false),
            age_days_max: number(input.max_password_age),
            reuse_prevention: number(input.password_reuse_prevention),
            hard_expiry: input.hard_expiry,
        };
        let account = call.account().to_owned();
        call.put(&POLICIES, &account, policy)?;
        Ok(Empty)
    }
}

/// Shows the policy; `NoSuchEntity` while the account has AWS's default.
pub struct GetAccountPasswordPolicy;

impl Operation for GetAccountPasswordPolicy {
    type Input = model::GetAccountPasswordPolicyInput;
    type Output = model::GetAccountPasswordPolicyResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetAccountPasswordPolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let policy = own(call)?;
        let number = |value: u32| i32::try_from(value).ok();
        let password_policy = model::PasswordPolicy {
            allow_users_to_change_password: Some(policy.users_may_change),
            expire_passwords: Some(policy.age_days_max.is_some()),
            hard_expiry: policy.hard_expiry,
            max_password_age: policy.age_days_max.and_then(number),
            minimum_password_length: number(policy.length_min),
            password_reuse_prevention: policy.reuse_prevention.and_then(number),
            require_lowercase_characters: Some(policy.lowercase),
            require_numbers: Some(policy.numbers),
            require_symbols: Some(policy.symbols),
            require_uppercase_characters: Some(policy.uppercase),
        };
        Ok(model::GetAccountPasswordPolicyResponse { password_policy })
    }
}

/// Goes back to AWS's default policy.
pub struct DeleteAccountPasswordPolicy;

impl Operation for DeleteAccountPasswordPolicy {
    type Input = model::DeleteAccountPasswordPolicyInput;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::permissions("iam:DeleteAccountPasswordPolicy");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Self::Input) -> Result<Empty> {
        own(call)?;
        let account = call.account().to_owned();
        call.delete(&POLICIES, &account)?;
        Ok(Empty)
    }
}
