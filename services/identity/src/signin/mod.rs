//! Signing in to the console: users with a password, and a code where they have an MFA device (S5.1), become sessions, and so does who
//! comes from a broker with credentials of a role (`federation`).
//!
//! AWS publishes no bounds of failed sign-ins. Here a user may fail five times from one network, and one network fifty times in all,
//! within a quarter of an hour; and ten wrong codes of one MFA device count, wherever they are shown (`iam::mfa`).
//!
//! Invariants: who does not know the password learns neither which accounts, users and passwords there are, nor whether there is an MFA
//! device, from words or from time. A cookie is good for one stage of one session: every step forward makes another one.

mod federation;
pub mod session;

use std::sync::Arc;

use crypto::Secret;
use pipeline::attempts::Limit;
use pipeline::identity::{Identity, Session};
use pipeline::jobs::JobKind;
use pipeline::signin::{Keys, Outcome, SignInEvent, Stage, Step, Stepped, SwitchedRole, Who};
use pipeline::{Call, Result};
use serde_json::{Map, Value, json};
use wire::Timestamp;

use self::session::Row;
use crate::iam::account;
use crate::iam::directory::attribution::user_identity;
use crate::iam::mfa;
use crate::iam::password::{self, LoginProfile};
use crate::iam::tag::Tags;
use crate::iam::user::{USERS, User};
use crate::sts::grant::grant;
use crate::sts::token::Holder;

/// What ends by itself.
pub static JOBS: &[JobKind] = &[JobKind {
    name: session::JOB,
    service: "signin",
    event: "",
    run: session::end,
}];

const QUARTER: i64 = 15 * 60 * 1000;

/// Failed sign-ins of one user from one network.
const OF_USER: Limit = Limit {
    purpose: "signin.user",
    failures_max: 5,
    window: QUARTER,
};

/// Failed sign-ins from one network, whoever was named.
const OF_SOURCE: Limit = Limit {
    purpose: "signin.source",
    failures_max: 50,
    window: QUARTER,
};

const TOO_MANY: &str = "There were too many failed attempts to sign in. Please try again later.";
const EXPIRED: &str = "Your password has expired. Please contact your administrator.";
const OVER: &str = "Your session has ended. Please sign in again.";

/// Seconds that a session lasts (AWS Management Console User Guide: twelve hours), and that a further step may take.
const SESSION_SECONDS: i64 = 12 * 3600;
const STEP_SECONDS: i64 = 15 * 60;

/// Takes a step. `source` is the network that the browser is in.
pub(crate) fn step(call: &mut Call<'_>, source: &str, step: &Step) -> Result<Stepped> {
    match step {
        Step::Password {
            account,
            user,
            password,
        } => with_password(call, source, (account, user), password),
        Step::Code { cookie, code } => with_code(call, source, cookie, code),
        Step::Renewed { cookie } => renewed(call, cookie),
        Step::SwitchRole {
            cookie,
            role,
            keys,
            expires,
        } => switched(call, cookie, role, (keys, *expires)),
        Step::ExitRole { cookie } => exited(call, cookie),
        Step::SignOut { cookie } => {
            session::remove(call, cookie)?;
            Ok(told(Outcome::Done, Vec::new()))
        }
        Step::SigninToken { session, lasting } => federation::token(call, session, *lasting),
        Step::Login { token } => federation::login(call, token),
    }
}

const fn told(outcome: Outcome, events: Vec<SignInEvent>) -> Stepped {
    Stepped { outcome, events }
}

fn refused(message: &'static str, events: Vec<SignInEvent>) -> Stepped {
    told(Outcome::Refused(message), events)
}

/// The page that a browser was on its way to: the console's own.
fn page(call: &Call<'_>) -> String {
    let scheme = if call.request.secure { "https" } else { "http" };
    let host = call.request.host.as_deref().unwrap_or("localhost");
    format!("{scheme}://{host}/_ringwork/console/")
}

/// `ConsoleLogin`, with the serial number of the device that was used.
fn login(
    call: &Call<'_>,
    who: Who,
    error: Option<&'static str>,
    mfa: Option<&str>,
    used: bool,
) -> SignInEvent {
    let mut details = Map::new();
    details.insert("LoginTo".to_owned(), Value::from(page(call)));
    details.insert("MobileVersion".to_owned(), Value::from("No"));
    if let Some(serial) = mfa {
        details.insert("MFAIdentifier".to_owned(), Value::from(serial));
    }
    let used = if used { "Yes" } else { "No" };
    details.insert("MFAUsed".to_owned(), Value::from(used));
    SignInEvent {
        name: "ConsoleLogin",
        who,
        error,
        access_key_id: None,
        details,
    }
}

