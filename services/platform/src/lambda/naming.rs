//! How requests name functions: by name, partial ARN or whole ARN, with a version or alias at the end or in `Qualifier` (Lambda API
//! Reference, "FunctionName").
//!
//! Invariant: whether a function of another account exists cannot be told from a refusal: one that does not exist is judged as one
//! without a policy, which allows no stranger.

use std::sync::Arc;

use pipeline::{Found, Look, Result};
use wire::Fault;

use super::alias::{self, Alias};
use super::fault::{invalid, not_found};
use super::function::{self, Configuration, FUNCTIONS, Function, FunctionTarget, LATEST, VERSIONS};

/// The longest name of a function.
const NAME_MAX: usize = 64;

/// A name taken apart.
pub(crate) struct Named {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
}

/// Takes a name apart. `qualifier` is the request's own.
pub(crate) fn read(look: &Look<'_>, text: &str, qualifier: Option<&str>) -> Result<Named> {
    let parts: Vec<&str> = text.split(':').collect();
    let own = look.account();
    let (account, region, name, stated) = match parts.as_slice() {
        ["arn", _, "lambda", region, account, "function", name] => (*account, Some(*region), *name, None),
        ["arn", _, "lambda", region, account, "function", name, stated] => {
            (*account, Some(*region), *name, Some(*stated))
        }
        [account, "function", name] => (*account, None, *name, None),
        [account, "function", name, stated] => (*account, None, *name, Some(*stated)),
        ["function", name] => (own, None, *name, None),
        ["function", name, stated] => (own, None, *name, Some(*stated)),
        [name] => (own, None, *name, None),
        [account, name] if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => {
            (*account, None, *name, None)
        }
        [name, stated] => (own, None, *name, Some(*stated)),
        _ => return Err(invalid("The ARN of the function is invalid.")),
    };
    if let Some(region) = region.filter(|region| *region != look.region()) {
        return Err(not_found(format!(
            "Functions from '{region}' are not reachable in this region ('{}')",
            look.region()
        )));
    }
    if let (Some(stated), Some(qualifier)) = (stated, qualifier)
        && stated != qualifier
    {
        return Err(invalid(
            "The derived qualifier from the function name does not match the specified qualifier.",
        ));
    }
    if name.len() > NAME_MAX {
        return Err(Fault::validation(format!(
            "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must have length less \
             than or equal to {NAME_MAX}"
        )));
    }
    Ok(Named {
        account: account.to_owned(),
        name: name.to_owned(),
        qualifier: stated.or(qualifier).map(str::to_owned),
    })
}

/// Finds the function that a request names. Whether its qualifier leads anywhere is not asked yet.
pub(crate) fn resolve(
    look: &mut Look<'_>,
    text: &str,
    qualifier: Option<&str>,
) -> Result<Found<FunctionTarget>> {
    let named = read(look, text, qualifier)?;
    let region = look.region().to_owned();
    let found = look.get(
        &FUNCTIONS,
        &(named.account.as_str(), region.as_str(), named.name.as_str()),
    )?;
    if let Some(function) = found {
        return Ok(Found::Here(FunctionTarget::new(function, named.qualifier)));
    }
    let arn = function::arn(&region, &named.account, &named.name, named.qualifier.as_deref());
    if named.account == look.account() {
        let fault = missing(&arn);
        return Ok(Found::Absent { arn, fault });
    }
    let ghost = Function::new(&named.account, &region, &named.name, 0, ghost());
    Ok(Found::Here(FunctionTarget::new(Arc::new(ghost), named.qualifier)))
}

/// The same for operations on the function as a whole.
pub(crate) fn resolve_whole(look: &mut Look<'_>, text: &str) -> Result<Found<FunctionTarget>> {
    match resolve(look, text, None)? {
        Found::Here(target) => match target.qualifier {
            None => Ok(Found::Here(target)),
            Some(qualifier) if qualifier == LATEST => unqualified(look, text),
            Some(_) => Err(invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please \
                 specify either a function name or an unqualified function ARN.",
            )),
        },
        absent @ Found::Absent { .. } => Ok(absent),
    }
}

fn unqualified(look: &mut Look<'_>, text: &str) -> Result<Found<FunctionTarget>> {
    let plain = text.strip_suffix(LATEST).and_then(|text| text.strip_suffix(':'));
    resolve(look, plain.unwrap_or(text), None)
}

pub(crate) fn missing(arn: &str) -> Fault {
    not_found(format!("Function not found: {arn}"))
}

/// What a function of another account looks like that may not exist.
fn ghost() -> Configuration {
    Configuration {
        version: 0,
        description: String::new(),
        role: String::new(),
        handler: String::new(),
        runtime: String::new(),
        memory_mb: 0,
        storage_mb: 0,
        timeout_seconds: 0,
        architecture: String::new(),
        environment: None,
        kms_key: None,
        logging: function::Logging {
            format: String::new(),
            application_level: None,
            system_level: None,
            group: String::new(),
        },
        code_sha256: String::new(),
        code_bytes: 0,
        layers: Vec::new(),
        modified: 0,
        revision: String::new(),
    }
}

/// What a qualifier leads to.
pub(crate) enum Meant {
    Version(Arc<Configuration>),
    Alias(Arc<Alias>),
}

/// Finds what the target's qualifier leads to; without one, `$LATEST`.
pub(crate) fn meant(look: &mut Look<'_>, target: &FunctionTarget) -> Result<Meant> {
    let absent = || missing(&target.qualified_arn());
    if target.created == 0 {
        return Err(absent());
    }
    let qualifier = target.qualifier.as_deref().unwrap_or(LATEST);
    if let Some(configuration) = version(look, target, qualifier)? {
        return Ok(Meant::Version(configuration));
    }
    let alias = alias::find(look, target, qualifier)?;
    alias.map(Meant::Alias).ok_or_else(absent)
}

/// The configuration of `$LATEST` or of a published version; `None` for what is neither.
pub(crate) fn version(
    look: &mut Look<'_>,
    function: &Function,
    name: &str,
) -> Result<Option<Arc<Configuration>>> {
    if name == LATEST {
        return Ok(Some(Arc::new(function.latest.clone())));
    }
    let Ok(number) = name.parse::<u64>() else {
        return Ok(None);
    };
    let (account, region, name) = function.place();
    look.get(&VERSIONS, &(account, region, name, number))
}

/// The configuration that a qualifier leads to; an alias to its first version.
pub(crate) fn configuration(look: &mut Look<'_>, target: &FunctionTarget) -> Result<Arc<Configuration>> {
    match meant(look, target)? {
        Meant::Version(configuration) => Ok(configuration),
        Meant::Alias(alias) => {
            let found = version(look, target, &alias.version)?;
            found.ok_or_else(|| missing(&target.arn(Some(&alias.version))))
        }
    }
}
