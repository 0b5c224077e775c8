//! What of a stack may hold secrets: the values of its parameters, its resources' properties and attributes, its templates. It lies
//! sealed.
//!
//! Invariant: what is sealed for one stack opens for no other; nothing here was made of an opened dynamic reference but what a service
//! itself answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::{Call, Look, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::Fault;

const NAME: &str = "cloudformation.hidden";

/// A sealed value of a stack, in base64.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(String);

/// What a sealed value is bound to: the stack's account, region and id.
pub(crate) type Bond<'a> = (&'a str, &'a str, &'a str);

fn key((account, region, uuid): Bond<'_>) -> Vec<u8> {
    format!("{account}\n{region}\n{uuid}").into_bytes()
}

impl Hidden {
    /// Seals a value for a stack.
    pub(crate) fn seal<T: Serialize>(call: &Call<'_>, bond: Bond<'_>, value: &T) -> Result<Self> {
        let clear = serde_json::to_vec(value).map_err(Fault::internal)?;
        let sealed = call.seal(NAME, &key(bond), &clear)?;
        Ok(Self(STANDARD.encode(sealed)))
    }

    /// Opens it again; the default value where nothing was ever sealed.
    pub(crate) fn open<T: DeserializeOwned + Default>(&self, look: &Look<'_>, bond: Bond<'_>) -> Result<T> {
        if self.0.is_empty() {
            return Ok(T::default());
        }
        let sealed = STANDARD.decode(&self.0).map_err(Fault::internal)?;
        let clear = look.open(NAME, &key(bond), &sealed)?;
        serde_json::from_slice(clear.expose()).map_err(Fault::internal)
    }
}
