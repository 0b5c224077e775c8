//! How requests name keys: by id, key ARN, alias name or alias ARN (KMS Developer Guide, "Key identifiers").
//!
//! Invariant: whether a key of another account exists cannot be told from a refusal: one that does not exist is judged as one
//! whose policy allows nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use api::kms::fault::{invalid_arn_exception, not_found_exception};
use crypto::kms::{KeyReference, MaterialSpec};
use pipeline::{Access, Found, Look, Result};
use policy::{Attached, Policy, PolicyKind};
use wire::Fault;

use crate::kms::alias::{self, ALIASES};
use crate::kms::key::{self, KEYS, Kept, Key, KeyTarget, State};
use crate::kms::rotation::Rotation;

/// Which names an operation takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Ids, ARNs and aliases, also of other accounts: cryptographic operations and `DescribeKey`.
    Use,
    /// Ids and key ARNs, also of other accounts: grants and the status of rotation.
    Arn,
    /// Ids and key ARNs of the caller's own account.
    Own,
}

/// A name taken apart. Without an account it is the caller's.
enum Name<'a> {
    Key { account: Option<&'a str>, id: &'a str },
    Alias { account: Option<&'a str>, name: &'a str },
}

impl<'a> Name<'a> {
    fn parse(text: &'a str, region: &str) -> Result<Self> {
        if text.starts_with("alias/") {
            return Ok(Self::Alias {
                account: None,
                name: text,
            });
        }
        if !text.starts_with("arn:") {
            return Ok(Self::Key {
                account: None,
                id: key_id(text)?,
            });
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &[_, "aws", "kms", stated, account, resource] = parts.as_slice() else {
            return Err(invalid_arn_exception(format!("Invalid arn {text}")));
        };
        if stated != region {
            return Err(not_found_exception(format!("Invalid arn {stated}")));
        }
        if account.len() != 12 || !account.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(invalid_arn_exception(format!("Invalid arn {text}")));
        }
        let account = Some(account);
        if resource.starts_with("alias/") {
            return Ok(Self::Alias {
                account,
                name: resource,
            });
        }
        match resource.strip_prefix("key/") {
            Some(id) => Ok(Self::Key {
                account,
                id: key_id(id)?,
            }),
            None => Err(invalid_arn_exception(format!("Invalid arn {text}"))),
        }
    }
}

/// A UUID, or the id of a multi-Region key, which no key here has.
fn key_id(text: &str) -> Result<&str> {
    if KeyReference::is_key_id(text) {
        Ok(text)
    } else {
        Err(invalid_id(text))
    }
}

fn invalid_id(text: &str) -> Fault {
    not_found_exception(format!("Invalid keyId '{text}'"))
}

/// Finds the key that a request names, for `access`.
pub(crate) fn resolve(
    look: &mut Look<'_>,
    text: &str,
    access: Access,
    reach: Reach,
) -> Result<Found<KeyTarget>> {
    let region = look.region();
    let own = look.account_shared();
    match Name::parse(text, region)? {
        Name::Key { account, id } => {
            let account = account.unwrap_or(&own);
            if reach == Reach::Own && account != &*own {
                return Err(elsewhere(look, access, text));
            }
            by_id(look, account, id, &not_found_key)
        }
        Name::Alias { .. } if reach != Reach::Use => Err(invalid_id(text)),
        Name::Alias { account, name } => {
            let account = account.unwrap_or(&own);
            let found = look.get(&ALIASES, &(account, region, name))?;
            let Some(alias) = found else {
                let arn = alias::arn(region, account, name);
                let missing = || not_found_exception(format!("Alias {arn} is not found."));
                return absent(look, account, &arn, missing);
            };
            let found = look.get(&KEYS, &(account, region, alias.target.as_str()))?;
            let key = found.ok_or_else(|| Fault::internal("an alias points to no key"))?;
            Ok(Found::Here(KeyTarget::new(look, key, Some(name.to_owned()))))
        }
    }
}

/// Finds a key by its id, as a ciphertext tells it.
pub(crate) fn by_id(
    look: &mut Look<'_>,
    account: &str,
    id: &str,
    missing: &dyn Fn(&str) -> Fault,
) -> Result<Found<KeyTarget>> {
    let region = look.region();
    match look.get(&KEYS, &(account, region, id))? {
        Some(key) => Ok(Found::Here(KeyTarget::new(look, key, None))),
        None => {
            let arn = key::arn(region, account, id);
            absent(look, account, &arn, || missing(&arn))
        }
    }
}

/// The id of the key that a name leads to, if any.
pub(crate) fn peek(look: &mut Look<'_>, text: &str) -> Result<Option<(String, String)>> {
    let region = look.region();
    let own = look.account_shared();
    Ok(match Name::parse(text, region)? {
        Name::Key { account, id } => Some((account.unwrap_or(&own).to_owned(), id.to_owned())),
        Name::Alias { account, name } => {
            let account = account.unwrap_or(&own);
            let alias = look.get(&ALIASES, &(account, region, name))?;
            alias.map(|alias| (account.to_owned(), alias.target.clone()))
        }
    })
}

/// What AWS says of an id that no key bears.
pub(crate) fn not_found_key(arn: &str) -> Fault {
    not_found_exception(format!("Key '{arn}' does not exist"))
}

/// An operation that only the key's own account has.
fn elsewhere(look: &Look<'_>, access: Access, arn: &str) -> Fault {
    let caller = look.caller().map_or("", |identity| &*identity.arn);
    Fault::access_denied(format!(
        "User: {caller} is not authorized to perform: {action} on resource: {arn} because no resource-based policy allows \
         the {action} action",
        action = access.action
    ))
}

fn absent(
    look: &Look<'_>,
    account: &str,
    arn: &str,
    missing: impl FnOnce() -> Fault,
) -> Result<Found<KeyTarget>> {
    if account == look.account() {
        return Ok(Found::Absent {
            arn: arn.to_owned(),
            fault: missing(),
        });
    }
    let id = arn.rsplit_once('/').map_or(arn, |(_, id)| id);
    let key = closed(account, look.region(), id);
    Ok(Found::Here(KeyTarget::new(look, Arc::new(key), None)))
}

/// A key that nobody can use, to be judged in place of one that does not exist.
fn closed(account: &str, region: &str, id: &str) -> Key {
    Key {
        account: account.to_owned(),
        region: region.to_owned(),
        id: id.to_owned(),
        created: 0,
        description: String::new(),
        spec: MaterialSpec::Symmetric,
        usage: api::kms::KeyUsageType::EncryptDecrypt,
        state: State::PendingDeletion,
        deletion: None,
        policy: NOBODY.to_owned(),
        principals: BTreeMap::new(),
        tags: BTreeMap::new(),
        aliases: BTreeSet::new(),
        material: String::new(),
        origin: key::Origin::default(),
        imported: Vec::new(),
        set: None,
        window_days: None,
        service: None,
        rotation: Rotation::default(),
        grants: 0,
        kept: Kept::default(),
    }
}

/// It names a service that there is not.
const NOBODY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"nobody.amazonaws.com"},"Action":"kms:DescribeKey","Resource":"*"}]}"#;

/// A key policy that allows nobody.
pub(crate) fn nobody() -> Result<Attached> {
    static ATTACHED: OnceLock<Attached> = OnceLock::new();
    if let Some(attached) = ATTACHED.get() {
        return Ok(attached.clone());
    }
    let parsed = Policy::parse(NOBODY, PolicyKind::Key).map_err(Fault::internal)?;
    Ok(ATTACHED
        .get_or_init(|| Attached::new(Arc::new(parsed), "no key policy"))
        .clone())
}
