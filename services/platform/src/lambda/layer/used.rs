//! The layers of a function: which it names, who may name them, and how much they may hold.
//!
//! Invariant: whoever names a version may see it. A version counts the versions of functions of its account that use it, and stays for
//! them; a function keeps a copy of what it uses of another account, so that nothing that happens there stops it.
//!
//! Source: Lambda Developer Guide, "Adding layers to functions", "Lambda quotas".

use api::lambda as model;
use bytes::Bytes;
use pipeline::functions::Layers;
use pipeline::{Call, Found, Look, Result};
use policy::Context;
use serde::{Deserialize, Serialize};

use super::get::GET;
use super::{LAYER_VERSIONS, LayerVersion, read_version, resolve};
use crate::lambda::code::{self, Home, UNZIPPED_MAX};
use crate::lambda::fault::invalid;
use crate::lambda::function::Function;

/// Layers of a function.
const LAYERS_MAX: usize = 5;

/// A version that a function uses.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedLayer {
    /// Of the version.
    pub arn: String,
    pub code_sha256: String,
    /// Bytes of the zip.
    pub code_bytes: i64,
    /// Bytes of what it holds.
    pub unzipped: u64,
    /// It is another account's, and its zip lies with the function.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copied: bool,
}

impl UsedLayer {
    pub(crate) fn shown(&self) -> model::Layer {
        model::Layer {
            arn: Some(self.arn.clone()),
            code_size: Some(self.code_bytes),
            ..model::Layer::default()
        }
    }
}

/// The versions that a request names for a function of `owner`, each of which the caller must be allowed to see.
pub(crate) fn choose(call: &mut Call<'_>, owner: &str, arns: &[String]) -> Result<Vec<UsedLayer>> {
    if arns.len() > LAYERS_MAX {
        return Err(invalid(format!(
            "Cannot reference more than {LAYERS_MAX} layers."
        )));
    }
    let mut chosen: Vec<UsedLayer> = Vec::new();
    for arn in arns {
        let layer = |arn: &str| arn.rsplit_once(':').map(|(layer, _)| layer.to_owned());
        if chosen.iter().any(|held| layer(&held.arn) == layer(arn)) {
            return Err(invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function.",
            ));
        }
        let (named, number) = read_version(call, arn)?;
        let missing = || invalid(format!("Layer version {arn} does not exist."));
        let found = match resolve(call, &named, number)? {
            Found::Absent { arn, .. } => Found::Absent {
                arn,
                fault: missing(),
            },
            here @ Found::Here(_) => here,
        };
        let version = call.authorize(GET, found, Context::default())?;
        if version.created == 0 {
            return Err(missing());
        }
        chosen.push(UsedLayer {
            arn: arn.clone(),
            code_sha256: version.code_sha256.clone(),
            code_bytes: version.code_bytes,
            unzipped: version.unzipped,
            copied: version.account != owner,
        });
    }
    let all = total(&chosen);
    if all > UNZIPPED_MAX {
        return Err(invalid(format!(
            "Layers consume more than the available size of {UNZIPPED_MAX} bytes"
        )));
    }
    Ok(chosen)
}

fn total(layers: &[UsedLayer]) -> u64 {
    layers
        .iter()
        .fold(0, |total, layer| total.saturating_add(layer.unzipped))
}

/// Refuses code that holds too much together with its layers.
pub(crate) fn expect_room(code: u64, layers: &[UsedLayer]) -> Result<()> {
    let all = code.saturating_add(total(layers));
    if layers.is_empty() || all <= UNZIPPED_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "Function code combined with layers exceeds the maximum allowed size of {UNZIPPED_MAX} bytes. The actual size is {all} bytes."
    )))
}

/// The row of a version that a function uses, whoever may name it now.
fn row(look: &mut Look<'_>, arn: &str) -> Result<Option<LayerVersion>> {
    let (named, number) = read_version(look, arn)?;
    let region = look.region().to_owned();
    let place = (
        named.account.as_str(),
        region.as_str(),
        named.name.as_str(),
        number,
    );
    let found = look.get(&LAYER_VERSIONS, &place)?;
    Ok(found.map(|version| (*version).clone()))
}

fn lost() -> wire::Fault {
    wire::Fault::internal("a layer that is used is not there")
}

/// Counts a version of a function more for each, and copies those of other accounts.
pub(crate) fn hold(call: &mut Call<'_>, function: &mut Function, layers: &[UsedLayer]) -> Result<()> {
    for layer in layers {
        if layer.copied {
            let from = if function.codes.contains_key(&layer.code_sha256) {
                Home::of(function)
            } else {
                Home::of_layer(&row(call, &layer.arn)?.ok_or_else(lost)?)
            };
            code::copy(call, function, &from, &layer.code_sha256)?;
            continue;
        }
        if let Some(mut version) = row(call, &layer.arn)? {
            version.users = version.users.saturating_add(1);
            version.keep(call)?;
        }
    }
    Ok(())
}

/// Counts one less, and lets those go that are deleted and that no other uses.
pub(crate) fn release(call: &mut Call<'_>, function: &mut Function, layers: &[UsedLayer]) -> Result<()> {
    for layer in layers {
        if layer.copied {
            code::discard(call, function, &layer.code_sha256)?;
            continue;
        }
        if let Some(mut version) = row(call, &layer.arn)? {
            version.users = version.users.saturating_sub(1);
            version.keep_or_end(call)?;
        }
    }
    Ok(())
}

/// What a run takes of them: their zips in order, unless the runner has them unpacked; nothing without layers.
pub(crate) fn of_run(
    call: &mut Call<'_>,
    function: &Function,
    layers: &[UsedLayer],
    whole: bool,
) -> Result<Option<Layers>> {
    if layers.is_empty() {
        return Ok(None);
    }
    let digests: Vec<&str> = layers.iter().map(|layer| layer.code_sha256.as_str()).collect();
    let code_sha256 = Layers::digest(&digests);
    let mut zips: Vec<Bytes> = Vec::new();
    if whole && !call.holds_code(&code_sha256) {
        for layer in layers {
            let home = if layer.copied {
                Home::of(function)
            } else {
                Home::of_layer(&row(call, &layer.arn)?.ok_or_else(lost)?)
            };
            zips.push(code::open(call, &home, &layer.code_sha256)?);
        }
    }
    Ok(Some(Layers { code_sha256, zips }))
}