fn claimed(user: &User) -> Who {
    Who::Claimed {
        account: user.account.clone(),
        user_id: user.id.clone(),
        user_name: user.name.clone(),
    }
}

fn known(user: &User) -> Who {
    Who::Known(Box::new(user_identity(user, "", None)))
}

fn with_password(
    call: &mut Call<'_>,
    source: &str,
    (account, name): (&str, &str),
    password: &Secret,
) -> Result<Stepped> {
    let lower = name.to_lowercase();
    let named = account::named(call, account)?.filter(|account| account.closed.is_none());
    let user = match &named {
        Some(account) => call.get(&USERS, &(account.id.clone(), lower.clone()))?,
        None => None,
    };
    let profile = match &user {
        Some(user) => password::of_user(call, &user.account, &user.lower())?,
        None => None,
    };
    // An account's id and its alias are one account.
    let counted = named.as_ref().map_or(account, |account| account.id.as_str());
    let whom = [counted, lower.as_str(), source];
    let spent = call.exhausted(OF_USER, &whom) || call.exhausted(OF_SOURCE, &[source]);
    // A hash is made in every case, so that none is told from another by its time, and none costs less.
    let right = password::is_of(profile.as_deref(), password)? && !spent;
    if let (true, Some(user), Some(profile)) = (right, &user, &profile) {
        call.forgive(OF_USER, &whom);
        if mfa::present(call, &user.account, &user.lower())? {
            return ask_for_code(call, user);
        }
        return let_in(call, user, profile, None);
    }
    if !spent {
        let once = call.request.id.clone();
        call.count_failure(OF_USER, &whom, &once);
        call.count_failure(OF_SOURCE, &[source], &once);
    }
    let (who, error) = match &user {
        Some(user) => (claimed(user), "Failed authentication"),
        None => {
            // Where there is no such account, the installation's owner learns of the attempt.
            let account = named
                .as_ref()
                .map_or(call.management_account(), |account| &account.id);
            let account = account.to_owned();
            (Who::Hidden { account }, "No username found in supplied account")
        }
    };
    let event = login(call, who, Some(error), None, false);
    Ok(refused(
        if spent { TOO_MANY } else { Stepped::WRONG },
        vec![event],
    ))
}

/// The password was right: now the code of one of the user's devices.
fn ask_for_code(call: &mut Call<'_>, user: &User) -> Result<Stepped> {
    let row = Row::of(user, Stage::Code, call.now.0.saturating_add(STEP_SECONDS * 1000));
    let cookie = session::keep(call, row)?;
    let mut details = Map::new();
    details.insert("MfaType".to_owned(), Value::from("Virtual MFA"));
    let event = SignInEvent {
        name: "CheckMfa",
        who: claimed(user),
        error: None,
        access_key_id: None,
        details,
    };
    let stage = Stage::Code;
    Ok(told(Outcome::Next { cookie, stage }, vec![event]))
}

fn with_code(call: &mut Call<'_>, source: &str, cookie: &str, code: &str) -> Result<Stepped> {
    let Some((_, user)) = session::at(call, cookie, Stage::Code)? else {
        return Ok(refused(OVER, Vec::new()));
    };
    let spent = call.exhausted(OF_SOURCE, &[source]);
    let proven = if spent {
        None
    } else {
        mfa::prove(call, &user.account, &user.lower(), code)?
    };
    let Some((serial, shown)) = proven else {
        let once = call.request.id.clone();
        call.count_failure(OF_SOURCE, &[source], &once);
        let error = Some("Failed authentication");
        let event = login(call, claimed(&user), error, None, true);
        let message = if spent { TOO_MANY } else { Stepped::WRONG };
        return Ok(refused(message, vec![event]));
    };
    session::remove(call, cookie)?;
    match password::of_user(call, &user.account, &user.lower())? {
        Some(profile) => let_in(call, &user, &profile, Some((serial, shown.at))),
        None => Ok(refused(OVER, Vec::new())),
    }
}

/// Everything was right. Whether the password is to be changed first is settled here.
fn let_in(
    call: &mut Call<'_>,
    user: &User,
    profile: &LoginProfile,
    mfa: Option<(String, i64)>,
) -> Result<Stepped> {
    let serial = mfa.as_ref().map(|(serial, _)| serial.as_str());
    let (old, hard) = outdated(call, user, profile)?;
    if old && hard {
        let error = Some("Failed authentication");
        let event = login(call, claimed(user), error, serial, serial.is_some());
        return Ok(refused(EXPIRED, vec![event]));
    }
    let stage = if old || profile.reset_required {
        Stage::NewPassword
    } else {
        Stage::In
    };
    let event = login(call, known(user), None, serial, serial.is_some());
    let mut used = user.clone();
    used.password_last_used = Some(call.now.0);
    call.put(&USERS, &used.key(), used)?;
    let cookie = begin(call, user, stage, mfa.map(|(_, at)| at))?;
    Ok(told(Outcome::Next { cookie, stage }, vec![event]))
}

