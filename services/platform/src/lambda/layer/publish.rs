//! The publishing of versions.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};

use super::{LAYERS, Layer, LayerVersion, arn, read};
use crate::lambda::code::{self, Given, Home};
use crate::lambda::fault::invalid;
use crate::lambda::usage;

/// Publishes a version of a layer, its first if there is no such layer.
pub struct PublishLayerVersion;

impl Operation for PublishLayerVersion {
    type Input = model::PublishLayerVersionRequest;
    type Output = model::PublishLayerVersionResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("lambda:PublishLayerVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let named = read(look, &input.layer_name)?;
        Ok(Denoted::new(
            look,
            arn(look.region(), look.account(), &named.name),
        ))
    }

    fn handle(call: &mut Call<'_>, _target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let named = read(call, &input.layer_name)?;
        if named.account != call.account() {
            return Err(invalid("The layer's ARN names another account."));
        }
        let zip = code::read(
            call,
            Given {
                zip: input.content.zip_file,
                bucket: input.content.s3_bucket,
                object: input.content.s3_key,
                version: input.content.s3_object_version,
                image: None,
                key: None,
                mode: input.content.s3_object_storage_mode,
            },
        )?;
        let place = (named.account, call.region().to_owned(), named.name);
        let held = call.get(&LAYERS, &place)?;
        let last = held.map_or(1, |layer| layer.last.saturating_add(1));
        call.put(&LAYERS, &place, Layer { last })?;
        let (account, region, name) = place;
        let version = LayerVersion {
            account,
            region,
            name,
            number: last,
            description: input.description,
            license: input.license_info,
            runtimes: input.compatible_runtimes.unwrap_or_default(),
            architectures: input
                .compatible_architectures
                .into_iter()
                .flatten()
                .map(|known| known.as_str().to_owned())
                .collect(),
            created: call.now.0,
            code_sha256: zip.sha256.clone(),
            code_bytes: zip.size(),
            unzipped: zip.unzipped,
            revision: call.uuid()?,
            ..LayerVersion::default()
        };
        usage::change_of(call, &version.account, &version.region, |usage| {
            usage.code_bytes += version.code_bytes;
        })?;
        code::store(call, &Home::of_layer(&version), &zip)?;
        call.mention(version.arn(), &version.account, LayerVersion::TYPE);
        let shown = version.listed();
        let answer = model::PublishLayerVersionResponse {
            compatible_architectures: shown.compatible_architectures,
            compatible_runtimes: shown.compatible_runtimes,
            content: Some(version.content(call)?),
            created_date: shown.created_date,
            description: shown.description,
            layer_arn: Some(version.layer_arn()),
            layer_version_arn: shown.layer_version_arn,
            license_info: shown.license_info,
            version: shown.version,
        };
        version.keep(call)?;
        Ok(answer)
    }
}

impl LayerVersion {
    /// Where its zip can be fetched for ten minutes, and what it is.
    pub(super) fn content(&self, call: &Call<'_>) -> Result<model::LayerVersionContentOutput> {
        Ok(model::LayerVersionContentOutput {
            code_sha256: Some(self.code_sha256.clone()),
            code_size: Some(self.code_bytes),
            location: code::location(call, &Home::of_layer(self), &self.code_sha256)?,
            ..model::LayerVersionContentOutput::default()
        })
    }
}
