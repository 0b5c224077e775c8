//! Sessions for people whom a SAML provider vouches for: no credentials of AWS go in, those of a role come out (S6.1, S6.2, S6.4).
//!
//! Invariant: the caller is whom a signed assertion names, the role's trust policy judges that caller, and the assertion itself is
//! kept nowhere.

mod attribute;
mod redeemed;
mod voucher;

use std::sync::Arc;

use api::sts as model;
use api::sts::fault::{
    expired_token_exception, idp_rejected_claim_exception, invalid_identity_token_exception,
};
use pipeline::identity::Identity;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;

use super::role::{SET_SOURCE_IDENTITY, TAG_SESSION, Terms, TrustedRole, lend, trusted};
use crate::iam::saml::{self as provider, SamlProvider};
use crate::saml::{Assertion, SigningKeys, Unread, open};

/// Issues credentials of a role to whom a provider vouches for, if the role trusts the provider (S6.4).
pub struct AssumeRoleWithSAML;

const ACTION: &str = "sts:AssumeRoleWithSAML";

impl Operation for AssumeRoleWithSAML {
    type Input = model::AssumeRoleWithSAMLRequest;
    type Output = model::AssumeRoleWithSAMLResponse;
    type Target = TrustedRole;
    const ACCESS: Access = Access::write(ACTION);
    const CONDITIONS: &'static [&'static str] = voucher::CONDITIONS;
    const ALSO: &'static [Access] = &[TAG_SESSION, SET_SOURCE_IDENTITY];
    // So CloudTrail has it: nothing that is kept changes.
    const READ_ONLY: bool = true;
    const BEARER: bool = true;

    fn bearer(look: &mut Look<'_>, input: &Self::Input) -> Result<Identity> {
        let (provider, assertion) = assertion(look, input)?;
        voucher::identity(look, input, &provider, &assertion)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<TrustedRole>> {
        trusted(look, &input.role_arn).map(Found::Here)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<TrustedRole>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let federation = call
            .identity
            .federation
            .clone()
            .ok_or_else(|| Fault::internal("a SAML caller without an assertion"))?;
        let (provider, assertion) = assertion(call, &input)?;
        redeemed::note(call, &provider, &assertion, &input.role_arn)?;
        let tags = federation.tags.iter().map(|(key, value)| model::Tag {
            key: key.clone(),
            value: value.clone(),
        });
        // The provider speaks by the wall's clock, sessions end by the cloud's.
        let ahead = call.now.0.saturating_sub(call.wall().0);
        let ends = federation.session_ends.map(|ends| ends.saturating_add(ahead));
        let asked = federation
            .session_seconds
            .map(|seconds| call.now.0.saturating_add(seconds * 1000));
        let terms = Terms {
            session_name: federation.session_name.clone().unwrap_or_default(),
            seconds: input.duration_seconds,
            ends: ends.into_iter().chain(asked).min(),
            policy: input.policy,
            policy_arns: input.policy_arns,
            tags: Some(tags.collect()),
            transitive_tag_keys: federation.transitive_tag_keys.clone(),
            source_identity: federation.source_identity.clone(),
            token_size_min: input.minimum_session_token_size,
        };
        // What the provider says is in the context of every decision already.
        let lent = lend(call, &target, terms, Context::new())?;
        Ok(model::AssumeRoleWithSAMLResponse {
            assumed_role_user: Some(lent.user),
            audience: Some(federation.audience.clone()),
            credentials: Some(lent.credentials),
            issuer: Some(federation.issuer.clone()),
            name_qualifier: federation.name_qualifier.clone(),
            packed_policy_size: lent.packed_percent,
            session_token_size: lent.token_size,
            session_token_utilization: lent.token_utilization,
            source_identity: lent.source_identity,
            subject: Some(federation.subject.clone()),
            subject_type: federation.subject_type.clone(),
        })
    }
}

/// The provider that the request names, and what its assertion says. Whether that suffices is not judged here.
fn assertion(
    look: &mut Look<'_>,
    input: &model::AssumeRoleWithSAMLRequest,
) -> Result<(Arc<SamlProvider>, Assertion)> {
    let provider = provider::find(look, &input.principal_arn)?
        .ok_or_else(|| invalid("Specified provider doesn't exist"))?;
    let keys = SigningKeys::of(&provider.certificates);
    let assertion = open(&input.saml_assertion, &keys).map_err(unread)?;
    Ok((provider, assertion))
}

fn unread(why: Unread) -> Fault {
    match why {
        Unread::Base64 => invalid("Invalid base64 SAMLResponse"),
        Unread::Malformed => invalid("The SAML response is not of the form that is required"),
        Unread::Encrypted => invalid(
            "The assertion is encrypted, and this version of Ringwork does not decrypt SAML assertions",
        ),
        Unread::Rejected => {
            idp_rejected_claim_exception("The identity provider's response says that authentication failed")
        }
        Unread::Signature => invalid("Response signature invalid"),
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    invalid_identity_token_exception(message)
}

fn expired(message: &str) -> Fault {
    expired_token_exception(message)
}

fn denied() -> Fault {
    Fault::access_denied(format!("Not authorized to perform {ACTION}"))
}
