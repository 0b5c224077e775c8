//! Aliases: names for versions, which may send a part of the invocations to a second version.
//!
//! Invariant: an alias leads to versions that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;

use super::fault::{conflict, invalid, not_found, stale};
use super::function::{Function, FunctionTarget, LATEST, to_change};
use super::naming::{self, missing, resolve_whole};
use super::page;

/// An alias.
#[derive(Clone, Serialize, Deserialize)]
pub struct Alias {
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    pub description: String,
    /// A second version and the share of the invocations that it gets.
    pub second: Option<(String, f64)>,
    pub revision: String,
}

store::record!(Alias, 1);

/// By account, region, name of the function, and name.
pub static ALIASES: Table<(String, String, String, String), Alias> = Table::new(0x0603, "lambda.aliases");

impl Alias {
    /// Whether a version is one of those that it leads to.
    pub(crate) fn leads_to(&self, version: &str) -> bool {
        self.version == version || self.second.as_ref().is_some_and(|(second, _)| second == version)
    }

    /// The version for an invocation that drew this number between 0 and 1.
    pub(crate) fn pick(&self, drawn: f64) -> &str {
        match &self.second {
            Some((second, share)) if drawn < *share => second,
            _ => &self.version,
        }
    }

    fn shown(&self, function: &Function) -> model::AliasConfiguration {
        model::AliasConfiguration {
            alias_arn: Some(function.arn(Some(&self.name))),
            description: Some(self.description.clone()),
            function_version: Some(self.version.clone()),
            name: Some(self.name.clone()),
            revision_id: Some(self.revision.clone()),
            routing_config: self.routing(),
        }
    }

    fn routing(&self) -> Option<model::AliasRoutingConfiguration> {
        let second = self.second.clone()?;
        Some(model::AliasRoutingConfiguration {
            additional_version_weights: Some(BTreeMap::from([second])),
        })
    }
}

/// An alias of a function.
pub(crate) fn find(look: &mut Look<'_>, function: &Function, name: &str) -> Result<Option<Arc<Alias>>> {
    let (account, region, function) = function.place();
    look.get(
        &ALIASES,
        &(account.as_str(), region.as_str(), function.as_str(), name),
    )
}

/// All aliases of a function.
pub(crate) fn all(look: &mut Look<'_>, function: &Function) -> Result<Vec<Arc<Alias>>> {
    let (account, region, name) = function.place();
    let prefix = (account.as_str(), region.as_str(), name.as_str());
    let rows = look.every(&ALIASES, &prefix)?;
    Ok(rows.into_iter().map(|(_, alias)| alias).collect())
}

/// Removes all aliases of a function.
pub(crate) fn forget(call: &mut Call<'_>, function: &Function) -> Result<()> {
    let (account, region, name) = function.place();
    for alias in all(call, function)? {
        let place = (
            account.as_str(),
            region.as_str(),
            name.as_str(),
            alias.name.as_str(),
        );
        call.delete(&ALIASES, &place)?;
    }
    Ok(())
}

fn keep(call: &mut Call<'_>, function: &Function, alias: Alias) -> Result<()> {
    let (account, region, name) = function.place();
    call.put(&ALIASES, &(account, region, name, alias.name.clone()), alias)
}

fn absent(function: &Function, name: &str) -> wire::Fault {
    not_found(format!("Cannot find alias arn: {}", function.arn(Some(name))))
}

fn expect_version(look: &mut Look<'_>, function: &Function, version: &str) -> Result<()> {
    match naming::version(look, function, version)? {
        Some(_) => Ok(()),
        None => Err(missing(&function.arn(Some(version)))),
    }
}

