//! Service-specific credentials: a user name and password, or an API key, by which one service alone knows an IAM user.
//!
//! Invariant: a secret leaves once, in the answer that made it, and lies sealed from then on.

mod change;
mod create;
mod list;
mod service;

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::no_such_entity_exception;
use pipeline::{Found, Look, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::owned::{self, Place};
use crate::iam::user::{Holder, holder};

pub use change::{
    DeleteServiceSpecificCredential, ResetServiceSpecificCredential, UpdateServiceSpecificCredential,
};
pub use create::CreateServiceSpecificCredential;
pub use list::ListServiceSpecificCredentials;

/// The table's name, to which secrets are sealed.
const SEALED_IN: &str = "iam.service_credentials";

/// The key under which conditions see the service of a credential.
const SERVICE_NAME: &str = "iam:ServiceSpecificCredentialServiceName";

/// A credential. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServiceCredential {
    /// `ACCA…`
    pub id: String,
    /// As answers show it.
    pub user_name: String,
    /// `codecommit.amazonaws.com`
    pub service: String,
    /// What the service is shown beside the secret: a user name, or the public part of an API key.
    pub alias: String,
    /// Sealed to the id, in Base64.
    pub(super) secret: String,
    pub active: bool,
    pub created: i64,
    pub expires: Option<i64>,
}

store::record!(ServiceCredential, 1);

pub(crate) static SERVICE_CREDENTIALS: Table<Place, ServiceCredential> = Table::new(0x012e, SEALED_IN);

impl ServiceCredential {
    fn status(&self, now: Timestamp) -> model::StatusType {
        if self.expires.is_some_and(|end| end <= now.0) {
            return model::StatusType::Expired;
        }
        owned::status(self.active)
    }

    /// With its secret, which only the answers that make one show.
    fn shown(&self, now: Timestamp, secret: &str) -> model::ServiceSpecificCredential {
        let api_key = service::has_api_keys(&self.service);
        let (alias, secret) = (Some(self.alias.clone()), Some(secret.to_owned()));
        let ((name, password), (alias, secret)) = if api_key {
            ((None, None), (alias, secret))
        } else {
            ((alias, secret), (None, None))
        };
        model::ServiceSpecificCredential {
            create_date: Timestamp(self.created),
            expiration_date: self.expires.map(Timestamp),
            service_credential_alias: alias,
            service_credential_secret: secret,
            service_name: self.service.clone(),
            service_password: password,
            service_specific_credential_id: self.id.clone(),
            service_user_name: name,
            status: self.status(now),
            user_name: self.user_name.clone(),
        }
    }

    fn metadata(&self, now: Timestamp) -> model::ServiceSpecificCredentialMetadata {
        let whole = self.shown(now, "");
        model::ServiceSpecificCredentialMetadata {
            create_date: whole.create_date,
            expiration_date: whole.expiration_date,
            service_credential_alias: whole.service_credential_alias,
            service_name: whole.service_name,
            service_specific_credential_id: whole.service_specific_credential_id,
            service_user_name: whole.service_user_name,
            status: whole.status,
            user_name: whole.user_name,
        }
    }
}

/// A user, and the credential of theirs that a request names: permissions name the user, conditions the credential's service.
pub struct Owned {
    holder: Holder,
    credential: Option<Arc<ServiceCredential>>,
    id: String,
}

impl Owned {
    /// The credential, or the refusal that there is none.
    fn credential(&self) -> Result<ServiceCredential> {
        let absent = || -> Fault {
            no_such_entity_exception(format!(
                "The service specific credential {} cannot be found.",
                self.id
            ))
        };
        self.credential
            .as_ref()
            .map(|credential| (**credential).clone())
            .ok_or_else(absent)
    }

    fn place(&self) -> Place {
        owned::place(&self.holder, &self.id)
    }
}

impl Resource for Owned {
    const TYPE: &'static str = Holder::TYPE;

    fn arn(&self) -> String {
        self.holder.arn()
    }

    fn account(&self) -> &str {
        self.holder.account()
    }

    fn conditions(&self, context: &mut Context) {
        self.holder.conditions(context);
        if let Some(credential) = &self.credential {
            context.insert(SERVICE_NAME, credential.service.clone());
        }
    }
}

/// The user whom a request names, or the caller, with the credential of an id.
fn named(look: &mut Look<'_>, user: Option<&str>, id: &str) -> Result<Found<Owned>> {
    Ok(match holder(look, user)? {
        Found::Here(holder) => {
            let credential = look.get(&SERVICE_CREDENTIALS, &owned::place(&holder, id))?;
            Found::Here(Owned {
                holder,
                credential,
                id: id.to_owned(),
            })
        }
        Found::Absent { arn, fault } => Found::Absent { arn, fault },
    })
}