/// Whether the password is older than its account's policy lets it be, and whether the user then can't renew it.
fn outdated(call: &mut Call<'_>, user: &User, profile: &LoginProfile) -> Result<(bool, bool)> {
    let policy = password::of_account(call, &user.account)?;
    let Some(policy) = policy else {
        return Ok((false, false));
    };
    let now = call.now.0;
    let old = policy.expiry(profile.changed).is_some_and(|expiry| expiry <= now);
    Ok((old, policy.hard_expiry.unwrap_or(false)))
}

/// Begins a session with credentials of the user's own.
fn begin(call: &mut Call<'_>, user: &User, stage: Stage, mfa: Option<i64>) -> Result<String> {
    let seconds = if stage == Stage::In {
        SESSION_SECONDS
    } else {
        STEP_SECONDS
    };
    let holder = Holder::User {
        name: user.lower(),
        id: user.id.clone(),
    };
    let session = Session {
        mfa,
        console: true,
        ..Session::default()
    };
    let issued = grant(call, &user.account, holder, Tags::new(), session, seconds, None)?;
    let keys = Keys {
        access_key_id: issued.access_key_id,
        secret_access_key: Secret::from(issued.secret_access_key),
        session_token: Secret::from(issued.session_token),
    };
    let mut row = Row::of(user, stage, issued.expiration.0);
    row.mfa = mfa;
    row.keys = Some(session::sealed(call, &user.id, &keys)?);
    session::keep(call, row)
}

/// The user has changed the password: the session that was waiting for it begins.
fn renewed(call: &mut Call<'_>, cookie: &str) -> Result<Stepped> {
    let Some((row, user)) = session::at(call, cookie, Stage::NewPassword)? else {
        return Ok(refused(OVER, Vec::new()));
    };
    let Some(profile) = password::of_user(call, &user.account, &user.lower())? else {
        return Ok(refused(OVER, Vec::new()));
    };
    if profile.reset_required || outdated(call, &user, &profile)?.0 {
        return Ok(refused("The password must be changed first.", Vec::new()));
    }
    session::remove(call, cookie)?;
    let cookie = begin(call, &user, Stage::In, row.mfa)?;
    let event = SignInEvent {
        name: "PasswordUpdated",
        who: known(&user),
        error: None,
        access_key_id: None,
        details: Map::new(),
    };
    let stage = Stage::In;
    Ok(told(Outcome::Next { cookie, stage }, vec![event]))
}

/// The identity of a role's session, as sign-in events tell of it.
fn lent(call: &mut Call<'_>, keys: &Keys) -> Option<Box<Identity>> {
    let token = keys.session_token.expose_text().ok()?;
    let directory = call.directory();
    let credential = directory
        .credential(call, &keys.access_key_id, Some(token))
        .ok()?;
    let mut identity = (*credential.identity).clone();
    identity.session = None;
    identity.access_key_id = Arc::from("");
    Some(Box::new(identity))
}

fn switched(
    call: &mut Call<'_>,
    cookie: &str,
    role: &SwitchedRole,
    (keys, expires): (&Keys, Timestamp),
) -> Result<Stepped> {
    let found = session::within(call, cookie)?;
    let (Some((mut row, from)), Some(identity)) = (found, lent(call, keys)) else {
        return Ok(refused(OVER, Vec::new()));
    };
    row.role = Some(session::RoleRow {
        role: role.clone(),
        keys: session::sealed(call, &row.user_id, keys)?,
        expires: expires.0,
    });
    session::rewrite(call, cookie, row)?;
    let details = json!({
        "SwitchFrom": from,
        "RedirectTo": page(call),
    });
    let event = SignInEvent {
        name: "SwitchRole",
        who: Who::Known(identity),
        error: None,
        access_key_id: None,
        details: details.as_object().cloned().unwrap_or_default(),
    };
    Ok(told(Outcome::Done, vec![event]))
}

fn exited(call: &mut Call<'_>, cookie: &str) -> Result<Stepped> {
    if let Some((mut row, _)) = session::within(call, cookie)? {
        row.role = None;
        session::rewrite(call, cookie, row)?;
    }
    Ok(told(Outcome::Done, Vec::new()))
}
