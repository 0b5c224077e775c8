//! Sessions of the console, as rows that cookies find.
//!
//! Invariant: a row is found by the digest of its cookie, so that who reads the store can't sign in with what is there; the credentials
//! in it lie sealed and never leave for a browser. When a session's time is over it is no session, whether its row is there or not.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{Secret, digest};
use pipeline::identity::{Identity, Refusal};
use pipeline::signin::{ConsoleSession, Keys, Stage, SwitchedRole};
use pipeline::{Call, Look, Resource as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::{Fault, Timestamp};
use zeroize::Zeroizing;

use crate::iam::account;
use crate::iam::user::{USERS, User};

/// The job that removes a session's row.
pub(crate) const JOB: &str = "signin.EndSession";
const SEALED_IN: &str = "signin.sessions";
/// Hexadecimal digits of a cookie: 256 bits.
const COOKIE_DIGITS: usize = 64;

/// A session. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    pub(super) account: String,
    /// The lower-case name.
    user: String,
    /// The user's id, or what policies call who came by a broker (`AROA…:session`). Keys are sealed for it.
    pub(super) user_id: String,
    pub(super) stage: Stage,
    /// When a code was shown.
    pub(super) mfa: Option<i64>,
    expires: i64,
    /// Sealed, in Base64.
    pub(super) keys: Option<String>,
    pub(super) role: Option<RoleRow>,
    /// Who came by a broker, and is no user.
    #[serde(default)]
    pub(super) brokered: Option<Brokered>,
}

/// The session of a role, or the federated user, that a broker vouched for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Brokered {
    /// As the console shows it.
    pub(super) name: String,
    /// What a role's session is called that this one assumes.
    pub(super) session_name: String,
}

/// A role that the user has switched to.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct RoleRow {
    pub(super) role: SwitchedRole,
    pub(super) keys: String,
    pub(super) expires: i64,
}

store::record!(Row, 1);

/// By the digest of the cookie.
static SESSIONS: Table<String, Row> = Table::new(0x01e0, SEALED_IN);

impl Row {
    pub(super) fn of(user: &User, stage: Stage, expires: i64) -> Self {
        Self {
            account: user.account.clone(),
            user: user.lower(),
            user_id: user.id.clone(),
            stage,
            mfa: None,
            expires,
            keys: None,
            role: None,
            brokered: None,
        }
    }

    /// Of who came by a broker, until its credentials end.
    pub(super) fn brokered(identity: &Identity, brokered: Brokered, keys: String, expires: i64) -> Self {
        Self {
            account: identity.account.to_string(),
            user: String::new(),
            user_id: identity.user_id.to_string(),
            stage: Stage::In,
            mfa: None,
            expires,
            keys: Some(keys),
            role: None,
            brokered: Some(brokered),
        }
    }
}

fn place(cookie: &str) -> String {
    digest::hex(&digest::sha256(cookie.as_bytes()))
}

/// Writes a new session and tells its cookie.
pub(super) fn keep(call: &mut Call<'_>, row: Row) -> Result<String> {
    let cookie = crypto::random::hex(call.random(), COOKIE_DIGITS).map_err(Fault::internal)?;
    let place = place(&cookie);
    call.schedule(JOB, Timestamp(row.expires), json!({ "session": place }))?;
    call.put(&SESSIONS, &place, row)?;
    Ok(cookie)
}

pub(super) fn rewrite(call: &mut Call<'_>, cookie: &str, row: Row) -> Result<()> {
    call.put(&SESSIONS, &place(cookie), row)
}

pub(super) fn remove(call: &mut Call<'_>, cookie: &str) -> Result<()> {
    call.delete(&SESSIONS, &place(cookie))
}

/// Removes the row of a session whose time is over.
pub(super) fn end(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    match payload.get("session").and_then(Value::as_str) {
        Some(place) => call.delete(&SESSIONS, &place.to_owned()),
        None => Ok(()),
    }
}

/// Whose a session is.
enum Whose {
    User(Arc<User>),
    Brokered(Arc<Identity>),
}

