//! How metadata services behave by default: the account's own defaults, and what a launch makes of them.
//!
//! Source: Amazon EC2 User Guide, "Configure instance metadata options for new instances" (order of precedence), "Set IMDSv2 as the
//! default for the account".
//!
//! Invariant: unless somebody asks otherwise, new instances serve IMDSv2 alone.

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;

use super::fault::{self, expect_none, invalid_value, unsupported};
use super::instance::Options;
use super::place::RegionScope;

/// The account's defaults in a region; what is absent is no preference.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Defaults {
    tokens_required: Option<bool>,
    tokens_enforced: Option<bool>,
    enabled: Option<bool>,
    hop_limit: Option<u8>,
    tags: Option<bool>,
}

store::record!(Defaults, 1);

/// By account and region.
pub static DEFAULTS: Table<(String, String), Defaults> = Table::new(0x0408, "ec2.metadata_defaults");

/// What the built-in image, and every image made here, asks for (`ImdsSupport: v2.0`).
const OF_IMAGES: Options = Options {
    enabled: true,
    tokens_required: true,
    hop_limit: 2,
    tags: false,
};

fn of(look: &mut Look<'_>) -> Result<Defaults> {
    let key = (look.account().to_owned(), look.region().to_owned());
    Ok(look
        .get(&DEFAULTS, &key)?
        .map_or_else(Defaults::default, |held| (*held).clone()))
}

/// A hop limit that may be.
pub(super) fn hops(asked: i32) -> Result<u8> {
    u8::try_from(asked)
        .ok()
        .filter(|hops| (1..=64).contains(hops))
        .ok_or_else(|| {
            invalid_value(
                &asked.to_string(),
                "HttpPutResponseHopLimit",
                "The hop limit must be between 1 and 64.",
            )
        })
}

/// Refuses IMDSv1 where the account enforces IMDSv2.
pub(super) fn expect_allowed(look: &mut Look<'_>, options: Options) -> Result<()> {
    if of(look)?.tokens_enforced == Some(true) && !options.tokens_required {
        return Err(unsupported(
            "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account. Either launch the \
             instance with httpTokens=required or contact your account owner to disable httpTokensEnforced using the \
             ModifyInstanceMetadataDefaults API or the account settings in the EC2 console.",
        ));
    }
    Ok(())
}

/// The options of a new instance: as asked, or else as the account has them, or else as the image does.
pub(super) fn at_launch(
    look: &mut Look<'_>,
    asked: Option<&model::InstanceMetadataOptionsRequest>,
) -> Result<Options> {
    let defaults = of(look)?;
    let asked = asked.cloned().unwrap_or_default();
    expect_none(
        "MetadataOptions.HttpProtocolIpv6",
        asked.http_protocol_ipv6 == Some(model::InstanceMetadataProtocolState::Enabled),
    )?;
    let tokens = asked
        .http_tokens
        .map(|tokens| tokens == model::HttpTokensState::Required);
    let enabled = asked
        .http_endpoint
        .map(|endpoint| endpoint == model::InstanceMetadataEndpointState::Enabled);
    let tags = asked
        .instance_metadata_tags
        .map(|tags| tags == model::InstanceMetadataTagsState::Enabled);
    let hop_limit = asked.http_put_response_hop_limit.map(hops).transpose()?;
    let options = Options {
        enabled: enabled.or(defaults.enabled).unwrap_or(OF_IMAGES.enabled),
        tokens_required: tokens
            .or(defaults.tokens_required)
            .unwrap_or(OF_IMAGES.tokens_required),
        hop_limit: hop_limit.or(defaults.hop_limit).unwrap_or(OF_IMAGES.hop_limit),
        tags: tags.or(defaults.tags).unwrap_or(OF_IMAGES.tags),
    };
    expect_allowed(look, options)?;
    Ok(options)
}

/// Tells the account's defaults.
pub struct GetInstanceMetadataDefaults;

