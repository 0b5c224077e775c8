//! Credentials other than access keys. Nothing here makes MFA devices, certificates, SSH keys, service credentials or passwords,
//! so every user has none of them, and that is what these operations truly answer.

use api::iam as model;
use api::iam::fault::no_such_entity_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;
use wire::typed::Empty;

use crate::iam::user::{Holder, holder};

macro_rules! none_of {
    ($(#[doc = $doc:literal])* $operation:ident, $action:literal, $request:ident, $response:ident, $answer:expr) => {
        $(#[doc = $doc])*
        pub struct $operation;

        impl Operation for $operation {
            type Input = model::$request;
            type Output = model::$response;
            type Target = Holder;
            const ACCESS: Access = Access::list($action);

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
                holder(look, input.user_name.as_deref())
            }

            fn handle(
                _call: &mut Call<'_>,
                _holder: Authorized<Holder>,
                _input: Self::Input,
            ) -> Result<Self::Output> {
                Ok($answer)
            }
        }
    };
}

none_of!(
    /// Lists MFA devices: none.
    ListMFADevices,
    "iam:ListMFADevices",
    ListMFADevicesRequest,
    ListMFADevicesResponse,
    model::ListMFADevicesResponse { is_truncated: Some(false), mfa_devices: Vec::new(), marker: None }
);

none_of!(
    /// Lists signing certificates: none.
    ListSigningCertificates,
    "iam:ListSigningCertificates",
    ListSigningCertificatesRequest,
    ListSigningCertificatesResponse,
    model::ListSigningCertificatesResponse { is_truncated: Some(false), certificates: Vec::new(), marker: None }
);

none_of!(
    /// Lists SSH public keys: none.
    ListSSHPublicKeys,
    "iam:ListSSHPublicKeys",
    ListSSHPublicKeysRequest,
    ListSSHPublicKeysResponse,
    model::ListSSHPublicKeysResponse { is_truncated: Some(false), ssh_public_keys: Some(Vec::new()), marker: None }
);

none_of!(
    /// Lists service-specific credentials: none.
    ListServiceSpecificCredentials,
    "iam:ListServiceSpecificCredentials",
    ListServiceSpecificCredentialsRequest,
    ListServiceSpecificCredentialsResponse,
    model::ListServiceSpecificCredentialsResponse {
        is_truncated: Some(false),
        service_specific_credentials: Some(Vec::new()),
        marker: None,
    }
);

fn no_password(name: &str) -> Fault {
    no_such_entity_exception(format!("Login Profile for User {name} cannot be found."))
}

/// Shows a user's password profile: `NoSuchEntity`, since no user has a password.
pub struct GetLoginProfile;

impl Operation for GetLoginProfile {
    type Input = model::GetLoginProfileRequest;
    type Output = model::GetLoginProfileResponse;
    type Target = Holder;
    const ACCESS: Access = Access::list("iam:GetLoginProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(_call: &mut Call<'_>, holder: Authorized<Holder>, _input: Self::Input) -> Result<Self::Output> {
        Err(no_password(holder.name()))
    }
}

/// Deletes a user's password: `NoSuchEntity`, since no user has one.
pub struct DeleteLoginProfile;

impl Operation for DeleteLoginProfile {
    type Input = model::DeleteLoginProfileRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:DeleteLoginProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(_call: &mut Call<'_>, holder: Authorized<Holder>, _input: Self::Input) -> Result<Empty> {
        Err(no_password(holder.name()))
    }
}
