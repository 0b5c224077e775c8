//! Signatures by key pairs: `Sign`, `Verify` (S8.27).
//!
//! Invariant: a signature is told to be wrong by a fault, never by `false`.

use api::kms as model;
use api::kms::fault::{invalid_key_usage_exception, kms_invalid_signature_exception};
use crypto::Secret;
use crypto::kms::{Message, SigningAlgorithm};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::fault::Common;
use wire::typed::Blob;

use crate::kms::encryption::{dry_run, refused};
use crate::kms::key::{Key, KeyTarget};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{grant, material, usage};

const ALGORITHM: &str = "kms:SigningAlgorithm";
const MESSAGE_TYPE: &str = "kms:MessageType";
const CONDITIONS: &[&str] = &[MESSAGE_TYPE, ALGORITHM];
const RAW: model::MessageType = model::MessageType::Raw;

fn conditions(
    algorithm: model::SigningAlgorithmSpec,
    kind: Option<model::MessageType>,
    context: &mut Context,
) {
    context.insert(ALGORITHM, algorithm.as_str());
    context.insert(MESSAGE_TYPE, kind.unwrap_or(RAW).as_str());
}

/// How a request wants to sign or verify.
struct Way {
    algorithm: SigningAlgorithm,
    digest: bool,
}

impl Way {
    fn message<'a>(&self, bytes: &'a Secret) -> Message<'a> {
        if self.digest {
            Message::Digest(bytes.expose())
        } else {
            Message::Raw(bytes.expose())
        }
    }
}

/// Checks that a key signs so now (KMS API Reference, `Sign`).
fn expect_signing(
    key: &Key,
    operation: &str,
    asked: model::SigningAlgorithmSpec,
    kind: Option<model::MessageType>,
    length: usize,
) -> Result<Way> {
    key.expect_enabled()?;
    key.expect_usage(model::KeyUsageType::SignVerify, operation)?;
    let spec = key.spec.name();
    let own = key.spec.pair().map_or(&[][..], |pair| pair.signing_algorithms());
    let algorithm = SigningAlgorithm::from_name(asked.as_str()).filter(|algorithm| own.contains(algorithm));
    let Some(algorithm) = algorithm else {
        return Err(invalid_key_usage_exception(format!(
            "Algorithm {asked} is incompatible with key spec {spec}."
        )));
    };
    let kind = kind.unwrap_or(RAW);
    let incompatible = |what: &str| {
        Err(Fault::validation(format!(
            "Message type {kind} is incompatible with {what}."
        )))
    };
    match (algorithm, kind) {
        (SigningAlgorithm::MlDsa, model::MessageType::ExternalMu) => {
            if length != 64 {
                return Err(wrong_length(algorithm));
            }
            Err(Fault::common(
                Common::NotImplemented,
                "MessageType EXTERNAL_MU is not implemented by this version of Ringwork.",
            ))
        }
        (_, model::MessageType::ExternalMu) | (SigningAlgorithm::MlDsa, model::MessageType::Digest) => {
            incompatible(&format!("key spec {spec}"))
        }
        (SigningAlgorithm::Ed25519, model::MessageType::Digest)
        | (SigningAlgorithm::Ed25519Ph, model::MessageType::Raw) => {
            incompatible(&format!("algorithm {asked}"))
        }
        (algorithm, kind) => Ok(Way {
            algorithm,
            digest: kind == model::MessageType::Digest,
        }),
    }
}

fn wrong_length(algorithm: SigningAlgorithm) -> Fault {
    let name = algorithm.name();
    Fault::validation(format!("Digest is invalid length for algorithm {name}."))
}

fn refused_signing(algorithm: SigningAlgorithm) -> impl Fn(crypto::Error) -> Fault {
    move |error| match error {
        crypto::Error::DigestLength { .. } => wrong_length(algorithm),
        other => refused(other),
    }
}

/// Signs a message, or the digest of one.
pub struct Sign;

impl Operation for Sign {
    type Input = model::SignRequest;
    type Output = model::SignResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:Sign");
    const CONDITIONS: &'static [&'static str] = CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        conditions(input.signing_algorithm, input.message_type, context);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let message = Secret::new(input.message.0);
        let way = expect_signing(
            &key,
            "Sign",
            input.signing_algorithm,
            input.message_type,
            message.len(),
        )?;
        let material = material::current(call, &key)?;
        let pair = material.pair().map_err(refused)?;
        let signature = pair
            .sign(way.algorithm, way.message(&message))
            .map_err(refused_signing(way.algorithm))?;
        dry_run(input.dry_run)?;
        usage::note(call, &key, "Sign")?;
        Ok(model::SignResponse {
            key_id: Some(key.arn()),
            signature: Some(Blob(signature)),
            signing_algorithm: Some(input.signing_algorithm),
        })
    }
}

/// Verifies a signature of `Sign`, or one that was made with the same private key elsewhere.
pub struct Verify;

impl Operation for Verify {
    type Input = model::VerifyRequest;
    type Output = model::VerifyResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:Verify");
    const CONDITIONS: &'static [&'static str] = CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        conditions(input.signing_algorithm, input.message_type, context);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let message = Secret::new(input.message.0);
        let way = expect_signing(
            &key,
            "Verify",
            input.signing_algorithm,
            input.message_type,
            message.len(),
        )?;
        let material = material::current(call, &key)?;
        let public = material.pair().map_err(refused)?.public();
        let verified = public
            .verifies(way.algorithm, way.message(&message), &input.signature.0)
            .map_err(refused_signing(way.algorithm))?;
        if !verified {
            return Err(kms_invalid_signature_exception(""));
        }
        dry_run(input.dry_run)?;
        usage::note(call, &key, "Verify")?;
        Ok(model::VerifyResponse {
            key_id: Some(key.arn()),
            signature_valid: Some(true),
            signing_algorithm: Some(input.signing_algorithm),
        })
    }
}
