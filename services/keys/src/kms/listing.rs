//! Keys as `ringwork keys` lists them: what they are, how old, when they rotate and end, when they were last used.
//!
//! Invariant: a page reads the rows of its keys and of their uses, and nothing that grows with what was encrypted.

use api::kms::KeyUsageType;
use crypto::kms::Ciphertext;
use pipeline::{Look, Result};
use serde::{Deserialize, Serialize};
use wire::Timestamp;

use super::alias::ALIASES;
use super::key::{KEYS, Key, arn};
use super::usage;

/// A key. Times are ISO 8601 in UTC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    pub arn: String,
    pub id: String,
    pub account: String,
    pub region: String,
    pub aliases: Vec<String>,
    pub description: String,
    pub spec: String,
    pub usage: String,
    pub origin: String,
    /// `AWS` or `CUSTOMER`
    pub manager: String,
    pub state: String,
    pub multi_region: bool,
    pub created: String,
    /// Whole days since then, by the cloud's clock.
    pub age_days: i64,
    pub rotation_period_days: Option<i32>,
    pub next_rotation: Option<String>,
    /// When the next of its imported materials expires.
    pub material_expires: Option<String>,
    /// When it will be destroyed.
    pub deletion: Option<String>,
    pub last_use: Option<LastUse>,
    /// The action by which its secrets are used: `kms:Decrypt`.
    pub action: String,
}

/// A use, to the minute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastUse {
    pub at: String,
    pub operation: String,
}

/// The place of a key: account, region and id.
pub type Place = (String, String, String);

/// Keys behind a place, over all accounts and regions, at most `limit`.
///
/// # Errors
/// The store's, as internal faults.
pub fn page(look: &mut Look<'_>, after: Option<&Place>, limit: usize) -> Result<Vec<(Place, Listed)>> {
    let rows = look.range(&KEYS, &(), after, limit)?;
    rows.into_iter()
        .map(|(place, key)| Ok((place, listed(look, &key)?)))
        .collect()
}

/// The keys that a name may mean: an ARN, an id, or an alias, in any account and region.
///
/// # Errors
/// The store's, as internal faults.
pub fn named(look: &mut Look<'_>, name: &str) -> Result<Vec<Listed>> {
    const STRIDE: usize = 1000;
    let short = match policy::Arn::parse(name) {
        Some(arn) => arn.resource().trim_start_matches("key/").to_owned(),
        None => name.to_owned(),
    };
    let mut places = Vec::new();
    if short.starts_with("alias/") {
        let mut after = None;
        loop {
            let rows = look.range(&ALIASES, &(), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (row, alias) in rows {
                if row.2 == short {
                    places.push((row.0.clone(), row.1.clone(), alias.target.clone()));
                }
                after = Some(row);
            }
            if !full {
                break;
            }
        }
    } else {
        let mut after = None;
        loop {
            let rows = look.range(&KEYS, &(), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (row, _) in rows {
                if row.2 == short {
                    places.push(row.clone());
                }
                after = Some(row);
            }
            if !full {
                break;
            }
        }
    }
    let mut found = Vec::new();
    for place in places {
        let Some(key) = look.get(&KEYS, &place)? else {
            continue;
        };
        let of_it = |arn: policy::Arn| arn.account() == key.account && arn.region() == key.region;
        if policy::Arn::parse(name).is_none_or(of_it) {
            found.push(listed(look, &key)?);
        }
    }
    Ok(found)
}

/// The ARN of the key that made a ciphertext of a region.
pub(crate) fn key_of(region: &str, blob: &[u8]) -> Option<String> {
    let ciphertext = Ciphertext::parse(blob).ok()?;
    let reference = ciphertext.key();
    Some(arn(region, &reference.account(), &reference.key_id()))
}

fn listed(look: &mut Look<'_>, key: &Key) -> Result<Listed> {
    let shown = |at: i64| Timestamp(at).iso8601();
    let last_use = usage::noted(look, key)?.map(|noted| LastUse {
        at: shown(noted.at),
        operation: noted.operation,
    });
    let expires = key.imported.iter().filter(|held| held.present);
    let expires = expires
        .filter_map(|held| held.expires.as_ref())
        .map(|(at, _)| *at);
    let (period, next) = key.rotation.plan();
    Ok(Listed {
        arn: key.arn(),
        id: key.id.clone(),
        account: key.account.clone(),
        region: key.region.clone(),
        aliases: key.aliases.iter().cloned().collect(),
        description: key.description.clone(),
        spec: key.spec.name().to_owned(),
        usage: key.usage().as_str().to_owned(),
        origin: key.origin.as_str().to_owned(),
        manager: if key.service.is_some() { "AWS" } else { "CUSTOMER" }.to_owned(),
        state: key.state.shown().as_str().to_owned(),
        multi_region: key.set.is_some(),
        created: shown(key.created),
        age_days: look.now.0.saturating_sub(key.created).max(0) / super::key::DAY,
        rotation_period_days: period,
        next_rotation: next.map(shown),
        material_expires: expires.min().map(shown),
        deletion: key.deletion.as_ref().map(|deletion| shown(deletion.date)),
        last_use,
        action: action(key.usage()).to_owned(),
    })
}

const fn action(usage: KeyUsageType) -> &'static str {
    match usage {
        KeyUsageType::SignVerify => "kms:Sign",
        KeyUsageType::GenerateVerifyMac => "kms:GenerateMac",
        KeyUsageType::EncapsulateDecapsulate => "kms:Decapsulate",
        KeyUsageType::KeyAgreement => "kms:DeriveSharedSecret",
        _ => "kms:Decrypt",
    }
}
