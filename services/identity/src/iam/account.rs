//! Accounts, and what IAM says of one as a whole: its alias and its summary.
//!
//! Invariant: an alias belongs to one account of the whole cloud, since sign-in addresses are made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{entity_already_exists_exception, no_such_entity_exception};
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;
use wire::typed::Empty;

use crate::iam::attachment::attached_max;
use crate::iam::count::{self, Counted};
use crate::iam::page::Page;
use crate::iam::signing_certificate::{self, SIGNING_CERTIFICATES};
use crate::iam::{access_key, group, mfa, owned, password, preference, user};

/// An account: twelve digits and what it is called.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub name: String,
    pub email: String,
    pub alias: Option<String>,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// Random. Tells an account from one of the same id that was before it, so that sessions end with their account.
    #[serde(default)]
    pub incarnation: String,
    /// When its closure took effect, in milliseconds since the epoch: nobody in it can call from then on.
    #[serde(default)]
    pub closed: Option<i64>,
}

store::record!(Account, 1);

/// By account id.
pub static ACCOUNTS: Table<String, Account> = Table::new(0x0101, "iam.accounts");

/// The account that bears an alias.
#[derive(Clone, Serialize, Deserialize)]
struct Alias {
    account: String,
}

store::record!(Alias, 1);

/// The id of the table of aliases, for a reset of one account: its keys begin with the alias.
pub const ALIASES_TABLE: u16 = 0x010a;

static ALIASES: Table<String, Alias> = Table::new(ALIASES_TABLE, "iam.account_aliases");

/// What a session remembers of its account; empty if there is no such account.
pub(crate) fn incarnation(look: &mut Look<'_>, account: &str) -> Result<String> {
    let found = look.get(&ACCOUNTS, account)?;
    Ok(found.map_or_else(String::new, |row| row.incarnation.clone()))
}

/// The account that people call by its id or alias.
pub(crate) fn named(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<Account>>> {
    let id = match look.get(&ALIASES, name)? {
        Some(alias) => alias.account.clone(),
        None => name.to_owned(),
    };
    look.get(&ACCOUNTS, &id)
}

/// Whether an account was closed: its credentials are good for nothing, and nobody gets new ones.
pub(crate) fn is_closed(look: &mut Look<'_>, account: &str) -> Result<bool> {
    let found = look.get(&ACCOUNTS, account)?;
    Ok(found.is_some_and(|row| row.closed.is_some()))
}

fn own(look: &mut Look<'_>) -> Result<Account> {
    let id = look.account().to_owned();
    let absent = || no_such_entity_exception(format!("The account {id} cannot be found."));
    look.get(&ACCOUNTS, &id)?
        .map(|account| (*account).clone())
        .ok_or_else(absent)
}

/// Refuses what is no alias. The model's pattern looks ahead, which patterns that run in linear time can't; and twelve digits would be
/// taken for the account of that number by whoever signs in (IAM User Guide, "IAM and AWS STS quotas").
fn expect_alias(alias: &str) -> Result<()> {
    const PATTERN: &str = "^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$";
    let spelt = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let hyphens = alias.starts_with('-') || alias.ends_with('-') || alias.contains("--");
    if !alias.bytes().all(spelt) || hyphens {
        return Err(Fault::validation(format!(
            "1 validation error detected: Value '{alias}' at 'accountAlias' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: {PATTERN}"
        )));
    }
    if alias.len() == 12 && alias.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::validation("An account alias can't be a 12-digit number."));
    }
    Ok(())
}

/// Gives the account the alias that its sign-in address is made of; an account has one at most, so an older one goes.
pub struct CreateAccountAlias;

impl Operation for CreateAccountAlias {
    type Input = model::CreateAccountAliasRequest;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:CreateAccountAlias");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, input: Self::Input) -> Result<Empty> {
        let alias = input.account_alias;
        expect_alias(&alias)?;
        let mut account = own(call)?;
        match call.get(&ALIASES, &alias)? {
            Some(held) if held.account == account.id => return Ok(Empty),
            Some(_) => {
                let message = format!("The account alias {alias} already exists.");
                return Err(entity_already_exists_exception(message));
            }
            None => {}
        }
        if let Some(older) = account.alias.replace(alias.clone()) {
            call.delete(&ALIASES, &older)?;
        }
        call.put(
            &ALIASES,
            &alias,
            Alias {
                account: account.id.clone(),
            },
        )?;
        let id = account.id.clone();
        call.put(&ACCOUNTS, &id, account)?;
        Ok(Empty)
    }
}

/// Takes the account's alias away.
pub struct DeleteAccountAlias;

