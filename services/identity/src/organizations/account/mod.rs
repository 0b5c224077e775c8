//! Member accounts: made, shown, moved, put out and closed.
//!
//! Invariant: an account that was made here is a real one: it has a row of its own in IAM, and a role that trusts the management
//! account.

mod close;
mod create;
mod leave;
mod list;
mod relocate;
mod status;

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::membership::{JoinedMethod, Membership, State, path, path_text};
use super::reach::{self, Reached, Who};
use crate::iam::account::ACCOUNTS;

pub use close::CloseAccount;
pub(super) use close::{CLOSE, FORGET};
pub use create::CreateAccount;
pub(super) use create::{CREATE, by_email};
pub use leave::{LeaveOrganization, RemoveAccountFromOrganization};
pub(super) use leave::{depart, expect_free_to_leave};
pub use list::{ListAccounts, ListAccountsForParent};
pub use relocate::MoveAccount;
pub(super) use status::CREATE_ACCOUNT_STATUS;
pub use status::{DescribeCreateAccountStatus, ListCreateAccountStatus};

/// Accounts that an organization may have (Organizations User Guide, "Quotas and service limits").
pub(super) const ACCOUNTS_MAX: u32 = 10;

/// A member as the API shows it.
pub(super) fn shown(look: &mut Look<'_>, member: &Membership) -> Result<model::Account> {
    let account = look.get(&ACCOUNTS, &member.account)?;
    let path = path(look, member)?;
    let text = path_text(&member.organization, &path);
    Ok(model::Account {
        arn: Some(member.arn()),
        email: account.as_ref().map(|account| account.email.clone()),
        id: Some(member.account.clone()),
        joined_method: Some(match member.joined_method {
            JoinedMethod::Invited => model::AccountJoinedMethod::Invited,
            JoinedMethod::Created => model::AccountJoinedMethod::Created,
        }),
        joined_timestamp: Some(Timestamp(member.joined_at)),
        name: account.map(|account| account.name.clone()),
        paths: Some(vec![format!("{text}{}/", member.account)]),
        state: Some(match member.state {
            State::Active => model::AccountState::Active,
            State::PendingClosure => model::AccountState::PendingClosure,
            State::Suspended => model::AccountState::Closed,
        }),
        status: Some(match member.state {
            State::Active => model::AccountStatus::Active,
            State::PendingClosure => model::AccountStatus::PendingClosure,
            State::Suspended => model::AccountStatus::Suspended,
        }),
    })
}

/// Shows an account.
pub struct DescribeAccount;

impl Operation for DescribeAccount {
    type Input = model::DescribeAccountRequest;
    type Output = model::DescribeAccountResponse;
    type Target = Reached;
    const ACCESS: Access = Access::read("organizations:DescribeAccount");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::account(look, Who::Administrators, &input.account_id)
    }

    fn handle(
        call: &mut Call<'_>,
        reached: Authorized<Reached>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let member = reached.account_row()?;
        Ok(model::DescribeAccountResponse {
            account: Some(shown(call, &member)?),
        })
    }
}
