//! Exports: outputs that other stacks of the account and region use by name.
//!
//! Invariant: a name is exported by one stack at most, and while another stack imports it, it neither goes nor changes.

use std::collections::{BTreeMap, BTreeSet};

use api::cloudformation as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;

use super::fault::invalid;
use super::hidden::Hidden;
use super::page;
use super::stack::{self, KeptOutput, STACKS, Stack};

/// An export.
#[derive(Clone, Serialize, Deserialize)]
pub struct Export {
    /// The id of the stack that exports it.
    pub uuid: String,
    /// Sealed.
    pub(crate) value: Hidden,
}

store::record!(Export, 1);

/// By account, region and name.
pub static EXPORTS: Table<(String, String, String), Export> = Table::new(0x0626, "cloudformation.exports");
/// Stacks that import, by account, region, name of the export, and the stack's id.
pub static IMPORTS: Table<(String, String, String, String), stack::Id> =
    Table::new(0x0627, "cloudformation.imports");

fn place<'k>(look: &'k Look<'_>, name: &'k str) -> (String, String, String) {
    (
        look.account().to_owned(),
        look.region().to_owned(),
        name.to_owned(),
    )
}

fn opened(look: &Look<'_>, export: &Export) -> Result<String> {
    let (account, region) = (look.account(), look.region());
    export.value.open(look, (account, region, &export.uuid))
}

/// The value that is exported under a name.
pub(crate) fn value(look: &mut Look<'_>, name: &str) -> Result<String> {
    let place = place(look, name);
    let found = look.get(&EXPORTS, &place)?;
    let found = found.ok_or_else(|| invalid(format!("No export named {name} found.")))?;
    opened(look, &found)
}

/// The names of the stacks that import, in their order.
fn importers(look: &mut Look<'_>, name: &str) -> Result<Vec<String>> {
    let (account, region, name) = place(look, name);
    let prefix = (account.as_str(), region.as_str(), name.as_str());
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let rows = look.range(&IMPORTS, &prefix, after.as_ref(), page::ITEMS)?;
        let more = rows.len() == page::ITEMS;
        after = rows.last().map(|(place, _)| place.clone());
        for (_, id) in rows {
            let stack = look.get(&STACKS, &(account.as_str(), region.as_str(), id.0.as_str()))?;
            names.extend(stack.map(|stack| stack.name.clone()));
        }
        if !more {
            return Ok(names);
        }
    }
}

/// Refuses to delete a stack whose exports are in use.
pub(crate) fn expect_unused(look: &mut Look<'_>, stack: &Stack) -> Result<()> {
    for name in &stack.exports {
        let users = importers(look, name)?;
        if !users.is_empty() {
            return Err(invalid(format!(
                "Delete canceled. Cannot delete export {name} as it is in use by {}.",
                users.join(", ")
            )));
        }
    }
    Ok(())
}

/// Makes the exports of a stack what its outputs say.
pub(crate) fn settle(call: &mut Call<'_>, stack: &mut Stack, outputs: &[KeptOutput]) -> Result<()> {
    let mut wanted = BTreeMap::new();
    for output in outputs {
        let Some(name) = output.export.clone() else {
            continue;
        };
        if wanted.insert(name.clone(), output.value.clone()).is_some() {
            return Err(invalid(format!("Duplicate Export names: [{name}]")));
        }
    }
    for name in stack.exports.clone() {
        let (place, users) = (place(call, &name), importers(call, &name)?);
        let kept = match (wanted.get(&name), call.get(&EXPORTS, &place)?) {
            (Some(value), Some(export)) => opened(call, &export)? == *value,
            _ => false,
        };
        if kept {
            continue;
        }
        if !users.is_empty() {
            let what = if wanted.contains_key(&name) {
                "updated"
            } else {
                "deleted"
            };
            return Err(invalid(format!(
                "Export {name} cannot be {what} as it is in use by {}",
                users.join(", ")
            )));
        }
        call.delete(&EXPORTS, &place)?;
    }
    for (name, value) in &wanted {
        let place = place(call, name);
        if let Some(other) = call.get(&EXPORTS, &place)?
            && other.uuid != stack.uuid
        {
            let (account, region) = (place.0.as_str(), place.1.as_str());
            let by = call.get(&STACKS, &(account, region, other.uuid.as_str()))?;
            let by = by.map_or_else(String::new, |by| by.name.clone());
            return Err(invalid(format!(
                "Export with name {name} is already exported by stack {by}. Rollback requested by user."
            )));
        }
        let sealed = Hidden::seal(call, stack.bond(), value)?;
        let export = Export {
            uuid: stack.uuid.clone(),
            value: sealed,
        };
        call.put(&EXPORTS, &place, export)?;
    }
    stack.exports = wanted.into_keys().collect();
    Ok(())
}

/// Notes at once that a stack uses exports, so that they stay.
pub(crate) fn hold(call: &mut Call<'_>, stack: &Stack, names: &BTreeSet<String>) -> Result<()> {
    for name in names {
        let (account, region, name) = place(call, name);
        let id = stack::Id(stack.uuid.clone());
        call.put(&IMPORTS, &(account, region, name, stack.uuid.clone()), id)?;
    }
    Ok(())
}

/// Lets go of those exports that a stack no longer uses.
pub(crate) fn release(
    call: &mut Call<'_>,
    stack: &Stack,
    held: impl IntoIterator<Item = String>,
    kept: &BTreeSet<String>,
) -> Result<()> {
    for name in held {
        if !kept.contains(&name) {
            let (account, region, name) = place(call, &name);
            call.delete(&IMPORTS, &(account, region, name, stack.uuid.clone()))?;
        }
    }
    Ok(())
}

/// Lists the exports of the account in the region.
pub struct ListExports;

impl Operation for ListExports {
    type Input = model::ListExportsInput;
    type Output = model::ListExportsOutput;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("cloudformation:ListExports");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let after = page::after(call, "exports", input.next_token.as_deref())?;
        let after = after.map(|name| place(call, &name));
        let (account, region) = (call.account_shared(), call.region().to_owned());
        let prefix = (&*account, region.as_str());
        let mut rows = call.range(&EXPORTS, &prefix, after.as_ref(), page::ITEMS + 1)?;
        let more = rows.len() > page::ITEMS;
        rows.truncate(page::ITEMS);
        let next_token = match rows.last() {
            Some(((.., name), _)) if more => Some(page::token(call, "exports", name)?),
            _ => None,
        };
        let mut exports = Vec::with_capacity(rows.len());
        for ((.., name), export) in rows {
            let stack = call.get(&STACKS, &(&*account, region.as_str(), export.uuid.as_str()))?;
            exports.push(model::Export {
                exporting_stack_id: stack.map(|stack| stack.id()),
                name: Some(name),
                value: Some(opened(call, &export)?),
            });
        }
        Ok(model::ListExportsOutput {
            exports: Some(exports),
            next_token,
        })
    }
}

/// Lists the stacks that import an export.
pub struct ListImports;

impl Operation for ListImports {
    type Input = model::ListImportsInput;
    type Output = model::ListImportsOutput;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("cloudformation:ListImports");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let name = &input.export_name;
        let list = format!("imports {name}");
        let after = page::after(call, &list, input.next_token.as_deref())?;
        let mut users = importers(call, name)?;
        if users.is_empty() {
            return Err(invalid(format!("Export '{name}' is not imported by any stack.")));
        }
        users.sort();
        let users = users.into_iter().map(|user| (user.clone(), user));
        let (imports, next_token) = page::take(call, &list, after, users)?;
        Ok(model::ListImportsOutput {
            imports: Some(imports),
            next_token,
        })
    }
}
