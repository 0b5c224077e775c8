//! What secrets are encrypted under, by the data keys of their versions.
//!
//! Invariant: nothing is opened: a data key's ciphertext names its key in clear.

use pipeline::{Dependent, Dependents, Look, Result};

use super::secret::SECRETS;
use super::value;
use crate::kms::listing::key_of;

/// The secrets of all accounts.
pub static DEPENDENTS: Dependents = Dependents {
    kind: "AWS::SecretsManager::Secret",
    page,
};

fn page(look: &mut Look<'_>, after: Option<&[String]>, limit: usize) -> Result<Vec<Dependent>> {
    let after = match after {
        Some([account, region, name]) => Some((account.clone(), region.clone(), name.clone())),
        _ => None,
    };
    let rows = look.range(&SECRETS, &(), after.as_ref(), limit)?;
    let mut page = Vec::with_capacity(rows.len());
    for ((account, region, name), secret) in rows {
        let mut keys = Vec::new();
        for version in secret.versions.keys() {
            if let Some(key) =
                value::data_key(look, &secret, version)?.and_then(|blob| key_of(&region, &blob))
            {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        page.push(Dependent {
            place: vec![account, region, name],
            arn: secret.arn(),
            keys,
        });
    }
    Ok(page)
}
