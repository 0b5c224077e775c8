//! Users change their own passwords, by showing the present one.

use api::iam as model;
use api::iam::fault::invalid_user_type_exception;
use crypto::Secret;
use pipeline::identity::IdentityType;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;
use wire::typed::Empty;

use super::profile::{own, set, user_of};
use crate::iam::user::{Holder, holder};

/// Changes the caller's own password.
pub struct ChangePassword;

impl Operation for ChangePassword {
    type Input = model::ChangePasswordRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:ChangePassword");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Holder>> {
        let user = look
            .caller()
            .is_some_and(|caller| caller.kind == IdentityType::IamUser);
        if !user {
            return Err(invalid_user_type_exception(
                "Only IAM Users can change their own password",
            ));
        }
        holder(look, None)
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let user = user_of(holder.into_inner())?;
        let profile = own(call, &user)?;
        if !profile.is(&Secret::from(input.old_password))? {
            return Err(Fault::access_denied("The old password was incorrect."));
        }
        set(call, &user, Some(profile), &input.new_password, false)?;
        Ok(Empty)
    }
}
