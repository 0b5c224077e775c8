//! Types of policy, switched on and off in the root.
//!
//! Invariant: what is switched off leaves no attachment behind; switched on again, a type begins with AWS's own policy alone.

use api::organizations as model;
use api::organizations::fault::{
    policy_type_already_enabled_exception, policy_type_not_available_for_organization_exception,
    policy_type_not_enabled_exception, root_not_found_exception,
};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;

use super::{attach, type_condition};
use crate::organizations::organization::{FeatureSet, ORGANIZATIONS, Organization};
use crate::organizations::reach::{self, Reached, Who};

fn no_root() -> Fault {
    root_not_found_exception("You specified a root that doesn't exist.")
}

pub(super) fn not_enabled() -> Fault {
    policy_type_not_enabled_exception("This operation can be performed only for enabled policy types.")
}

/// Policies need all features (API Reference, "CreatePolicy").
pub(super) fn expect_all_features(organization: &Organization) -> Result<()> {
    if organization.feature_set == FeatureSet::All {
        return Ok(());
    }
    Err(policy_type_not_available_for_organization_exception(
        "You can't use the specified policy type with the feature set currently enabled for this organization.",
    ))
}

/// Switches a type on.
pub struct EnablePolicyType;

impl Operation for EnablePolicyType {
    type Input = model::EnablePolicyTypeRequest;
    type Output = model::EnablePolicyTypeResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:EnablePolicyType");
    const CONDITIONS: &'static [&'static str] = &["organizations:PolicyType"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::parent(look, Who::Delegates, &input.root_id, no_root)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        type_condition(input.policy_type, context);
    }

    fn handle(call: &mut Call<'_>, root: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let mut organization = Organization::clone(root.organization());
        expect_all_features(&organization)?;
        let kind = input.policy_type.as_str().to_owned();
        if !organization.enabled_policy_types.insert(kind) {
            return Err(policy_type_already_enabled_exception(
                "The specified policy type is already enabled.",
            ));
        }
        let shown = organization.shown_root();
        let key = organization.management.clone();
        call.put(&ORGANIZATIONS, &key, organization)?;
        Ok(model::EnablePolicyTypeResponse { root: Some(shown) })
    }
}

/// Switches a type off, and detaches its policies from everything.
pub struct DisablePolicyType;

impl Operation for DisablePolicyType {
    type Input = model::DisablePolicyTypeRequest;
    type Output = model::DisablePolicyTypeResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:DisablePolicyType");
    const CONDITIONS: &'static [&'static str] = &["organizations:PolicyType"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::parent(look, Who::Delegates, &input.root_id, no_root)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        type_condition(input.policy_type, context);
    }

    fn handle(call: &mut Call<'_>, root: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let mut organization = Organization::clone(root.organization());
        if !organization
            .enabled_policy_types
            .remove(input.policy_type.as_str())
        {
            return Err(not_enabled());
        }
        attach::forget_type(call, &organization.management, input.policy_type)?;
        let shown = organization.shown_root();
        let key = organization.management.clone();
        call.put(&ORGANIZATIONS, &key, organization)?;
        Ok(model::DisablePolicyTypeResponse { root: Some(shown) })
    }
}
