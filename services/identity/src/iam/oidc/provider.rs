//! Showing, listing and deleting providers.

use api::iam as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Timestamp;
use wire::typed::Empty;

use super::{OIDC_PROVIDERS, OpenIdConnectProvider, find, named, url_of};
use crate::iam::count::{self, Counted};
use crate::iam::tag;

/// Shows a provider. Its URL is shown without `https://`, as on AWS.
pub struct GetOpenIDConnectProvider;

impl Operation for GetOpenIDConnectProvider {
    type Input = model::GetOpenIDConnectProviderRequest;
    type Output = model::GetOpenIDConnectProviderResponse;
    type Target = OpenIdConnectProvider;
    const ACCESS: Access = Access::read("iam:GetOpenIDConnectProvider");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<OpenIdConnectProvider>> {
        named(look, &input.open_id_connect_provider_arn)
    }

    fn handle(
        _call: &mut Call<'_>,
        provider: Authorized<OpenIdConnectProvider>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let provider = provider.into_inner();
        Ok(model::GetOpenIDConnectProviderResponse {
            tags: tag::shown(&provider.tags),
            url: Some(provider.url),
            client_id_list: Some(provider.client_ids),
            thumbprint_list: Some(provider.thumbprints),
            create_date: Some(Timestamp(provider.created)),
        })
    }
}

/// Lists the providers of the account, all at once.
pub struct ListOpenIDConnectProviders;

impl Operation for ListOpenIDConnectProviders {
    type Input = model::ListOpenIDConnectProvidersRequest;
    type Output = model::ListOpenIDConnectProvidersResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListOpenIDConnectProviders");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let most = usize::try_from(Counted::OidcProviders.quota()).unwrap_or(usize::MAX);
        let rows = call.range(&OIDC_PROVIDERS, &(account.as_str(),), None, most)?;
        let entries = rows
            .into_iter()
            .map(|(_, provider)| model::OpenIDConnectProviderListEntry {
                arn: Some(provider.arn()),
            });
        Ok(model::ListOpenIDConnectProvidersResponse {
            open_id_connect_provider_list: Some(entries.collect()),
        })
    }
}

/// What a deletion is done to: it succeeds for a provider that is gone, too.
pub struct Former {
    arn: String,
    account: String,
    provider: Option<OpenIdConnectProvider>,
}

impl Resource for Former {
    const TYPE: &'static str = OpenIdConnectProvider::TYPE;

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        if let Some(provider) = &self.provider {
            provider.conditions(context);
        }
    }
}

/// Deletes a provider. Roles that trust it stay, and nobody gets in by them any more.
pub struct DeleteOpenIDConnectProvider;

impl Operation for DeleteOpenIDConnectProvider {
    type Input = model::DeleteOpenIDConnectProviderRequest;
    type Output = Empty;
    type Target = Former;
    const ACCESS: Access = Access::write("iam:DeleteOpenIDConnectProvider");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Former>> {
        let arn = &input.open_id_connect_provider_arn;
        let account = look.account().to_owned();
        let found = find(look, &account, url_of(arn)?)?;
        let found = found.filter(|provider| provider.arn() == *arn);
        Ok(Found::Here(Former {
            arn: arn.clone(),
            account,
            provider: found.map(|provider| (*provider).clone()),
        }))
    }

    fn handle(call: &mut Call<'_>, former: Authorized<Former>, _input: Self::Input) -> Result<Empty> {
        if let Some(provider) = former.into_inner().provider {
            count::remove(call, Counted::OidcProviders)?;
            call.delete(&OIDC_PROVIDERS, &provider.key())?;
        }
        Ok(Empty)
    }
}
