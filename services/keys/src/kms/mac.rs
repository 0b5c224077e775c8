//! Message authentication with HMAC keys: `GenerateMac`, `VerifyMac`.

use api::kms as model;
use api::kms::fault::{invalid_key_usage_exception, kms_invalid_mac_exception};
use crypto::Secret;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Blob;

use crate::kms::encryption::{dry_run, refused};
use crate::kms::key::{Key, KeyTarget};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{grant, material, usage};

const ALGORITHM: &str = "kms:MacAlgorithm";

/// A MAC key has one algorithm, and it must be the one that is asked for.
fn expect_algorithm(key: &Key, operation: &str, algorithm: model::MacAlgorithmSpec) -> Result<()> {
    key.expect_enabled()?;
    key.expect_usage(model::KeyUsageType::GenerateVerifyMac, operation)?;
    if key.spec.mac_algorithm() == Some(algorithm.as_str()) {
        return Ok(());
    }
    let spec = key.spec.name();
    Err(invalid_key_usage_exception(format!(
        "Algorithm {algorithm} is incompatible with key spec {spec}."
    )))
}

/// Makes the MAC of a message.
pub struct GenerateMac;

impl Operation for GenerateMac {
    type Input = model::GenerateMacRequest;
    type Output = model::GenerateMacResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:GenerateMac");
    const CONDITIONS: &'static [&'static str] = &[ALGORITHM];
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert(ALGORITHM, input.mac_algorithm.as_str());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let message = Secret::new(input.message.0);
        expect_algorithm(&key, "GenerateMac", input.mac_algorithm)?;
        dry_run(input.dry_run)?;
        let mac = material::current(call, &key)?
            .mac(message.expose())
            .map_err(refused)?;
        usage::note(call, &key, "GenerateMac")?;
        Ok(model::GenerateMacResponse {
            key_id: Some(key.arn()),
            mac: Some(Blob(mac)),
            mac_algorithm: Some(input.mac_algorithm),
        })
    }
}

/// Tells whether a MAC is that of a message. A wrong one is a fault, never `false`.
pub struct VerifyMac;

impl Operation for VerifyMac {
    type Input = model::VerifyMacRequest;
    type Output = model::VerifyMacResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:VerifyMac");
    const CONDITIONS: &'static [&'static str] = &[ALGORITHM];
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert(ALGORITHM, input.mac_algorithm.as_str());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let message = Secret::new(input.message.0);
        expect_algorithm(&key, "VerifyMac", input.mac_algorithm)?;
        let material = material::current(call, &key)?;
        if !material
            .verify_mac(message.expose(), &input.mac.0)
            .map_err(refused)?
        {
            return Err(kms_invalid_mac_exception(""));
        }
        dry_run(input.dry_run)?;
        usage::note(call, &key, "VerifyMac")?;
        Ok(model::VerifyMacResponse {
            key_id: Some(key.arn()),
            mac_algorithm: Some(input.mac_algorithm),
            mac_valid: Some(true),
        })
    }
}
