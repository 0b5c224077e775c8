//! The first start: the management account and its root access key. Later starts find both. And what operators settle that
//! no API offers: further accounts, and access keys of a given id and secret.
//!
//! Invariant: an existing account is never changed, but for the name and the keys that the operator gives.

use api::iam::fault::limit_exceeded_exception;
use crypto::Secret;
use pipeline::{Call, Result};
use wire::{Fault, Timestamp};

use crate::iam::access_key::{self, ACCESS_KEYS, AccessKey, Owner};
use crate::iam::account::{ACCOUNTS, Account};
use crate::iam::user::{self, USERS};

/// The root user's access key, for the operator's file. It does not print.
pub struct RootCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
}

/// Makes `account` and its root access key unless they are there, and tells the key. `root` is a key id and secret that the
/// operator chose; without one the key is random. Runs again without effect.
///
/// # Errors
/// If the store or the seal fails, or `root` names a key id that belongs to someone else.
pub fn bootstrap(
    call: &mut Call<'_>,
    account: &str,
    root: Option<(&str, &Secret)>,
) -> Result<RootCredentials> {
    if call.get(&ACCOUNTS, account)?.is_none() {
        make_account(call, account, "management", standing_email(account))?;
    }
    match root {
        Some((id, secret)) => chosen(call, account, id, secret),
        None => found_or_random(call, account),
    }
}

/// The address of an account that was given none.
fn standing_email(account: &str) -> String {
    format!("root@{account}.ringwork.invalid")
}

/// Makes an account that is not there yet.
///
/// # Errors
/// If the store fails.
pub(crate) fn make_account(call: &mut Call<'_>, account: &str, name: &str, email: String) -> Result<()> {
    let row = Account {
        id: account.to_owned(),
        name: name.to_owned(),
        email,
        alias: None,
        created: Timestamp::from_seconds(call.now.seconds()).0,
        incarnation: call.uuid()?,
        closed: None,
    };
    call.put(&ACCOUNTS, &account.to_owned(), row)
}

/// Makes an account of twelve digits unless it is there, and gives it `name` if one is given. Tells whether anything changed.
///
/// # Errors
/// If the store fails.
pub fn ensure_account(call: &mut Call<'_>, account: &str, name: Option<&str>) -> Result<bool> {
    let Some(held) = call.get(&ACCOUNTS, account)? else {
        make_account(call, account, name.unwrap_or(account), standing_email(account))?;
        return Ok(true);
    };
    let Some(name) = name.filter(|name| *name != held.name) else {
        return Ok(false);
    };
    call.put(
        &ACCOUNTS,
        &account.to_owned(),
        Account {
            name: name.to_owned(),
            ..(*held).clone()
        },
    )?;
    Ok(true)
}

/// Gives a user an access key whose id and secret the operator chose, on or off. Tells whether anything changed.
///
/// # Errors
/// If there is no such user, the id belongs to someone else, the user has two other keys, or the store or the seal fails.
pub fn ensure_access_key(
    call: &mut Call<'_>,
    account: &str,
    user: &str,
    id: &str,
    secret: &Secret,
    active: bool,
) -> Result<bool> {
    let lower = user.to_lowercase();
    let found = call.get(&USERS, &(account.to_owned(), lower.clone()))?;
    let name = found
        .map(|user| user.name.clone())
        .ok_or_else(|| user::missing(user))?;
    let owner = Owner::User(lower.clone());
    match call.get(&ACCESS_KEYS, id)? {
        Some(held) if held.owner != owner || held.account != account => {
            return Err(Fault::validation(format!(
                "The access key id {id} belongs to someone else."
            )));
        }
        Some(held) if held.open(call)? == *secret => {
            if held.active != active {
                call.put(
                    &ACCESS_KEYS,
                    &id.to_owned(),
                    AccessKey {
                        active,
                        ..(*held).clone()
                    },
                )?;
            }
            return Ok(held.active != active);
        }
        Some(_) => {}
        None if access_key::of_holder(call, account, &lower)?.len() >= access_key::KEYS_PER_USER_MAX => {
            let max = access_key::KEYS_PER_USER_MAX;
            return Err(limit_exceeded_exception(format!(
                "Cannot exceed quota for AccessKeysPerUser: {max}"
            )));
        }
        None => {}
    }
    access_key::store(call, id, secret, account, owner, &name)?;
    if !active && let Some(held) = call.get(&ACCESS_KEYS, id)? {
        call.put(
            &ACCESS_KEYS,
            &id.to_owned(),
            AccessKey {
                active,
                ..(*held).clone()
            },
        )?;
    }
    Ok(true)
}

fn chosen(call: &mut Call<'_>, account: &str, id: &str, secret: &Secret) -> Result<RootCredentials> {
    let credentials = RootCredentials {
        access_key_id: id.to_owned(),
        secret_access_key: secret.clone(),
    };
    if let Some(held) = call.get(&ACCESS_KEYS, id)? {
        if held.owner != Owner::Root || held.account != account {
            return Err(Fault::validation(format!(
                "The access key id {id} belongs to someone else."
            )));
        }
        if held.open(call)? == *secret {
            return Ok(credentials);
        }
    }
    access_key::store(call, id, secret, account, Owner::Root, "root")?;
    Ok(credentials)
}

/// Notes that `id` is the root key that the operator's option names, and removes those that it named before; tells their ids. A key that was
/// made by `CreateAccessKey`, or at random at the first start, stays.
///
/// # Errors
/// If the store fails.
pub fn settle_given_root_key(call: &mut Call<'_>, account: &str, id: &str) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for held in access_key::of_holder(call, account, "")? {
        let Some(key) = call.get(&ACCESS_KEYS, &held)? else {
            continue;
        };
        if held != id && (key.given || !looks_made(&held)) {
            access_key::remove(call, &key)?;
            removed.push(held);
        } else if held == id && !key.given {
            let given = AccessKey {
                given: true,
                ..(*key).clone()
            };
            call.put(&ACCESS_KEYS, &held, given)?;
        }
    }
    Ok(removed)
}

/// Whether an id may be one that was made here. What earlier versions stored does not say which keys an option gave, but no other way led
/// to an id of another form.
fn looks_made(id: &str) -> bool {
    id.len() == 20 && id.starts_with("AKIA")
}

fn found_or_random(call: &mut Call<'_>, account: &str) -> Result<RootCredentials> {
    for id in access_key::of_holder(call, account, "")? {
        if let Some(key) = call.get(&ACCESS_KEYS, &id)? {
            let secret_access_key = key.open(call)?;
            return Ok(RootCredentials {
                access_key_id: id,
                secret_access_key,
            });
        }
    }
    let id = crypto::random::access_key_id(call.random()).map_err(Fault::internal)?;
    let secret = crypto::random::secret_access_key(call.random()).map_err(Fault::internal)?;
    access_key::store(call, &id, &secret, account, Owner::Root, "root")?;
    Ok(RootCredentials {
        access_key_id: id,
        secret_access_key: secret,
    })
}
