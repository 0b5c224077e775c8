//! The beginning, the changes and the end of a policy.

use api::organizations as model;
use api::organizations::PolicyType;
use api::organizations::fault::{duplicate_policy_exception, policy_in_use_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource as _, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Empty;

use super::{
    NAMES, NamedPolicy, OrganizationPolicy, POLICIES, ReachedPolicy, TARGETS, document, kind, named,
    type_condition, types,
};
use crate::organizations::organization::Organization;
use crate::organizations::reach::{self, Reached, Who};
use crate::organizations::{refusal, tag};

/// Random characters behind `p-`.
const ID_CHARACTERS: usize = 8;

fn name_key(organization: &Organization, kind: PolicyType, name: &str) -> (String, String, String) {
    (
        organization.management.clone(),
        kind.as_str().to_owned(),
        name.to_owned(),
    )
}

fn expect_free(call: &mut Call<'_>, organization: &Organization, kind: PolicyType, name: &str) -> Result<()> {
    let managed = super::managed_of(kind)?.is_some_and(|managed| managed.name == name);
    if managed || call.get(&NAMES, &name_key(organization, kind, name))?.is_some() {
        return Err(duplicate_policy_exception(
            "A policy with the specified name and type already exists.",
        ));
    }
    Ok(())
}

/// Makes a policy, which counts once it is attached.
pub struct CreatePolicy;

impl Operation for CreatePolicy {
    type Input = model::CreatePolicyRequest;
    type Output = model::CreatePolicyResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:CreatePolicy");
    const CONDITIONS: &'static [&'static str] = &[
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
        "organizations:PolicyType",
    ];
    const ALSO: &'static [Access] = &[tag::TAG_RESOURCE];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Delegates)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        type_condition(input.r#type, context);
        tag::conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let organization = reached.organization();
        let kind = input.r#type;
        let id = crypto::random::text(call.random(), ALPHABET, ID_CHARACTERS).map_err(Fault::internal)?;
        let id = format!("p-{}", id.expose_text().map_err(Fault::internal)?);
        let arn = organization.arn_of("policy", Some(&format!("{}/{id}", kind::path(kind))));
        tag::ask(call, input.tags.as_ref(), &arn, reached.account())?;
        types::expect_all_features(organization)?;
        let content = document::read(kind, &input.content)?;
        expect_free(call, organization, kind, &input.name)?;
        let prefix = (organization.management.as_str(), kind.as_str());
        if call.every(&NAMES, &prefix)?.len() >= kind::rules(kind).policies_max {
            return Err(refusal::constraint(
                "POLICY_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the number of policies that you can have in an organization.",
            ));
        }
        let policy = OrganizationPolicy {
            id: id.clone(),
            arn,
            name: input.name,
            description: input.description,
            kind: kind.as_str().to_owned(),
            content,
            aws_managed: false,
            updated: call.now.0,
            tags: tag::read(input.tags)?,
        };
        let shown = policy.shown();
        call.mention(
            policy.arn.clone(),
            reached.account(),
            "AWS::Organizations::Policy",
        );
        call.put(
            &NAMES,
            &name_key(organization, kind, &policy.name),
            NamedPolicy { id: id.clone() },
        )?;
        call.put(&POLICIES, &(organization.management.clone(), id), policy)?;
        Ok(model::CreatePolicyResponse { policy: Some(shown) })
    }
}

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

fn expect_changeable(policy: &OrganizationPolicy) -> Result<()> {
    if policy.aws_managed {
        return Err(refusal::invalid(
            "IMMUTABLE_POLICY",
            "You specified a policy that is managed by AWS and can't be modified.",
        ));
    }
    Ok(())
}

/// Changes a policy's name, description or document; the document counts from the next call on.
pub struct UpdatePolicy;

impl Operation for UpdatePolicy {
    type Input = model::UpdatePolicyRequest;
    type Output = model::UpdatePolicyResponse;
    type Target = ReachedPolicy;
    const ACCESS: Access = Access::permissions("organizations:UpdatePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ReachedPolicy>> {
        named(look, Who::Delegates, &input.policy_id)
    }

    fn handle(
        call: &mut Call<'_>,
        reached: Authorized<ReachedPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = reached.organization();
        expect_changeable(&reached.policy)?;
        let mut policy = OrganizationPolicy::clone(&reached.policy);
        let kind = policy.policy_type()?;
        if let Some(text) = &input.content {
            policy.content = document::read(kind, text)?;
            policy.updated = call.now.0;
        }
        if let Some(name) = input.name.filter(|name| *name != policy.name) {
            expect_free(call, organization, kind, &name)?;
            call.delete(&NAMES, &name_key(organization, kind, &policy.name))?;
            let id = policy.id.clone();
            call.put(&NAMES, &name_key(organization, kind, &name), NamedPolicy { id })?;
            policy.name = name;
        }
        if let Some(description) = input.description {
            policy.description = description;
        }
        let shown = policy.shown();
        let key = (organization.management.clone(), policy.id.clone());
        call.put(&POLICIES, &key, policy)?;
        Ok(model::UpdatePolicyResponse { policy: Some(shown) })
    }
}

/// Deletes a policy that is attached to nothing.
pub struct DeletePolicy;

impl Operation for DeletePolicy {
    type Input = model::DeletePolicyRequest;
    type Output = Empty;
    type Target = ReachedPolicy;
    const ACCESS: Access = Access::write("organizations:DeletePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ReachedPolicy>> {
        named(look, Who::Delegates, &input.policy_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<ReachedPolicy>, _input: Self::Input) -> Result<Empty> {
        let policy = &reached.policy;
        expect_changeable(policy)?;
        let management = reached.organization().management.clone();
        let used = call.range(&TARGETS, &(management.as_str(), policy.id.as_str()), None, 1)?;
        if !used.is_empty() {
            return Err(policy_in_use_exception(
                "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts \
                 before performing this operation.",
            ));
        }
        let kind = policy.policy_type()?;
        call.delete(&NAMES, &name_key(reached.organization(), kind, &policy.name))?;
        call.delete(&POLICIES, &(management, policy.id.clone()))?;
        Ok(Empty)
    }
}

/// Shows a policy with its document.
pub struct DescribePolicy;

impl Operation for DescribePolicy {
    type Input = model::DescribePolicyRequest;
    type Output = model::DescribePolicyResponse;
    type Target = ReachedPolicy;
    const ACCESS: Access = Access::read("organizations:DescribePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ReachedPolicy>> {
        named(look, Who::Administrators, &input.policy_id)
    }

    fn handle(
        _call: &mut Call<'_>,
        reached: Authorized<ReachedPolicy>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::DescribePolicyResponse {
            policy: Some(reached.policy.shown()),
        })
    }
}
