//! What functions' environments are encrypted under, by their ciphertexts.
//!
//! Invariant: nothing is opened: a ciphertext names its key in clear.

use pipeline::{Dependent, Dependents, Look, Result};

use super::function::{self, Configuration, FUNCTIONS, VERSIONS};

/// The functions of all accounts, and their published versions.
pub static DEPENDENTS: Dependents = Dependents {
    kind: "AWS::Lambda::Function",
    page,
};

fn page(look: &mut Look<'_>, after: Option<&[String]>, limit: usize) -> Result<Vec<Dependent>> {
    let mut page = Vec::new();
    let published = match after {
        Some([account, region, name, number]) => {
            let number = number.parse().unwrap_or(u64::MAX);
            Some((account.clone(), region.clone(), name.clone(), number))
        }
        _ => {
            let after = match after {
                Some([account, region, name]) => Some((account.clone(), region.clone(), name.clone())),
                _ => None,
            };
            for ((account, region, name), held) in look.range(&FUNCTIONS, &(), after.as_ref(), limit)? {
                let arn = function::arn(&region, &account, &name, None);
                let keys = keys(&region, &held.latest);
                let place = vec![account, region, name];
                page.push(Dependent { place, arn, keys });
            }
            None
        }
    };
    let left = limit.saturating_sub(page.len());
    if left > 0 {
        for ((account, region, name, number), version) in
            look.range(&VERSIONS, &(), published.as_ref(), left)?
        {
            let arn = function::arn(&region, &account, &name, Some(&number.to_string()));
            let keys = keys(&region, &version);
            let place = vec![account, region, name, number.to_string()];
            page.push(Dependent { place, arn, keys });
        }
    }
    Ok(page)
}

fn keys(region: &str, configuration: &Configuration) -> Vec<String> {
    let sealed = configuration.environment.as_ref();
    sealed.and_then(|sealed| sealed.key(region)).into_iter().collect()
}
