//! A credential is turned off or on, gets another secret, and ends.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{Owned, SERVICE_CREDENTIALS, create, named, service};
use crate::iam::owned;

/// Turns a credential off or on.
pub struct UpdateServiceSpecificCredential;

impl Operation for UpdateServiceSpecificCredential {
    type Input = model::UpdateServiceSpecificCredentialRequest;
    type Output = Empty;
    type Target = Owned;
    const ACCESS: Access = Access::write("iam:UpdateServiceSpecificCredential");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Owned>> {
        named(
            look,
            input.user_name.as_deref(),
            &input.service_specific_credential_id,
        )
    }

    fn handle(call: &mut Call<'_>, owned: Authorized<Owned>, input: Self::Input) -> Result<Empty> {
        let mut credential = owned.credential()?;
        credential.active = owned::activity(input.status)?;
        call.put(&SERVICE_CREDENTIALS, &owned.place(), credential)?;
        Ok(Empty)
    }
}

/// Draws another secret; the old one is good no more, and the answer is the only one that shows the new one.
pub struct ResetServiceSpecificCredential;

impl Operation for ResetServiceSpecificCredential {
    type Input = model::ResetServiceSpecificCredentialRequest;
    type Output = model::ResetServiceSpecificCredentialResponse;
    type Target = Owned;
    const ACCESS: Access = Access::write("iam:ResetServiceSpecificCredential");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Owned>> {
        named(
            look,
            input.user_name.as_deref(),
            &input.service_specific_credential_id,
        )
    }

    fn handle(call: &mut Call<'_>, owned: Authorized<Owned>, _input: Self::Input) -> Result<Self::Output> {
        let mut credential = owned.credential()?;
        let secret = service::draw(call.random(), &credential.service, &credential.alias)?;
        create::keep(call, &mut credential, &secret)?;
        let shown = credential.shown(call.now, secret.expose_text().map_err(Fault::internal)?);
        call.put(&SERVICE_CREDENTIALS, &owned.place(), credential)?;
        Ok(model::ResetServiceSpecificCredentialResponse {
            service_specific_credential: Some(shown),
        })
    }
}

/// Takes a credential from its user.
pub struct DeleteServiceSpecificCredential;

impl Operation for DeleteServiceSpecificCredential {
    type Input = model::DeleteServiceSpecificCredentialRequest;
    type Output = Empty;
    type Target = Owned;
    const ACCESS: Access = Access::write("iam:DeleteServiceSpecificCredential");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Owned>> {
        named(
            look,
            input.user_name.as_deref(),
            &input.service_specific_credential_id,
        )
    }

    fn handle(call: &mut Call<'_>, owned: Authorized<Owned>, _input: Self::Input) -> Result<Empty> {
        owned.credential()?;
        call.delete(&SERVICE_CREDENTIALS, &owned.place())?;
        Ok(Empty)
    }
}
