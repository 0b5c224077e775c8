//! How a SAML provider comes, changes and goes.
//!
//! Encrypted assertions are not read here, so no private key to decrypt them is taken.

use api::iam as model;
use api::iam::fault::{entity_already_exists_exception, invalid_input_exception};
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource as _, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Empty;

use super::{DOCUMENTS, SAML_PROVIDERS, SamlProvider, arn, keep, metadata, named, seconds};
use crate::iam::count::{self, Counted};
use crate::iam::tag::{self, Tags};

const REQUIRED: &str = "Required";
const TAG_PROVIDER: Access = Access::tagging("iam:TagSAMLProvider");

/// Makes a provider of a metadata document.
pub struct CreateSAMLProvider;

impl Operation for CreateSAMLProvider {
    type Input = model::CreateSAMLProviderRequest;
    type Output = model::CreateSAMLProviderResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:CreateSAMLProvider");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_PROVIDER];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(look.account(), &input.name);
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
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerSAMLProvider")?;
        let encryption = input
            .assertion_encryption_mode
            .map(|mode| mode.as_str().to_owned());
        refuse_encryption(encryption.as_deref(), input.add_private_key.is_some())?;
        let read = metadata(&input.saml_metadata_document)?;
        let key = (call.account().to_owned(), input.name.clone());
        if call.get(&SAML_PROVIDERS, &key)?.is_some() {
            let name = input.name;
            return Err(entity_already_exists_exception(format!(
                "SAMLProvider {name} already exists."
            )));
        }
        count::add(call, Counted::SamlProviders)?;
        let id = crypto::random::saml_provider_id(call.random()).map_err(Fault::internal)?;
        let mut provider = SamlProvider {
            account: key.0,
            name: key.1,
            id,
            created: seconds(call.now.0).0,
            valid_until: 0,
            entity_id: String::new(),
            certificates: Vec::new(),
            encryption,
            tags,
        };
        provider.follow(read);
        let arn = provider.arn();
        let mut shown = provider.tags.clone();
        shown.sort();
        call.mention(arn.clone(), &provider.account, SamlProvider::TYPE);
        keep(call, provider, Some(input.saml_metadata_document))?;
        Ok(model::CreateSAMLProviderResponse {
            saml_provider_arn: Some(arn),
            tags: tag::shown(&shown),
        })
    }
}

/// Replaces a provider's metadata.
pub struct UpdateSAMLProvider;

impl Operation for UpdateSAMLProvider {
    type Input = model::UpdateSAMLProviderRequest;
    type Output = model::UpdateSAMLProviderResponse;
    type Target = SamlProvider;
    const ACCESS: Access = Access::write("iam:UpdateSAMLProvider");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SamlProvider>> {
        named(look, &input.saml_provider_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        provider: Authorized<SamlProvider>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let encryption = input
            .assertion_encryption_mode
            .map(|mode| mode.as_str().to_owned());
        refuse_encryption(encryption.as_deref(), input.add_private_key.is_some())?;
        if input.remove_private_key.is_some() {
            return Err(invalid_input_exception(
                "Failed to remove private key because the Key ID does not match a private key.",
            ));
        }
        if encryption.is_none() && input.saml_metadata_document.is_none() {
            return Err(invalid_input_exception(
                "Unable to update identity provider. No updates are defined for metadata or encryption assertion.",
            ));
        }
        let mut provider = provider.into_inner();
        if let Some(text) = &input.saml_metadata_document {
            provider.follow(metadata(text)?);
        }
        provider.encryption = encryption.or(provider.encryption);
        let arn = provider.arn();
        keep(call, provider, input.saml_metadata_document)?;
        Ok(model::UpdateSAMLProviderResponse {
            saml_provider_arn: Some(arn),
        })
    }
}

/// What asks for decryption is refused: with AWS's words where they are true here too.
fn refuse_encryption(mode: Option<&str>, key: bool) -> Result<()> {
    if key {
        return Err(invalid_input_exception(
            "Private keys are not taken: this version of Ringwork does not decrypt SAML assertions.",
        ));
    }
    if mode == Some(REQUIRED) {
        return Err(invalid_input_exception(
            "Unable to set assertion encryption mode to Required because no private key is provided.",
        ));
    }
    Ok(())
}

/// Deletes a provider. Roles that trust it stay, and nobody can assume them by it any more.
pub struct DeleteSAMLProvider;

impl Operation for DeleteSAMLProvider {
    type Input = model::DeleteSAMLProviderRequest;
    type Output = Empty;
    type Target = SamlProvider;
    const ACCESS: Access = Access::write("iam:DeleteSAMLProvider");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SamlProvider>> {
        named(look, &input.saml_provider_arn)
    }

    fn handle(call: &mut Call<'_>, provider: Authorized<SamlProvider>, _input: Self::Input) -> Result<Empty> {
        count::remove(call, Counted::SamlProviders)?;
        let key = provider.key();
        call.delete(&DOCUMENTS, &key)?;
        call.delete(&SAML_PROVIDERS, &key)?;
        Ok(Empty)
    }
}
