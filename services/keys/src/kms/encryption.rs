//! The use of keys on data of at most four kibibytes: `Encrypt`, `Decrypt`, `ReEncrypt` (S8.5, S8.17).
//!
//! Invariant: a use writes nothing but the note of itself, once a minute and key, so that uses of one key hardly ever conflict.

use api::kms as model;
use api::kms::fault::{dry_run_operation_exception, incorrect_key_exception, invalid_ciphertext_exception};
use crypto::Secret;
use crypto::kms::Ciphertext;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::fault::Common;
use wire::typed::Blob;

use crate::kms::key::{Key, KeyTarget};
use crate::kms::naming::{Reach, by_id, peek, resolve};
use crate::kms::scheme::{SYMMETRIC, Scheme};
use crate::kms::{context, grant, usage};

type Pairs = std::collections::BTreeMap<String, String>;

/// The condition key of the algorithm.
pub(crate) const ALGORITHM: &str = "kms:EncryptionAlgorithm";
/// The trail's name for the material that was used.
pub(crate) const MATERIAL_ID: &str = "keyMaterialId";
const RE_ENCRYPT_FROM: Access = Access::write("kms:ReEncryptFrom");
const RE_ENCRYPT_TO: Access = Access::write("kms:ReEncryptTo");

/// The condition keys of all encryptions.
pub(crate) const CONDITIONS: &[&str] = &[context::KEYS[0], context::KEYS[1], ALGORITHM];

/// Sets the condition key of the algorithm.
fn algorithm_condition(algorithm: Option<model::EncryptionAlgorithmSpec>, into: &mut Context) {
    into.insert(ALGORITHM, algorithm.unwrap_or(SYMMETRIC).as_str());
}

/// Sets the condition keys of an encryption or a decryption.
pub(crate) fn conditions(
    pairs: Option<&Pairs>,
    algorithm: Option<model::EncryptionAlgorithmSpec>,
    into: &mut Context,
) {
    context::conditions(pairs, into);
    algorithm_condition(algorithm, into);
}

/// Finds the key that a request names to encrypt under, if its context and its grants can be meant.
pub(crate) fn named_to_encrypt(
    look: &mut Look<'_>,
    access: Access,
    named: &str,
    pairs: Option<&Pairs>,
    tokens: Option<&[String]>,
) -> Result<Found<KeyTarget>> {
    context::check(pairs)?;
    grant::check_tokens(look, tokens)?;
    resolve(look, named, access, Reach::Use)
}

/// Checks that a key may encrypt now, and tells how.
pub(crate) fn expect_encrypting(
    key: &Key,
    operation: &str,
    algorithm: Option<model::EncryptionAlgorithmSpec>,
) -> Result<Scheme> {
    key.expect_enabled()?;
    key.expect_usage(model::KeyUsageType::EncryptDecrypt, operation)?;
    Scheme::of(key, algorithm)
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
        let (pairs, tokens) = (input.encryption_context.as_ref(), input.grant_tokens.as_deref());
        named_to_encrypt(look, Self::ACCESS, &input.key_id, pairs, tokens)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        conditions(
            input.encryption_context.as_ref(),
            input.encryption_algorithm,
            into,
        );
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let plaintext = Secret::new(input.plaintext.0);
        let scheme = expect_encrypting(&key, "Encrypt", input.encryption_algorithm)?;
        scheme.expect_context(input.encryption_context.as_ref())?;
        scheme.expect_length(&key, plaintext.len())?;
        dry_run(input.dry_run)?;
        let (blob, material) = scheme.encrypt(call, &key, input.encryption_context, &plaintext)?;
        note(call, MATERIAL_ID, material.as_ref());
        usage::note(call, &key, "Encrypt")?;
        Ok(model::EncryptResponse {
            ciphertext_blob: Some(Blob(blob)),
            encryption_algorithm: scheme.algorithm(),
            key_id: Some(key.arn()),
        })
    }
}

/// Says in the record which material was used.
fn note(call: &mut Call<'_>, name: &'static str, material: Option<&String>) {
    if let Some(material) = material {
        call.add_event_data(name, material.clone());
    }
}