/// Reads the second version of a request.
fn second(
    look: &mut Look<'_>,
    function: &Function,
    first: &str,
    routing: Option<model::AliasRoutingConfiguration>,
) -> Result<Option<(String, f64)>> {
    let mut weights = routing
        .and_then(|routing| routing.additional_version_weights)
        .unwrap_or_default();
    if weights.len() > 1 {
        return Err(invalid(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    let Some((version, share)) = weights.pop_first() else {
        return Ok(None);
    };
    if first == LATEST {
        return Err(invalid(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    if version == first {
        return Err(invalid(format!(
            "Invalid function version {version}. Function version {version} is already included in routing configuration."
        )));
    }
    if version == LATEST || version.parse::<u64>().is_err() {
        return Err(invalid(format!(
            "Invalid function version {version}. The routing configuration of an alias takes published versions only."
        )));
    }
    expect_version(look, function, &version)?;
    Ok(Some((version, share)))
}

/// Gives a version a name.
pub struct CreateAlias;

impl Operation for CreateAlias {
    type Input = model::CreateAliasRequest;
    type Output = model::AliasConfiguration;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:CreateAlias");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        expect_version(call, &target, &input.function_version)?;
        if find(call, &target, &input.name)?.is_some() {
            return Err(conflict(format!(
                "Alias already exists: {}",
                target.arn(Some(&input.name))
            )));
        }
        let second = second(call, &target, &input.function_version, input.routing_config)?;
        let alias = Alias {
            name: input.name,
            version: input.function_version,
            description: input.description.unwrap_or_default(),
            second,
            revision: call.uuid()?,
        };
        let shown = alias.shown(&target);
        keep(call, &target, alias)?;
        Ok(shown)
    }
}

/// Lets an alias lead elsewhere, or changes its description.
pub struct UpdateAlias;

impl Operation for UpdateAlias {
    type Input = model::UpdateAliasRequest;
    type Output = model::AliasConfiguration;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:UpdateAlias");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        let held = find(call, &target, &input.name)?.ok_or_else(|| absent(&target, &input.name))?;
        if input
            .revision_id
            .is_some_and(|revision| revision != held.revision)
        {
            return Err(stale("GetFunction/GetAlias"));
        }
        let mut alias = (*held).clone();
        if let Some(version) = input.function_version {
            expect_version(call, &target, &version)?;
            alias.version = version;
        }
        if let Some(description) = input.description {
            alias.description = description;
        }
        // Weights that stay must suit the version that the alias leads to now.
        let routing = input.routing_config.or_else(|| alias.routing());
        alias.second = second(call, &target, &alias.version, routing)?;
        alias.revision = call.uuid()?;
        let shown = alias.shown(&target);
        keep(call, &target, alias)?;
        Ok(shown)
    }
}

/// Shows an alias.
pub struct GetAlias;

impl Operation for GetAlias {
    type Input = model::GetAliasRequest;
    type Output = model::AliasConfiguration;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetAlias");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        let held = find(call, &target, &input.name)?.ok_or_else(|| absent(&target, &input.name))?;
        Ok(held.shown(&target))
    }
}

/// Lists a function's aliases, or those of one version.
pub struct ListAliases;

impl Operation for ListAliases {
    type Input = model::ListAliasesRequest;
    type Output = model::ListAliasesResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::list("lambda:ListAliases");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        if target.created == 0 {
            return Err(missing(&target.arn(None)));
        }
        let version = input.function_version.as_deref();
        let list = format!("ListAliases {} {}", target.arn(None), version.unwrap_or_default());
        let after = page::after(call, &list, input.marker.as_deref())?;
        let aliases = all(call, &target)?.into_iter();
        let placed = aliases
            .filter(|alias| version.is_none_or(|version| alias.leads_to(version)))
            .map(|alias| (alias.name.clone(), alias.shown(&target)));
        let (aliases, next_marker) = page::take(call, &list, (after, page::size(input.max_items)), placed)?;
        Ok(model::ListAliasesResponse {
            aliases: Some(aliases),
            next_marker,
        })
    }
}

/// Removes an alias with its policy. One that is not there is no error.
pub struct DeleteAlias;

impl Operation for DeleteAlias {
    type Input = model::DeleteAliasRequest;
    type Output = Empty;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:DeleteAlias");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<FunctionTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&target.account);
        if target.created == 0 {
            return Err(missing(&target.arn(None)));
        }
        if find(call, &target, &input.name)?.is_none() {
            return Ok(Empty);
        }
        let mut function = to_change(&target);
        let (account, region, name) = function.place();
        call.delete(
            &ALIASES,
            &(
                account.as_str(),
                region.as_str(),
                name.as_str(),
                input.name.as_str(),
            ),
        )?;
        function.permissions.remove(&input.name);
        function.event_invoke.remove(&input.name);
        function.keep(call)?;
        Ok(Empty)
    }
}
