//! Data keys and random bytes: the two tiers of envelope encryption (S8.6, S8.8, S8.19, S8.21).
//!
//! Invariant: a data key is kept nowhere; the caller gets it in clear, encrypted, or both.

use api::kms as model;
use api::kms::fault::unsupported_operation_exception;
use crypto::{Secret, random};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Blob;

use crate::kms::encryption::{self, dry_run, expect_encrypting, expect_no_recipient, refused};
use crate::kms::key::{KeyTarget, Ring};
use crate::kms::{context, material, usage};

/// How long a data key is to be, in bytes.
fn length(spec: Option<model::DataKeySpec>, bytes: Option<i32>) -> Result<usize> {
    match (spec, bytes) {
        (Some(model::DataKeySpec::Aes256), None) => Ok(32),
        (Some(model::DataKeySpec::Aes128), None) => Ok(16),
        (None, Some(bytes)) => usize::try_from(bytes).map_err(Fault::internal),
        _ => Err(Fault::validation(
            "Please specify either number of bytes or key spec.",
        )),
    }
}

/// A new data key: in clear, encrypted under the key, and the id of the material that encrypted it.
fn make(
    call: &mut Call<'_>,
    key: &KeyTarget,
    length: usize,
    pairs: Option<Pairs>,
) -> Result<(Secret, Vec<u8>, String)> {
    let material = material::current(call, key)?;
    let drawn = material.draw_data_key(&context::bound(pairs), length);
    let (plaintext, blob) = drawn.map_err(refused)?;
    let name = material.id().text();
    call.add_event_data(encryption::MATERIAL_ID, name.clone());
    Ok((plaintext, blob, name))
}

type Pairs = std::collections::BTreeMap<String, String>;

/// Makes a data key and gives it both in clear and encrypted.
pub struct GenerateDataKey;

impl Operation for GenerateDataKey {
    type Input = model::GenerateDataKeyRequest;
    type Output = model::GenerateDataKeyResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:GenerateDataKey");
    const CONDITIONS: &'static [&'static str] = encryption::CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        let (pairs, tokens) = (input.encryption_context.as_ref(), input.grant_tokens.as_deref());
        encryption::named_to_encrypt(look, Self::ACCESS, &input.key_id, pairs, tokens)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        encryption::conditions(input.encryption_context.as_ref(), None, into);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        expect_no_recipient(input.recipient.as_ref())?;
        let length = length(input.key_spec, input.number_of_bytes)?;
        expect_encrypting(&key, "GenerateDataKey", None)?;
        dry_run(input.dry_run)?;
        let (plaintext, blob, material) = make(call, &key, length, input.encryption_context)?;
        usage::note(call, &key, "GenerateDataKey")?;
        Ok(model::GenerateDataKeyResponse {
            ciphertext_blob: Some(Blob(blob)),
            key_id: Some(key.arn()),
            key_material_id: Some(material),
            plaintext: Some(Blob(plaintext.expose().to_vec())),
            ..model::GenerateDataKeyResponse::default()
        })
    }
}

/// Makes a data key that only a later `Decrypt` shows.
pub struct GenerateDataKeyWithoutPlaintext;

impl Operation for GenerateDataKeyWithoutPlaintext {
    type Input = model::GenerateDataKeyWithoutPlaintextRequest;
    type Output = model::GenerateDataKeyWithoutPlaintextResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:GenerateDataKeyWithoutPlaintext");
    const CONDITIONS: &'static [&'static str] = encryption::CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        let (pairs, tokens) = (input.encryption_context.as_ref(), input.grant_tokens.as_deref());
        encryption::named_to_encrypt(look, Self::ACCESS, &input.key_id, pairs, tokens)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        encryption::conditions(input.encryption_context.as_ref(), None, into);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let length = length(input.key_spec, input.number_of_bytes)?;
        expect_encrypting(&key, "GenerateDataKeyWithoutPlaintext", None)?;
        dry_run(input.dry_run)?;
        let (_, blob, material) = make(call, &key, length, input.encryption_context)?;
        usage::note(call, &key, "GenerateDataKeyWithoutPlaintext")?;
        Ok(model::GenerateDataKeyWithoutPlaintextResponse {
            ciphertext_blob: Some(Blob(blob)),
            key_id: Some(key.arn()),
            key_material_id: Some(material),
        })
    }
}

/// Gives random bytes; no key is involved (S8.21).
pub struct GenerateRandom;

impl Operation for GenerateRandom {
    type Input = model::GenerateRandomRequest;
    type Output = model::GenerateRandomResponse;
    type Target = Ring;
    const ACCESS: Access = Access::write("kms:GenerateRandom");
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Ring>> {
        Ok(Ring::of(look))
    }

    fn handle(call: &mut Call<'_>, _ring: Authorized<Ring>, input: Self::Input) -> Result<Self::Output> {
        expect_no_recipient(input.recipient.as_ref())?;
        if input.custom_key_store_id.is_some() {
            let message = "A custom key store is not implemented by this version of Ringwork.";
            return Err(unsupported_operation_exception(message));
        }
        let bytes = input
            .number_of_bytes
            .ok_or_else(|| Fault::validation("NumberOfBytes is required."))?;
        let length = usize::try_from(bytes).map_err(Fault::internal)?;
        let drawn = random::bytes(call.random(), length).map_err(Fault::internal)?;
        Ok(model::GenerateRandomResponse {
            plaintext: Some(Blob(drawn.expose().to_vec())),
            ciphertext_for_recipient: None,
        })
    }
}
