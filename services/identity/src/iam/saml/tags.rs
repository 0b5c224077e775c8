//! The tags of SAML providers.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{SAML_PROVIDERS, SamlProvider, named};
use crate::iam::page::Page;
use crate::iam::tag;

/// Sets tags of a SAML provider.
pub struct TagSAMLProvider;

impl Operation for TagSAMLProvider {
    type Input = model::TagSAMLProviderRequest;
    type Output = Empty;
    type Target = SamlProvider;
    const ACCESS: Access = Access::tagging("iam:TagSAMLProvider");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SamlProvider>> {
        named(look, &input.saml_provider_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, provider: Authorized<SamlProvider>, input: Self::Input) -> Result<Empty> {
        let mut provider = provider.into_inner();
        tag::merge(
            &mut provider.tags,
            tag::read(Some(input.tags))?,
            "TagsPerSAMLProvider",
        )?;
        call.put(&SAML_PROVIDERS, &provider.key(), provider)?;
        Ok(Empty)
    }
}

/// Removes tags of a SAML provider.
pub struct UntagSAMLProvider;

impl Operation for UntagSAMLProvider {
    type Input = model::UntagSAMLProviderRequest;
    type Output = Empty;
    type Target = SamlProvider;
    const ACCESS: Access = Access::tagging("iam:UntagSAMLProvider");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SamlProvider>> {
        named(look, &input.saml_provider_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(call: &mut Call<'_>, provider: Authorized<SamlProvider>, input: Self::Input) -> Result<Empty> {
        let mut provider = provider.into_inner();
        tag::remove(&mut provider.tags, &input.tag_keys);
        call.put(&SAML_PROVIDERS, &provider.key(), provider)?;
        Ok(Empty)
    }
}

/// Lists the tags of a SAML provider, sorted by key.
pub struct ListSAMLProviderTags;

impl Operation for ListSAMLProviderTags {
    type Input = model::ListSAMLProviderTagsRequest;
    type Output = model::ListSAMLProviderTagsResponse;
    type Target = SamlProvider;
    const ACCESS: Access = Access::list("iam:ListSAMLProviderTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SamlProvider>> {
        named(look, &input.saml_provider_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<SamlProvider>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListSAMLProviderTags/{}", provider.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = provider.into_inner().tags;
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListSAMLProviderTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
