//! Changing how the metadata service of an instance behaves.
//!
//! Source: Amazon EC2 User Guide, "Modify instance metadata options for existing instances".
//!
//! Invariant: what an answer says was changed is what the running metadata service goes by a moment later.

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::fault::{self, combination, expect_none, wrong_state};
use super::instance::{self, Instance};
use super::{defaults, work};

/// Changes the options.
pub struct ModifyInstanceMetadataOptions;

impl Operation for ModifyInstanceMetadataOptions {
    type Input = model::ModifyInstanceMetadataOptionsRequest;
    type Output = model::ModifyInstanceMetadataOptionsResult;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:ModifyInstanceMetadataOptions");
    const CONDITIONS: &'static [&'static str] = &["ec2:Attribute", "ec2:Attribute/${AttributeName}"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::named(look, &input.instance_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let mut names = Vec::new();
        for (name, value) in [
            (
                "HttpTokens",
                input.http_tokens.map(|value| value.as_str().to_owned()),
            ),
            (
                "HttpPutResponseHopLimit",
                input.http_put_response_hop_limit.map(|value| value.to_string()),
            ),
            (
                "HttpEndpoint",
                input.http_endpoint.map(|value| value.as_str().to_owned()),
            ),
            (
                "HttpProtocolIpv6",
                input.http_protocol_ipv6.map(|value| value.as_str().to_owned()),
            ),
            (
                "InstanceMetadataTags",
                input
                    .instance_metadata_tags
                    .map(|value| value.as_str().to_owned()),
            ),
        ] {
            if let Some(value) = value {
                context.insert(format!("ec2:Attribute/{name}"), value);
                names.push(name);
            }
        }
        context.insert_many("ec2:Attribute", names);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        let mut instance = target.into_inner();
        expect_none(
            "HttpProtocolIpv6",
            input.http_protocol_ipv6 == Some(model::InstanceMetadataProtocolState::Enabled),
        )?;
        let asked = (
            input.http_tokens,
            input.http_endpoint,
            input.http_put_response_hop_limit,
            input.instance_metadata_tags,
        );
        if matches!(asked, (None, None, None, None)) && input.http_protocol_ipv6.is_none() {
            return Err(combination("At least one metadata option must be specified."));
        }
        let options = &mut instance.options;
        if let Some(tokens) = input.http_tokens {
            options.tokens_required = tokens == model::HttpTokensState::Required;
        }
        if let Some(endpoint) = input.http_endpoint {
            options.enabled = endpoint == model::InstanceMetadataEndpointState::Enabled;
        }
        if let Some(hops) = input.http_put_response_hop_limit {
            options.hop_limit = defaults::hops(hops)?;
        }
        if let Some(tags) = input.instance_metadata_tags {
            options.tags = tags == model::InstanceMetadataTagsState::Enabled;
        }
        if input.http_tokens.is_some() {
            defaults::expect_allowed(call, instance.options)?;
        }
        fault::dry_run(input.dry_run)?;
        if instance.state.is_gone() {
            return Err(wrong_state(&instance.id, "modified"));
        }
        work::tell(call, &instance)?;
        let shown = model::InstanceMetadataOptionsResponse {
            state: Some(model::InstanceMetadataOptionsState::Pending),
            ..instance.options.shown()
        };
        let id = instance.id.clone();
        instance.keep(call)?;
        Ok(model::ModifyInstanceMetadataOptionsResult {
            instance_id: Some(id),
            instance_metadata_options: Some(shown),
        })
    }
}
