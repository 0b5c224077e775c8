//! Server certificates: what load balancers show to their clients, with the private key that proves it.
//!
//! Invariant: a private key is checked against its certificate, lies sealed from then on, and no operation shows it.

mod change;
mod list;
mod tags;
mod upload;

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{malformed_certificate_exception, no_such_entity_exception};
use crypto::certificate::UploadedCertificate;
use pipeline::{Found, Look, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::tag::{self, Tags};

pub use change::{DeleteServerCertificate, UpdateServerCertificate};
pub use list::{GetServerCertificate, ListServerCertificates};
pub use tags::{ListServerCertificateTags, TagServerCertificate, UntagServerCertificate};
pub use upload::UploadServerCertificate;

/// The table's name, to which private keys are sealed.
const SEALED_IN: &str = "iam.server_certificates";

/// A certificate. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServerCertificate {
    pub account: String,
    pub name: String,
    /// `/` or `/…/`
    pub path: String,
    /// `ASCA…`
    pub id: String,
    pub uploaded: i64,
    pub expires: i64,
    /// As it was uploaded.
    pub body: String,
    pub chain: Option<String>,
    /// The private key in PEM, sealed to the id, in Base64.
    key: String,
    pub tags: Tags,
}

store::record!(ServerCertificate, 1);

/// By account and name. Unlike those of users, these names differ by case (IAM User Guide, "IAM name requirements").
pub static SERVER_CERTIFICATES: Table<(String, String), ServerCertificate> = Table::new(0x012b, SEALED_IN);

impl ServerCertificate {
    fn row(&self) -> (String, String) {
        (self.account.clone(), self.name.clone())
    }

    fn metadata(&self) -> model::ServerCertificateMetadata {
        model::ServerCertificateMetadata {
            arn: self.arn(),
            expiration: Some(Timestamp(self.expires)),
            path: self.path.clone(),
            server_certificate_id: self.id.clone(),
            server_certificate_name: self.name.clone(),
            upload_date: Some(Timestamp(self.uploaded)),
        }
    }
}

impl Resource for ServerCertificate {
    const TYPE: &'static str = "AWS::IAM::ServerCertificate";

    fn arn(&self) -> String {
        arn(&self.account, &self.path, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        tag::resource_conditions(&self.tags, context);
    }
}

/// `arn:aws:iam::ACCOUNT:server-certificate/PATH/NAME`
fn arn(account: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:server-certificate{path}{name}")
}

fn find(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<ServerCertificate>>> {
    let key = (look.account().to_owned(), name.to_owned());
    look.get(&SERVER_CERTIFICATES, &key)
}

/// The certificate that a request names.
fn named(look: &mut Look<'_>, name: &str) -> Result<Found<ServerCertificate>> {
    let found = find(look, name)?.map(|certificate| (*certificate).clone());
    let account = look.account();
    Ok(Found::or_absent(found, || {
        let fault = no_such_entity_exception(format!(
            "The Server Certificate with name {name} cannot be found."
        ));
        (arn(account, "/", name), fault)
    }))
}

fn unreadable() -> Fault {
    malformed_certificate_exception(
        "Unable to parse certificate. Please ensure the certificate is in PEM format.",
    )
}

/// Refuses a certificate whose time has not come or is over.
pub(crate) fn expect_valid_now(look: &Look<'_>, certificate: &UploadedCertificate) -> Result<()> {
    let now = look.now.seconds();
    if now < certificate.not_before() {
        return Err(malformed_certificate_exception(
            "Certificate is not yet valid. The 'Not Before' date restriction on the certificate has not passed.",
        ));
    }
    if now > certificate.not_after() {
        return Err(malformed_certificate_exception(
            "Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed.",
        ));
    }
    Ok(())
}
