//! What parameters are encrypted under, by the ciphertexts of the versions that are kept.
//!
//! Invariant: nothing is opened: a ciphertext names its key in clear.

use pipeline::{Dependent, Dependents, Look, Result};

use super::parameter::{PARAMETERS, Stored, VERSIONS, Version};
use crate::kms::listing::key_of;

/// The parameters of all accounts.
pub static DEPENDENTS: Dependents = Dependents {
    kind: "AWS::SSM::Parameter",
    page,
};

fn page(look: &mut Look<'_>, after: Option<&[String]>, limit: usize) -> Result<Vec<Dependent>> {
    let after = match after {
        Some([account, region, name]) => Some((account.clone(), region.clone(), name.clone())),
        _ => None,
    };
    let rows = look.range(&PARAMETERS, &(), after.as_ref(), limit)?;
    let mut page = Vec::with_capacity(rows.len());
    for ((account, region, name), parameter) in rows {
        let mut keys: Vec<String> = key(&region, &parameter.newest).into_iter().collect();
        for number in &parameter.kept {
            let row = (account.as_str(), region.as_str(), name.as_str(), *number);
            if let Some(version) = look.get(&VERSIONS, &row)? {
                keys.extend(key(&region, &version));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        let slash = if name.starts_with('/') { "" } else { "/" };
        page.push(Dependent {
            arn: format!("arn:aws:ssm:{region}:{account}:parameter{slash}{name}"),
            place: vec![account, region, name],
            keys,
        });
    }
    Ok(page)
}

fn key(region: &str, version: &Version) -> Option<String> {
    match &version.value {
        Stored::Clear(_) => None,
        Stored::Encrypted(blob) | Stored::Enveloped { key: blob, .. } => key_of(region, blob),
    }
}
