//! One version of a layer: what it is, and its end.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::{LAYER_VERSIONS, LayerVersion, missing, number, read, read_version, resolve};
use crate::lambda::usage;

/// What it takes to see a version, and to name it in a function.
pub(crate) const GET: Access = Access::read("lambda:GetLayerVersion");

/// Shows a version, with the address of its zip.
pub struct GetLayerVersion;

impl Operation for GetLayerVersion {
    type Input = model::GetLayerVersionRequest;
    type Output = model::GetLayerVersionResponse;
    type Target = LayerVersion;
    const ACCESS: Access = GET;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<LayerVersion>> {
        let named = read(look, &input.layer_name)?;
        resolve(look, &named, number(input.version_number)?)
    }

    fn handle(
        call: &mut Call<'_>,
        version: Authorized<LayerVersion>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        shown(call, &version)
    }
}

/// Shows the version of an ARN.
pub struct GetLayerVersionByArn;

impl Operation for GetLayerVersionByArn {
    type Input = model::GetLayerVersionByArnRequest;
    type Output = model::GetLayerVersionResponse;
    type Target = LayerVersion;
    const ACCESS: Access = GET;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<LayerVersion>> {
        let (named, number) = read_version(look, &input.arn)?;
        resolve(look, &named, number)
    }

    fn handle(
        call: &mut Call<'_>,
        version: Authorized<LayerVersion>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        shown(call, &version)
    }
}

fn shown(call: &mut Call<'_>, version: &LayerVersion) -> Result<model::GetLayerVersionResponse> {
    call.share_with(&version.account);
    if version.created == 0 {
        return Err(missing());
    }
    let shown = version.listed();
    Ok(model::GetLayerVersionResponse {
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
        content: Some(version.content(call)?),
        created_date: shown.created_date,
        description: shown.description,
        layer_arn: Some(version.layer_arn()),
        layer_version_arn: shown.layer_version_arn,
        license_info: shown.license_info,
        version: shown.version,
    })
}

/// Deletes a version, for all but the functions that use it; one that is not there is deleted already.
pub struct DeleteLayerVersion;

impl Operation for DeleteLayerVersion {
    type Input = model::DeleteLayerVersionRequest;
    type Output = Empty;
    type Target = LayerVersion;
    const ACCESS: Access = Access::write("lambda:DeleteLayerVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<LayerVersion>> {
        let (named, number) = (read(look, &input.layer_name)?, number(input.version_number)?);
        match resolve(look, &named, number)? {
            Found::Absent { .. } => Ok(Found::Here(LayerVersion {
                account: named.account,
                region: look.region().to_owned(),
                name: named.name,
                number,
                ..LayerVersion::default()
            })),
            here @ Found::Here(_) => Ok(here),
        }
    }

    fn handle(call: &mut Call<'_>, version: Authorized<LayerVersion>, _input: Self::Input) -> Result<Empty> {
        call.share_with(&version.account);
        let Some(held) = call.get(&LAYER_VERSIONS, &version.place())? else {
            return Ok(Empty);
        };
        if held.deleted {
            return Ok(Empty);
        }
        usage::change_of(call, &held.account, &held.region, |usage| {
            usage.code_bytes -= held.code_bytes;
        })?;
        let mut version = (*held).clone();
        version.deleted = true;
        version.statements.clear();
        version.keep_or_end(call)?;
        Ok(Empty)
    }
}
