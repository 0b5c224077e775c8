//! Secrets for the holder of an ML-KEM key: `Encapsulate`, `Decapsulate`.
//!
//! Invariant: a ciphertext of the right length always gives a secret, so that nobody learns from an answer whether it was made for
//! the key (KMS API Reference, `Decapsulate`).

use api::kms as model;
use api::kms::fault::invalid_key_usage_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Blob;

use crate::kms::encryption::{dry_run, refused};
use crate::kms::key::{Key, KeyTarget};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{grant, material, usage};

/// The one algorithm.
const ALGORITHM: model::EncapsulationAlgorithmSpec = model::EncapsulationAlgorithmSpec::MlKem;

fn expect_encapsulating(key: &Key, operation: &str) -> Result<()> {
    key.expect_enabled()?;
    key.expect_usage(model::KeyUsageType::EncapsulateDecapsulate, operation)?;
    if key.spec.pair().is_some_and(|pair| pair.encapsulates()) {
        return Ok(());
    }
    let spec = key.spec.name();
    Err(invalid_key_usage_exception(format!(
        "Algorithm {ALGORITHM} is incompatible with key spec {spec}."
    )))
}

/// Makes a secret and its ciphertext for the holder of the key.
pub struct Encapsulate;

impl Operation for Encapsulate {
    type Input = model::EncapsulateRequest;
    type Output = model::EncapsulateResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:Encapsulate");
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        expect_encapsulating(&key, "Encapsulate")?;
        dry_run(input.dry_run)?;
        let material = material::current(call, &key)?;
        let public = material.pair().map_err(refused)?.public();
        let (ciphertext, secret) = public.encapsulate().map_err(refused)?;
        usage::note(call, &key, "Encapsulate")?;
        Ok(model::EncapsulateResponse {
            encapsulation_algorithm: Some(ALGORITHM),
            key_id: Some(key.arn()),
            shared_secret: Some(Blob(secret.expose().to_vec())),
            shared_secret_ciphertext_blob: Some(Blob(ciphertext)),
        })
    }
}

/// Recovers the secret of a ciphertext.
pub struct Decapsulate;

impl Operation for Decapsulate {
    type Input = model::DecapsulateRequest;
    type Output = model::DecapsulateResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:Decapsulate");
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        expect_encapsulating(&key, "Decapsulate")?;
        let material = material::current(call, &key)?;
        let pair = material.pair().map_err(refused)?;
        let secret = pair
            .decapsulate(&input.shared_secret_ciphertext_blob.0)
            .map_err(refused)?;
        dry_run(input.dry_run)?;
        usage::note(call, &key, "Decapsulate")?;
        Ok(model::DecapsulateResponse {
            encapsulation_algorithm: Some(ALGORITHM),
            key_id: Some(key.arn()),
            shared_secret: Some(Blob(secret.expose().to_vec())),
        })
    }
}
