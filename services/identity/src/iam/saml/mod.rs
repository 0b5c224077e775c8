//! SAML providers: the identity providers outside AWS whose word roles may trust (S6.1, S6.2).
//!
//! Invariant: a provider's metadata was read whole before it was kept; the keys that its assertions are verified with come from
//! there and from nowhere else.

mod lifecycle;
mod list;
mod tags;

use std::sync::Arc;

use api::iam::fault::{invalid_input_exception, no_such_entity_exception};
use pipeline::{Call, Found, Look, Resource, Result};
use policy::{Arn, Context};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::tag::{self, Tags};
use crate::saml::Metadata;

pub use lifecycle::{CreateSAMLProvider, DeleteSAMLProvider, UpdateSAMLProvider};
pub use list::{GetSAMLProvider, ListSAMLProviders};
pub use tags::{ListSAMLProviderTags, TagSAMLProvider, UntagSAMLProvider};

/// How long a provider is good whose metadata names no end: a hundred years of 365.25 days, in milliseconds.
const UNLIMITED: i64 = 36_525 * 24 * 3_600_000;

/// A SAML provider, without the text of its metadata. Times are in milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct SamlProvider {
    pub account: String,
    pub name: String,
    /// `SAMLSP…`
    pub id: String,
    pub created: i64,
    pub valid_until: i64,
    /// The issuer of its assertions.
    pub entity_id: String,
    /// Certificates in DER, in Base64.
    pub certificates: Vec<String>,
    /// `Allowed`, if that was asked for.
    pub encryption: Option<String>,
    pub tags: Tags,
}

store::record!(SamlProvider, 1);

/// By account and name, which counts its letters' case.
pub static SAML_PROVIDERS: Table<(String, String), SamlProvider> = Table::new(0x0128, "iam.saml_providers");

/// The text of a provider's metadata, which may have ten million characters.
#[derive(Clone, Serialize, Deserialize)]
struct Document {
    text: String,
}

store::record!(Document, 1);

/// By account and provider.
static DOCUMENTS: Table<(String, String), Document> = Table::new(0x012a, "iam.saml_metadata");

impl SamlProvider {
    fn key(&self) -> (String, String) {
        (self.account.clone(), self.name.clone())
    }

    /// Takes over what a metadata document says.
    fn follow(&mut self, metadata: Metadata) {
        self.valid_until = metadata
            .valid_until
            .unwrap_or_else(|| self.created.saturating_add(UNLIMITED));
        self.entity_id = metadata.entity_id;
        self.certificates = metadata.certificates;
    }
}

impl Resource for SamlProvider {
    const TYPE: &'static str = "AWS::IAM::SAMLProvider";

    fn arn(&self) -> String {
        arn(&self.account, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        tag::resource_conditions(&self.tags, context);
    }
}

fn arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:saml-provider/{name}")
}

/// Account and name in a provider's ARN.
fn parts(text: &str) -> Option<(String, String)> {
    let arn = Arn::parse(text).filter(|arn| arn.service() == "iam" && arn.region().is_empty())?;
    let name = arn
        .resource()
        .strip_prefix("saml-provider/")
        .filter(|name| !name.is_empty() && !name.contains('/'))?;
    Some((arn.account().to_owned(), name.to_owned()))
}

/// The provider that an ARN names, in any account; `None` too for what is no provider's ARN.
pub(crate) fn find(look: &mut Look<'_>, text: &str) -> Result<Option<Arc<SamlProvider>>> {
    match parts(text) {
        Some(key) => look.get(&SAML_PROVIDERS, &key),
        None => Ok(None),
    }
}

/// The provider that a request of the caller's account names.
fn named(look: &mut Look<'_>, text: &str) -> Result<Found<SamlProvider>> {
    let (account, _) = parts(text).ok_or_else(|| invalid_input_exception(format!("Invalid ARN: {text}")))?;
    let found = find(look, text)?.filter(|_| account == look.account());
    Ok(Found::or_absent(
        found.map(|provider| (*provider).clone()),
        || (text.to_owned(), missing(text)),
    ))
}

fn missing(arn: &str) -> Fault {
    no_such_entity_exception(format!("Manifest not found for arn {arn}"))
}

/// Reads a metadata document of a request.
fn metadata(text: &str) -> Result<Metadata> {
    Metadata::read(text).ok_or_else(|| invalid_input_exception("Could not parse metadata"))
}

/// Writes the provider, and the text of its metadata if that is new.
fn keep(call: &mut Call<'_>, provider: SamlProvider, text: Option<String>) -> Result<()> {
    let key = provider.key();
    if let Some(text) = text {
        call.put(&DOCUMENTS, &key, Document { text })?;
    }
    call.put(&SAML_PROVIDERS, &key, provider)
}

/// The text of a provider's metadata.
fn document(look: &mut Look<'_>, provider: &SamlProvider) -> Result<String> {
    let found = look.get(&DOCUMENTS, &provider.key())?;
    found
        .map(|document| document.text.clone())
        .ok_or_else(|| Fault::internal("a SAML provider without metadata"))
}

fn seconds(at: i64) -> Timestamp {
    Timestamp::from_seconds(Timestamp(at).seconds())
}
