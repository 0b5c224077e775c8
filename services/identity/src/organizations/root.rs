//! The root: the parent of everything in an organization.

use std::collections::BTreeSet;

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::organization::Organization;
use super::page::Page;
use super::reach::{self, Reached, Who};

impl Organization {
    /// The root as the API shows it.
    pub(crate) fn shown_root(&self) -> model::Root {
        model::Root {
            arn: Some(self.root_arn()),
            id: Some(self.root_id.clone()),
            name: Some(self.root_name.clone()),
            policy_types: Some(shown_types(&self.enabled_policy_types)),
        }
    }
}

/// Policy types as enabled.
pub(super) fn shown_types(types: &BTreeSet<String>) -> Vec<model::PolicyTypeSummary> {
    let known = types.iter().filter_map(|name| model::PolicyType::parse(name));
    known
        .map(|kind| model::PolicyTypeSummary {
            status: Some(model::PolicyTypeStatus::Enabled),
            r#type: Some(kind),
        })
        .collect()
}

/// Lists the root.
pub struct ListRoots;

impl Operation for ListRoots {
    type Input = model::ListRootsRequest;
    type Output = model::ListRootsResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListRoots");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let page = Page::read(call, "ListRoots", input.next_token.as_deref(), input.max_results)?;
        let organization = reached.organization();
        let root = (organization.root_id.clone(), organization.shown_root());
        let (roots, next_token) = page.close(call, [root])?;
        Ok(model::ListRootsResponse {
            roots: Some(roots),
            next_token,
        })
    }
}
