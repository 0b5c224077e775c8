//! The public half of a key pair, for those who cannot call KMS: `GetPublicKey` (S8.25).

use api::kms as model;
use api::kms::fault::unsupported_operation_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Blob;

use crate::kms::encryption::refused;
use crate::kms::key::{Abilities, KeyTarget};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{grant, material};

/// Gives the public key as `SubjectPublicKeyInfo`.
pub struct GetPublicKey;

impl Operation for GetPublicKey {
    type Input = model::GetPublicKeyRequest;
    type Output = model::GetPublicKeyResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::read("kms:GetPublicKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let spec = key.spec.name();
        if key.spec.pair().is_none() {
            let arn = key.arn();
            return Err(unsupported_operation_exception(format!(
                "{arn} key spec is {spec} which is not valid for GetPublicKey."
            )));
        }
        key.expect_enabled()?;
        let material = material::current(call, &key)?;
        let public = material.pair().map_err(refused)?.public();
        let able = Abilities::of(&key);
        Ok(model::GetPublicKeyResponse {
            customer_master_key_spec: model::CustomerMasterKeySpec::parse(spec),
            encapsulation_algorithms: able.encapsulate,
            encryption_algorithms: able.encrypt,
            key_agreement_algorithms: able.agree,
            key_id: Some(key.arn()),
            key_spec: model::KeySpec::parse(spec),
            key_usage: Some(key.usage()),
            public_key: Some(Blob(public.der().to_vec())),
            signing_algorithms: able.sign,
        })
    }
}
