//! Lists of accounts: all of the organization, or those directly below a parent.

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::super::membership::{ChildKind, membership};
use super::super::organization::Organization;
use super::super::page::Page;
use super::super::reach::{self, Reached, Who};
use super::super::refusal;
use super::super::unit::ids_below;
use super::shown;

/// A page of the accounts below a parent; all of them are below the organization itself.
fn below(
    look: &mut Look<'_>,
    organization: &Organization,
    parent: &str,
    page: &Page,
) -> Result<(Vec<model::Account>, Option<String>)> {
    let ids = ids_below(look, (&organization.management, parent), ChildKind::Account, page)?;
    let mut accounts = Vec::new();
    for id in ids {
        if let Some(member) = membership(look, &id)? {
            accounts.push((id, shown(look, &member)?));
        }
    }
    page.close(look, accounts)
}

/// Lists the accounts of the organization.
pub struct ListAccounts;

impl Operation for ListAccounts {
    type Input = model::ListAccountsRequest;
    type Output = model::ListAccountsResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListAccounts");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let page = Page::read(call, "accounts", input.next_token.as_deref(), input.max_results)?;
        let organization = reached.organization();
        let (accounts, next_token) = below(call, organization, &organization.id, &page)?;
        Ok(model::ListAccountsResponse {
            accounts: Some(accounts),
            next_token,
        })
    }
}

/// Lists the accounts directly below the root or a unit.
pub struct ListAccountsForParent;

impl Operation for ListAccountsForParent {
    type Input = model::ListAccountsForParentRequest;
    type Output = model::ListAccountsForParentResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListAccountsForParent");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::parent(look, Who::Administrators, &input.parent_id, refusal::no_parent)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("accounts/{}", input.parent_id);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let (accounts, next_token) = below(call, reached.organization(), &input.parent_id, &page)?;
        Ok(model::ListAccountsForParentResponse {
            accounts: Some(accounts),
            next_token,
        })
    }
}
