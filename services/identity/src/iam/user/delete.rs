//! The end of a user: only when nothing hangs on it any more.

use api::iam as model;
use api::iam::fault::delete_conflict_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::{USERS, User, named};
use crate::iam::count::{self, Counted};
use crate::iam::service_credential::SERVICE_CREDENTIALS;
use crate::iam::signing_certificate::SIGNING_CERTIFICATES;
use crate::iam::ssh_key::SSH_KEYS;
use crate::iam::{access_key, binding, mfa, owned, password};

/// Deletes a user that has no password, devices, keys, certificates, credentials of services, groups or policies left. Its sessions end with it.
pub struct DeleteUser;

impl Operation for DeleteUser {
    type Input = model::DeleteUserRequest;
    type Output = Empty;
    type Target = User;
    const ACCESS: Access = Access::write("iam:DeleteUser");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<User>> {
        named(look, &input.user_name)
    }

    fn handle(call: &mut Call<'_>, user: Authorized<User>, _input: Self::Input) -> Result<Empty> {
        let (account, lower) = (user.account.as_str(), user.lower());
        let keys = access_key::of_holder(call, account, &lower)?;
        let password = password::of_user(call, account, &lower)?;
        let devices = mfa::present(call, account, &lower)?;
        let certificates = owned::present(call, &SIGNING_CERTIFICATES, account, &lower)?;
        let ssh_keys = owned::present(call, &SSH_KEYS, account, &lower)?;
        let service_credentials = owned::present(call, &SERVICE_CREDENTIALS, account, &lower)?;
        let conflicts = [
            (password.is_some(), "must delete login profile first."),
            (devices, "must delete MFA device first."),
            (!keys.is_empty(), "must delete access keys first."),
            (certificates, "must delete signing certificates first."),
            (ssh_keys, "must delete SSH public keys first."),
            (
                service_credentials,
                "must delete service specific credentials first.",
            ),
            (!user.groups.is_empty(), "must remove users from group first."),
            (!user.attached.is_empty(), "must detach all policies first."),
            (!user.inline.is_empty(), "must delete policies first."),
        ];
        if let Some((_, reason)) = conflicts.into_iter().find(|(holds, _)| *holds) {
            return Err(delete_conflict_exception(format!(
                "Cannot delete entity, {reason}"
            )));
        }
        if let Some(policy) = &user.boundary {
            binding::unbind(call, policy, "user-boundary", &user.name)?;
        }
        count::remove(call, Counted::Users)?;
        call.delete(&USERS, &user.key())?;
        Ok(Empty)
    }
}
