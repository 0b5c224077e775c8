//! What there is to see of SAML providers.

use api::iam as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Resource as _, Result};

use super::{SAML_PROVIDERS, SamlProvider, document, named, seconds};
use crate::iam::count::Counted;
use crate::iam::tag;

/// Shows a provider with its metadata.
pub struct GetSAMLProvider;

impl Operation for GetSAMLProvider {
    type Input = model::GetSAMLProviderRequest;
    type Output = model::GetSAMLProviderResponse;
    type Target = SamlProvider;
    const ACCESS: Access = Access::read("iam:GetSAMLProvider");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SamlProvider>> {
        named(look, &input.saml_provider_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<SamlProvider>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let text = document(call, &provider)?;
        let mut tags = provider.tags.clone();
        tags.sort();
        Ok(model::GetSAMLProviderResponse {
            saml_provider_uuid: Some(provider.id.clone()),
            saml_metadata_document: Some(text),
            create_date: Some(seconds(provider.created)),
            valid_until: Some(seconds(provider.valid_until)),
            tags: tag::shown(&tags),
            assertion_encryption_mode: provider
                .encryption
                .as_deref()
                .and_then(model::AssertionEncryptionModeType::parse),
            private_key_list: None,
        })
    }
}

/// Lists the account's providers, all at once.
pub struct ListSAMLProviders;

impl Operation for ListSAMLProviders {
    type Input = model::ListSAMLProvidersRequest;
    type Output = model::ListSAMLProvidersResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListSAMLProviders");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let all = usize::try_from(Counted::SamlProviders.quota()).unwrap_or(usize::MAX);
        let rows = call.range(&SAML_PROVIDERS, &(account.as_str(),), None, all)?;
        let entries = rows.iter().map(|(_, provider)| model::SAMLProviderListEntry {
            arn: Some(provider.arn()),
            valid_until: Some(seconds(provider.valid_until)),
            create_date: Some(seconds(provider.created)),
        });
        Ok(model::ListSAMLProvidersResponse {
            saml_provider_list: Some(entries.collect()),
        })
    }
}
