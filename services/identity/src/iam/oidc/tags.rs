//! The tags of providers.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{OIDC_PROVIDERS, OpenIdConnectProvider, named};
use crate::iam::page::Page;
use crate::iam::tag;

/// Sets tags of a provider.
pub struct TagOpenIDConnectProvider;

impl Operation for TagOpenIDConnectProvider {
    type Input = model::TagOpenIDConnectProviderRequest;
    type Output = Empty;
    type Target = OpenIdConnectProvider;
    const ACCESS: Access = Access::tagging("iam:TagOpenIDConnectProvider");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<OpenIdConnectProvider>> {
        named(look, &input.open_id_connect_provider_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<OpenIdConnectProvider>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut provider = provider.into_inner();
        tag::merge(
            &mut provider.tags,
            tag::read(Some(input.tags))?,
            "TagsPerOpenIdConnectProvider",
        )?;
        call.put(&OIDC_PROVIDERS, &provider.key(), provider)?;
        Ok(Empty)
    }
}

/// Removes tags of a provider.
pub struct UntagOpenIDConnectProvider;

impl Operation for UntagOpenIDConnectProvider {
    type Input = model::UntagOpenIDConnectProviderRequest;
    type Output = Empty;
    type Target = OpenIdConnectProvider;
    const ACCESS: Access = Access::tagging("iam:UntagOpenIDConnectProvider");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<OpenIdConnectProvider>> {
        named(look, &input.open_id_connect_provider_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<OpenIdConnectProvider>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut provider = provider.into_inner();
        tag::remove(&mut provider.tags, &input.tag_keys);
        call.put(&OIDC_PROVIDERS, &provider.key(), provider)?;
        Ok(Empty)
    }
}

/// Lists the tags of a provider, sorted by key.
pub struct ListOpenIDConnectProviderTags;

impl Operation for ListOpenIDConnectProviderTags {
    type Input = model::ListOpenIDConnectProviderTagsRequest;
    type Output = model::ListOpenIDConnectProviderTagsResponse;
    type Target = OpenIdConnectProvider;
    const ACCESS: Access = Access::list("iam:ListOpenIDConnectProviderTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<OpenIdConnectProvider>> {
        named(look, &input.open_id_connect_provider_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<OpenIdConnectProvider>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListOpenIDConnectProviderTags/{}", provider.url);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = provider.into_inner().tags;
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListOpenIDConnectProviderTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
