//! Trust policies as they are kept: users and roles by their unique ids, as on AWS, so that trust ends with the one it was
//! given to (IAM User Guide, "AWS JSON policy elements: Principal").
//!
//! Invariant: a kept document names no user or role of this cloud by its ARN.

use std::collections::{BTreeMap, BTreeSet};

use api::iam::fault::{limit_exceeded_exception, malformed_policy_document_exception};
use pipeline::{Call, Look, Resource, Result};
use policy::{PolicyKind, substitute};
use wire::Fault;

use super::{ROLES, Role};
use crate::iam::document::{self, StoredPolicy};
use crate::iam::user::USERS;

/// Characters of a trust policy, whitespace not counted.
const TRUST_MAX: usize = 2048;
/// Rows read at a time.
const STRIDE: usize = 256;

/// Reads a trust policy: the document with ids for ARNs, and which id stands for which ARN.
pub(super) fn read(look: &mut Look<'_>, text: &str) -> Result<(StoredPolicy, BTreeMap<String, String>)> {
    let given = StoredPolicy::new(text, PolicyKind::Trust)?;
    if document::size(text) > TRUST_MAX {
        return Err(limit_exceeded_exception(format!(
            "Cannot exceed quota for ACLSizePerRole: {TRUST_MAX}"
        )));
    }
    let principals = given
        .policy()
        .statements()
        .flat_map(|statement| statement.principals());
    let named: BTreeSet<String> = principals
        .filter(|(class, _)| *class == "AWS")
        .map(|(_, name)| name)
        .collect();
    let (mut ids, mut trusted) = (BTreeMap::new(), BTreeMap::new());
    for name in named {
        if name.starts_with("AIDA") || name.starts_with("AROA") {
            let account = look.account().to_owned();
            let arn = by_id(look, &account, &name)?.ok_or_else(|| stranger(&name))?;
            trusted.insert(name, arn);
        } else if let Some(id) = by_arn(look, &name)? {
            trusted.insert(id.clone(), name.clone());
            ids.insert(name, id);
        }
    }
    let kept = StoredPolicy::new(&substitute(text, &ids), PolicyKind::Trust)?;
    Ok((kept, trusted))
}

/// The trust policy as answers show it: ARNs for the ids of those who are still there, and bare ids for the others.
pub(crate) fn shown(look: &mut Look<'_>, role: &Role) -> Result<String> {
    let mut names = BTreeMap::new();
    for (id, arn) in &role.trusted {
        if id_of(look, arn)?.as_ref() == Some(id) {
            names.insert(id.clone(), arn.clone());
        }
    }
    Ok(substitute(role.trust.text(), &names))
}

/// Lets the trust policies of the caller's account show a user by its new ARN. Renaming is so seldom that looking at every
/// role is cheaper than an index of whom they trust.
pub(crate) fn follow(call: &mut Call<'_>, id: &str, arn: &str) -> Result<()> {
    let account = call.account().to_owned();
    let mut after = None;
    loop {
        let rows = call.range(&ROLES, &(account.as_str(),), after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        for (key, role) in rows {
            if role.trusted.contains_key(id) {
                let mut role = (*role).clone();
                role.trusted.insert(id.to_owned(), arn.to_owned());
                call.put(&ROLES, &key, role)?;
            }
            after = Some(key);
        }
        if !full {
            return Ok(());
        }
    }
}

fn stranger(name: &str) -> Fault {
    malformed_policy_document_exception(format!("Invalid principal in policy: \"AWS\":\"{name}\""))
}

/// The id that an ARN is kept by. None for accounts, sessions, and identities of accounts that are not of this cloud.
fn by_arn(look: &mut Look<'_>, arn: &str) -> Result<Option<String>> {
    let Some((account, _)) = user_or_role(arn) else {
        return Ok(None);
    };
    let directory = look.directory();
    if !directory.account_exists(look, account)? {
        return Ok(None);
    }
    id_of(look, arn)?.map(Some).ok_or_else(|| stranger(arn))
}

/// Whether a principal that a policy names is there: users and roles by ARN or unique id. Of accounts that are not of this
/// cloud nothing is known, and an account's root user and sessions have no rows to look for; these are believed.
pub(crate) fn exists(look: &mut Look<'_>, name: &str) -> Result<bool> {
    if name.starts_with("AIDA") || name.starts_with("AROA") {
        let account = look.account().to_owned();
        return Ok(by_id(look, &account, name)?.is_some());
    }
    let Some((account, _)) = user_or_role(name) else {
        return Ok(true);
    };
    let directory = look.directory();
    Ok(!directory.account_exists(look, account)? || id_of(look, name)?.is_some())
}

/// The account, and `user/…` or `role/…`.
fn user_or_role(arn: &str) -> Option<(&str, &str)> {
    let (account, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    (resource.starts_with("user/") || resource.starts_with("role/")).then_some((account, resource))
}

/// The unique id of the user or role that bears an ARN now.
pub(crate) fn id_of(look: &mut Look<'_>, arn: &str) -> Result<Option<String>> {
    let Some((account, resource)) = user_or_role(arn) else {
        return Ok(None);
    };
    let name = resource.rsplit_once('/').map_or(resource, |(_, name)| name);
    let key = (account.to_owned(), name.to_lowercase());
    let found = if resource.starts_with("user/") {
        look.get(&USERS, &key)?.map(|user| (user.arn(), user.id.clone()))
    } else {
        look.get(&ROLES, &key)?.map(|role| (role.arn(), role.id.clone()))
    };
    Ok(found.filter(|(found, _)| found == arn).map(|(_, id)| id))
}

/// The ARN of the user or role of an account that has a unique id. Ids are written by hand so seldom that they have no index.
pub(crate) fn by_id(look: &mut Look<'_>, account: &str, id: &str) -> Result<Option<String>> {
    let prefix = (account,);
    let mut after = None;
    loop {
        let rows: Vec<_> = if id.starts_with("AIDA") {
            let rows = look.range(&USERS, &prefix, after.as_ref(), STRIDE)?;
            rows.into_iter()
                .map(|(key, user)| (key, (user.id == id).then(|| user.arn())))
                .collect()
        } else {
            let rows = look.range(&ROLES, &prefix, after.as_ref(), STRIDE)?;
            rows.into_iter()
                .map(|(key, role)| (key, (role.id == id).then(|| role.arn())))
                .collect()
        };
        let full = rows.len() == STRIDE;
        after = rows.last().map(|(key, _)| key.clone());
        let found = rows.into_iter().find_map(|(_, arn)| arn);
        if found.is_some() || !full {
            return Ok(found);
        }
    }
}
