//! Signing in by a broker: credentials of a role or a federated user become a token, and the token a session (IAM User Guide, "Enable
//! custom identity broker access to the AWS console").
//!
//! Invariant: a session that comes of credentials is no more than they are: it has their permissions, counts from when they were issued,
//! and ends when what they stand for is gone. Only a role's session that came of long-term credentials may last longer than they do.

use crypto::{Secret, digest};
use pipeline::identity::{Identity, IdentityType, Refusal};
use pipeline::signin::{Keys, Lasting, Outcome, SignInEvent, Stage, Stepped, Who};
use pipeline::{Call, Result};
use policy::Principal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wire::Fault;

use super::session::{self, Brokered, Row};
use super::{refused, told};
use crate::iam::role::ROLES;
use crate::sts::key;
use crate::sts::token::{Holder, Issued};

const PURPOSE: &str = "signin.token";
/// Milliseconds that a token is good for.
const TOKEN_LASTS: i64 = 15 * 60 * 1000;

/// Seconds of a console session that is asked for.
const SECONDS_MIN: i64 = 900;
const SESSION_SECONDS_MAX: i64 = 43_200;
const FEDERATED_SECONDS_MAX: i64 = 129_600;

const NO_SESSION: &str = "The Session is not the JSON of temporary credentials that are good: sessionId, sessionKey and sessionToken.";
const NOT_FEDERATED: &str = "Only credentials of AssumeRole, AssumeRoleWithSAML, AssumeRoleWithWebIdentity and GetFederationToken can sign in.";
const SECONDS: &str =
    "The session's duration must be between 900 and 43200 seconds, and of a federated user 129600 seconds.";
const NOT_OF_FEDERATED: &str = "SessionDuration can't be given with credentials of GetFederationToken.";
const NOT_OF_ROLE: &str = "DurationSeconds can only be given with credentials of GetFederationToken.";
const CHAINED: &str = "SessionDuration can't be given with credentials that came of role chaining.";
const OVER_ROLE: &str = "SessionDuration exceeds the maximum session duration of the role.";
const NO_TOKEN: &str = "The SigninToken is not valid, or is older than 15 minutes.";

/// What a broker shows. Other fields are passed over, as AWS does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    session_id: String,
    #[serde(deserialize_with = "secret")]
    session_key: Secret,
    #[serde(deserialize_with = "secret")]
    session_token: Secret,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

/// What a token carries: credentials without their secret, which their own token has.
#[derive(Serialize, Deserialize)]
struct Ticket {
    /// Milliseconds since the epoch.
    expires: i64,
    access_key_id: String,
    session_token: String,
}

fn event(name: &'static str, identity: &Identity, access_key_id: Option<String>) -> SignInEvent {
    let mut details = Map::new();
    details.insert("MobileVersion".to_owned(), Value::from("No"));
    details.insert("MFAUsed".to_owned(), Value::from("No"));
    SignInEvent {
        name,
        who: Who::Known(Box::new(identity.clone())),
        error: None,
        access_key_id,
        details,
    }
}

/// `getSigninToken`
pub(super) fn token(call: &mut Call<'_>, shown: &Secret, lasting: Lasting) -> Result<Stepped> {
    let wrong = || Ok(refused(NO_SESSION, Vec::new()));
    let Ok(shown) = serde_json::from_slice::<Shown>(shown.expose()) else {
        return wrong();
    };
    let Ok(token) = shown.session_token.expose_text() else {
        return wrong();
    };
    let directory = call.directory();
    let credential = match directory.credential(call, &shown.session_id, Some(token)) {
        Ok(credential) => credential,
        Err(Refusal::Fault(fault)) => return Err(fault),
        Err(_) => return wrong(),
    };
    if !digest::equal(credential.secret.expose(), shown.session_key.expose()) {
        return wrong();
    }
    let Some(issued) = Issued::unpack(call, token) else {
        return wrong();
    };
    let identity = credential.identity;
    let ends = match ends(call, &identity, &issued, lasting)? {
        Ok(ends) => ends,
        Err(message) => return Ok(refused(message, Vec::new())),
    };
    let issued = if lasting.session.is_some() {
        let id = key::temporary_id(call.random(), &identity.account)?;
        let secret = crypto::random::secret_access_key(call.random()).map_err(Fault::internal)?;
        issued.for_console(Some((id, &secret)), ends)?
    } else {
        issued.for_console(None, ends)?
    };
    let ticket = Ticket {
        expires: call.now.0.saturating_add(TOKEN_LASTS),
        access_key_id: issued.access_key_id.clone(),
        session_token: issued.pack(call, 0)?,
    };
    let ticket = zeroize::Zeroizing::new(serde_json::to_vec(&ticket).map_err(Fault::internal)?);
    let token = call.issue_token(PURPOSE, &ticket)?;
    let event = event("GetSigninToken", &identity, Some(issued.access_key_id));
    Ok(told(Outcome::Token(token), vec![event]))
}

