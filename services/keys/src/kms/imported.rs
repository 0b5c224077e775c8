//! Material that a key's owner made: `GetParametersForImport`, `ImportKeyMaterial`, `DeleteImportedKeyMaterial`, and its expiry (S8.22,
//! S8.62).
//!
//! The import token carries the private half of the wrapping key, encrypted, so that asking for parameters stores nothing.
//!
//! Invariant: a key is enabled only while every material that it ever encrypted with is here; material of other bytes never takes a
//! material's place.

use api::kms as model;
use api::kms::fault::{
    expired_import_token_exception, incorrect_key_material_exception, invalid_ciphertext_exception,
    invalid_import_token_exception, kms_invalid_state_exception, not_found_exception,
    unsupported_operation_exception,
};
use crypto::Secret;
use crypto::kms::{MaterialSpec, WrappingAlgorithm, WrappingKey};
use pipeline::jobs::JobId;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::typed::Blob;
use wire::{Fault, Timestamp};

use crate::kms::key::{DAY, KEYS, Key, KeyTarget, Origin, State, to_change};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{material, multi_region, rotation};

/// The job that deletes expired material.
pub(crate) const JOB: &str = "kms.DeleteExpiredKeyMaterial";
const TOKEN: &str = "kms.import";
/// Days that imported material may stay, if it expires (KMS API Reference, `ImportKeyMaterial`).
const VALID_DAYS_MAX: i64 = 365;
/// The greatest encoded private key that a token carries, in bytes: RSA_4096 takes less than 2,400.
const TOKEN_BYTES_MAX: usize = 6144;

/// One material of a key with origin `EXTERNAL`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Imported {
    /// Its id.
    pub(crate) material: String,
    /// Whether the bytes are here: not deleted, not expired, and in a replica not waited for.
    pub(crate) present: bool,
    /// When it expires, in milliseconds since the epoch, and the job that deletes it then.
    pub(crate) expires: Option<(i64, JobId)>,
    pub(crate) description: Option<String>,
}

impl Key {
    /// The material that the next rotation on demand will take, if there is one.
    pub(crate) fn pending(&self) -> Option<&Imported> {
        self.imported
            .iter()
            .find(|held| !self.rotation.has(&held.material))
    }

    /// Whether all material that the key ever encrypted with is here.
    pub(crate) fn is_complete(&self) -> bool {
        let mut permanent = self
            .imported
            .iter()
            .filter(|held| self.rotation.has(&held.material));
        self.origin == Origin::AwsKms || !self.material.is_empty() && permanent.all(|held| held.present)
    }

    fn expect_external(&self) -> Result<()> {
        if self.origin == Origin::External {
            return Ok(());
        }
        let arn = self.arn();
        Err(unsupported_operation_exception(format!(
            "{arn} origin is AWS_KMS which is not valid for this operation."
        )))
    }
}

/// Gives a wrapping key and the token that goes with it.
pub struct GetParametersForImport;

impl Operation for GetParametersForImport {
    type Input = model::GetParametersForImportRequest;
    type Output = model::GetParametersForImportResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::read("kms:GetParametersForImport");
    const CONDITIONS: &'static [&'static str] = &["kms:WrappingAlgorithm", "kms:WrappingKeySpec"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("kms:WrappingAlgorithm", input.wrapping_algorithm.as_str());
        context.insert("kms:WrappingKeySpec", input.wrapping_key_spec.as_str());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        key.expect_external()?;
        key.expect_staying()?;
        let (algorithm, spec) = (
            input.wrapping_algorithm.as_str(),
            input.wrapping_key_spec.as_str(),
        );
        let unknown = || {
            unsupported_operation_exception(format!(
                "Wrapping algorithm {algorithm} with wrapping key spec {spec} is not supported."
            ))
        };
        WrappingAlgorithm::from_name(algorithm).ok_or_else(unknown)?;
        expect_room(&key, algorithm, spec)?;
        let wrapping = WrappingKey::generate(spec)
            .map_err(Fault::internal)?
            .ok_or_else(unknown)?;
        let valid_to = call.now.0 + DAY;
        let private = wrapping.private_der().map_err(Fault::internal)?;
        let head = format!("{}\n{algorithm}\n{valid_to}\n", key.arn());
        let payload = Secret::new([head.as_bytes(), private.expose()].concat());
        let token = call.issue_token(TOKEN, payload.expose())?;
        Ok(model::GetParametersForImportResponse {
            import_token: Some(Blob(token.into_bytes())),
            key_id: Some(key.arn()),
            parameters_valid_to: Some(Timestamp(valid_to)),
            public_key: Some(Blob(wrapping.public_der().map_err(Fault::internal)?)),
        })
    }
}

