//! A user's new name or path: every row that goes by the name moves along in one transaction.

use api::iam as model;
use api::iam::fault::entity_already_exists_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use wire::typed::Empty;

use super::{USERS, User, find, named};
use crate::iam::group::MEMBERS;
use crate::iam::index::Present;
use crate::iam::role::trust;
use crate::iam::service_credential::SERVICE_CREDENTIALS;
use crate::iam::signing_certificate::SIGNING_CERTIFICATES;
use crate::iam::ssh_key::SSH_KEYS;
use crate::iam::{access_key, binding, mfa, owned, password};

/// Renames or moves a user. Its id, keys, groups and policies stay.
pub struct UpdateUser;

const UPDATE_USER: Access = Access::write("iam:UpdateUser");

impl Operation for UpdateUser {
    type Input = model::UpdateUserRequest;
    type Output = Empty;
    type Target = User;
    const ACCESS: Access = UPDATE_USER;
    const ALSO: &'static [Access] = &[UPDATE_USER];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<User>> {
        named(look, &input.user_name)
    }

    fn handle(call: &mut Call<'_>, user: Authorized<User>, input: Self::Input) -> Result<Empty> {
        let old = user.into_inner();
        let mut user = old.clone();
        if let Some(path) = input.new_path {
            user.path = path;
        }
        if let Some(name) = input.new_user_name {
            user.name = name;
        }
        if user.arn() == old.arn() {
            return Ok(Empty);
        }
        // Who may change one name must not thereby take another that is not theirs to give.
        call.also(UPDATE_USER, &user.arn(), &old.account, policy::Context::new())?;
        if user.lower() != old.lower() {
            if find(call, &user.name)?.is_some() {
                let message = format!("User with name {} already exists.", user.name);
                return Err(entity_already_exists_exception(message));
            }
            call.delete(&USERS, &old.key())?;
        }
        if user.name != old.name {
            follow(call, &old, &user)?;
        }
        trust::follow(call, &user.id, &user.arn())?;
        call.put(&USERS, &user.key(), user)?;
        Ok(Empty)
    }
}

/// Moves what goes by the old name.
fn follow(call: &mut Call<'_>, old: &User, new: &User) -> Result<()> {
    let account = &old.account;
    for id in access_key::of_holder(call, account, &old.lower())? {
        access_key::rename_owner(call, &id, &new.name)?;
    }
    password::rename_owner(call, account, &old.lower(), &new.lower())?;
    mfa::rename_owner(call, account, &old.lower(), &new.name)?;
    let (lower, new_lower) = (old.lower(), new.lower());
    let names = (account.as_str(), lower.as_str(), new_lower.as_str());
    owned::follow(call, &SSH_KEYS, names, |key| key.user_name.clone_from(&new.name))?;
    owned::follow(call, &SIGNING_CERTIFICATES, names, |row| {
        row.user_name.clone_from(&new.name)
    })?;
    owned::follow(call, &SERVICE_CREDENTIALS, names, |row| {
        row.user_name.clone_from(&new.name)
    })?;
    for group in &old.groups {
        call.delete(&MEMBERS, &(account.clone(), group.clone(), old.lower()))?;
        call.put(&MEMBERS, &(account.clone(), group.clone(), new.lower()), Present)?;
    }
    let attached = old.attached.iter().map(|arn| (arn, "user"));
    for (arn, kind) in attached.chain(old.boundary.iter().map(|arn| (arn, "user-boundary"))) {
        binding::unbind(call, arn, kind, &old.name)?;
        binding::bind_known(call, arn, kind, &new.name, &new.id)?;
    }
    Ok(())
}
