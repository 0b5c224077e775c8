//! An account is asked to join.

use api::organizations as model;
use api::organizations::fault::duplicate_handshake_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;

use super::super::account::by_email;
use super::super::membership::membership;
use super::super::organization::Organization;
use super::super::reach::{self, Reached, Subject, Who};
use super::super::refusal;
use super::super::tag::{self, TAG_RESOURCE};
use super::{Action, Handshake, INVITATION, expect_patience, is_full, of_organization, sweep};
use crate::iam::account::{self, ACCOUNTS};

/// Invites an account by its number or address. It joins once it accepts.
pub struct InviteAccountToOrganization;

impl Operation for InviteAccountToOrganization {
    type Input = model::InviteAccountToOrganizationRequest;
    type Output = model::InviteAccountToOrganizationResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:InviteAccountToOrganization");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_RESOURCE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        let seat = match reach::seat(look, Who::Management)? {
            Ok(seat) => seat,
            Err(fault) => return Ok(reach::nowhere(fault)),
        };
        let subject = match input.target.r#type {
            model::HandshakePartyType::Account => {
                let arn = seat.organization.arn_of("account", Some(&input.target.id));
                Subject::Other(arn, Vec::new())
            }
            _ => Subject::Everything,
        };
        Ok(Found::Here(Reached { seat, subject }))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        tag::ask(call, input.tags.as_ref(), &reached.arn(), reached.account())?;
        let organization = reached.organization();
        let tags = tag::read(input.tags)?;
        let (account, email) = invited(call, &input.target)?;
        expect_invitable(call, organization, &account)?;
        expect_patience(call, organization)?;
        sweep(call, organization)?;
        let mut handshake = Handshake::new(call, organization, Action::Invite, Some(account), INVITATION)?;
        handshake.email = email;
        handshake.notes = input.notes.filter(|notes| !notes.is_empty());
        handshake.tags = tags;
        handshake.keep(call)?;
        Ok(model::InviteAccountToOrganizationResponse {
            handshake: Some(handshake.shown(call)?),
        })
    }
}

/// The account that a party names, with its address if that is how it was named.
fn invited(look: &mut Look<'_>, target: &model::HandshakeParty) -> Result<(String, Option<String>)> {
    let (found, email) = match target.r#type {
        model::HandshakePartyType::Account => (Some(target.id.clone()), None),
        model::HandshakePartyType::Email => (by_email(look, &target.id)?, Some(target.id.clone())),
        model::HandshakePartyType::Organization => {
            return Err(refusal::invalid(
                "INVALID_PARTY_TYPE_TARGET",
                "You specified the wrong type of entity as a party: an account or an email address can be invited.",
            ));
        }
    };
    let known = match found {
        Some(id) if look.get(&ACCOUNTS, &id)?.is_some() && !account::is_closed(look, &id)? => Some(id),
        _ => None,
    };
    match (known, email) {
        (Some(id), email) => Ok((id, email)),
        (None, Some(_)) => Err(refusal::invalid(
            "INVALID_EMAIL_ADDRESS_TARGET",
            "You specified an invalid email address for the invited account owner.",
        )),
        (None, None) => Err(refusal::invalid(
            "TARGET_NOT_SUPPORTED",
            "You specified an account that can't be invited.",
        )),
    }
}

fn expect_invitable(look: &mut Look<'_>, organization: &Organization, account: &str) -> Result<()> {
    let member = membership(look, account)?;
    if member.is_some_and(|member| member.organization == organization.id) {
        return Err(refusal::handshake(
            "ALREADY_IN_AN_ORGANIZATION",
            "The invited account is already a member of an organization.",
        ));
    }
    let now = look.now;
    for sent in of_organization(look, organization)? {
        if !sent.waits(now) {
            continue;
        }
        if sent.action != Action::Invite {
            return Err(refusal::handshake(
                "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES",
                "You can't issue new invitations while the organization is enabling all features.",
            ));
        }
        if sent.account.as_deref() == Some(account) {
            return Err(duplicate_handshake_exception(
                "A handshake with the same action and target already exists.",
            ));
        }
    }
    if is_full(look, organization)? {
        return Err(refusal::handshake(
            "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
            "You have exceeded the allowed number of AWS accounts.",
        ));
    }
    Ok(())
}
