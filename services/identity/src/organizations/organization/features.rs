//! From the consolidated billing features to all features: asked of every invited member, and finished by the management account.
//!
//! Source: Organizations User Guide, "Enabling all features for an organization".

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::super::handshake::{self, Action, FEATURES, Handshake, State};
use super::super::membership::{self, CHILDREN, ChildKind, JoinedMethod, membership};
use super::super::reach::{self, Reached, Who};
use super::super::refusal;
use super::{FeatureSet, ORGANIZATIONS, Organization, organization};

/// Asks all invited members to consent to all features. Members that were made in the organization are not asked.
pub struct EnableAllFeatures;

impl Operation for EnableAllFeatures {
    type Input = model::EnableAllFeaturesRequest;
    type Output = model::EnableAllFeaturesResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:EnableAllFeatures");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Management)
    }

    fn handle(
        call: &mut Call<'_>,
        reached: Authorized<Reached>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let organization = reached.organization();
        if organization.feature_set == FeatureSet::All {
            return Err(refusal::handshake(
                "ORGANIZATION_ALREADY_HAS_ALL_FEATURES",
                "The organization has already enabled all features.",
            ));
        }
        let now = call.now;
        let sent = handshake::of_organization(call, organization)?;
        if sent
            .iter()
            .any(|sent| sent.action != Action::Invite && sent.waits(now))
        {
            return Err(refusal::handshake(
                "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION",
                "The organization has already started the process to enable all features.",
            ));
        }
        let whole = Handshake::new(call, organization, Action::EnableAllFeatures, None, FEATURES)?;
        whole.keep(call)?;
        let mut asked = false;
        for account in invited(call, organization)? {
            let mut asks = Handshake::new(
                call,
                organization,
                Action::EnableAllFeatures,
                Some(account),
                FEATURES,
            )?;
            asks.parent = Some(whole.id.clone());
            asks.keep(call)?;
            asked = true;
        }
        if !asked {
            confirm(call, organization, &whole.id)?;
        }
        Ok(model::EnableAllFeaturesResponse {
            handshake: Some(whole.shown(call)?),
        })
    }
}

/// Members that came by invitation.
fn invited(look: &mut Look<'_>, organization: &Organization) -> Result<Vec<String>> {
    let kind = ChildKind::Account.name();
    let prefix = (organization.management.as_str(), organization.id.as_str(), kind);
    let rows = look.range(&CHILDREN, &prefix, None, usize::MAX)?;
    let mut found = Vec::new();
    for ((_, _, _, id), _) in rows {
        let member = membership(look, &id)?;
        let asked = member.filter(|member| {
            !member.is_management()
                && member.joined_method == JoinedMethod::Invited
                && member.state == membership::State::Active
        });
        found.extend(asked.map(|member| member.account.clone()));
    }
    Ok(found)
}

/// Asks the management account for the last word.
fn confirm(call: &mut Call<'_>, organization: &Organization, whole: &str) -> Result<()> {
    let account = Some(organization.management.clone());
    let mut last = Handshake::new(call, organization, Action::ApproveAllFeatures, account, FEATURES)?;
    last.parent = Some(whole.to_owned());
    last.keep(call)
}

/// What follows from an answer to one of the handshakes of a request for all features.
pub(in super::super) fn answered(call: &mut Call<'_>, answer: &Handshake) -> Result<()> {
    if answer.action == Action::Invite {
        return Ok(());
    }
    let now = call.now;
    let Some(held) = organization(call, &answer.management)? else {
        return Ok(());
    };
    let sent = handshake::of_organization(call, &held)?;
    let Some(whole) = &answer.parent else {
        // The request as a whole was taken back, and the questions with it.
        for part in sent
            .iter()
            .filter(|sent| sent.parent.as_ref() == Some(&answer.id))
        {
            if part.waits(now) {
                part.turn(call, State::Canceled)?;
            }
        }
        return Ok(());
    };
    let mut parts = sent.iter().filter(|sent| sent.parent.as_ref() == Some(whole));
    if answer.action == Action::EnableAllFeatures && parts.all(|part| part.state(now) == State::Accepted) {
        confirm(call, &held, whole)?;
    }
    Ok(())
}

/// The management account had the last word: the organization has all features from now on.
pub(in super::super) fn finish(call: &mut Call<'_>, held: &Organization, last: &Handshake) -> Result<()> {
    let row = Organization {
        feature_set: FeatureSet::All,
        ..held.clone()
    };
    call.put(&ORGANIZATIONS, &held.management, row)?;
    for sent in handshake::of_organization(call, held)? {
        if last.parent.as_ref() == Some(&sent.id) {
            sent.turn(call, State::Accepted)?;
        }
    }
    Ok(())
}
