//! The use of symmetric keys on data of at most four kibibytes: `Encrypt`, `Decrypt`, `ReEncrypt` (S8.5, S8.17).
//!
//! Invariant: nothing here writes to the store, so that uses of one key never conflict.

use std::sync::Arc;

use api::kms as model;
use api::kms::fault::{
    dry_run_operation_exception, incorrect_key_exception, invalid_ciphertext_exception,
    invalid_key_usage_exception,
};
use crypto::Secret;
use crypto::kms::{Ciphertext, EncryptionContext, KeyMaterial};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::fault::Common;
use wire::typed::Blob;

use crate::kms::key::{Key, KeyTarget};
use crate::kms::naming::{Reach, by_id, peek, resolve};
use crate::kms::{context, grant, material};

const ALGORITHM: &str = "kms:EncryptionAlgorithm";
/// The trail's name for the material that was used.
pub(crate) const MATERIAL_ID: &str = "keyMaterialId";
const RE_ENCRYPT_FROM: Access = Access::write("kms:ReEncryptFrom");
const RE_ENCRYPT_TO: Access = Access::write("kms:ReEncryptTo");
const SYMMETRIC: model::EncryptionAlgorithmSpec = model::EncryptionAlgorithmSpec::SymmetricDefault;

/// The condition keys of all encryptions.
pub(crate) const CONDITIONS: &[&str] = &[context::KEYS[0], context::KEYS[1], ALGORITHM];

/// Sets the condition key of the algorithm.
pub(crate) fn algorithm_condition(algorithm: Option<model::EncryptionAlgorithmSpec>, into: &mut Context) {
    into.insert(ALGORITHM, algorithm.unwrap_or(SYMMETRIC).as_str());
}

/// Checks that a key may encrypt now, by the algorithm that it has.
pub(crate) fn expect_encrypting(
    key: &Key,
    operation: &str,
    algorithm: Option<model::EncryptionAlgorithmSpec>,
) -> Result<()> {
    key.expect_enabled()?;
    key.expect_usage(model::KeyUsageType::EncryptDecrypt, operation)?;
    match algorithm {
        None | Some(SYMMETRIC) => Ok(()),
        Some(other) => {
            let spec = key.spec.name();
            Err(invalid_key_usage_exception(format!(
                "Algorithm {other} is incompatible with key spec {spec}."
            )))
        }
    }
}

/// Stops a call that was only to be tried, once everything but its effect is done.
pub(crate) fn dry_run(asked: Option<bool>) -> Result<()> {
    if asked == Some(true) {
        return Err(dry_run_operation_exception(
            "The request would have succeeded, but the DryRun option is set.",
        ));
    }
    Ok(())
}

/// Refuses requests of attested enclaves.
pub(crate) fn expect_no_recipient(recipient: Option<&model::RecipientInfo>) -> Result<()> {
    match recipient {
        None => Ok(()),
        Some(_) => Err(Fault::common(
            Common::NotImplemented,
            "Recipient is not implemented by this version of Ringwork.",
        )),
    }
}

/// What cryptography refused, as the caller may see it.
pub(crate) fn refused(error: crypto::Error) -> Fault {
    match error {
        crypto::Error::CiphertextInvalid => invalid_ciphertext_exception(""),
        other => Fault::internal(other),
    }
}

/// Encrypts a few bytes under a key.
pub struct Encrypt;

impl Operation for Encrypt {
    type Input = model::EncryptRequest;
    type Output = model::EncryptResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:Encrypt");
    const CONDITIONS: &'static [&'static str] = CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        context::check(input.encryption_context.as_ref())?;
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        context::conditions(input.encryption_context.as_ref(), into);
        algorithm_condition(input.encryption_algorithm, into);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let plaintext = Secret::new(input.plaintext.0);
        expect_encrypting(&key, "Encrypt", input.encryption_algorithm)?;
        dry_run(input.dry_run)?;
        let material = material::current(call, &key)?;
        let bound = context::bound(input.encryption_context);
        let blob = material.encrypt(&bound, plaintext.expose()).map_err(refused)?;
        call.add_event_data(MATERIAL_ID, material.id().to_string());
        Ok(model::EncryptResponse {
            ciphertext_blob: Some(Blob(blob)),
            encryption_algorithm: Some(SYMMETRIC),
            key_id: Some(key.arn()),
        })
    }
}

