//! Trusted access: services that may look at an organization and act in its accounts.
//!
//! Invariant: only an organization with all features lets services in.

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;
use wire::typed::Empty;

use super::organization::FeatureSet;
use super::page::Page;
use super::reach::{self, Reached, Who};
use super::refusal;

/// When a service was let in.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Trusted {
    /// Milliseconds since the epoch.
    since: i64,
}

store::record!(Trusted, 1);

/// By management account and service principal.
pub(super) static SERVICE_ACCESS: Table<(String, String), Trusted> =
    Table::new(0x0137, "organizations.service_access");

/// Whether a service was let in.
pub(crate) fn is_enabled(look: &mut Look<'_>, management: &str, service: &str) -> Result<bool> {
    let key = (management.to_owned(), service.to_owned());
    Ok(look.get(&SERVICE_ACCESS, &key)?.is_some())
}

/// Refuses what cannot be a service of AWS.
pub(super) fn expect_service(name: &str) -> Result<()> {
    let known = name.strip_suffix(".amazonaws.com").is_some_and(|service| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        !service.is_empty() && service.bytes().all(fits)
    });
    if known {
        return Ok(());
    }
    Err(refusal::invalid(
        "UNRECOGNIZED_SERVICE_PRINCIPAL",
        "You specified an unrecognized service principal.",
    ))
}

/// Sets the condition key of operations that name a service.
pub(super) fn condition(service: &str, context: &mut Context) {
    context.insert("organizations:ServicePrincipal", service.to_owned());
}

pub(super) const CONDITION: &str = "organizations:ServicePrincipal";

/// Lets a service in. Again is no error.
pub struct EnableAWSServiceAccess;

impl Operation for EnableAWSServiceAccess {
    type Input = model::EnableAWSServiceAccessRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:EnableAWSServiceAccess");
    const CONDITIONS: &'static [&'static str] = &[CONDITION];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Management)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        condition(&input.service_principal, context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Empty> {
        expect_service(&input.service_principal)?;
        let organization = reached.organization();
        if organization.feature_set != FeatureSet::All {
            return Err(refusal::not_all_features());
        }
        if !is_enabled(call, &organization.management, &input.service_principal)? {
            let since = Timestamp::from_seconds(call.now.seconds()).0;
            let key = (organization.management.clone(), input.service_principal);
            call.put(&SERVICE_ACCESS, &key, Trusted { since })?;
        }
        Ok(Empty)
    }
}

/// Shuts a service out. Again is no error.
pub struct DisableAWSServiceAccess;

impl Operation for DisableAWSServiceAccess {
    type Input = model::DisableAWSServiceAccessRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:DisableAWSServiceAccess");
    const CONDITIONS: &'static [&'static str] = &[CONDITION];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Management)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        condition(&input.service_principal, context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Empty> {
        expect_service(&input.service_principal)?;
        let key = (reached.organization().management.clone(), input.service_principal);
        call.delete(&SERVICE_ACCESS, &key)?;
        Ok(Empty)
    }
}

/// Lists the services that were let in.
pub struct ListAWSServiceAccessForOrganization;

impl Operation for ListAWSServiceAccessForOrganization {
    type Input = model::ListAWSServiceAccessForOrganizationRequest;
    type Output = model::ListAWSServiceAccessForOrganizationResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListAWSServiceAccessForOrganization");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let page = Page::read(call, "services", input.next_token.as_deref(), input.max_results)?;
        let management = reached.organization().management.as_str();
        let after = page
            .after
            .as_ref()
            .map(|name| (management.to_owned(), name.clone()));
        let rows = call.range(&SERVICE_ACCESS, &(management,), after.as_ref(), page.reach())?;
        let services = rows.into_iter().map(|((_, name), row)| {
            let shown = model::EnabledServicePrincipal {
                date_enabled: Some(Timestamp(row.since)),
                service_principal: Some(name.clone()),
            };
            (name, shown)
        });
        let (services, next_token) = page.close(call, services)?;
        Ok(model::ListAWSServiceAccessForOrganizationResponse {
            enabled_service_principals: Some(services),
            next_token,
        })
    }
}