/// What RSA alone cannot wrap: the private keys of RSA at all, and those of P-521 under the shortest modulus (KMS API Reference,
/// `GetParametersForImport`, `WrappingAlgorithm`).
fn expect_room(key: &Key, algorithm: &str, spec: &str) -> Result<()> {
    let rsa = key.spec.pair().is_some_and(|pair| pair.modulus().is_some());
    let long = key.spec.name() == "ECC_NIST_P521" && spec == "RSA_2048";
    if algorithm.starts_with("RSA_AES_") || !(rsa || long) {
        return Ok(());
    }
    Err(unsupported_operation_exception(format!(
        "Wrapping algorithm {algorithm} with wrapping key spec {spec} cannot wrap key material of key spec {}.",
        key.spec.name()
    )))
}

/// The bytes that a request wraps, by the token that goes with them.
fn unwrapped(look: &Look<'_>, key: &Key, token: &[u8], wrapped: &[u8]) -> Result<Secret> {
    let invalid = || invalid_import_token_exception("The import token is invalid.");
    let text = str::from_utf8(token)
        .ok()
        .filter(|text| text.len() <= TOKEN_BYTES_MAX);
    let payload = text
        .and_then(|text| look.open_token(TOKEN, text))
        .ok_or_else(invalid)?;
    let mut parts = payload.expose().splitn(4, |byte| *byte == b'\n');
    let mut line = || parts.next().and_then(|part| str::from_utf8(part).ok());
    let (arn, algorithm) = (line(), line().and_then(WrappingAlgorithm::from_name));
    let valid_to = line().and_then(|valid_to| valid_to.parse::<i64>().ok());
    let (Some(algorithm), Some(valid_to), Some(private)) = (algorithm, valid_to, parts.next()) else {
        return Err(invalid());
    };
    if arn != Some(key.arn().as_str()) {
        return Err(invalid());
    }
    if look.now.0 >= valid_to {
        return Err(expired_import_token_exception("The import token is expired."));
    }
    let wrapping = WrappingKey::from_private_der(&Secret::copy_of(private)).map_err(|_| invalid())?;
    wrapping
        .unwrap(algorithm, wrapped)
        .map_err(|_| invalid_ciphertext_exception(""))
}

/// When the material of a request is to expire.
fn valid_to(call: &Call<'_>, input: &model::ImportKeyMaterialRequest) -> Result<Option<i64>> {
    let expires = input
        .expiration_model
        .is_none_or(|model| model.as_str() == "KEY_MATERIAL_EXPIRES");
    match (expires, input.valid_to) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Fault::validation(
            "ValidTo must not be specified when ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE.",
        )),
        (true, None) => Err(Fault::validation(
            "ValidTo must be specified when ExpirationModel is KEY_MATERIAL_EXPIRES.",
        )),
        (true, Some(at)) if at.0 <= call.now.0 || at.0 > call.now.0 + VALID_DAYS_MAX * DAY => {
            Err(Fault::validation(format!(
                "ValidTo must be in the future, and at most {VALID_DAYS_MAX} days ahead."
            )))
        }
        (true, Some(at)) => Ok(Some(at.0)),
    }
}

fn incorrect(reason: &str) -> Fault {
    incorrect_key_material_exception(reason)
}

/// Brings material into a key, or the same material again.
pub struct ImportKeyMaterial;

impl Operation for ImportKeyMaterial {
    type Input = model::ImportKeyMaterialRequest;
    type Output = model::ImportKeyMaterialResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:ImportKeyMaterial");
    const CONDITIONS: &'static [&'static str] = &["kms:ExpirationModel", "kms:ValidTo"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let model = input
            .expiration_model
            .map_or("KEY_MATERIAL_EXPIRES", model::ExpirationModelType::as_str);
        context.insert("kms:ExpirationModel", model);
        if let Some(valid_to) = input.valid_to {
            context.insert("kms:ValidTo", valid_to.iso8601());
        }
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        key.expect_external()?;
        key.expect_staying()?;
        let expires = valid_to(call, &input)?;
        let own = input.import_type.is_some()
            || input.key_material_description.is_some()
            || input.key_material_id.is_some();
        if own && key.spec != MaterialSpec::Symmetric {
            return Err(Fault::validation(
                "ImportType, KeyMaterialDescription and KeyMaterialId are valid only for symmetric encryption keys.",
            ));
        }
        let bytes = unwrapped(call, &key, &input.import_token.0, &input.encrypted_key_material.0)?;
        let mut key = to_change(&key);
        let id = material::identify(&key, &bytes)
            .ok_or_else(|| incorrect("The length of the key material does not fit the key spec."))?;
        let new = match input.import_type {
            Some(asked) => asked.as_str() == "NEW_KEY_MATERIAL",
            None => key.imported.is_empty(),
        };
        expect_fitting(&key, &id, new, input.key_material_id.as_deref())?;
        material::store(call, &key, &id, &bytes)?;
        let held = match key.imported.iter().position(|held| held.material == id) {
            Some(place) => key.imported.remove(place),
            None => Imported {
                material: id.clone(),
                present: false,
                expires: None,
                description: None,
            },
        };
        if let Some((_, job)) = &held.expires {
            call.unschedule(job)?;
        }
        let expires = match expires {
            Some(at) => {
                let payload = json!({ "key": key.id, "material": id });
                Some((at, call.schedule(JOB, Timestamp(at), payload)?))
            }
            None => None,
        };
        key.imported.push(Imported {
            material: id.clone(),
            present: true,
            expires,
            description: input.key_material_description.or(held.description),
        });
        if key.material.is_empty() {
            key.material.clone_from(&id);
            key.rotation = rotation::Rotation::beginning(&id, call.now.0);
        }
        if key.state == State::PendingImport && key.is_complete() {
            key.state = State::Enabled;
        }
        let arn = key.arn();
        multi_region::share_imports(call, &key, &id)?;
        key.keep(call)?;
        call.add_event_data("keyMaterialId", id.clone());
        Ok(model::ImportKeyMaterialResponse {
            key_id: Some(arn),
            key_material_id: Some(id),
        })
    }
}

