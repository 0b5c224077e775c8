//! Web identity: people and programs whom an OpenID Connect provider outside of AWS knows, without credentials of an IAM user
//! (S4.5, S6.1, S6.3, S6.4).
//!
//! Invariant: a token counts only for roles of the account that registered its issuer, for a registered client, with a signature
//! by a key that the issuer shows over a connection whose certificate is believed, and for as long as it says by the wall's time,
//! since outside parties sign by that. The token itself is kept nowhere.

mod claims;
pub mod discovery;
pub mod jwt;

use std::sync::Arc;

use api::sts as model;
use api::sts::fault::{
    expired_token_exception, idp_communication_error_exception, invalid_identity_token_exception,
};
use pipeline::identity::{Federation, Identity, IdentityType};
use pipeline::outside::{Fetch, Fetched, Page, Trust, Unreached};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource as _, Result};
use policy::Context;
use wire::Fault;

use self::discovery::Keys;
use self::jwt::Token;
use super::role::{self, Terms, TrustedRole};
use crate::iam::oidc::{self, OpenIdConnectProvider};

/// How far the clock of a provider may be ahead of ours, in seconds.
const AHEAD_MAX: i64 = 5 * 60;
/// How old a set of keys may be that does not have a token's key, in milliseconds, before it is fetched again.
const STALE_AFTER: i64 = 60 * 1000;

/// Issues credentials of a role to the bearer of an identity token.
pub struct AssumeRoleWithWebIdentity;

impl Operation for AssumeRoleWithWebIdentity {
    type Input = model::AssumeRoleWithWebIdentityRequest;
    type Output = model::AssumeRoleWithWebIdentityResponse;
    type Target = TrustedRole;
    const ACCESS: Access = Access::write("sts:AssumeRoleWithWebIdentity");
    const CONDITIONS: &'static [&'static str] = &[
        "sts:RoleSessionName",
        "sts:SourceIdentity",
        "sts:TransitiveTagKeys",
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
    ];
    const ALSO: &'static [Access] = &[role::TAG_SESSION, role::SET_SOURCE_IDENTITY];
    // CloudTrail's events of it say readOnly, since nothing that is kept changes.
    const READ_ONLY: bool = true;
    const BEARER: bool = true;

    fn bearer(look: &mut Look<'_>, input: &Self::Input) -> Result<Identity> {
        let account = role::trusted(look, &input.role_arn)?.account().to_owned();
        if let Some(provider) = &input.provider_id {
            // Access tokens of these two can be verified by them alone, through interfaces of their own.
            let message = format!("Access tokens of {provider} cannot be verified here");
            return Err(idp_communication_error_exception(message));
        }
        let token = jwt::read(&input.web_identity_token).map_err(flawed)?;
        let provider = provider_of(look, &account, &token)?;
        let subject = required(&token, "sub")?;
        let audience = audience(&token, &provider)?;
        check_times(&token, look.wall().seconds())?;
        let by_thumbprint = check_signature(look, &token, &provider)?;
        let method = if by_thumbprint {
            "Thumbprint"
        } else {
            "IAMTrustStore"
        };
        let federation = Federation {
            event_data: vec![("identityProviderConnectionVerificationMethod", method.to_owned())],
            ..claims::federation(&token, &provider.url, subject, &audience)?
        };
        let arn = provider.arn();
        Ok(Identity::federated(
            IdentityType::WebIdentityUser,
            &account,
            &arn,
            (&format!("{arn}:{audience}:{subject}"), subject),
            federation,
        ))
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<TrustedRole>> {
        role::trusted(look, &input.role_arn).map(Found::Here)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("sts:RoleSessionName", input.role_session_name.clone());
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<TrustedRole>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut context = Context::new();
        Self::conditions(&input, &mut context);
        let federation = call
            .identity
            .federation
            .clone()
            .ok_or_else(|| Fault::internal("a role was assumed by web identity without one"))?;
        for (name, value) in &federation.event_data {
            call.add_event_data(name, value.clone());
        }
        let tags = federation.tags.iter().map(|(key, value)| model::Tag {
            key: key.clone(),
            value: value.clone(),
        });
        let terms = Terms {
            session_name: input.role_session_name,
            seconds: input.duration_seconds,
            ends: None,
            policy: input.policy,
            policy_arns: input.policy_arns,
            tags: Some(tags.collect()),
            transitive_tag_keys: federation.transitive_tag_keys.clone(),
            source_identity: federation.source_identity.clone(),
            token_size_min: input.minimum_session_token_size,
        };
        let provider = call.identity.arn.to_string();
        let lent = role::lend(call, &target.into_inner(), terms, context)?;
        Ok(model::AssumeRoleWithWebIdentityResponse {
            assumed_role_user: Some(lent.user),
            audience: Some(federation.audience.clone()),
            credentials: Some(lent.credentials),
            packed_policy_size: lent.packed_percent,
            provider: Some(provider),
            session_token_size: lent.token_size,
            session_token_utilization: lent.token_utilization,
            source_identity: lent.source_identity,
            subject_from_web_identity_token: Some(federation.subject.clone()),
        })
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    invalid_identity_token_exception(message.into())
}

fn flawed(flaw: jwt::Flaw) -> Fault {
    invalid(match flaw {
        jwt::Flaw::Form => {
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        }
        jwt::Flaw::Algorithm => {
            "The ID Token is not signed with one of RS256, RS384, RS512, ES256, ES384 and ES512"
        }
        jwt::Flaw::Critical => "The ID Token asks for extensions that are not supported",
    })
}

fn required<'t>(token: &'t Token<'_>, claim: &str) -> Result<&'t str> {
    token
        .text(claim)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| missing(claim))
}

