//! What the trail of the management account tells of accounts that came and went, beside the calls themselves.
//!
//! Source: Organizations API Reference, `CreateOrganization`, `AcceptHandshake`, `DeleteOrganization`.

use pipeline::jobs::JobKind;
use pipeline::{Call, Result};
use serde_json::{Value, json};
use wire::Timestamp;

use super::membership::{JoinedMethod, Membership};

/// An account came into an organization.
pub(super) const JOINED: JobKind = JobKind {
    name: "organizations.AccountJoined",
    service: "organizations",
    event: "AccountJoinedOrganization",
    run: tell,
};

/// An account went.
pub(super) const DEPARTED: JobKind = JobKind {
    name: "organizations.AccountDeparted",
    service: "organizations",
    event: "AccountDepartedOrganization",
    run: tell,
};

/// How an account went.
#[derive(Clone, Copy)]
pub(super) enum Departure {
    /// By its own will.
    Left,
    /// The management account put it out.
    Removed,
    /// It was closed, and its time is over.
    Cleaned,
}

/// Tells of an account that came, in the trail of the account that manages the organization.
pub(super) fn joined(call: &mut Call<'_>, member: &Membership) -> Result<()> {
    let method = match member.joined_method {
        JoinedMethod::Invited => "INVITED",
        JoinedMethod::Created => "CREATED",
    };
    let details = json!({
        "accountId": member.account,
        "organizationId": member.organization,
        "joinedMethod": method,
        "joinedTime": Timestamp(member.joined_at).iso8601(),
    });
    plan(call, &JOINED, member, details)
}

/// Tells of an account that went.
pub(super) fn departed(call: &mut Call<'_>, member: &Membership, how: Departure) -> Result<()> {
    let details = departure(call, member, how);
    plan(call, &DEPARTED, member, details)
}

/// What there is to tell of an account that went.
pub(super) fn departure(call: &Call<'_>, member: &Membership, how: Departure) -> Value {
    let method = match how {
        Departure::Left => "LEFT",
        Departure::Removed => "REMOVED",
        Departure::Cleaned => "CLEANED",
    };
    json!({
        "accountId": member.account,
        "organizationId": member.organization,
        "departureMethod": method,
        "departureTime": Timestamp::from_seconds(call.now.seconds()).iso8601(),
    })
}

fn plan(call: &mut Call<'_>, kind: &JobKind, member: &Membership, details: Value) -> Result<()> {
    let now = call.now;
    call.within(&member.management, |call| {
        call.schedule(kind.name, now, details).map(|_| ())
    })
}

/// Puts the details into the event of the running job.
pub(super) fn tell(call: &mut Call<'_>, details: &Value) -> Result<()> {
    for (name, value) in details.as_object().into_iter().flatten() {
        if let Some(name) = DETAILS.iter().copied().find(|known| known == name) {
            call.add_event_data(name, value.clone());
        }
    }
    Ok(())
}

const DETAILS: &[&str] = &[
    "accountId",
    "organizationId",
    "joinedMethod",
    "joinedTime",
    "departureMethod",
    "departureTime",
];
