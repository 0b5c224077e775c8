//! Data key pairs: made here, used elsewhere (S8.20).
//!
//! Invariant: a pair is kept nowhere; the private half leaves encrypted under a symmetric key, and in clear only to who asks so.

use std::collections::BTreeMap;

use api::kms as model;
use api::kms::fault::unsupported_operation_exception;
use crypto::Secret;
use crypto::kms::{KeyPair, PairSpec};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Blob;

use crate::kms::encryption::{self, ALGORITHM, MATERIAL_ID, dry_run, expect_encrypting, expect_no_recipient};
use crate::kms::key::KeyTarget;
use crate::kms::{context, usage};

/// The condition key of the kind of pair.
pub(crate) const SPEC: &str = "kms:DataKeyPairSpec";
const CONDITIONS: &[&str] = &[SPEC, context::KEYS[0], context::KEYS[1], ALGORITHM];

/// The kind of pair that is asked for.
fn expect_spec(asked: model::DataKeyPairSpec) -> Result<PairSpec> {
    PairSpec::from_name(asked.as_str()).ok_or_else(|| {
        let message = match asked {
            model::DataKeyPairSpec::Sm2 => format!("KeyPairSpec {asked} is not supported in this region."),
            _ => format!("KeyPairSpec {asked} is not implemented by this version of Ringwork."),
        };
        unsupported_operation_exception(message)
    })
}

/// A new pair.
struct Made {
    private: Secret,
    public: Vec<u8>,
    blob: Vec<u8>,
    material: Option<String>,
}

fn make(
    call: &mut Call<'_>,
    key: &KeyTarget,
    operation: &'static str,
    asked: model::DataKeyPairSpec,
    pairs: Option<BTreeMap<String, String>>,
    tried: Option<bool>,
) -> Result<Made> {
    let scheme = expect_encrypting(key, operation, None)?;
    let spec = expect_spec(asked)?;
    dry_run(tried)?;
    let private = KeyPair::generate(spec).map_err(Fault::internal)?;
    let pair = KeyPair::from_pkcs8(spec, &private).map_err(Fault::internal)?;
    let (blob, material) = scheme.encrypt(call, key, pairs, &private)?;
    if let Some(material) = &material {
        call.add_event_data(MATERIAL_ID, material.clone());
    }
    usage::note(call, key, operation)?;
    Ok(Made {
        private,
        public: pair.public().der().to_vec(),
        blob,
        material,
    })
}

/// Makes a pair and gives the private key both in clear and encrypted.
pub struct GenerateDataKeyPair;

impl Operation for GenerateDataKeyPair {
    type Input = model::GenerateDataKeyPairRequest;
    type Output = model::GenerateDataKeyPairResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:GenerateDataKeyPair");
    const CONDITIONS: &'static [&'static str] = CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        let (pairs, tokens) = (input.encryption_context.as_ref(), input.grant_tokens.as_deref());
        encryption::named_to_encrypt(look, Self::ACCESS, &input.key_id, pairs, tokens)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        encryption::conditions(input.encryption_context.as_ref(), None, into);
        into.insert(SPEC, input.key_pair_spec.as_str());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        expect_no_recipient(input.recipient.as_ref())?;
        let (spec, pairs) = (input.key_pair_spec, input.encryption_context);
        let made = make(call, &key, "GenerateDataKeyPair", spec, pairs, input.dry_run)?;
        Ok(model::GenerateDataKeyPairResponse {
            key_id: Some(key.arn()),
            key_material_id: made.material,
            key_pair_spec: Some(spec),
            private_key_ciphertext_blob: Some(Blob(made.blob)),
            private_key_plaintext: Some(Blob(made.private.expose().to_vec())),
            public_key: Some(Blob(made.public)),
            ..model::GenerateDataKeyPairResponse::default()
        })
    }
}

/// Makes a pair whose private key only a later `Decrypt` shows.
pub struct GenerateDataKeyPairWithoutPlaintext;

impl Operation for GenerateDataKeyPairWithoutPlaintext {
    type Input = model::GenerateDataKeyPairWithoutPlaintextRequest;
    type Output = model::GenerateDataKeyPairWithoutPlaintextResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:GenerateDataKeyPairWithoutPlaintext");
    const CONDITIONS: &'static [&'static str] = CONDITIONS;
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        let (pairs, tokens) = (input.encryption_context.as_ref(), input.grant_tokens.as_deref());
        encryption::named_to_encrypt(look, Self::ACCESS, &input.key_id, pairs, tokens)
    }

    fn conditions(input: &Self::Input, into: &mut Context) {
        encryption::conditions(input.encryption_context.as_ref(), None, into);
        into.insert(SPEC, input.key_pair_spec.as_str());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let (spec, pairs) = (input.key_pair_spec, input.encryption_context);
        let operation = "GenerateDataKeyPairWithoutPlaintext";
        let made = make(call, &key, operation, spec, pairs, input.dry_run)?;
        Ok(model::GenerateDataKeyPairWithoutPlaintextResponse {
            key_id: Some(key.arn()),
            key_material_id: made.material,
            key_pair_spec: Some(spec),
            private_key_ciphertext_blob: Some(Blob(made.blob)),
            public_key: Some(Blob(made.public)),
        })
    }
}