/// What a ciphertext and perhaps a name say of the key that decrypts.
struct Source<'a> {
    blob: Option<&'a [u8]>,
    named: Option<&'a str>,
    dry_run: Option<bool>,
    modifiers: Option<&'a [model::DryRunModifierType]>,
}

impl Source<'_> {
    /// The key to decrypt with: the named one, or the one that the ciphertext names.
    fn find(&self, look: &mut Look<'_>, access: Access) -> Result<Found<KeyTarget>> {
        let ignores = self.modifiers.is_some_and(|modifiers| !modifiers.is_empty());
        if ignores && self.dry_run != Some(true) {
            return Err(Fault::validation(
                "DryRunModifiers can be specified only when DryRun is true.",
            ));
        }
        if self.blob.is_none() && !(ignores && self.named.is_some()) {
            return Err(Fault::validation("CiphertextBlob is required."));
        }
        if let Some(named) = self.named {
            return resolve(look, named, access, Reach::Use);
        }
        let ciphertext = Ciphertext::parse(self.blob.unwrap_or_default()).map_err(refused)?;
        let (account, id) = (ciphertext.key().account(), ciphertext.key().key_id());
        by_id(look, &account, &id, &|_| {
            Fault::access_denied(
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are \
                 not allowed to access.",
            )
        })
    }
}

/// The ciphertext of a request, once its key is granted: it must be one of that key.
fn expect_key<'a>(key: &Key, blob: &'a [u8]) -> Result<Ciphertext<'a>> {
    let ciphertext = Ciphertext::parse(blob).map_err(refused)?;
    let reference = ciphertext.key();
    if reference.account() != key.account || reference.key_id() != key.id {
        return Err(wrong_key());
    }
    Ok(ciphertext)
}

fn wrong_key() -> Fault {
    incorrect_key_exception(
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
}

fn expect_decrypting(
    key: &Key,
    operation: &str,
    algorithm: Option<model::EncryptionAlgorithmSpec>,
) -> Result<()> {
    key.expect_enabled()?;
    if key.usage() != model::KeyUsageType::EncryptDecrypt {
        return Err(wrong_key());
    }
    expect_encrypting(key, operation, algorithm)
}

/// The generation of material that made a ciphertext: the current one, or an older one (S8.49).
fn generation(look: &mut Look<'_>, key: &Key, ciphertext: &Ciphertext<'_>) -> Result<Arc<KeyMaterial>> {
    let current = material::current(look, key)?;
    if current.id() == ciphertext.material_id() {
        return Ok(current);
    }
    let older = material::generation(look, key, &ciphertext.material_id().to_string())?;
    older.ok_or_else(|| invalid_ciphertext_exception(""))
}

/// Decrypts what `Encrypt`, `ReEncrypt` or `GenerateDataKey` encrypted.
pub struct Decrypt;

impl Operation for Decrypt {
    type Input = model::DecryptRequest;
    type Output = model::DecryptResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:Decrypt");
    const CONDITIONS: &'static [&'static str] = CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        context::check(input.encryption_context.as_ref())?;
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        let source = Source {
            blob: input.ciphertext_blob.as_ref().map(|blob| blob.0.as_slice()),
            named: input.key_id.as_deref(),
            dry_run: input.dry_run,
            modifiers: input.dry_run_modifiers.as_deref(),
        };
        source.find(look, Self::ACCESS)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        context::conditions(input.encryption_context.as_ref(), into);
        algorithm_condition(input.encryption_algorithm, into);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        expect_no_recipient(input.recipient.as_ref())?;
        expect_decrypting(&key, "Decrypt", input.encryption_algorithm)?;
        let bound = context::bound(input.encryption_context);
        let (material, plaintext) = match &input.ciphertext_blob {
            Some(blob) if input.dry_run_modifiers.is_none() => open(call, &key, &blob.0, &bound)?,
            _ => return dry_run(Some(true)).map(|()| Self::Output::default()),
        };
        dry_run(input.dry_run)?;
        call.add_event_data(MATERIAL_ID, material.id().to_string());
        Ok(model::DecryptResponse {
            encryption_algorithm: Some(SYMMETRIC),
            key_id: Some(key.arn()),
            key_material_id: Some(material.id().to_string()),
            plaintext: Some(Blob(plaintext.expose().to_vec())),
            ..model::DecryptResponse::default()
        })
    }
}

