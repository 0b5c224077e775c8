//! How the making of an account goes, and what came of it.

use api::organizations as model;
use api::organizations::fault::create_account_status_not_found_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::super::page::Page;
use super::super::reach::{self, Reached, Who};
use crate::iam::tag::Tags;

/// A request to make an account. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct Creation {
    /// `car-…`
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) role: String,
    pub(super) tags: Tags,
    pub(super) requested: i64,
    pub(super) outcome: Option<Outcome>,
}

/// What came of a request.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) completed: i64,
    /// The account, or AWS's word for why there is none.
    pub(super) account: std::result::Result<String, String>,
}

store::record!(Creation, 1);

/// By management account and id of the request.
pub(in super::super) static CREATE_ACCOUNT_STATUS: Table<(String, String), Creation> =
    Table::new(0x0135, "organizations.create_account_status");
/// Requests read at a time.
const STRIDE: usize = 256;

impl Creation {
    pub(super) fn state(&self) -> model::CreateAccountState {
        match &self.outcome {
            None => model::CreateAccountState::InProgress,
            Some(Outcome { account: Ok(_), .. }) => model::CreateAccountState::Succeeded,
            Some(Outcome { account: Err(_), .. }) => model::CreateAccountState::Failed,
        }
    }

    /// As the API shows it.
    pub(super) fn shown(&self) -> model::CreateAccountStatus {
        let outcome = self.outcome.as_ref();
        let failure = outcome.and_then(|outcome| outcome.account.as_ref().err());
        model::CreateAccountStatus {
            account_id: outcome.and_then(|outcome| outcome.account.as_ref().ok().cloned()),
            account_name: Some(self.name.clone()),
            completed_timestamp: outcome.map(|outcome| Timestamp(outcome.completed)),
            failure_reason: failure.and_then(|reason| model::CreateAccountFailureReason::parse(reason)),
            gov_cloud_account_id: None,
            id: Some(self.id.clone()),
            requested_timestamp: Some(Timestamp(self.requested)),
            state: Some(self.state()),
        }
    }
}

fn missing() -> Fault {
    create_account_status_not_found_exception("You specified a create account request that doesn't exist.")
}

/// Shows how the making of an account goes.
pub struct DescribeCreateAccountStatus;

impl Operation for DescribeCreateAccountStatus {
    type Input = model::DescribeCreateAccountStatusRequest;
    type Output = model::DescribeCreateAccountStatusResponse;
    type Target = Reached;
    const ACCESS: Access = Access::read("organizations:DescribeCreateAccountStatus");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let key = (
            reached.organization().management.clone(),
            input.create_account_request_id,
        );
        let row = call.get(&CREATE_ACCOUNT_STATUS, &key)?.ok_or_else(missing)?;
        Ok(model::DescribeCreateAccountStatusResponse {
            create_account_status: Some(row.shown()),
        })
    }
}

/// Lists requests to make accounts.
pub struct ListCreateAccountStatus;

impl Operation for ListCreateAccountStatus {
    type Input = model::ListCreateAccountStatusRequest;
    type Output = model::ListCreateAccountStatusResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListCreateAccountStatus");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Administrators)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let page = Page::read(call, "creations", input.next_token.as_deref(), input.max_results)?;
        let management = reached.organization().management.as_str();
        let states = input.states.unwrap_or_default();
        let mut found = Vec::new();
        let mut after = page.after.clone().map(|id| (management.to_owned(), id));
        while found.len() < page.reach() {
            let rows = call.range(&CREATE_ACCOUNT_STATUS, &(management,), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (key, row) in rows {
                if states.is_empty() || states.contains(&row.state()) {
                    found.push((row.id.clone(), row.shown()));
                }
                after = Some(key);
            }
            if !full {
                break;
            }
        }
        let (statuses, next_token) = page.close(call, found)?;
        Ok(model::ListCreateAccountStatusResponse {
            create_account_statuses: Some(statuses),
            next_token,
        })
    }
}
