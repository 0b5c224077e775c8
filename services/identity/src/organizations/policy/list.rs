//! Lists of policies, of a target's policies and of a policy's targets.

use api::organizations as model;
use api::organizations::TargetType;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::{NAMES, ReachedPolicy, TARGETS, attachments, find, managed_of, named, type_condition};
use crate::iam::account::ACCOUNTS;
use crate::organizations::membership::{CHILDREN, ChildKind};
use crate::organizations::organization::Organization;
use crate::organizations::page::Page;
use crate::organizations::reach::{self, Reached, Subject, Who};

/// Lists the policies of a type, AWS's own first.
pub struct ListPolicies;

impl Operation for ListPolicies {
    type Input = model::ListPoliciesRequest;
    type Output = model::ListPoliciesResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListPolicies");
    const CONDITIONS: &'static [&'static str] = &["organizations:PolicyType"];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        type_condition(input.filter, context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListPolicies/{}", input.filter);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let management = reached.organization().management.as_str();
        let managed = managed_of(input.filter)?.map(|managed| ("0".to_owned(), managed.id.clone()));
        let own = call.every(&NAMES, &(management, input.filter.as_str()))?;
        let own = own
            .into_iter()
            .map(|((.., name), named)| (format!("1/{name}"), named.id.clone()));
        let (ids, next_token) = page.close(call, managed.into_iter().chain(own))?;
        Ok(model::ListPoliciesResponse {
            next_token,
            policies: Some(summaries(call, management, &ids)?),
        })
    }
}

fn summaries(call: &mut Call<'_>, management: &str, ids: &[String]) -> Result<Vec<model::PolicySummary>> {
    let mut summaries = Vec::with_capacity(ids.len());
    for id in ids {
        summaries.extend(find(call, management, id)?.map(|policy| policy.summary()));
    }
    Ok(summaries)
}

/// Lists the policies of a type that are attached to a target itself.
pub struct ListPoliciesForTarget;

impl Operation for ListPoliciesForTarget {
    type Input = model::ListPoliciesForTargetRequest;
    type Output = model::ListPoliciesForTargetResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListPoliciesForTarget");
    const CONDITIONS: &'static [&'static str] = &["organizations:PolicyType"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::target(look, Who::Administrators, &input.target_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        type_condition(input.filter, context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListPoliciesForTarget/{}/{}", input.target_id, input.filter);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let organization = reached.organization();
        let row = attachments(call, &organization.management, &input.target_id)?;
        let enabled = organization.enables(input.filter);
        let ids = row.ids(input.filter).filter(|_| enabled).map(str::to_owned);
        let numbered = ids.enumerate().map(|(place, id)| (format!("{place:04}"), id));
        let (ids, next_token) = page.close(call, numbered)?;
        Ok(model::ListPoliciesForTargetResponse {
            next_token,
            policies: Some(summaries(call, &organization.management, &ids)?),
        })
    }
}

/// Lists the roots, units and accounts that a policy is attached to.
pub struct ListTargetsForPolicy;

impl Operation for ListTargetsForPolicy {
    type Input = model::ListTargetsForPolicyRequest;
    type Output = model::ListTargetsForPolicyResponse;
    type Target = ReachedPolicy;
    const ACCESS: Access = Access::list("organizations:ListTargetsForPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ReachedPolicy>> {
        named(look, Who::Administrators, &input.policy_id)
    }

    fn handle(
        call: &mut Call<'_>,
        reached: Authorized<ReachedPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListTargetsForPolicy/{}", input.policy_id);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let organization = reached.organization();
        let mut ids = Vec::new();
        if reached.policy.aws_managed {
            let kind = reached.policy.policy_type()?;
            for id in everything(call, organization)? {
                let row = attachments(call, &organization.management, &id)?;
                if organization.enables(kind) && row.ids(kind).any(|held| held == reached.policy.id) {
                    ids.push(id);
                }
            }
        } else {
            let prefix = (organization.management.as_str(), reached.policy.id.as_str());
            let rows = call.every(&TARGETS, &prefix)?;
            ids.extend(rows.into_iter().map(|((.., target), _)| target));
        }
        ids.sort();
        ids.dedup();
        let (ids, next_token) = page.close(call, ids.into_iter().map(|id| (id.clone(), id)))?;
        let mut targets = Vec::with_capacity(ids.len());
        for id in ids {
            targets.extend(shown(call, organization, id)?);
        }
        Ok(model::ListTargetsForPolicyResponse {
            next_token,
            targets: Some(targets),
        })
    }
}

/// The ids of the root, every unit and every account.
pub(super) fn everything(call: &mut Call<'_>, organization: &Organization) -> Result<Vec<String>> {
    let mut ids = vec![organization.root_id.clone()];
    let children = call.every(&CHILDREN, &(organization.management.as_str(),))?;
    let known = [ChildKind::Account.name(), ChildKind::Unit.name()];
    let children = children
        .into_iter()
        .filter(|((_, _, kind, _), _)| known.contains(&kind.as_str()));
    ids.extend(children.map(|((.., child), _)| child));
    Ok(ids)
}

fn shown(
    call: &mut Call<'_>,
    organization: &Organization,
    id: String,
) -> Result<Option<model::PolicyTargetSummary>> {
    let Some(subject) = reach::find(call, organization, &id)? else {
        return Ok(None);
    };
    let (arn, name, kind) = match &subject {
        Subject::Root => (
            organization.root_arn(),
            organization.root_name.clone(),
            TargetType::Root,
        ),
        Subject::Unit(unit) => (unit.arn(), unit.name.clone(), TargetType::OrganizationalUnit),
        Subject::Account(member) => {
            let account = call.get(&ACCOUNTS, &member.account)?;
            let name = account.map(|account| account.name.clone());
            (member.arn(), name.unwrap_or_default(), TargetType::Account)
        }
        Subject::Everything | Subject::Policy(_) | Subject::ResourcePolicy(..) | Subject::Other(..) => {
            return Ok(None);
        }
    };
    Ok(Some(model::PolicyTargetSummary {
        arn: Some(arn),
        name: Some(name),
        target_id: Some(id),
        r#type: Some(kind),
    }))
}
