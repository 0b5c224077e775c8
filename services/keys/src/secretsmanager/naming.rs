//! How requests name secrets: by name, ARN, or ARN without the six random characters (Secrets Manager User Guide, "What's in a
//! Secrets Manager secret?").
//!
//! Invariant: whether a secret of another account exists cannot be told from a refusal: one that does not exist is judged as one
//! without a policy, which allows no stranger.

use std::sync::Arc;

use api::secretsmanager::fault::resource_not_found_exception;
use pipeline::{Found, Look, Result};
use policy::Arn;
use wire::Fault;

use super::secret::{SECRETS, Secret, SecretTarget};

/// Characters at the end of an ARN.
pub(crate) const SUFFIX: usize = 6;

/// What AWS says of a name that leads nowhere.
pub(crate) fn not_found() -> Fault {
    resource_not_found_exception("Secrets Manager can't find the specified secret.")
}

/// Checks a name that a caller chose.
pub(crate) fn expect_name(name: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&byte);
    if name.bytes().all(fits) {
        Ok(())
    } else {
        Err(Fault::validation(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ))
    }
}

/// Finds the secret that a request names.
pub(crate) fn resolve(look: &mut Look<'_>, text: &str) -> Result<Found<SecretTarget>> {
    let own = look.account_shared();
    let (account, found, name) = find(look, text)?;
    if let Some(secret) = found {
        return Ok(Found::Here(SecretTarget::new(secret)));
    }
    let mut ghost = Secret::new(look, &name, String::new());
    if account == *own {
        let arn = ghost.arn();
        return Ok(Found::Absent {
            arn,
            fault: not_found(),
        });
    }
    ghost.account = account;
    Ok(Found::Here(SecretTarget::new(Arc::new(ghost))))
}

/// Finds the secret of a name in the region of the call, whatever region an ARN says: a replica's name in another region's words.
pub(crate) fn resolve_here(look: &mut Look<'_>, text: &str) -> Result<Found<SecretTarget>> {
    let mut parts: Vec<&str> = text.splitn(5, ':').collect();
    let region = look.region().to_owned();
    match parts.as_mut_slice() {
        ["arn", _, _, stated, _] => *stated = region.as_str(),
        _ => return resolve(look, text),
    }
    resolve(look, &parts.join(":"))
}

/// As `resolve`, but what does not exist in the caller's account is handed out as a secret that does not `exist`.
pub(crate) fn resolve_or_ghost(look: &mut Look<'_>, text: &str) -> Result<Found<SecretTarget>> {
    let (account, found, name) = find(look, text)?;
    let secret = found.unwrap_or_else(|| {
        let mut ghost = Secret::new(look, &name, String::new());
        ghost.account = account;
        Arc::new(ghost)
    });
    Ok(Found::Here(SecretTarget::new(secret)))
}

/// The secret of a whole ARN, of whichever account, if there is one.
pub(crate) fn by_arn(look: &mut Look<'_>, text: &str) -> Result<Option<Arc<Secret>>> {
    let Some(arn) = Arn::parse(text).filter(|arn| arn.service() == "secretsmanager") else {
        return Ok(None);
    };
    let named = arn.resource().strip_prefix("secret:");
    let parts = named.and_then(|named| named.rsplit_once('-'));
    let Some((name, suffix)) = parts.filter(|(_, suffix)| suffix.len() == SUFFIX) else {
        return Ok(None);
    };
    let found = look.get(&SECRETS, &(arn.account(), arn.region(), name))?;
    Ok(found.filter(|secret| secret.suffix == suffix))
}

/// The account that a request names, the secret in it if there is one, and its name.
fn find(look: &mut Look<'_>, text: &str) -> Result<(String, Option<Arc<Secret>>, String)> {
    let (own, region) = (look.account().to_owned(), look.region().to_owned());
    if !text.starts_with("arn:") {
        let row = look.get(&SECRETS, &(own.as_str(), region.as_str(), text))?;
        return Ok((own, row, text.to_owned()));
    }
    let parts: Vec<&str> = text.splitn(7, ':').collect();
    let &[_, "aws", "secretsmanager", stated, account, "secret", rest] = parts.as_slice() else {
        return Err(Fault::validation("Invalid ARN."));
    };
    let account = account.to_owned();
    if stated != region {
        return Ok((account, None, rest.to_owned()));
    }
    if let Some((name, suffix)) = rest.rsplit_once('-').filter(|(_, end)| end.len() == SUFFIX) {
        let row = look.get(&SECRETS, &(account.as_str(), region.as_str(), name))?;
        if let Some(secret) = row.filter(|secret| secret.suffix == suffix) {
            return Ok((account, Some(secret), name.to_owned()));
        }
    }
    // Strangers need the whole ARN.
    let partial = if account == own {
        look.get(&SECRETS, &(account.as_str(), region.as_str(), rest))?
    } else {
        None
    };
    Ok((account, partial, rest.to_owned()))
}
