//! The issue of temporary credentials: a key id, a secret, and the token that carries the session (S4.1, S4.7).

use api::sts as model;
use api::sts::fault::packed_policy_too_large_exception;
use pipeline::identity::{IdentityType, Session};
use pipeline::{Call, Result};
use wire::{Fault, Timestamp};

use super::key;
use super::token::{Holder, Issued, TOKEN_CHARACTERS_MAX};
use crate::iam::account;
use crate::iam::tag::Tags;

/// Makes credentials for `holder` of `account`. `session.issued` and `session.expires` are set here.
pub(crate) fn grant(
    call: &mut Call<'_>,
    account: &str,
    holder: Holder,
    tags: Tags,
    mut session: Session,
    seconds: i64,
    token_size_min: Option<i32>,
) -> Result<model::Credentials> {
    let now = call.now.seconds();
    let expires = Timestamp::from_seconds(now.saturating_add(seconds));
    session.issued = Timestamp::from_seconds(now).0;
    session.expires = expires.0;
    if let Some(federation) = &call.identity.federation {
        session.provider_context.clone_from(&federation.session_context);
    }
    session
        .provider_context
        .extend(call.session_context().iter().cloned());
    let access_key_id = key::temporary_id(call.random(), account)?;
    let secret = crypto::random::secret_access_key(call.random()).map_err(Fault::internal)?;
    let incarnation = account::incarnation(call, account)?;
    let issued = Issued::new(
        access_key_id.clone(),
        &secret,
        (account.to_owned(), incarnation),
        holder,
        tags,
        session,
    )?;
    let size_min = token_size_min
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(0);
    let session_token = issued.pack(call, size_min)?;
    if session_token.len() > TOKEN_CHARACTERS_MAX {
        return Err(packed_policy_too_large_exception(
            "Serialized token too large for session",
        ));
    }
    Ok(model::Credentials {
        access_key_id,
        expiration: expires,
        secret_access_key: secret.expose_text().map_err(Fault::internal)?.to_owned(),
        session_token,
    })
}

/// The size of a token in characters, and in per cent of what it may be.
pub(super) fn token_size(credentials: &model::Credentials) -> (Option<i32>, Option<i32>) {
    let size = credentials.session_token.len();
    let percent = (size * 100).div_ceil(TOKEN_CHARACTERS_MAX);
    (i32::try_from(size).ok(), i32::try_from(percent).ok())
}

/// The user or root behind long-term credentials, or a refusal: sessions must not beget these.
pub(super) fn long_term_holder(call: &Call<'_>, operation: &str) -> Result<Holder> {
    let identity = call.identity;
    if identity.session.is_some() {
        return Err(Fault::access_denied(format!(
            "Cannot call {operation} with session credentials"
        )));
    }
    match (identity.kind, identity.user_name.as_deref()) {
        (IdentityType::Root, _) => Ok(Holder::Root),
        (IdentityType::IamUser, Some(name)) => Ok(Holder::User {
            name: name.to_lowercase(),
            id: identity.user_id.to_string(),
        }),
        _ => Err(Fault::access_denied(format!(
            "Cannot call {operation} with these credentials"
        ))),
    }
}

/// The duration of root's own sessions is an hour at most.
pub(super) fn seconds(holder: &Holder, asked: Option<i32>) -> i64 {
    const HOUR: i64 = 3600;
    let seconds = asked.map_or(12 * HOUR, i64::from);
    if *holder == Holder::Root {
        seconds.min(HOUR)
    } else {
        seconds
    }
}
