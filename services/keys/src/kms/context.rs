//! The encryption context of a request: what policies see of it, and what is bound to the ciphertext.
//!
//! Invariant: what is judged is what is bound. Condition keys are compared without case, the binding with case, so a context whose
//! keys differ only by case could be judged by one value and bound with another; it is refused.

use std::collections::BTreeMap;

use crypto::kms::EncryptionContext;
use pipeline::Result;
use policy::Context;
use wire::Fault;

/// Names and values together, in bytes (KMS Developer Guide, "Encryption context").
const BYTES_MAX: usize = 8192;

/// The condition keys that `conditions` sets.
pub(crate) const KEYS: [&str; 2] = [
    "kms:EncryptionContext:${EncryptionContextKey}",
    "kms:EncryptionContextKeys",
];

type Pairs = BTreeMap<String, String>;

/// Refuses a context that is too large or ambiguous.
pub(crate) fn check(pairs: Option<&Pairs>) -> Result<()> {
    let Some(pairs) = pairs.filter(|pairs| !pairs.is_empty()) else {
        return Ok(());
    };
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > BYTES_MAX {
        return Err(Fault::validation(format!(
            "The encryption context is longer than {BYTES_MAX} bytes."
        )));
    }
    let mut folded: Vec<String> = pairs.keys().map(|name| name.to_ascii_lowercase()).collect();
    folded.sort_unstable();
    if folded
        .windows(2)
        .any(|pair| matches!(pair, [one, two] if one == two))
    {
        return Err(Fault::validation(
            "The encryption context has keys that differ only by case.",
        ));
    }
    Ok(())
}

/// Sets the condition keys.
pub(crate) fn conditions(pairs: Option<&Pairs>, context: &mut Context) {
    let Some(pairs) = pairs.filter(|pairs| !pairs.is_empty()) else {
        return;
    };
    for (name, value) in pairs {
        context.insert(format!("kms:EncryptionContext:{name}"), value.clone());
    }
    context.insert_many("kms:EncryptionContextKeys", pairs.keys().cloned());
}

/// The context as it is bound.
pub(crate) fn bound(pairs: Option<Pairs>) -> EncryptionContext {
    pairs.into_iter().flatten().collect()
}