/// Only the same material can be imported again, and only one new one can wait for a rotation.
fn expect_fitting(key: &Key, id: &str, new: bool, named: Option<&str>) -> Result<()> {
    let known = key.imported.iter().any(|held| held.material == id);
    if !new {
        if known && named.is_none_or(|named| named == id) {
            return Ok(());
        }
        return Err(incorrect(
            "The key material is not the same key material that was previously imported into this KMS key.",
        ));
    }
    if named.is_some() {
        return Err(Fault::validation(
            "KeyMaterialId must not be specified when ImportType is NEW_KEY_MATERIAL.",
        ));
    }
    if known {
        return Err(incorrect(
            "The key material was previously imported into this KMS key.",
        ));
    }
    let arn = key.arn();
    if key.is_replica() {
        return Err(unsupported_operation_exception(format!(
            "{arn} is a multi-Region replica key; import new key material into its primary key first."
        )));
    }
    if key.pending().is_some() {
        return Err(kms_invalid_state_exception(format!(
            "{arn} already has key material that is pending rotation."
        )));
    }
    Ok(())
}

/// Deletes imported material. The key is of no use until the same material is imported again.
pub struct DeleteImportedKeyMaterial;

impl Operation for DeleteImportedKeyMaterial {
    type Input = model::DeleteImportedKeyMaterialRequest;
    type Output = model::DeleteImportedKeyMaterialResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:DeleteImportedKeyMaterial");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        key.expect_external()?;
        let mut key = to_change(&key);
        let arn = key.arn();
        let id = input.key_material_id.unwrap_or_else(|| key.material.clone());
        if id.is_empty() {
            // Nothing was ever imported: what is asked for is so already.
            return Ok(model::DeleteImportedKeyMaterialResponse {
                key_id: Some(arn),
                key_material_id: None,
            });
        }
        if !key.imported.iter().any(|held| held.material == id) {
            return Err(not_found_exception(format!(
                "Key material {id} is not associated with {arn}."
            )));
        }
        remove(call, &mut key, &id)?;
        key.keep(call)?;
        Ok(model::DeleteImportedKeyMaterialResponse {
            key_id: Some(arn),
            key_material_id: Some(id),
        })
    }
}

/// Takes material away. What waits for a rotation is forgotten, all other is waited for.
fn remove(call: &mut Call<'_>, key: &mut Key, id: &str) -> Result<()> {
    material::remove(call, key, id)?;
    let pending = key.pending().is_some_and(|held| held.material == id);
    if let Some(held) = key.imported.iter_mut().find(|held| held.material == id) {
        held.present = false;
        if let Some((_, job)) = held.expires.take() {
            call.unschedule(&job)?;
        }
    }
    if pending {
        if !key.is_replica() {
            key.imported.retain(|held| held.material != id);
            multi_region::forget_import(call, key, id)?;
        }
    } else if matches!(key.state, State::Enabled | State::Disabled) {
        rotation::suspend(call, key)?;
        key.state = State::PendingImport;
    }
    Ok(())
}

/// Deletes material that has expired, in the name of KMS.
pub(crate) fn expire(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let text = |name| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    let (id, material) = (text("key"), text("material"));
    let row = (call.account().to_owned(), call.region().to_owned(), id.to_owned());
    let Some(found) = call.get(&KEYS, &row)? else {
        return Ok(());
    };
    let mut key = (*found).clone();
    remove(call, &mut key, material)?;
    call.mention(key.arn(), &key.account, KeyTarget::TYPE);
    call.add_event_data("keyId", key.id.clone());
    call.add_event_data("keyMaterialId", material);
    key.keep(call)
}

/// Ends the expiry of all material of a key that is about to be destroyed.
pub(crate) fn forget(call: &mut Call<'_>, key: &Key) -> Result<()> {
    for (_, job) in key.imported.iter().filter_map(|held| held.expires.as_ref()) {
        call.unschedule(job)?;
    }
    Ok(())
}
