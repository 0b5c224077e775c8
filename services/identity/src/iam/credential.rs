//! Credentials that nothing here makes: certificates, SSH keys and service credentials. So every user has none of them, and that is what these operations truly answer.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

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