fn open(
    look: &mut Look<'_>,
    key: &Key,
    blob: &[u8],
    bound: &EncryptionContext,
) -> Result<(Arc<KeyMaterial>, Secret)> {
    let ciphertext = expect_key(key, blob)?;
    let material = generation(look, key, &ciphertext)?;
    let plaintext = material.decrypt(&ciphertext, bound).map_err(refused)?;
    Ok((material, plaintext))
}

/// Decrypts under one key and encrypts under another, without showing the plaintext to anyone.
pub struct ReEncrypt;

impl ReEncrypt {
    fn source(input: &model::ReEncryptRequest) -> Source<'_> {
        Source {
            blob: input.ciphertext_blob.as_ref().map(|blob| blob.0.as_slice()),
            named: input.source_key_id.as_deref(),
            dry_run: input.dry_run,
            modifiers: input.dry_run_modifiers.as_deref(),
        }
    }
}

impl Operation for ReEncrypt {
    type Input = model::ReEncryptRequest;
    type Output = model::ReEncryptResponse;
    type Target = KeyTarget;
    const ACCESS: Access = RE_ENCRYPT_FROM;
    const CONDITIONS: &'static [&'static str] = CONDITIONS;
    const ALSO: &'static [Access] = &[RE_ENCRYPT_TO];
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        context::check(input.source_encryption_context.as_ref())?;
        context::check(input.destination_encryption_context.as_ref())?;
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        let destination = peek(look, &input.destination_key_id)?;
        Ok(match Self::source(input).find(look, Self::ACCESS)? {
            Found::Here(key) => {
                let same = destination.is_some_and(|(account, id)| account == key.account && id == key.id);
                Found::Here(key.on_same_key(same))
            }
            absent @ Found::Absent { .. } => absent,
        })
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        context::conditions(input.source_encryption_context.as_ref(), into);
        algorithm_condition(input.source_encryption_algorithm, into);
    }

    fn handle(call: &mut Call<'_>, from: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&from.account);
        let found = match resolve(call, &input.destination_key_id, RE_ENCRYPT_TO, Reach::Use)? {
            Found::Here(key) => {
                let same = key.account == from.account && key.id == from.id;
                Found::Here(key.on_same_key(same))
            }
            absent @ Found::Absent { .. } => absent,
        };
        let mut into = Context::default();
        context::conditions(input.destination_encryption_context.as_ref(), &mut into);
        algorithm_condition(input.destination_encryption_algorithm, &mut into);
        let to = call.authorize(RE_ENCRYPT_TO, found, into)?;
        call.share_with(&to.account);
        expect_decrypting(&from, "ReEncryptFrom", input.source_encryption_algorithm)?;
        expect_encrypting(&to, "ReEncryptTo", input.destination_encryption_algorithm)?;
        let bound = context::bound(input.source_encryption_context);
        let (old, plaintext) = match &input.ciphertext_blob {
            Some(blob) if input.dry_run_modifiers.is_none() => open(call, &from, &blob.0, &bound)?,
            _ => return dry_run(Some(true)).map(|()| Self::Output::default()),
        };
        dry_run(input.dry_run)?;
        let new = material::current(call, &to)?;
        let bound = context::bound(input.destination_encryption_context);
        let blob = new.encrypt(&bound, plaintext.expose()).map_err(refused)?;
        call.add_event_data("sourceKeyMaterialId", old.id().to_string());
        call.add_event_data("destinationKeyMaterialId", new.id().to_string());
        Ok(model::ReEncryptResponse {
            ciphertext_blob: Some(Blob(blob)),
            destination_encryption_algorithm: Some(SYMMETRIC),
            destination_key_material_id: Some(new.id().to_string()),
            key_id: Some(to.arn()),
            source_encryption_algorithm: Some(SYMMETRIC),
            source_key_id: Some(from.arn()),
            source_key_material_id: Some(old.id().to_string()),
        })
    }
}
