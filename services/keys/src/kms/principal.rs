//! Whom key policies and grants name: users and roles are kept by their unique ids, so that what they were given ends with them, and
//! whoever is made again under the same name has to be given it anew (IAM User Guide, "AWS JSON policy elements: Principal").
//!
//! Invariant: an id is shown as an ARN only while the one it was given to bears that ARN.

use std::collections::BTreeMap;

use pipeline::{Look, Result};
use policy::{Arn, substitute};

/// The ARN that each kept id was given by.
pub(crate) type Names = BTreeMap<String, String>;

/// How a name is kept, noted in `names` if that is another name; `None` if nobody here bears it (S8.61).
pub(crate) fn keep(look: &mut Look<'_>, name: &str, names: &mut Names) -> Result<Option<String>> {
    let directory = look.directory();
    if is_id(name) {
        let account = look.account().to_owned();
        let found = directory.principal_arn(look, &account, name)?;
        return Ok(found.map(|arn| {
            names.insert(name.to_owned(), arn);
            name.to_owned()
        }));
    }
    if !known(look, name)? {
        return Ok(None);
    }
    Ok(Some(match directory.principal_id(look, name)? {
        Some(id) => {
            names.insert(id.clone(), name.to_owned());
            id
        }
        None => name.to_owned(),
    }))
}

/// The ids of `names` whose bearers are still there, with the ARNs that they bear now.
pub(crate) fn present(look: &mut Look<'_>, names: &Names) -> Result<Names> {
    let directory = look.directory();
    let mut there = Names::new();
    for (id, given) in names {
        let arn = if directory.principal_id(look, given)?.as_ref() == Some(id) {
            Some(given.clone())
        } else {
            // It is gone, or bears another name by now.
            let account = Arn::parse(given).map_or_else(String::new, |arn| arn.account().to_owned());
            directory.principal_arn(look, &account, id)?
        };
        if let Some(arn) = arn {
            there.insert(id.clone(), arn);
        }
    }
    Ok(there)
}

/// A kept policy as answers show it.
pub(crate) fn shown(look: &mut Look<'_>, text: &str, names: &Names) -> Result<String> {
    Ok(substitute(text, &present(look, names)?))
}

/// A unique id of a user or role.
fn is_id(name: &str) -> bool {
    name.starts_with("AIDA") || name.starts_with("AROA")
}

/// Whether an account, user, role or session exists here, as far as the directory can tell.
fn known(look: &mut Look<'_>, name: &str) -> Result<bool> {
    let directory = look.directory();
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return directory.account_exists(look, name);
    }
    let Some(arn) = Arn::parse(name) else {
        return directory.principal_exists(look, name);
    };
    if !directory.account_exists(look, arn.account())? {
        return Ok(false);
    }
    match arn.service() {
        "iam" if arn.resource() != "root" => directory.principal_exists(look, name),
        _ => Ok(true),
    }
}