impl Operation for GetInstanceMetadataDefaults {
    type Input = model::GetInstanceMetadataDefaultsRequest;
    type Output = model::GetInstanceMetadataDefaultsResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:GetInstanceMetadataDefaults");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        fault::dry_run(input.dry_run)?;
        let held = of(call)?;
        let level = model::InstanceMetadataDefaultsResponse {
            http_endpoint: held.enabled.map(|on| {
                if on {
                    model::InstanceMetadataEndpointState::Enabled
                } else {
                    model::InstanceMetadataEndpointState::Disabled
                }
            }),
            http_put_response_hop_limit: held.hop_limit.map(i32::from),
            http_tokens: held.tokens_required.map(|required| {
                if required {
                    model::HttpTokensState::Required
                } else {
                    model::HttpTokensState::Optional
                }
            }),
            http_tokens_enforced: held.tokens_enforced.map(|on| {
                if on {
                    model::HttpTokensEnforcedState::Enabled
                } else {
                    model::HttpTokensEnforcedState::Disabled
                }
            }),
            instance_metadata_tags: held.tags.map(|on| {
                if on {
                    model::InstanceMetadataTagsState::Enabled
                } else {
                    model::InstanceMetadataTagsState::Disabled
                }
            }),
            managed_by: Some(model::ManagedBy::Account),
            managed_exception_message: None,
        };
        Ok(model::GetInstanceMetadataDefaultsResult {
            account_level: Some(level),
        })
    }
}

/// Sets the account's defaults.
pub struct ModifyInstanceMetadataDefaults;

impl Operation for ModifyInstanceMetadataDefaults {
    type Input = model::ModifyInstanceMetadataDefaultsRequest;
    type Output = model::ModifyInstanceMetadataDefaultsResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::write("ec2:ModifyInstanceMetadataDefaults");
    const CONDITIONS: &'static [&'static str] = &["ec2:Attribute/${AttributeName}"];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let hops = input.http_put_response_hop_limit.map(|hops| hops.to_string());
        for (attribute, value) in [
            (
                "HttpTokens",
                input.http_tokens.map(|value| value.as_str().to_owned()),
            ),
            (
                "HttpTokensEnforced",
                input.http_tokens_enforced.map(|value| value.as_str().to_owned()),
            ),
            (
                "HttpEndpoint",
                input.http_endpoint.map(|value| value.as_str().to_owned()),
            ),
            ("HttpPutResponseHopLimit", hops),
            (
                "InstanceMetadataTags",
                input
                    .instance_metadata_tags
                    .map(|value| value.as_str().to_owned()),
            ),
        ] {
            if let Some(value) = value {
                context.insert(format!("ec2:Attribute/{attribute}"), value);
            }
        }
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        use model::{
            DefaultHttpTokensEnforcedState as Enforced, DefaultInstanceMetadataEndpointState as Endpoint,
            DefaultInstanceMetadataTagsState as Tags, MetadataDefaultHttpTokensState as Tokens,
        };
        let mut held = of(call)?;
        match input.http_tokens {
            None => {}
            Some(Tokens::NoPreference) => held.tokens_required = None,
            Some(tokens) => held.tokens_required = Some(tokens == Tokens::Required),
        }
        match input.http_tokens_enforced {
            None => {}
            Some(Enforced::NoPreference) => held.tokens_enforced = None,
            Some(state) => held.tokens_enforced = Some(state == Enforced::Enabled),
        }
        match input.http_endpoint {
            None => {}
            Some(Endpoint::NoPreference) => held.enabled = None,
            Some(state) => held.enabled = Some(state == Endpoint::Enabled),
        }
        match input.instance_metadata_tags {
            None => {}
            Some(Tags::NoPreference) => held.tags = None,
            Some(state) => held.tags = Some(state == Tags::Enabled),
        }
        match input.http_put_response_hop_limit {
            None => {}
            Some(-1) => held.hop_limit = None,
            Some(asked) => held.hop_limit = Some(hops(asked)?),
        }
        fault::dry_run(input.dry_run)?;
        let key = (call.account().to_owned(), call.region().to_owned());
        call.put(&DEFAULTS, &key, held)?;
        Ok(model::ModifyInstanceMetadataDefaultsResult { r#return: Some(true) })
    }
}
