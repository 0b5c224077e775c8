//! Central root access: what an organization lets its management account, and the delegated administrator for IAM, do with the root
//! users of its members (IAM User Guide, "Centralize root access for member accounts").
//!
//! Invariant: the features are the organization's, whichever account asks; no feature is on unless IAM had trusted access when it was
//! turned on.

use api::iam as model;
use api::iam::fault;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::Table;

use crate::organizations::delegated;
use crate::organizations::membership::membership;
use crate::organizations::organization::{FeatureSet, Organization, organization};
use crate::organizations::service_access;

/// IAM, as services with trusted access are named.
pub(crate) const SERVICE: &str = "iam.amazonaws.com";

/// What is turned on in an organization.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Features {
    /// Root users' credentials in member accounts are managed centrally.
    pub credentials_management: bool,
    /// Privileged tasks are done in member accounts through sessions.
    pub sessions: bool,
}

store::record!(Features, 1);

/// By the organization's management account.
static FEATURES: Table<String, Features> = Table::new(0x0172, "iam.organizations_features");

/// What is turned on in an organization.
pub(crate) fn of_organization(look: &mut Look<'_>, organization: &Organization) -> Result<Features> {
    let held = look.get(&FEATURES, &organization.management)?;
    Ok(held.map(|held| *held).unwrap_or_default())
}

/// Forgets an organization that ends.
pub(crate) fn forget(call: &mut Call<'_>, organization: &Organization) -> Result<()> {
    call.delete(&FEATURES, &organization.management)
}

/// An account's organization, if the account stands for the whole of it in matters of IAM: its management account, or the delegated
/// administrator for IAM.
pub(crate) fn administered(look: &mut Look<'_>, account: &str) -> Result<Option<Arc<Organization>>> {
    let Some(member) = membership(look, account)? else {
        return Ok(None);
    };
    if !member.is_management() && !delegated::administers(look, &member, SERVICE)? {
        return Ok(None);
    }
    organization(look, &member.management)
}

/// The organization that the caller may ask about.
fn expect_administered(call: &mut Call<'_>) -> Result<Arc<Organization>> {
    let account = call.account().to_owned();
    if membership(call, &account)?.is_none() {
        return Err(fault::organization_not_found_exception(
            "No organization is associated with the account.",
        ));
    }
    let organization = administered(call, &account)?.ok_or_else(|| {
        fault::account_not_management_or_delegated_administrator_exception(
            "The account is neither the management account nor the delegated administrator for IAM.",
        )
    })?;
    if organization.feature_set != FeatureSet::All {
        return Err(fault::organization_not_in_all_features_mode_exception(
            "The organization does not have all features enabled.",
        ));
    }
    if !service_access::is_enabled(call, &organization.management, SERVICE)? {
        return Err(fault::service_access_not_enabled_exception(
            "Trusted access is not enabled for IAM in AWS Organizations.",
        ));
    }
    Ok(organization)
}

/// The organization, of callers in its management account alone: nobody else turns a feature on.
fn expect_managed(call: &mut Call<'_>) -> Result<Arc<Organization>> {
    let organization = expect_administered(call)?;
    if organization.management != call.account() {
        return Err(fault::caller_is_not_management_account_exception(
            "Only the management account of the organization may enable this feature.",
        ));
    }
    Ok(organization)
}

/// What is turned on after a turn, and the organization's id.
type Turned = (Option<Vec<model::FeatureType>>, Option<String>);

fn turn(
    call: &mut Call<'_>,
    organization: &Organization,
    turn: impl FnOnce(&mut Features),
) -> Result<Turned> {
    let mut features = of_organization(call, organization)?;
    turn(&mut features);
    call.put(&FEATURES, &organization.management, features)?;
    Ok((Some(shown(features)), Some(organization.id.clone())))
}

fn shown(features: Features) -> Vec<model::FeatureType> {
    let credentials = features
        .credentials_management
        .then_some(model::FeatureType::RootCredentialsManagement);
    let sessions = features.sessions.then_some(model::FeatureType::RootSessions);
    credentials.into_iter().chain(sessions).collect()
}

/// Lets root users' credentials in member accounts be managed.
pub struct EnableOrganizationsRootCredentialsManagement;

impl Operation for EnableOrganizationsRootCredentialsManagement {
    type Input = model::EnableOrganizationsRootCredentialsManagementRequest;
    type Output = model::EnableOrganizationsRootCredentialsManagementResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:EnableOrganizationsRootCredentialsManagement");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = expect_managed(call)?;
        let (enabled_features, organization_id) = turn(call, &organization, |features| {
            features.credentials_management = true;
        })?;
        Ok(model::EnableOrganizationsRootCredentialsManagementResponse {
            enabled_features,
            organization_id,
        })
    }
}

/// Ends that.
pub struct DisableOrganizationsRootCredentialsManagement;

impl Operation for DisableOrganizationsRootCredentialsManagement {
    type Input = model::DisableOrganizationsRootCredentialsManagementRequest;
    type Output = model::DisableOrganizationsRootCredentialsManagementResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:DisableOrganizationsRootCredentialsManagement");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = expect_administered(call)?;
        let (enabled_features, organization_id) = turn(call, &organization, |features| {
            features.credentials_management = false;
        })?;
        Ok(model::DisableOrganizationsRootCredentialsManagementResponse {
            enabled_features,
            organization_id,
        })
    }
}

/// Lets privileged tasks be done in member accounts.
pub struct EnableOrganizationsRootSessions;

impl Operation for EnableOrganizationsRootSessions {
    type Input = model::EnableOrganizationsRootSessionsRequest;
    type Output = model::EnableOrganizationsRootSessionsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:EnableOrganizationsRootSessions");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = expect_managed(call)?;
        let (enabled_features, organization_id) =
            turn(call, &organization, |features| features.sessions = true)?;
        Ok(model::EnableOrganizationsRootSessionsResponse {
            enabled_features,
            organization_id,
        })
    }
}

/// Ends that.
pub struct DisableOrganizationsRootSessions;

impl Operation for DisableOrganizationsRootSessions {
    type Input = model::DisableOrganizationsRootSessionsRequest;
    type Output = model::DisableOrganizationsRootSessionsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("iam:DisableOrganizationsRootSessions");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = expect_administered(call)?;
        let (enabled_features, organization_id) =
            turn(call, &organization, |features| features.sessions = false)?;
        Ok(model::DisableOrganizationsRootSessionsResponse {
            enabled_features,
            organization_id,
        })
    }
}

/// Lists what is turned on.
pub struct ListOrganizationsFeatures;

impl Operation for ListOrganizationsFeatures {
    type Input = model::ListOrganizationsFeaturesRequest;
    type Output = model::ListOrganizationsFeaturesResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListOrganizationsFeatures");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = expect_administered(call)?;
        let features = of_organization(call, &organization)?;
        Ok(model::ListOrganizationsFeaturesResponse {
            enabled_features: Some(shown(features)),
            organization_id: Some(organization.id.clone()),
        })
    }
}
