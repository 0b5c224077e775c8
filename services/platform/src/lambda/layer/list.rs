//! The lists of layers and of their versions, newest version first.

use std::sync::Arc;

use api::lambda as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;

use super::{LAYER_VERSIONS, LAYERS, LayerVersion, arn, read};
use crate::lambda::page;

/// Rows read in one step.
const STRETCH: usize = 50;

/// What a list is narrowed to.
struct Wanted {
    runtime: Option<String>,
    architecture: Option<model::Architecture>,
}

/// Up to `limit` versions of a layer that are wanted, newest first, older than `below`.
fn versions(
    look: &mut Look<'_>,
    (account, name): (&str, &str),
    below: Option<u64>,
    limit: usize,
    wanted: &Wanted,
) -> Result<Vec<Arc<LayerVersion>>> {
    let region = look.region().to_owned();
    let mut below = below.map(|number| (account.to_owned(), region.clone(), name.to_owned(), number));
    let mut found = Vec::new();
    loop {
        let prefix = (account, region.as_str(), name);
        let rows = look.range_rev(&LAYER_VERSIONS, &prefix, below.as_ref(), STRETCH)?;
        let more = rows.len() == STRETCH;
        for (place, version) in rows {
            if version.suits(wanted.runtime.as_deref(), wanted.architecture) {
                found.push(version);
                if found.len() == limit {
                    return Ok(found);
                }
            }
            below = Some(place);
        }
        if !more {
            return Ok(found);
        }
    }
}

/// Lists layers, each with its newest version that is wanted.
pub struct ListLayers;

impl Operation for ListLayers {
    type Input = model::ListLayersRequest;
    type Output = model::ListLayersResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("lambda:ListLayers");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let wanted = Wanted {
            runtime: input.compatible_runtime,
            architecture: input.compatible_architecture,
        };
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        let mut after = page::after(call, "ListLayers", input.marker.as_deref())?
            .map(|name| (account.clone(), region.clone(), name));
        let limit = page::size(input.max_items);
        let mut layers: Vec<model::LayersListItem> = Vec::new();
        loop {
            let prefix = (account.as_str(), region.as_str());
            let rows = call.range(&LAYERS, &prefix, after.as_ref(), STRETCH)?;
            let more = rows.len() == STRETCH;
            for (place, _) in rows {
                let newest = versions(call, (&account, &place.2), None, 1, &wanted)?;
                if let Some(version) = newest.first() {
                    if layers.len() == limit {
                        let last = after.map(|(_, _, name)| name).unwrap_or_default();
                        return Ok(model::ListLayersResponse {
                            layers: Some(layers),
                            next_marker: Some(page::marker(call, "ListLayers", &last)?),
                        });
                    }
                    layers.push(model::LayersListItem {
                        latest_matching_version: Some(version.listed()),
                        layer_arn: Some(version.layer_arn()),
                        layer_name: Some(version.name.clone()),
                    });
                }
                after = Some(place);
            }
            if !more {
                return Ok(model::ListLayersResponse {
                    layers: Some(layers),
                    next_marker: None,
                });
            }
        }
    }
}

/// Lists the versions of a layer.
pub struct ListLayerVersions;

impl Operation for ListLayerVersions {
    type Input = model::ListLayerVersionsRequest;
    type Output = model::ListLayerVersionsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("lambda:ListLayerVersions");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let named = read(call, &input.layer_name)?;
        let layer = arn(call.region(), &named.account, &named.name);
        if named.account != call.account() {
            return Err(Fault::access_denied(format!(
                "User: {} is not authorized to perform: lambda:ListLayerVersions on resource: {layer}",
                call.identity.arn
            )));
        }
        let wanted = Wanted {
            runtime: input.compatible_runtime,
            architecture: input.compatible_architecture,
        };
        let list = format!("ListLayerVersions {layer}");
        let after = page::after(call, &list, input.marker.as_deref())?;
        let below = after.and_then(|place| place.parse().ok());
        let limit = page::size(input.max_items);
        let mut found = versions(call, (&named.account, &named.name), below, limit + 1, &wanted)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|version| version.number).filter(|_| more);
        let next_marker = last
            .map(|number| page::marker(call, &list, &number.to_string()))
            .transpose()?;
        Ok(model::ListLayerVersionsResponse {
            layer_versions: Some(found.iter().map(|version| version.listed()).collect()),
            next_marker,
        })
    }
}