impl Operation for DeleteAccountAlias {
    type Input = model::DeleteAccountAliasRequest;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:DeleteAccountAlias");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, input: Self::Input) -> Result<Empty> {
        let alias = input.account_alias;
        let mut account = own(call)?;
        if account.alias.as_ref() != Some(&alias) {
            // The account's own goes whatever its form: older versions took some that are refused now.
            expect_alias(&alias)?;
            return Err(no_such_entity_exception(format!(
                "The account alias {alias} cannot be found."
            )));
        }
        account.alias = None;
        call.delete(&ALIASES, &alias)?;
        let id = account.id.clone();
        call.put(&ACCOUNTS, &id, account)?;
        Ok(Empty)
    }
}

/// Lists the account's alias, if it has one.
pub struct ListAccountAliases;

impl Operation for ListAccountAliases {
    type Input = model::ListAccountAliasesRequest;
    type Output = model::ListAccountAliasesResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListAccountAliases");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let page = Page::read(
            call,
            "ListAccountAliases",
            input.marker.as_deref(),
            input.max_items,
        )?;
        let alias = own(call)?.alias;
        let paged = page.of_sorted(call, alias.into_iter().map(|alias| (alias.clone(), alias)))?;
        Ok(model::ListAccountAliasesResponse {
            is_truncated: paged.truncated(),
            account_aliases: paged.items,
            marker: paged.marker,
        })
    }
}

/// Counts the identities of the account and tells its quotas.
pub struct GetAccountSummary;

impl Operation for GetAccountSummary {
    type Input = model::GetAccountSummaryInput;
    type Output = model::GetAccountSummaryResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:GetAccountSummary");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let counts = count::counts(call)?;
        let account = call.account().to_owned();
        let root_keys = access_key::of_holder(call, &account, "")?.len();
        let root_mfa = mfa::present(call, &account, "")?;
        let root_certificates = owned::present(call, &SIGNING_CERTIFICATES, &account, "")?;
        let root_password = password::root_has_profile(call, &account)?;
        let token_version = preference::global_token_version(call)?;
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let counted = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let entries = [
            ("Users", counted(counts.users)),
            ("UsersQuota", counted(Counted::Users.quota())),
            ("Groups", counted(counts.groups)),
            ("GroupsQuota", counted(Counted::Groups.quota())),
            ("Roles", counted(counts.roles)),
            ("RolesQuota", counted(Counted::Roles.quota())),
            ("Policies", counted(counts.policies)),
            ("PoliciesQuota", counted(Counted::Policies.quota())),
            ("GroupsPerUserQuota", number(group::GROUPS_PER_USER_MAX)),
            ("AccessKeysPerUserQuota", number(access_key::KEYS_PER_USER_MAX)),
            ("AccountAccessKeysPresent", number(root_keys.min(1))),
            ("UserPolicySizeQuota", number(user::INLINE_BYTES_MAX)),
            ("GroupPolicySizeQuota", number(group::INLINE_BYTES_MAX)),
            ("RolePolicySizeQuota", 10_240),
            ("PolicySizeQuota", 6144),
            ("AssumeRolePolicySizeQuota", 2048),
            ("VersionsPerPolicyQuota", 5),
            ("AttachedPoliciesPerUserQuota", number(attached_max("user"))),
            ("AttachedPoliciesPerGroupQuota", number(attached_max("group"))),
            ("AttachedPoliciesPerRoleQuota", number(attached_max("role"))),
            ("MFADevices", counted(counts.mfa_devices)),
            ("MFADevicesInUse", counted(counts.mfa_devices_in_use)),
            ("AccountMFAEnabled", i32::from(root_mfa)),
            ("AccountPasswordPresent", i32::from(root_password)),
            ("AccountSigningCertificatesPresent", i32::from(root_certificates)),
            (
                "SigningCertificatesPerUserQuota",
                number(signing_certificate::CERTIFICATES_PER_USER_MAX),
            ),
            ("ServerCertificates", counted(counts.server_certificates)),
            (
                "ServerCertificatesQuota",
                counted(Counted::ServerCertificates.quota()),
            ),
            ("InstanceProfiles", counted(counts.instance_profiles)),
            (
                "InstanceProfilesQuota",
                counted(Counted::InstanceProfiles.quota()),
            ),
            (
                "Providers",
                counted(counts.oidc_providers + counts.saml_providers),
            ),
            ("GlobalEndpointTokenVersion", token_version),
        ];
        let summary: BTreeMap<String, i32> = entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Ok(model::GetAccountSummaryResponse {
            summary_map: Some(summary),
        })
    }
}
