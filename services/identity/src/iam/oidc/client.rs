//! Whose tokens of a provider are taken, and by which certificate the provider itself is known.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;
use wire::typed::Empty;

use super::create::{thumbprints, too_many_clients};
use super::{CLIENT_IDS_MAX, OIDC_PROVIDERS, OpenIdConnectProvider, named};

/// Adds an audience; one that is there already is no error.
pub struct AddClientIDToOpenIDConnectProvider;

impl Operation for AddClientIDToOpenIDConnectProvider {
    type Input = model::AddClientIDToOpenIDConnectProviderRequest;
    type Output = Empty;
    type Target = OpenIdConnectProvider;
    const ACCESS: Access = Access::write("iam:AddClientIDToOpenIDConnectProvider");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<OpenIdConnectProvider>> {
        named(look, &input.open_id_connect_provider_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<OpenIdConnectProvider>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut provider = provider.into_inner();
        if !provider.client_ids.contains(&input.client_id) {
            if provider.client_ids.len() >= CLIENT_IDS_MAX {
                return Err(too_many_clients());
            }
            provider.client_ids.push(input.client_id);
            call.put(&OIDC_PROVIDERS, &provider.key(), provider)?;
        }
        Ok(Empty)
    }
}

/// Takes an audience away; one that is not there is no error.
pub struct RemoveClientIDFromOpenIDConnectProvider;

impl Operation for RemoveClientIDFromOpenIDConnectProvider {
    type Input = model::RemoveClientIDFromOpenIDConnectProviderRequest;
    type Output = Empty;
    type Target = OpenIdConnectProvider;
    const ACCESS: Access = Access::write("iam:RemoveClientIDFromOpenIDConnectProvider");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<OpenIdConnectProvider>> {
        named(look, &input.open_id_connect_provider_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<OpenIdConnectProvider>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut provider = provider.into_inner();
        provider.client_ids.retain(|known| *known != input.client_id);
        call.put(&OIDC_PROVIDERS, &provider.key(), provider)?;
        Ok(Empty)
    }
}

/// Replaces the list of thumbprints.
pub struct UpdateOpenIDConnectProviderThumbprint;

impl Operation for UpdateOpenIDConnectProviderThumbprint {
    type Input = model::UpdateOpenIDConnectProviderThumbprintRequest;
    type Output = Empty;
    type Target = OpenIdConnectProvider;
    const ACCESS: Access = Access::write("iam:UpdateOpenIDConnectProviderThumbprint");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<OpenIdConnectProvider>> {
        named(look, &input.open_id_connect_provider_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<OpenIdConnectProvider>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut provider = provider.into_inner();
        provider.thumbprints = thumbprints(input.thumbprint_list)?;
        if provider.thumbprints.is_empty() {
            return Err(Fault::validation(
                "1 validation error detected: Value at 'thumbprintList' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1",
            ));
        }
        call.put(&OIDC_PROVIDERS, &provider.key(), provider)?;
        Ok(Empty)
    }
}
