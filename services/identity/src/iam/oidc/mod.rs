//! OpenID Connect providers: the services outside of AWS whose identity tokens an account believes (S6.1, S6.3).
//!
//! Invariant: a provider belongs to one account and is known there by its URL, whose letters count; roles trust it by its ARN.

mod client;
mod create;
mod provider;
mod tags;

use std::sync::Arc;

use api::iam::fault::no_such_entity_exception;
use pipeline::{Found, Look, Resource, Result};
use policy::{Arn, Context};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;

use crate::iam::tag::{self, Tags};

pub use client::{
    AddClientIDToOpenIDConnectProvider, RemoveClientIDFromOpenIDConnectProvider,
    UpdateOpenIDConnectProviderThumbprint,
};
pub use create::CreateOpenIDConnectProvider;
pub use provider::{DeleteOpenIDConnectProvider, GetOpenIDConnectProvider, ListOpenIDConnectProviders};
pub use tags::{ListOpenIDConnectProviderTags, TagOpenIDConnectProvider, UntagOpenIDConnectProvider};

/// Client ids of one provider (IAM User Guide, "IAM and AWS STS quotas").
const CLIENT_IDS_MAX: usize = 100;
/// Thumbprints of one provider.
const THUMBPRINTS_MAX: usize = 5;

/// A provider that an administrator of the account registered.
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenIdConnectProvider {
    pub account: String,
    /// The URL without `https://`, as ARNs and condition keys spell it.
    pub url: String,
    /// The audiences whose tokens are taken.
    pub client_ids: Vec<String>,
    /// SHA-1 of certificates, for providers whose certificate no known authority signed.
    pub thumbprints: Vec<String>,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub tags: Tags,
}

store::record!(OpenIdConnectProvider, 1);

/// By account and URL without `https://`.
pub(crate) static OIDC_PROVIDERS: Table<(String, String), OpenIdConnectProvider> =
    Table::new(0x0125, "iam.oidc_providers");

impl OpenIdConnectProvider {
    fn key(&self) -> (String, String) {
        (self.account.clone(), self.url.clone())
    }

    /// Where the provider is, as `iss` claims name it.
    pub(crate) fn issuer(&self) -> String {
        format!("https://{}", self.url)
    }
}

impl Resource for OpenIdConnectProvider {
    // CloudFormation's name, also in CloudTrail's `resources`.
    const TYPE: &'static str = "AWS::IAM::OIDCProvider";

    fn arn(&self) -> String {
        arn(&self.account, &self.url)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        tag::resource_conditions(&self.tags, context);
    }
}

fn arn(account: &str, url: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{url}")
}

/// The provider of a URL without `https://`.
pub(crate) fn find(
    look: &mut Look<'_>,
    account: &str,
    url: &str,
) -> Result<Option<Arc<OpenIdConnectProvider>>> {
    look.get(&OIDC_PROVIDERS, &(account, url))
}

/// The provider that an ARN names.
fn named(look: &mut Look<'_>, text: &str) -> Result<Found<OpenIdConnectProvider>> {
    let url = url_of(text)?;
    let account = look.account().to_owned();
    let found = if text == arn(&account, url) {
        find(look, &account, url)?.map(|provider| (*provider).clone())
    } else {
        None
    };
    Ok(Found::or_absent(found, || {
        let message = format!("OpenIDConnect Provider not found for arn {text}");
        (text.to_owned(), no_such_entity_exception(message))
    }))
}

/// The URL in a provider's ARN.
fn url_of(text: &str) -> Result<&str> {
    Arn::parse(text)
        .filter(|arn| arn.service() == "iam" && arn.region().is_empty() && arn.account().len() == 12)
        .and_then(|_| text.split_once(":oidc-provider/"))
        .map(|(_, url)| url)
        .filter(|url| !url.is_empty())
        .ok_or_else(|| Fault::validation(format!("Invalid ARN:  Could not be parsed: {text}")))
}
