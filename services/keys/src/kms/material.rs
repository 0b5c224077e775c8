//! Key material at rest: sealed, one row a generation, opened when a key is used (S8.18).
//!
//! Invariant: material is written once and never changed; deleting its row is the end of all that it encrypted (S8.30).

use std::sync::Arc;

use crypto::Secret;
use crypto::kms::{KeyMaterial, KeyReference, MaterialSpec};
use pipeline::{Call, Look, Result};
use store::Table;
use wire::Fault;

use crate::kms::key::Key;

/// One generation of a key's material, under the seal.
#[derive(Clone)]
pub(crate) struct SealedMaterial(Vec<u8>);

impl store::Record for SealedMaterial {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        Ok(Self(bytes.to_vec()))
    }
}

/// By account, region, key id and material id.
static MATERIAL: Table<(String, String, String, String), SealedMaterial> = Table::new(0x0204, "kms.material");

/// The most generations that are deleted in one step.
const STRIDE: usize = 256;

/// The row that the seal binds the bytes to.
fn place(account: &str, region: &str, id: &str, material: &str) -> Vec<u8> {
    format!("{account}/{region}/{id}/{material}").into_bytes()
}

/// Makes new random material for a key, and tells its id (S8.34).
pub(crate) fn make(
    call: &mut Call<'_>,
    account: &str,
    region: &str,
    id: &str,
    spec: MaterialSpec,
) -> Result<String> {
    let bytes = spec.draw(call.random()).map_err(Fault::internal)?;
    let made = import(account, id, spec, bytes.clone())?;
    let name = made.id().text();
    let sealed = call.seal(
        MATERIAL.name(),
        &place(account, region, id, &name),
        bytes.expose(),
    )?;
    call.put(
        &MATERIAL,
        &(account, region, id, name.as_str()),
        SealedMaterial(sealed),
    )?;
    Ok(name)
}

fn import(account: &str, id: &str, spec: MaterialSpec, bytes: Secret) -> Result<KeyMaterial> {
    let reference = KeyReference::new(account, id).map_err(Fault::internal)?;
    KeyMaterial::import(reference, spec, bytes).map_err(Fault::internal)
}

/// The material that encrypts now. It stays open as long as this version of the key's row is cached, and is wiped with it.
pub(crate) fn current(look: &mut Look<'_>, key: &Key) -> Result<Arc<KeyMaterial>> {
    if let Some(material) = key.kept.material.get() {
        return Ok(Arc::clone(material));
    }
    let opened = generation(look, key, &key.material)?;
    let opened = opened.ok_or_else(|| Fault::internal("a key has no material"))?;
    Ok(Arc::clone(key.kept.material.get_or_init(|| opened)))
}

/// An older or the current generation, by its id; `None` if the key never had it (S8.49).
pub(crate) fn generation(look: &mut Look<'_>, key: &Key, material: &str) -> Result<Option<Arc<KeyMaterial>>> {
    let row = (
        key.account.as_str(),
        key.region.as_str(),
        key.id.as_str(),
        material,
    );
    let Some(sealed) = look.get(&MATERIAL, &row)? else {
        return Ok(None);
    };
    let place = place(&key.account, &key.region, &key.id, material);
    let bytes = look.open(MATERIAL.name(), &place, &sealed.0)?;
    import(&key.account, &key.id, key.spec, bytes).map(|opened| Some(Arc::new(opened)))
}

/// An older generation, or the current one in its place if the key never had it. Both are looked for and one is opened in either case.
pub(crate) fn generation_or_current(
    look: &mut Look<'_>,
    key: &Key,
    material: &str,
) -> Result<Arc<KeyMaterial>> {
    let mut sealed = |material: &str| {
        let row = (
            key.account.as_str(),
            key.region.as_str(),
            key.id.as_str(),
            material,
        );
        look.get(&MATERIAL, &row)
    };
    let (older, current) = (sealed(material)?, sealed(&key.material)?);
    let (material, sealed) = match (older, current) {
        (Some(older), _) => (material, older),
        (None, Some(current)) => (key.material.as_str(), current),
        (None, None) => return Err(Fault::internal("a key has no material")),
    };
    let place = place(&key.account, &key.region, &key.id, material);
    let bytes = look.open(MATERIAL.name(), &place, &sealed.0)?;
    import(&key.account, &key.id, key.spec, bytes).map(Arc::new)
}

/// The id that bytes have as material of a key; `None` if they are none of its specification.
pub(crate) fn identify(key: &Key, bytes: &Secret) -> Option<String> {
    let reference = KeyReference::new(&key.account, &key.id).ok()?;
    let read = KeyMaterial::import(reference, key.spec, bytes.clone()).ok()?;
    Some(read.id().text())
}

/// Keeps the bytes of a key's material.
pub(crate) fn store(call: &mut Call<'_>, key: &Key, material: &str, bytes: &Secret) -> Result<()> {
    let place = place(&key.account, &key.region, &key.id, material);
    let sealed = call.seal(MATERIAL.name(), &place, bytes.expose())?;
    let row = (
        key.account.as_str(),
        key.region.as_str(),
        key.id.as_str(),
        material,
    );
    call.put(&MATERIAL, &row, SealedMaterial(sealed))
}

/// Takes one generation away, if it is here.
pub(crate) fn remove(call: &mut Call<'_>, key: &Key, material: &str) -> Result<()> {
    let row = (
        key.account.as_str(),
        key.region.as_str(),
        key.id.as_str(),
        material,
    );
    if call.get(&MATERIAL, &row)?.is_some() {
        call.delete(&MATERIAL, &row)?;
    }
    Ok(())
}

/// Gives another key of the same set every generation that it lacks.
pub(crate) fn copy(call: &mut Call<'_>, from: &Key, to: &Key) -> Result<()> {
    let prefix = (from.account.as_str(), from.region.as_str(), from.id.as_str());
    for (row, sealed) in call.every(&MATERIAL, &prefix)? {
        let at = (
            to.account.as_str(),
            to.region.as_str(),
            to.id.as_str(),
            row.3.as_str(),
        );
        if call.get(&MATERIAL, &at)?.is_none() {
            let place = place(&from.account, &from.region, &from.id, &row.3);
            let bytes = call.open(MATERIAL.name(), &place, &sealed.0)?;
            store(call, to, &row.3, &bytes)?;
        }
    }
    Ok(())
}

/// Destroys every generation of a key's material.
pub(crate) fn destroy(call: &mut Call<'_>, key: &Key) -> Result<()> {
    let prefix = (key.account.as_str(), key.region.as_str(), key.id.as_str());
    loop {
        let rows = call.range(&MATERIAL, &prefix, None, STRIDE)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (row, _) in rows {
            call.delete(&MATERIAL, &row)?;
        }
    }
}
