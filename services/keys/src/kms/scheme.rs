//! How one key encrypts: AES-256-GCM under a symmetric key, RSA with OAEP under a pair (S8.17, S8.23).
//!
//! Invariant: a scheme is made only for a key that has its algorithm.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::kms as model;
use api::kms::fault::invalid_key_usage_exception;
use crypto::Secret;
use crypto::kms::{Ciphertext, EncryptionAlgorithm, KeyMaterial, MaterialSpec};
use pipeline::{Look, Result};
use wire::Fault;

use crate::kms::encryption::{refused, wrong_key};
use crate::kms::key::Key;
use crate::kms::{context, material};

type Pairs = BTreeMap<String, String>;

/// The algorithm that counts when a request names none.
pub(crate) const SYMMETRIC: model::EncryptionAlgorithmSpec = model::EncryptionAlgorithmSpec::SymmetricDefault;

/// A key's way to encrypt.
#[derive(Clone, Copy)]
pub(crate) enum Scheme {
    Symmetric,
    Oaep(EncryptionAlgorithm),
}

impl Scheme {
    /// The scheme of a key by an algorithm, if the key has it.
    pub(crate) fn of(key: &Key, algorithm: Option<model::EncryptionAlgorithmSpec>) -> Result<Self> {
        let asked = algorithm.unwrap_or(SYMMETRIC);
        let found = match key.spec {
            MaterialSpec::Symmetric => (asked == SYMMETRIC).then_some(Self::Symmetric),
            MaterialSpec::Pair(pair) => EncryptionAlgorithm::from_name(asked.as_str())
                .filter(|algorithm| pair.encryption_algorithms().contains(algorithm))
                .map(Self::Oaep),
            _ => None,
        };
        found.ok_or_else(|| {
            let spec = key.spec.name();
            invalid_key_usage_exception(format!("Algorithm {asked} is incompatible with key spec {spec}."))
        })
    }

    /// The algorithm by AWS's name.
    pub(crate) fn algorithm(self) -> Option<model::EncryptionAlgorithmSpec> {
        match self {
            Self::Symmetric => Some(SYMMETRIC),
            Self::Oaep(algorithm) => model::EncryptionAlgorithmSpec::parse(algorithm.name()),
        }
    }

    /// RSA authenticates nothing beside its plaintext (KMS API Reference, `Encrypt`, `EncryptionContext`).
    pub(crate) fn expect_context(self, pairs: Option<&Pairs>) -> Result<()> {
        let given = pairs.is_some_and(|pairs| !pairs.is_empty());
        if given && matches!(self, Self::Oaep(_)) {
            return Err(Fault::validation(
                "EncryptionContext cannot be specified with an asymmetric KMS key.",
            ));
        }
        Ok(())
    }

    /// What RSA encrypts at once follows from modulus and hash.
    pub(crate) fn expect_length(self, key: &Key, length: usize) -> Result<()> {
        let (Self::Oaep(algorithm), Some(modulus)) = (self, key.spec.pair().and_then(|pair| pair.modulus()))
        else {
            return Ok(());
        };
        let most = algorithm.most(modulus);
        if length <= most {
            return Ok(());
        }
        Err(Fault::validation(format!(
            "Algorithm {} and key spec {} cannot encrypt data larger than {most} bytes.",
            algorithm.name(),
            key.spec.name()
        )))
    }

    /// Encrypts, and tells which material of a symmetric key did.
    pub(crate) fn encrypt(
        self,
        look: &mut Look<'_>,
        key: &Key,
        pairs: Option<Pairs>,
        plaintext: &Secret,
    ) -> Result<(Vec<u8>, Option<String>)> {
        let material = material::current(look, key)?;
        match self {
            Self::Symmetric => {
                let bound = context::bound(pairs);
                let blob = material.encrypt(&bound, plaintext.expose()).map_err(refused)?;
                Ok((blob, Some(material.id().text())))
            }
            Self::Oaep(algorithm) => {
                let public = material.pair().map_err(refused)?.public();
                let blob = public.encrypt(algorithm, plaintext.expose()).map_err(refused)?;
                Ok((blob, None))
            }
        }
    }

    /// Decrypts, and tells which material of a symmetric key did.
    pub(crate) fn decrypt(
        self,
        look: &mut Look<'_>,
        key: &Key,
        pairs: Option<Pairs>,
        blob: &[u8],
    ) -> Result<(Secret, Option<String>)> {
        match self {
            Self::Symmetric => {
                let bound = context::bound(pairs);
                let Ok(ciphertext) = Ciphertext::parse(blob) else {
                    let material = material::current(look, key)?;
                    return material
                        .refuse(blob, &bound)
                        .map_err(refused)
                        .map(|plaintext| (plaintext, None));
                };
                expect_key(key, &ciphertext)?;
                let material = generation(look, key, &ciphertext)?;
                let plaintext = material.decrypt(&ciphertext, &bound).map_err(refused)?;
                Ok((plaintext, Some(material.id().text())))
            }
            Self::Oaep(algorithm) => {
                let material = material::current(look, key)?;
                let pair = material.pair().map_err(refused)?;
                Ok((pair.decrypt(algorithm, blob).map_err(refused)?, None))
            }
        }
    }
}

/// The ciphertext of a request, once its key is granted, must be one of that key. It says so in clear, and so does the refusal.
fn expect_key(key: &Key, ciphertext: &Ciphertext<'_>) -> Result<()> {
    let reference = ciphertext.key();
    if reference.account() != key.account || reference.key_id() != key.id {
        return Err(wrong_key());
    }
    Ok(())
}

/// The generation of material that made a ciphertext: the current one, or an older one (S8.49). For one that the key never had it is the
/// current one, which refuses the ciphertext, so that neither answer nor work tells which generations a key had.
fn generation(look: &mut Look<'_>, key: &Key, ciphertext: &Ciphertext<'_>) -> Result<Arc<KeyMaterial>> {
    let current = material::current(look, key)?;
    if current.id() == ciphertext.material_id() {
        return Ok(current);
    }
    material::generation_or_current(look, key, &ciphertext.material_id().text())
}
