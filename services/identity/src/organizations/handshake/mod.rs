//! Handshakes: what one account asks of another, and the answer: invitations, and the consent to all features.
//!
//! Invariant: a handshake stands twice, in the rows of the account that asked and of the one that is asked, and both say the same.
//! One that nobody answers expires by the clock, without a change of its rows.

mod answer;
mod invite;
mod list;

use std::sync::Arc;

use api::organizations as model;
use api::organizations::fault::handshake_not_found_exception;
use pipeline::{Call, Found, Look, Resource, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::account::ACCOUNTS_MAX;
use super::organization::{Organization, organization};
use super::reach::{self, Who};
use super::refusal;
use crate::iam::account::ACCOUNTS;
use crate::iam::tag::Tags;

pub use answer::{AcceptHandshake, CancelHandshake, DeclineHandshake, DescribeHandshake};
pub use invite::InviteAccountToOrganization;
pub use list::{ListHandshakesForAccount, ListHandshakesForOrganization};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// How long an invitation stands (Organizations User Guide, "Quotas and service limits").
const INVITATION: i64 = 15 * DAY;
/// How long a request to enable all features stands.
pub(super) const FEATURES: i64 = 90 * DAY;
/// Invitations that an organization sends in a day at most, those that were accepted not counted.
const INVITATIONS_MAX: usize = 20;
/// How long an answered handshake is shown.
const SHOWN: i64 = 30 * DAY;
/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Action {
    Invite,
    EnableAllFeatures,
    ApproveAllFeatures,
}

impl Action {
    const fn shown(self) -> model::ActionType {
        match self {
            Self::Invite => model::ActionType::Invite,
            Self::EnableAllFeatures => model::ActionType::EnableAllFeatures,
            Self::ApproveAllFeatures => model::ActionType::ApproveAllFeatures,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum State {
    /// Asked of nobody yet: the parent of others.
    Requested,
    Open,
    Canceled,
    Accepted,
    Declined,
    Expired,
}

/// A handshake. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Handshake {
    /// `h-…`
    pub(super) id: String,
    pub(super) management: String,
    /// `o-…`
    pub(super) organization: String,
    pub(super) action: Action,
    state: State,
    /// The account that is asked, if one is.
    pub(super) account: Option<String>,
    /// The address by which it was asked.
    email: Option<String>,
    notes: Option<String>,
    /// What an invited account is tagged with once it joins.
    pub(super) tags: Tags,
    pub(super) parent: Option<String>,
    requested: i64,
    expires: i64,
    changed: i64,
}

store::record!(Handshake, 1);

/// By account (the one that asked, or the one that is asked) and id.
static HANDSHAKES: Table<(String, String), Handshake> = Table::new(0x0134, "organizations.handshakes");

impl Handshake {
    /// One that is asked now. `open` is false for one that is asked of nobody.
    pub(super) fn new(
        call: &Call<'_>,
        organization: &Organization,
        action: Action,
        account: Option<String>,
        lasts: i64,
    ) -> Result<Self> {
        let now = Timestamp::from_seconds(call.now.seconds()).0;
        Ok(Self {
            id: super::id::draw(call, "h-", 12)?,
            management: organization.management.clone(),
            organization: organization.id.clone(),
            action,
            state: if account.is_some() {
                State::Open
            } else {
                State::Requested
            },
            account,
            email: None,
            notes: None,
            tags: Tags::new(),
            parent: None,
            requested: now,
            expires: now.saturating_add(lasts),
            changed: now,
        })
    }

    /// The state at a time.
    pub(super) const fn state(&self, now: Timestamp) -> State {
        match self.state {
            State::Requested | State::Open if now.0 >= self.expires => State::Expired,
            state => state,
        }
    }

    /// Whether it waits for an answer.
    pub(super) const fn waits(&self, now: Timestamp) -> bool {
        matches!(self.state(now), State::Requested | State::Open)
    }

    /// Whether it is still shown.
    const fn lasts(&self, now: Timestamp) -> bool {
        let ended = match self.state(now) {
            State::Requested | State::Open => return true,
            State::Expired => self.expires,
            State::Canceled | State::Accepted | State::Declined => self.changed,
        };
        now.0 < ended.saturating_add(SHOWN)
    }

    fn arn(&self) -> String {
        let kind = self.action.shown().as_str().to_lowercase();
        format!(
            "arn:aws:organizations::{}:handshake/{}/{kind}/{}",
            self.management, self.organization, self.id
        )
    }

    /// Writes it with another state.
    pub(super) fn turn(&self, call: &mut Call<'_>, state: State) -> Result<Self> {
        let turned = Self {
            state,
            changed: Timestamp::from_seconds(call.now.seconds()).0,
            ..self.clone()
        };
        turned.keep(call)?;
        Ok(turned)
    }

    pub(super) fn keep(&self, call: &mut Call<'_>) -> Result<()> {
        call.put(
            &HANDSHAKES,
            &(self.management.clone(), self.id.clone()),
            self.clone(),
        )?;
        match &self.account {
            Some(account) if *account != self.management => {
                call.put(&HANDSHAKES, &(account.clone(), self.id.clone()), self.clone())
            }
            _ => Ok(()),
        }
    }

    /// As the API shows it.
    pub(super) fn shown(&self, look: &mut Look<'_>) -> Result<model::Handshake> {
        let party = |id: &String, kind| model::HandshakeParty {
            id: id.clone(),
            r#type: kind,
        };
        let resource = |kind, value: String| model::HandshakeResource {
            resources: None,
            r#type: Some(kind),
            value: Some(value),
        };
        let manager = look.get(&ACCOUNTS, &self.management)?;
        let features = organization(look, &self.management)?;
        let mut about = Vec::new();
        if let Some(manager) = manager {
            about.push(resource(
                model::HandshakeResourceType::MasterEmail,
                manager.email.clone(),
            ));
            about.push(resource(
                model::HandshakeResourceType::MasterName,
                manager.name.clone(),
            ));
        }
        if let Some(organization) = features {
            let name = organization.feature_set.name().to_owned();
            about.push(resource(
                model::HandshakeResourceType::OrganizationFeatureSet,
                name,
            ));
        }
        let mut parties = vec![party(&self.organization, model::HandshakePartyType::Organization)];
        let mut resources = vec![model::HandshakeResource {
            resources: Some(about),
            r#type: Some(model::HandshakeResourceType::Organization),
            value: Some(self.organization.clone()),
        }];
        if let Some(email) = &self.email {
            parties.push(party(email, model::HandshakePartyType::Email));
            resources.push(resource(model::HandshakeResourceType::Email, email.clone()));
        } else if let Some(account) = &self.account {
            parties.push(party(account, model::HandshakePartyType::Account));
            resources.push(resource(model::HandshakeResourceType::Account, account.clone()));
        }
        let notes = self.notes.iter().cloned();
        resources.extend(notes.map(|notes| resource(model::HandshakeResourceType::Notes, notes)));
        let parent = self.parent.iter().cloned();
        resources.extend(parent.map(|id| resource(model::HandshakeResourceType::ParentHandshake, id)));
        Ok(model::Handshake {
            action: Some(self.action.shown()),
            arn: Some(self.arn()),
            expiration_timestamp: Some(Timestamp(self.expires)),
            id: Some(self.id.clone()),
            parties: Some(parties),
            requested_timestamp: Some(Timestamp(self.requested)),
            resources: Some(resources),
            state: Some(match self.state(look.now) {
                State::Requested => model::HandshakeState::Requested,
                State::Open => model::HandshakeState::Open,
                State::Canceled => model::HandshakeState::Canceled,
                State::Accepted => model::HandshakeState::Accepted,
                State::Declined => model::HandshakeState::Declined,
                State::Expired => model::HandshakeState::Expired,
            }),
        })
    }
}

/// A handshake as the target of its parties' operations: each party's own policies decide.
pub struct Party {
    handshake: Arc<Handshake>,
    account: String,
}

impl Resource for Party {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        self.handshake.arn()
    }

    fn account(&self) -> &str {
        &self.account
    }
}

/// The handshake of an id that the caller's account is a party to.
fn named(look: &mut Look<'_>, id: &str) -> Result<Found<Party>> {
    let account = look.account().to_owned();
    let row = look.get(&HANDSHAKES, &(account.clone(), id.to_owned()))?;
    let row = row.filter(|handshake| handshake.lasts(look.now));
    Ok(match row {
        Some(handshake) => Found::Here(Party { handshake, account }),
        None => Found::Absent {
            arn: "*".to_owned(),
            fault: missing(),
        },
    })
}

/// The same, also for those who may look at everything that the organization asks.
fn visible(look: &mut Look<'_>, id: &str) -> Result<Found<Party>> {
    let own = named(look, id)?;
    if matches!(own, Found::Here(_)) {
        return Ok(own);
    }
    let Ok(seat) = reach::seat(look, Who::Administrators)? else {
        return Ok(own);
    };
    let key = (seat.organization.management.clone(), id.to_owned());
    let row = look.get(&HANDSHAKES, &key)?;
    let row = row.filter(|row| row.organization == seat.organization.id && row.lasts(look.now));
    Ok(match row {
        Some(handshake) => Found::Here(Party {
            handshake,
            account: look.account().to_owned(),
        }),
        None => own,
    })
}

fn missing() -> Fault {
    handshake_not_found_exception("You specified a handshake that doesn't exist.")
}

/// Every handshake that an account is a party to.
pub(super) fn of_account(look: &mut Look<'_>, account: &str) -> Result<Vec<Arc<Handshake>>> {
    let rows = look.every(&HANDSHAKES, &(account,))?;
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Handshakes that an organization sent.
pub(super) fn of_organization(
    look: &mut Look<'_>,
    organization: &Organization,
) -> Result<Vec<Arc<Handshake>>> {
    let mut rows = of_account(look, &organization.management)?;
    rows.retain(|handshake| handshake.organization == organization.id);
    Ok(rows)
}

/// Whether an organization has no room for another account; invitations take theirs as long as they stand.
pub(super) fn is_full(look: &mut Look<'_>, organization: &Organization) -> Result<bool> {
    let now = look.now;
    let rows = of_organization(look, organization)?;
    let invited = rows
        .iter()
        .filter(|handshake| handshake.action == Action::Invite && handshake.waits(now))
        .count();
    let invited = u32::try_from(invited).unwrap_or(u32::MAX);
    Ok(organization.accounts.saturating_add(invited) >= ACCOUNTS_MAX)
}

/// Refuses one invitation too many within a day.
fn expect_patience(look: &mut Look<'_>, organization: &Organization) -> Result<()> {
    let since = look.now.0.saturating_sub(DAY);
    let rows = of_organization(look, organization)?;
    let counts = |sent: &Handshake| {
        sent.action == Action::Invite && sent.state != State::Accepted && sent.requested > since
    };
    if rows.iter().filter(|sent| counts(sent)).count() < INVITATIONS_MAX {
        return Ok(());
    }
    Err(refusal::handshake(
        "HANDSHAKE_RATE_LIMIT_EXCEEDED",
        "You have exceeded the number of handshakes that you can send in one day.",
    ))
}

/// Removes what is shown to nobody any more.
fn sweep(call: &mut Call<'_>, organization: &Organization) -> Result<()> {
    let now = call.now;
    for handshake in of_account(call, &organization.management)? {
        if handshake.lasts(now) {
            continue;
        }
        call.delete(&HANDSHAKES, &(handshake.management.clone(), handshake.id.clone()))?;
        if let Some(account) = &handshake.account {
            call.delete(&HANDSHAKES, &(account.clone(), handshake.id.clone()))?;
        }
    }
    Ok(())
}

/// Takes back whatever an organization still asks.
pub(super) fn cancel_all(call: &mut Call<'_>, organization: &Organization) -> Result<()> {
    for handshake in of_organization(call, organization)? {
        if handshake.waits(call.now) {
            handshake.turn(call, State::Canceled)?;
        }
    }
    Ok(())
}
