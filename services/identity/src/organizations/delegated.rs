//! Delegated administrators: members that stand in for the management account, each for one service.
//!
//! Invariant: only a service with trusted access has a delegated administrator made; the management account is never one.

use std::collections::BTreeMap;

use api::organizations as model;
use api::organizations::fault::{account_already_registered_exception, account_not_registered_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;
use wire::typed::Empty;

use super::account;
use super::membership::{Membership, State, membership};
use super::page::Page;
use super::reach::{self, Reached, Who};
use super::refusal;
use super::service_access::{self, CONDITION};

/// A member that administers a service.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Delegation {
    /// Milliseconds since the epoch.
    since: i64,
}

store::record!(Delegation, 1);

/// Management account, member, service principal.
pub(super) static DELEGATED: Table<(String, String, String), Delegation> =
    Table::new(0x0136, "organizations.delegated_administrators");
/// Whether a member administers any service.
pub(crate) fn is_administrator(look: &mut Look<'_>, member: &Membership) -> Result<bool> {
    let prefix = (member.management.as_str(), member.account.as_str());
    Ok(!look.range(&DELEGATED, &prefix, None, 1)?.is_empty())
}

/// Whether a member administers a service.
pub(crate) fn administers(look: &mut Look<'_>, member: &Membership, service: &str) -> Result<bool> {
    let key = (
        member.management.clone(),
        member.account.clone(),
        service.to_owned(),
    );
    Ok(look.get(&DELEGATED, &key)?.is_some())
}

/// The members that administer a service.
pub(crate) fn administrators(look: &mut Look<'_>, management: &str, service: &str) -> Result<Vec<String>> {
    let rows = look.range(&DELEGATED, &(management,), None, usize::MAX)?;
    let kept = rows.into_iter().filter(|((_, _, held), _)| held == service);
    Ok(kept.map(|((_, member, _), _)| member).collect())
}

/// Takes every service from a member that goes.
pub(super) fn forget(call: &mut Call<'_>, member: &Membership) -> Result<()> {
    let prefix = (member.management.as_str(), member.account.as_str());
    for (key, _) in call.range(&DELEGATED, &prefix, None, usize::MAX)? {
        call.delete(&DELEGATED, &key)?;
    }
    Ok(())
}

fn not_registered() -> wire::Fault {
    account_not_registered_exception(
        "The provided account is not a registered delegated administrator for your organization.",
    )
}

/// Lets a member administer a service.
pub struct RegisterDelegatedAdministrator;

impl Operation for RegisterDelegatedAdministrator {
    type Input = model::RegisterDelegatedAdministratorRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:RegisterDelegatedAdministrator");
    const CONDITIONS: &'static [&'static str] = &[CONDITION];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::account(look, Who::Management, &input.account_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        service_access::condition(&input.service_principal, context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Empty> {
        service_access::expect_service(&input.service_principal)?;
        let member = reached.account_row()?;
        if member.is_management() {
            return Err(refusal::constraint(
                "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
                "You cannot register master account/yourself as delegated administrator for your organization.",
            ));
        }
        if member.state != State::Active {
            return Err(refusal::constraint(
                "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
                "You cannot register a suspended account as a delegated administrator.",
            ));
        }
        if !service_access::is_enabled(call, &member.management, &input.service_principal)? {
            return Err(refusal::constraint(
                "SERVICE_ACCESS_NOT_ENABLED",
                "You must enable service access for the service principal before you register a delegated administrator for it.",
            ));
        }
        let key = (
            member.management.clone(),
            member.account.clone(),
            input.service_principal,
        );
        if call.get(&DELEGATED, &key)?.is_some() {
            return Err(account_already_registered_exception(
                "The provided account is already a delegated administrator for your organization.",
            ));
        }
        let since = Timestamp::from_seconds(call.now.seconds()).0;
        call.put(&DELEGATED, &key, Delegation { since })?;
        Ok(Empty)
    }
}

/// Takes the administration of a service from a member.
pub struct DeregisterDelegatedAdministrator;

impl Operation for DeregisterDelegatedAdministrator {
    type Input = model::DeregisterDelegatedAdministratorRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:DeregisterDelegatedAdministrator");
    const CONDITIONS: &'static [&'static str] = &[CONDITION];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::account(look, Who::Management, &input.account_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        service_access::condition(&input.service_principal, context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Empty> {
        service_access::expect_service(&input.service_principal)?;
        let member = reached.account_row()?;
        let key = (
            member.management.clone(),
            member.account.clone(),
            input.service_principal,
        );
        if call.get(&DELEGATED, &key)?.is_none() {
            return Err(not_registered());
        }
        call.delete(&DELEGATED, &key)?;
        Ok(Empty)
    }
}

/// Lists the members that administer a service, or any.
pub struct ListDelegatedAdministrators;

impl Operation for ListDelegatedAdministrators {
    type Input = model::ListDelegatedAdministratorsRequest;
    type Output = model::ListDelegatedAdministratorsResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListDelegatedAdministrators");
    const CONDITIONS: &'static [&'static str] = &[CONDITION];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(service) = &input.service_principal {
            service_access::condition(service, context);
        }
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let wanted = input.service_principal;
        let list = format!("administrators/{}", wanted.as_deref().unwrap_or_default());
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let management = reached.organization().management.as_str();
        let mut since: BTreeMap<String, i64> = BTreeMap::new();
        for ((_, member, service), row) in call.every(&DELEGATED, &(management,))? {
            if wanted.as_ref().is_none_or(|wanted| *wanted == service) {
                let first = since.entry(member).or_insert(row.since);
                *first = row.since.min(*first);
            }
        }
        let mut administrators = Vec::new();
        for (id, since) in since {
            if let Some(member) = membership(call, &id)? {
                let shown = account::shown(call, &member)?;
                administrators.push((
                    id,
                    model::DelegatedAdministrator {
                        arn: shown.arn,
                        delegation_enabled_date: Some(Timestamp(since)),
                        email: shown.email,
                        id: shown.id,
                        joined_method: shown.joined_method,
                        joined_timestamp: shown.joined_timestamp,
                        name: shown.name,
                        state: shown.state,
                        status: shown.status,
                    },
                ));
            }
        }
        let (administrators, next_token) = page.close(call, administrators)?;
        Ok(model::ListDelegatedAdministratorsResponse {
            delegated_administrators: Some(administrators),
            next_token,
        })
    }
}

/// Lists the services that a member administers.
pub struct ListDelegatedServicesForAccount;

impl Operation for ListDelegatedServicesForAccount {
    type Input = model::ListDelegatedServicesForAccountRequest;
    type Output = model::ListDelegatedServicesForAccountResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListDelegatedServicesForAccount");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::account(look, Who::Administrators, &input.account_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let member = reached.account_row()?;
        if !is_administrator(call, &member)? {
            return Err(not_registered());
        }
        let list = format!("delegated/{}", member.account);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let prefix = (member.management.as_str(), member.account.as_str());
        let key = |service: &String| (member.management.clone(), member.account.clone(), service.clone());
        let after = page.after.as_ref().map(key);
        let rows = call.range(&DELEGATED, &prefix, after.as_ref(), page.reach())?;
        let services = rows.into_iter().map(|((_, _, service), row)| {
            let shown = model::DelegatedService {
                delegation_enabled_date: Some(Timestamp(row.since)),
                service_principal: Some(service.clone()),
            };
            (service, shown)
        });
        let (services, next_token) = page.close(call, services)?;
        Ok(model::ListDelegatedServicesForAccountResponse {
            delegated_services: Some(services),
            next_token,
        })
    }
}