/// The session of a cookie and whose it is, while both are there.
fn found(look: &mut Look<'_>, cookie: &str) -> Result<Option<(Arc<Row>, Whose)>> {
    let now = look.now.0;
    let row = look.get(&SESSIONS, &place(cookie))?;
    let Some(row) = row.filter(|row| row.expires > now) else {
        return Ok(None);
    };
    if account::is_closed(look, &row.account)? {
        return Ok(None);
    }
    let whose = if row.brokered.is_some() {
        let keys = row.keys.as_ref();
        let keys = keys.map(|keys| opened(look, &row.user_id, keys)).transpose()?;
        let bearer = match keys {
            Some(keys) => bearer(look, &keys)?,
            None => None,
        };
        bearer
            .filter(|identity| *identity.user_id == *row.user_id)
            .map(Whose::Brokered)
    } else {
        let user = look.get(&USERS, &(row.account.clone(), row.user.clone()))?;
        user.filter(|user| user.id == row.user_id).map(Whose::User)
    };
    Ok(whose.map(|whose| (row, whose)))
}

/// Whom temporary credentials stand for, while they are good.
pub(super) fn bearer(look: &mut Look<'_>, keys: &Keys) -> Result<Option<Arc<Identity>>> {
    let Ok(token) = keys.session_token.expose_text() else {
        return Ok(None);
    };
    let directory = look.directory();
    match directory.credential(look, &keys.access_key_id, Some(token)) {
        Ok(credential) => Ok(Some(credential.identity)),
        Err(Refusal::Fault(fault)) => Err(fault),
        Err(_) => Ok(None),
    }
}

/// A user's session of a cookie, if it has come to that stage.
pub(super) fn at(call: &mut Call<'_>, cookie: &str, stage: Stage) -> Result<Option<(Row, Arc<User>)>> {
    Ok(match found(call, cookie)? {
        Some((row, Whose::User(user))) if row.stage == stage => Some(((*row).clone(), user)),
        _ => None,
    })
}

/// The session of a cookie that is signed in, and the ARN of whose it is.
pub(super) fn within(call: &mut Call<'_>, cookie: &str) -> Result<Option<(Row, String)>> {
    let found = found(call, cookie)?.filter(|(row, _)| row.stage == Stage::In);
    Ok(found.map(|(row, whose)| {
        let arn = match whose {
            Whose::User(user) => user.arn(),
            Whose::Brokered(identity) => identity.arn.to_string(),
        };
        ((*row).clone(), arn)
    }))
}

/// Credentials as a row of `user_id` keeps them.
pub(super) fn sealed(call: &Call<'_>, user_id: &str, keys: &Keys) -> Result<String> {
    let text = |secret: &Secret| secret.expose_text().map(str::to_owned).map_err(Fault::internal);
    let parts = [
        keys.access_key_id.clone(),
        text(&keys.secret_access_key)?,
        text(&keys.session_token)?,
    ];
    let parts = Zeroizing::new(parts);
    let plain = Zeroizing::new(parts.join("\n"));
    let sealed = call.seal(SEALED_IN, user_id.as_bytes(), plain.as_bytes())?;
    Ok(STANDARD.encode(sealed))
}

fn opened(look: &Look<'_>, user_id: &str, sealed: &str) -> Result<Keys> {
    let sealed = STANDARD.decode(sealed).map_err(Fault::internal)?;
    let plain = look.open(SEALED_IN, user_id.as_bytes(), &sealed)?;
    let mut parts = plain.expose_text().map_err(Fault::internal)?.split('\n');
    let mut next = || {
        parts
            .next()
            .ok_or_else(|| Fault::internal("a session's keys are cut off"))
    };
    Ok(Keys {
        access_key_id: next()?.to_owned(),
        secret_access_key: Secret::from(next()?),
        session_token: Secret::from(next()?),
    })
}

/// The session of a cookie, as the console works with it.
pub(crate) fn shown(look: &mut Look<'_>, cookie: &str) -> Result<Option<ConsoleSession>> {
    let Some((row, whose)) = found(look, cookie)? else {
        return Ok(None);
    };
    let (user_name, session_name) = match (&row.brokered, &whose) {
        (Some(brokered), _) => (brokered.name.clone(), brokered.session_name.clone()),
        (None, Whose::User(user)) => (user.name.clone(), user.name.clone()),
        (None, Whose::Brokered(_)) => return Ok(None),
    };
    let keys = row
        .keys
        .as_ref()
        .map(|keys| opened(look, &row.user_id, keys))
        .transpose()?;
    let now = look.now.0;
    let role = row.role.as_ref().filter(|role| role.expires > now);
    let role = match role {
        Some(role) => Some((role.role.clone(), opened(look, &row.user_id, &role.keys)?)),
        None => None,
    };
    let alias = account::named(look, &row.account)?.and_then(|account| account.alias.clone());
    Ok(Some(ConsoleSession {
        stage: row.stage,
        account: row.account.clone(),
        alias,
        user_name,
        session_name,
        expires: Timestamp(row.expires),
        keys,
        role,
    }))
}
