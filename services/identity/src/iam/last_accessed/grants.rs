//! Which policies let a user, group or role reach a service.

use api::iam as model;
use api::iam::fault::invalid_input_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use crate::iam::page::Page;

use super::subject::{Granting, Subject};

/// Lists the policies that give access to each of some services.
pub struct ListPoliciesGrantingServiceAccess;

impl Operation for ListPoliciesGrantingServiceAccess {
    type Input = model::ListPoliciesGrantingServiceAccessRequest;
    type Output = model::ListPoliciesGrantingServiceAccessResponse;
    type Target = Subject;
    const ACCESS: Access = Access::list("iam:ListPoliciesGrantingServiceAccess");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Subject>> {
        Ok(match Subject::named(look, &input.arn)? {
            Found::Here(Subject::Policy(_)) => Found::Absent {
                arn: input.arn.clone(),
                fault: invalid_input_exception(format!("ARN {} is not valid.", input.arn)),
            },
            found => found,
        })
    }

    fn handle(call: &mut Call<'_>, subject: Authorized<Subject>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListPoliciesGrantingServiceAccess/{}", input.arn);
        let page = Page::read(call, &list, input.marker.as_deref(), Some(200))?;
        let policies = subject.granting(call)?;
        let namespaces = input.service_namespaces.iter().enumerate();
        // As many services as a request may name fit on one page.
        let entries = namespaces.map(|(place, namespace)| {
            let granting = policies
                .iter()
                .filter(|held| held.attached.policy.may_allow_service(namespace));
            let entry = model::ListPoliciesGrantingServiceAccessEntry {
                policies: Some(granting.map(shown).collect()),
                service_namespace: Some(namespace.clone()),
            };
            (format!("{place:03}"), entry)
        });
        let paged = page.of_sorted(call, entries)?;
        Ok(model::ListPoliciesGrantingServiceAccessResponse {
            is_truncated: paged.truncated(),
            marker: paged.marker,
            policies_granting_service_access: paged.items,
        })
    }
}

fn shown(held: &Granting) -> model::PolicyGrantingServiceAccess {
    match &held.inline {
        Some((name, owner, holder)) => model::PolicyGrantingServiceAccess {
            entity_name: Some(holder.clone()),
            entity_type: Some(*owner),
            policy_arn: None,
            policy_name: name.clone(),
            policy_type: model::PolicyType::Inline,
        },
        None => {
            let arn = held.attached.origin.to_string();
            let name = arn.rsplit('/').next().unwrap_or(&arn).to_owned();
            model::PolicyGrantingServiceAccess {
                entity_name: None,
                entity_type: None,
                policy_name: name,
                policy_arn: Some(arn),
                policy_type: model::PolicyType::Managed,
            }
        }
    }
}