fn missing(claim: &str) -> Fault {
    invalid(format!("Missing a required claim: {claim}"))
}

/// The registered provider that the token says it is from.
fn provider_of(look: &mut Look<'_>, account: &str, token: &Token<'_>) -> Result<Arc<OpenIdConnectProvider>> {
    let issuer = required(token, "iss")?;
    let found = match issuer.strip_prefix("https://") {
        Some(url) => oidc::find(look, account, url)?,
        None => None,
    };
    found.ok_or_else(|| {
        invalid(format!(
            "No OpenIDConnect provider found in your account for {issuer}"
        ))
    })
}

/// The registered client that the token was made for: `azp` if it has one, else one of `aud`.
fn audience(token: &Token<'_>, provider: &OpenIdConnectProvider) -> Result<String> {
    let named = match token.text("azp") {
        Some(party) => vec![party.to_owned()],
        None => token.texts("aud"),
    };
    if named.is_empty() || token.texts("aud").is_empty() {
        return Err(missing("aud"));
    }
    named
        .into_iter()
        .find(|client| provider.client_ids.contains(client))
        .ok_or_else(|| invalid("Incorrect token audience"))
}

/// Checks the token's times against the wall's.
fn check_times(token: &Token<'_>, now: i64) -> Result<()> {
    let expires = token.seconds("exp").ok_or_else(|| missing("exp"))?;
    let issued = token.seconds("iat").ok_or_else(|| missing("iat"))?;
    if now >= expires {
        return Err(expired_token_exception(format!(
            "Token expired: current date/time {now} must be before the expiration date/time{expires}"
        )));
    }
    let begins = match token.claims.get("nbf") {
        Some(_) => token
            .seconds("nbf")
            .ok_or_else(|| invalid("The claim nbf is no date"))?,
        None => issued,
    };
    let ahead = now.saturating_add(AHEAD_MAX);
    if begins > ahead || issued > ahead {
        return Err(invalid("The ID Token is not valid yet"));
    }
    Ok(())
}

/// Checks the signature with the provider's keys; says whether the provider was known by a thumbprint alone.
fn check_signature(look: &mut Look<'_>, token: &Token<'_>, provider: &OpenIdConnectProvider) -> Result<bool> {
    let issuer = provider.issuer();
    let trust = Trust::AuthoritiesOr(provider.thumbprints.clone());
    let configuration = look.fetch(&Fetch::new(discovery::address(&issuer), trust.clone()), None)?;
    let address = discovery::keys_address(&page(&configuration)?.body, &issuer).ok_or_else(no_key)?;
    let fetch = Fetch::new(address, trust);
    let key_id = token.key_id.as_deref();
    let mut set = look.fetch(&fetch, None)?;
    let mut found = discovery::keys(&page(&set)?.body, token.algorithm, key_id);
    if found == Keys::Missing {
        // The provider may have a new key since.
        set = look.fetch(&fetch, Some(STALE_AFTER))?;
        found = discovery::keys(&page(&set)?.body, token.algorithm, key_id);
    }
    let Keys::Found(keys) = found else {
        return Err(no_key());
    };
    if !keys.iter().any(|key| token.is_signed_by(key)) {
        return Err(invalid("The ID Token's signature is not valid"));
    }
    Ok(page(&set)?.by_thumbprint)
}

fn no_key() -> Fault {
    // Two spaces, as AWS has them.
    invalid(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity \
         documentation for requirements",
    )
}

fn page(fetched: &Fetched) -> Result<&Page> {
    fetched.as_ref().map_err(|unreached| match unreached {
        Unreached::Silent | Unreached::Refused => {
            idp_communication_error_exception("The identity provider could not be reached")
        }
        Unreached::Untrusted => {
            invalid("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
        }
        Unreached::Address | Unreached::Status(_) | Unreached::TooLong => no_key(),
    })
}