/// What a ciphertext and perhaps a name say of the key that decrypts.
struct Source<'a> {
    blob: Option<&'a [u8]>,
    named: Option<&'a str>,
    algorithm: Option<model::EncryptionAlgorithmSpec>,
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
        if self.algorithm.is_some_and(|algorithm| algorithm != SYMMETRIC) {
            // What RSA encrypted says nothing of its key.
            return Err(Fault::validation(
                "KeyId is required when the ciphertext was encrypted under an asymmetric KMS key.",
            ));
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

pub(crate) fn wrong_key() -> Fault {
    incorrect_key_exception(
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
}

fn expect_decrypting(
    key: &Key,
    operation: &str,
    algorithm: Option<model::EncryptionAlgorithmSpec>,
) -> Result<Scheme> {
    key.expect_enabled()?;
    if key.usage() == model::KeyUsageType::GenerateVerifyMac {
        return Err(wrong_key());
    }
    expect_encrypting(key, operation, algorithm)
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
            algorithm: input.encryption_algorithm,
            dry_run: input.dry_run,
            modifiers: input.dry_run_modifiers.as_deref(),
        };
        source.find(look, Self::ACCESS)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        conditions(
            input.encryption_context.as_ref(),
            input.encryption_algorithm,
            into,
        );
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        expect_no_recipient(input.recipient.as_ref())?;
        let scheme = expect_decrypting(&key, "Decrypt", input.encryption_algorithm)?;
        scheme.expect_context(input.encryption_context.as_ref())?;
        let (plaintext, material) = match &input.ciphertext_blob {
            Some(blob) if input.dry_run_modifiers.as_ref().is_none_or(Vec::is_empty) => {
                scheme.decrypt(call, &key, input.encryption_context, &blob.0)?
            }
            _ => return dry_run(Some(true)).map(|()| Self::Output::default()),
        };
        dry_run(input.dry_run)?;
        note(call, MATERIAL_ID, material.as_ref());
        usage::note(call, &key, "Decrypt")?;
        Ok(model::DecryptResponse {
            encryption_algorithm: scheme.algorithm(),
            key_id: Some(key.arn()),
            key_material_id: material,
            plaintext: Some(Blob(plaintext.expose().to_vec())),
            ..model::DecryptResponse::default()
        })
    }
}

/// Decrypts under one key and encrypts under another, without showing the plaintext to anyone.
pub struct ReEncrypt;

impl ReEncrypt {
    fn source(input: &model::ReEncryptRequest) -> Source<'_> {
        Source {
            blob: input.ciphertext_blob.as_ref().map(|blob| blob.0.as_slice()),
            named: input.source_key_id.as_deref(),
            algorithm: input.source_encryption_algorithm,
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
        conditions(
            input.source_encryption_context.as_ref(),
            input.source_encryption_algorithm,
            into,
        );
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
        conditions(
            input.destination_encryption_context.as_ref(),
            input.destination_encryption_algorithm,
            &mut into,
        );
        let to = call.authorize(RE_ENCRYPT_TO, found, into)?;
        call.share_with(&to.account);
        let opening = expect_decrypting(&from, "ReEncryptFrom", input.source_encryption_algorithm)?;
        let closing = expect_encrypting(&to, "ReEncryptTo", input.destination_encryption_algorithm)?;
        opening.expect_context(input.source_encryption_context.as_ref())?;
        closing.expect_context(input.destination_encryption_context.as_ref())?;
        let (plaintext, old) = match &input.ciphertext_blob {
            Some(blob) if input.dry_run_modifiers.as_ref().is_none_or(Vec::is_empty) => {
                opening.decrypt(call, &from, input.source_encryption_context, &blob.0)?
            }
            _ => return dry_run(Some(true)).map(|()| Self::Output::default()),
        };
        closing.expect_length(&to, plaintext.len())?;
        dry_run(input.dry_run)?;
        let (blob, new) = closing.encrypt(call, &to, input.destination_encryption_context, &plaintext)?;
        note(call, "sourceKeyMaterialId", old.as_ref());
        note(call, "destinationKeyMaterialId", new.as_ref());
        usage::note(call, &from, "ReEncrypt")?;
        usage::note(call, &to, "ReEncrypt")?;
        Ok(model::ReEncryptResponse {
            ciphertext_blob: Some(Blob(blob)),
            destination_encryption_algorithm: closing.algorithm(),
            destination_key_material_id: new,
            key_id: Some(to.arn()),
            source_encryption_algorithm: opening.algorithm(),
            source_key_id: Some(from.arn()),
            source_key_material_id: old,
        })
    }
}
