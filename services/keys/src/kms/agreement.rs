//! Secrets shared with the owner of another key: `DeriveSharedSecret`.
//!
//! Invariant: the other party's key is on the same curve, or nothing is computed with it.

use api::kms as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Blob;

use crate::kms::encryption::{dry_run, expect_no_recipient, refused};
use crate::kms::key::KeyTarget;
use crate::kms::naming::{Reach, resolve};
use crate::kms::{grant, material, usage};

const ALGORITHM: &str = "kms:KeyAgreementAlgorithm";

/// Computes the raw secret of ECDH, from which both parties derive their keys.
pub struct DeriveSharedSecret;

impl Operation for DeriveSharedSecret {
    type Input = model::DeriveSharedSecretRequest;
    type Output = model::DeriveSharedSecretResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:DeriveSharedSecret");
    const CONDITIONS: &'static [&'static str] = &[ALGORITHM];
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert(ALGORITHM, input.key_agreement_algorithm.as_str());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        expect_no_recipient(input.recipient.as_ref())?;
        key.expect_enabled()?;
        key.expect_usage(model::KeyUsageType::KeyAgreement, "DeriveSharedSecret")?;
        let material = material::current(call, &key)?;
        let pair = material.pair().map_err(refused)?;
        let shared = pair.agree(&input.public_key.0).map_err(|error| match error {
            crypto::Error::PeerKey => Fault::validation(format!(
                "The public key is not a valid key for key spec {}.",
                key.spec.name()
            )),
            other => refused(other),
        })?;
        dry_run(input.dry_run)?;
        usage::note(call, &key, "DeriveSharedSecret")?;
        Ok(model::DeriveSharedSecretResponse {
            key_agreement_algorithm: Some(input.key_agreement_algorithm),
            key_id: Some(key.arn()),
            key_origin: model::OriginType::parse(key.origin.as_str()),
            shared_secret: Some(Blob(shared.expose().to_vec())),
            ..model::DeriveSharedSecretResponse::default()
        })
    }
}
