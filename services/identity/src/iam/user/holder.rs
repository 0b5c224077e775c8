//! Who holds credentials: a user, or the root user of the account. Operations on credentials that name nobody mean the caller.

use std::sync::Arc;

use api::iam as model;
use pipeline::identity::IdentityType;
use pipeline::{Found, Look, Resource, Result};
use policy::Context;
use wire::{Fault, Timestamp};

use super::{User, arn, find, missing};
use crate::iam::account::ACCOUNTS;

/// A user or the root user.
pub enum Holder {
    User(Arc<User>),
    Root { account: Arc<str> },
}

impl Holder {
    /// The lower-case name that the holder's keys are found by; empty for the root user.
    pub(crate) fn lower(&self) -> String {
        match self {
            Self::User(user) => user.lower(),
            Self::Root { .. } => String::new(),
        }
    }

    /// The name as answers show it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.name,
            Self::Root { .. } => "root",
        }
    }
}

impl Resource for Holder {
    const TYPE: &'static str = User::TYPE;

    fn arn(&self) -> String {
        match self {
            Self::User(user) => user.arn(),
            Self::Root { account } => format!("arn:aws:iam::{account}:root"),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::User(user) => &user.account,
            Self::Root { account } => account,
        }
    }

    fn conditions(&self, context: &mut Context) {
        if let Self::User(user) = self {
            user.conditions(context);
        }
    }
}

/// Whom a request means: the named user, or the caller.
pub(crate) fn holder(look: &mut Look<'_>, name: Option<&str>) -> Result<Found<Holder>> {
    let caller = look.caller();
    let own = caller.and_then(|caller| caller.user_name.as_deref());
    let name = match (name, own) {
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) if caller.is_some_and(|caller| caller.kind == IdentityType::Root) => {
            return Ok(Found::Here(Holder::Root {
                account: look.account_shared(),
            }));
        }
        (None, None) => {
            return Err(Fault::validation(
                "Must specify userName when calling with non-User credentials",
            ));
        }
    };
    let found = find(look, name)?.map(Holder::User);
    let account = look.account();
    Ok(Found::or_absent(found, || {
        (arn(account, "/", name), missing(name))
    }))
}

/// The root user as `GetUser` shows it: known by the account's id, without a name of its own.
pub(crate) fn shown_root(look: &mut Look<'_>, account: &str) -> Result<model::User> {
    let created = look
        .get(&ACCOUNTS, &account.to_owned())?
        .map_or(0, |row| row.created);
    Ok(model::User {
        arn: format!("arn:aws:iam::{account}:root"),
        create_date: Timestamp(created),
        path: "/".to_owned(),
        user_id: account.to_owned(),
        user_name: "root".to_owned(),
        ..model::User::default()
    })
}
