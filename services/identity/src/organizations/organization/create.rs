//! The beginning of an organization.

use std::collections::BTreeSet;

use api::organizations as model;
use api::organizations::fault::already_in_organization_exception;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::super::membership::{JoinedMethod, Membership, State, membership, place};
use super::super::{SERVICE, event, id};
use super::{FeatureSet, ORGANIZATIONS, Organization};
use crate::iam::role::linked;
use crate::iam::tag::Tags;

/// Makes an organization of the caller's account, which manages it from then on.
pub struct CreateOrganization;

impl Operation for CreateOrganization {
    type Input = model::CreateOrganizationRequest;
    type Output = model::CreateOrganizationResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("organizations:CreateOrganization");
    const ALSO: &'static [Access] = &[linked::CREATE];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        if membership(call, &account)?.is_some() {
            return Err(already_in_organization_exception(
                "The AWS account is already a member of an organization.",
            ));
        }
        let feature_set = match input.feature_set {
            Some(model::OrganizationFeatureSet::ConsolidatedBilling) => FeatureSet::ConsolidatedBilling,
            Some(model::OrganizationFeatureSet::All) | None => FeatureSet::All,
        };
        let now = Timestamp::from_seconds(call.now.seconds()).0;
        let organization = Organization {
            id: id::draw(call, "o-", 10)?,
            management: account.clone(),
            feature_set,
            root_id: id::draw(call, "r-", 4)?,
            root_name: "Root".to_owned(),
            root_tags: Tags::new(),
            // No type is enabled in a new root: clients enable even service control policies themselves (User Guide, "Enabling a
            // policy type"), and take it for a failure if that was done already.
            enabled_policy_types: BTreeSet::new(),
            created: now,
            accounts: 1,
            units: 0,
        };
        call.put(&ORGANIZATIONS, &account, organization.clone())?;
        let member = Membership {
            account: account.clone(),
            management: account,
            organization: organization.id.clone(),
            parent: organization.root_id.clone(),
            joined_method: JoinedMethod::Invited,
            joined_at: now,
            state: State::Active,
            ending: None,
            tags: Tags::new(),
        };
        linked::ensure(call, SERVICE)?;
        place(call, member.clone())?;
        event::joined(call, &member)?;
        Ok(model::CreateOrganizationResponse {
            organization: Some(organization.shown(call)?),
        })
    }
}