type Ends = std::result::Result<i64, &'static str>;

/// When the session of such credentials ends, in milliseconds since the epoch.
fn ends(call: &mut Call<'_>, identity: &Identity, issued: &Issued, lasting: Lasting) -> Result<Ends> {
    let own = issued.session.expires;
    let after = |seconds: i64| call.now.0.saturating_add(seconds.saturating_mul(1000));
    match (identity.kind, lasting.session, lasting.federated) {
        (IdentityType::AssumedRole, _, Some(_)) => Ok(Err(NOT_OF_ROLE)),
        (IdentityType::AssumedRole, None, None) | (IdentityType::FederatedUser, None, None) => Ok(Ok(own)),
        (IdentityType::AssumedRole, Some(seconds), None) => {
            if !(SECONDS_MIN..=SESSION_SECONDS_MAX).contains(&seconds) {
                return Ok(Err(SECONDS));
            }
            if issued.session.chained {
                return Ok(Err(CHAINED));
            }
            let ends = after(seconds);
            let Holder::Role { name, .. } = &issued.holder else {
                return Ok(Err(NOT_FEDERATED));
            };
            let role = call.get(&ROLES, &(issued.account.clone(), name.clone()))?;
            // Clients ask for just as long as the role lets them, and AWS takes it.
            if role.is_some_and(|role| seconds > i64::from(role.max_session_seconds)) {
                return Ok(Err(OVER_ROLE));
            }
            Ok(Ok(ends))
        }
        (IdentityType::FederatedUser, Some(_), _) => Ok(Err(NOT_OF_FEDERATED)),
        (IdentityType::FederatedUser, None, Some(seconds)) => {
            if !(SECONDS_MIN..=FEDERATED_SECONDS_MAX).contains(&seconds) {
                return Ok(Err(SECONDS));
            }
            Ok(Ok(after(seconds).min(own)))
        }
        _ => Ok(Err(NOT_FEDERATED)),
    }
}

/// `login`: a token that came back in a browser. It may come again while it is good, as on AWS.
pub(super) fn login(call: &mut Call<'_>, token: &Secret) -> Result<Stepped> {
    let wrong = || Ok(refused(NO_TOKEN, Vec::new()));
    let token = token.expose_text().unwrap_or_default();
    let ticket = call.open_token(PURPOSE, token);
    let ticket = ticket.and_then(|ticket| serde_json::from_slice::<Ticket>(ticket.expose()).ok());
    let Some(ticket) = ticket.filter(|ticket| ticket.expires > call.now.0) else {
        return wrong();
    };
    let Some(issued) = Issued::unpack(call, &ticket.session_token) else {
        return wrong();
    };
    let keys = Keys {
        access_key_id: ticket.access_key_id,
        secret_access_key: issued.secret(),
        session_token: Secret::from(ticket.session_token),
    };
    let Some(identity) = session::bearer(call, &keys)? else {
        return wrong();
    };
    let brokered = named(&identity, &issued);
    let sealed = session::sealed(call, &identity.user_id, &keys)?;
    let row = Row::brokered(&identity, brokered, sealed, issued.session.expires);
    let cookie = session::keep(call, row)?;
    let event = event("ConsoleLogin", &identity, None);
    let stage = Stage::In;
    Ok(told(Outcome::Next { cookie, stage }, vec![event]))
}

/// What the console calls who came by a broker: `role/session`, or the federated user's name.
fn named(identity: &Identity, issued: &Issued) -> Brokered {
    match (&issued.holder, &identity.principal) {
        (Holder::Role { session, .. }, Principal::AssumedRole { role_arn, .. }) => {
            let role = role_arn.rsplit('/').next().unwrap_or_default();
            Brokered {
                name: format!("{role}/{session}"),
                session_name: session.clone(),
            }
        }
        (Holder::Federated { name, .. }, _) => Brokered {
            name: name.clone(),
            session_name: name.clone(),
        },
        _ => Brokered {
            name: identity.user_id.to_string(),
            session_name: "console".to_owned(),
        },
    }
}
