//! The end of an account: asked for, done a little later, and final after ninety days. Services are told of both (`pipeline::Closure`).
//!
//! Source: Organizations User Guide, "Monitor the state of your AWS accounts"; Organizations API Reference, `CloseAccount`.

use api::organizations as model;
use api::organizations::fault::account_already_closed_exception;
use pipeline::jobs::JobKind;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde_json::{Value, json};
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use super::super::event::{self, Departure};
use super::super::membership::{CHILDREN, ChildKind, MEMBERSHIPS, Membership, State, membership};
use super::super::organization::{FeatureSet, Organization};
use super::super::reach::{self, Reached, Who};
use super::super::refusal;
use super::leave::take_out;
use crate::iam::account::{ACCOUNTS, Account};

/// Closures that may be in progress at a time.
const CLOSING_MAX: usize = 3;
/// Milliseconds from the closure of an account to its end.
const KEPT: i64 = 90 * 24 * 60 * 60 * 1000;

/// Closes a member account.
pub struct CloseAccount;

impl Operation for CloseAccount {
    type Input = model::CloseAccountRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:CloseAccount");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::account(look, Who::Management, &input.account_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, _input: Self::Input) -> Result<Empty> {
        let member = reached.account_row()?;
        let organization = reached.organization();
        if member.is_management() {
            return Err(refusal::constraint(
                "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
                "You can't close the management account of an organization.",
            ));
        }
        if organization.feature_set != FeatureSet::All {
            return Err(refusal::not_all_features());
        }
        if member.state != State::Active {
            return Err(account_already_closed_exception(
                "You attempted to close an account that is already closed.",
            ));
        }
        if closing(call, organization)? >= CLOSING_MAX {
            return Err(refusal::constraint(
                "CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED",
                "You have exceeded the number of accounts that you can close at a time.",
            ));
        }
        let row = Membership {
            state: State::PendingClosure,
            ..(*member).clone()
        };
        call.put(&MEMBERSHIPS, &member.account, row)?;
        let requested = Timestamp::from_seconds(call.now.seconds()).0;
        let payload = json!({ "account": member.account, "requested": requested });
        call.schedule(CLOSE.name, call.now, payload)?;
        Ok(Empty)
    }
}

/// How many accounts of an organization are being closed.
fn closing(look: &mut Look<'_>, organization: &Organization) -> Result<usize> {
    let kind = ChildKind::Account.name();
    let prefix = (organization.management.as_str(), organization.id.as_str(), kind);
    let rows = look.range(&CHILDREN, &prefix, None, usize::MAX)?;
    let mut count = 0;
    for ((_, _, _, id), _) in rows {
        let member = membership(look, &id)?;
        count += usize::from(member.is_some_and(|member| member.state == State::PendingClosure));
    }
    Ok(count)
}

/// Makes a closure take effect.
pub(in super::super) const CLOSE: JobKind = JobKind {
    name: "organizations.CloseAccount",
    service: "organizations",
    event: "CloseAccountResult",
    run: close,
};

fn named(payload: &Value) -> Result<String> {
    let account = payload.get("account").and_then(Value::as_str);
    account
        .map(str::to_owned)
        .ok_or_else(|| Fault::internal("a job without an account"))
}

fn close(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let account = named(payload)?;
    let now = Timestamp::from_seconds(call.now.seconds()).0;
    let end = Timestamp(call.now.0.saturating_add(KEPT));
    if let Some(member) = membership(call, &account)? {
        let ending = call.schedule(FORGET.name, end, json!({ "account": account }))?;
        let row = Membership {
            state: State::Suspended,
            ending: Some(ending),
            ..(*member).clone()
        };
        call.put(&MEMBERSHIPS, &account, row)?;
    }
    if let Some(row) = call.get(&ACCOUNTS, &account)? {
        let closed = Account {
            closed: Some(now),
            ..(*row).clone()
        };
        call.put(&ACCOUNTS, &account, closed)?;
        call.tell_closed(&account)?;
    }
    let requested = payload.get("requested").and_then(Value::as_i64).unwrap_or(now);
    let details = json!({
        "accountId": account,
        "state": "SUCCEEDED",
        "requestedTimestamp": Timestamp(requested).iso8601(),
        "completedTimestamp": Timestamp(now).iso8601(),
    });
    call.add_event_data("closeAccountStatus", details);
    Ok(())
}

/// Takes an account out of its organization for good. Its number stays taken, so that nothing of it comes back to life.
pub(in super::super) const FORGET: JobKind = JobKind {
    name: "organizations.ForgetAccount",
    service: "organizations",
    event: event::DEPARTED.event,
    run: forget,
};

fn forget(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let account = named(payload)?;
    let Some(member) = membership(call, &account)? else {
        return Ok(());
    };
    let details = event::departure(call, &member, Departure::Cleaned);
    event::tell(call, &details)?;
    call.tell_gone(&account)?;
    take_out(call, &member)
}
