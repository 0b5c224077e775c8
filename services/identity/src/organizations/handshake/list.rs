//! Lists of handshakes: those that an account is asked, and those that an organization asks.

use std::sync::Arc;

use api::organizations as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::super::page::Page;
use super::super::reach::{self, Reached, Who};
use super::super::refusal;
use super::{Handshake, of_account, of_organization};

type Listed = (Option<Vec<model::Handshake>>, Option<String>);

fn list(
    call: &mut Call<'_>,
    name: &str,
    rows: Vec<Arc<Handshake>>,
    filter: Option<&model::HandshakeFilter>,
    (token, max_results): (Option<&str>, Option<i32>),
) -> Result<Listed> {
    let action = filter.and_then(|filter| filter.action_type);
    let parent = filter.and_then(|filter| filter.parent_handshake_id.as_ref());
    if action.is_some() && parent.is_some() {
        return Err(refusal::invalid(
            "MAX_LIMIT_EXCEEDED_FILTER",
            "You can specify only one filter parameter for the operation.",
        ));
    }
    let list = format!(
        "handshakes/{name}/{}/{}",
        action.map_or("", model::ActionType::as_str),
        parent.map_or("", String::as_str)
    );
    let page = Page::read(call, &list, token, max_results)?;
    let now = call.now;
    let mut found = Vec::new();
    for row in rows {
        let fits = action.is_none_or(|action| action == row.action.shown())
            && parent.is_none_or(|parent| row.parent.as_ref() == Some(parent));
        if fits && row.lasts(now) {
            found.push((row.id.clone(), row.shown(call)?));
        }
    }
    let (handshakes, next) = page.close(call, found)?;
    Ok((Some(handshakes), next))
}

/// Lists what the caller's account is asked.
pub struct ListHandshakesForAccount;

impl Operation for ListHandshakesForAccount {
    type Input = model::ListHandshakesForAccountRequest;
    type Output = model::ListHandshakesForAccountResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("organizations:ListHandshakesForAccount");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let mut rows = of_account(call, &account)?;
        rows.retain(|handshake| handshake.account.as_ref() == Some(&account));
        let paging = (input.next_token.as_deref(), input.max_results);
        let (handshakes, next_token) = list(call, "account", rows, input.filter.as_ref(), paging)?;
        Ok(model::ListHandshakesForAccountResponse {
            handshakes,
            next_token,
        })
    }
}

/// Lists what the caller's organization asks.
pub struct ListHandshakesForOrganization;

impl Operation for ListHandshakesForOrganization {
    type Input = model::ListHandshakesForOrganizationRequest;
    type Output = model::ListHandshakesForOrganizationResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListHandshakesForOrganization");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let rows = of_organization(call, reached.organization())?;
        let paging = (input.next_token.as_deref(), input.max_results);
        let (handshakes, next_token) = list(call, "organization", rows, input.filter.as_ref(), paging)?;
        Ok(model::ListHandshakesForOrganizationResponse {
            handshakes,
            next_token,
        })
    }
}
