//! Registering a provider: what its URL may be, and whose certificate will be believed.
//!
//! Source: IAM API Reference, "CreateOpenIDConnectProvider"; IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in
//! IAM".

use api::iam as model;
use api::iam::fault::{
    entity_already_exists_exception, invalid_input_exception, limit_exceeded_exception,
    open_id_idp_communication_error_exception,
};
use pipeline::outside::{Fetch, Trust};
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource as _, Result};
use policy::Context;
use wire::{Fault, Timestamp};

use super::{CLIENT_IDS_MAX, OIDC_PROVIDERS, OpenIdConnectProvider, THUMBPRINTS_MAX, arn, find};
use crate::iam::count::{self, Counted};
use crate::iam::tag::{self, Tags};
use crate::sts::web_identity::discovery;

/// Registers a provider. Without thumbprints its certificate is looked at, and the one that it ends with is noted.
pub struct CreateOpenIDConnectProvider;

const TAG_PROVIDER: Access = Access::tagging("iam:TagOpenIDConnectProvider");

impl Operation for CreateOpenIDConnectProvider {
    type Input = model::CreateOpenIDConnectProviderRequest;
    type Output = model::CreateOpenIDConnectProviderResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:CreateOpenIDConnectProvider");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_PROVIDER];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let url = input.url.split_once("://").map_or(&*input.url, |(_, url)| url);
        let arn = arn(look.account(), url);
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_PROVIDER, &target.arn(), target.account(), context)?;
        }
        let url = place(&input.url)?.to_owned();
        let thumbprints = thumbprints(input.thumbprint_list.unwrap_or_default())?;
        let client_ids = client_ids(input.client_id_list.unwrap_or_default())?;
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerOpenIdConnectProvider")?;
        let account = call.account().to_owned();
        if find(call, &account, &url)?.is_some() {
            let message = format!("Provider with url {} already exists.", input.url);
            return Err(entity_already_exists_exception(message));
        }
        let thumbprints = if thumbprints.is_empty() {
            vec![served(call, &input.url)?]
        } else {
            thumbprints
        };
        count::add(call, Counted::OidcProviders)?;
        tags.sort();
        let provider = OpenIdConnectProvider {
            account,
            url,
            client_ids,
            thumbprints,
            created: Timestamp::from_seconds(call.now.seconds()).0,
            tags,
        };
        let output = model::CreateOpenIDConnectProviderResponse {
            open_id_connect_provider_arn: Some(provider.arn()),
            tags: tag::shown(&provider.tags),
        };
        call.mention(provider.arn(), &provider.account, OpenIdConnectProvider::TYPE);
        call.put(&OIDC_PROVIDERS, &provider.key(), provider)?;
        Ok(output)
    }
}

/// The URL without its scheme. AWS takes no port; here a provider on this very machine may have one, which tests need.
fn place(url: &str) -> Result<&str> {
    const INVALID: &str = "Invalid Open ID Connect Provider URL";
    let invalid = || Fault::validation(INVALID);
    let (scheme, place) = url.split_once("://").ok_or_else(invalid)?;
    if scheme != "https" {
        let message = format!("{INVALID}. The URL must begin with https://.");
        return Err(invalid_input_exception(message));
    }
    let authority = place.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(invalid());
    }
    let uri: Option<http::Uri> = url.parse().ok();
    let fits = uri.as_ref().and_then(http::Uri::authority).is_some_and(|parsed| {
        parsed.as_str() == authority
            && !authority.contains('@')
            && (authority == parsed.host() || parsed.port_u16().is_some() && is_loopback(parsed.host()))
    });
    if !fits || place.contains(['?', '#', '*']) {
        return Err(invalid_input_exception(format!("{INVALID}.")));
    }
    Ok(place)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Checks a list of thumbprints.
pub(super) fn thumbprints(given: Vec<String>) -> Result<Vec<String>> {
    if given.len() > THUMBPRINTS_MAX {
        return Err(invalid_input_exception(
            "Thumbprint list must contain fewer than 5 entries.",
        ));
    }
    Ok(unique(given))
}

fn client_ids(given: Vec<String>) -> Result<Vec<String>> {
    let ids = unique(given);
    if ids.len() > CLIENT_IDS_MAX {
        return Err(too_many_clients());
    }
    Ok(ids)
}

pub(super) fn too_many_clients() -> Fault {
    limit_exceeded_exception(format!(
        "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENT_IDS_MAX}"
    ))
}

fn unique(given: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    for item in given {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// The thumbprint of the last certificate that the provider's keys are served with. Nobody has said yet which one to believe, so
/// this one is believed from now on.
fn served(call: &mut Call<'_>, issuer: &str) -> Result<String> {
    let unreached = || {
        open_id_idp_communication_error_exception(format!(
            "Please check .well-known/openid-configuration of provider: {issuer} is valid."
        ))
    };
    let document = call.fetch(&Fetch::new(discovery::address(issuer), Trust::FirstUse), None)?;
    let document = document.as_ref().as_ref().map_err(|_| unreached())?;
    let keys = discovery::keys_address(&document.body, issuer).ok_or_else(unreached)?;
    let keys = call.fetch(&Fetch::new(keys, Trust::FirstUse), None)?;
    match keys.as_ref() {
        Ok(page) => Ok(page.thumbprint.clone()),
        Err(_) => Err(unreached()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_https_without_query_or_port() {
        for good in [
            "https://server.example.com",
            "https://Server.example.com/Realm/a",
            "https://tenant.example.com/",
            "https://127.0.0.1:8443/realm",
            "https://localhost:1",
        ] {
            assert_eq!(place(good).ok(), good.strip_prefix("https://"), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "http://example.com",
            "https://",
            "https:///path",
            "https://user:pass@example.com",
            "https://example.com?a=1",
            "https://example.com#f",
            "https://example.com:8443",
            "https://exa mple.com",
            "https://example.com/*",
        ] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
