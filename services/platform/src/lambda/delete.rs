//! The end of functions and versions.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::fault::{conflict, invalid};
use super::function::{FUNCTIONS, Function, FunctionTarget, LATEST, VERSIONS, to_change};
use super::layer::used;
use super::naming::{self, Meant, resolve};
use super::{alias, code, environment, invoke, usage};

/// Rows removed at a time.
const STRETCH: usize = 500;

/// Deletes a published version, or the function with all that belongs to it.
pub struct DeleteFunction;

impl Operation for DeleteFunction {
    type Input = model::DeleteFunctionRequest;
    type Output = model::DeleteFunctionResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:DeleteFunction");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        let meant = naming::meant(call, &target)?;
        let function = to_change(&target);
        match (&target.qualifier, meant) {
            (None, _) => whole(call, function)?,
            (Some(qualifier), _) if qualifier == LATEST => {
                return Err(invalid(
                    "$LATEST version cannot be deleted without deleting the function.",
                ));
            }
            (Some(_), Meant::Version(version)) => one(call, function, version.version)?,
            (Some(_), Meant::Alias(_)) => {
                return Err(invalid("Deletion of aliases is not currently supported."));
            }
        }
        Ok(model::DeleteFunctionResponse {
            status_code: Some(204),
        })
    }
}

/// Deletes a version that no alias needs.
fn one(call: &mut Call<'_>, mut function: Function, number: u64) -> Result<()> {
    let named = number.to_string();
    let aliases: Vec<_> = alias::all(call, &function)?
        .into_iter()
        .filter(|alias| alias.leads_to(&named))
        .map(|alias| alias.name.clone())
        .collect();
    if !aliases.is_empty() {
        return Err(conflict(format!(
            "Unable to delete version because the following aliases reference it: [{}]",
            aliases.join(", ")
        )));
    }
    let (account, region, name) = function.place();
    let place = (account, region, name, number);
    if let Some(version) = call.get(&VERSIONS, &place)? {
        code::release(call, &mut function, &version.code_sha256, version.code_bytes)?;
        used::release(call, &mut function, &version.layers)?;
        call.delete(&VERSIONS, &place)?;
    }
    function.permissions.remove(&named);
    function.event_invoke.remove(&named);
    function.runtime_updates.remove(&named);
    function.keep(call)
}

/// Deletes a function with its versions, aliases, code and waiting events.
fn whole(call: &mut Call<'_>, mut function: Function) -> Result<()> {
    let (account, region, name) = function.place();
    let prefix = (account.as_str(), region.as_str(), name.as_str());
    loop {
        let rows = call.range(&VERSIONS, &prefix, None, STRETCH)?;
        let more = rows.len() == STRETCH;
        for (place, version) in rows {
            code::release(call, &mut function, &version.code_sha256, version.code_bytes)?;
            used::release(call, &mut function, &version.layers)?;
            call.delete(&VERSIONS, &place)?;
        }
        if !more {
            break;
        }
    }
    alias::forget(call, &function)?;
    let (sha256, size) = (function.latest.code_sha256.clone(), function.latest.code_bytes);
    code::release(call, &mut function, &sha256, size)?;
    let layers = function.latest.layers.clone();
    used::release(call, &mut function, &layers)?;
    let reserved = function.reserved.unwrap_or_default();
    usage::change(call, &function, |usage| {
        usage.functions -= 1;
        usage.reserved = usage.reserved.saturating_sub(reserved);
    })?;
    let granted = function.grants.len();
    environment::retire(call, &mut function, granted)?;
    invoke::event::forget(call, &function)?;
    call.delete(&FUNCTIONS, &prefix)
}
